"""Task: one function call that runs beside others, its end, and the requests made of it.

What must live here: a task's states, its outcome, and which request it is to be given next. What this
file must not know: what carries a task (a greenlet, a thread), how it waits.

States: NEW -> RUNNING -> DONE, or NEW -> DONE for one cancelled before its start. A request (a cancel,
an expired scope) is only recorded by whoever makes it; the task itself takes it, so each is raised
once. `latched` tells the task to look; `INTERRUPT` wakes it to look.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context
from itertools import count
from types import TracebackType
from typing import Any, Generic, TypeVar

from .contract import Hub, Owner
from .delays import Delay
from .errors import Cancelled, TaskCancelled
from .registry import this_task
from .scopes import Scope
from .waiting import INTERRUPT, Ticket, check_timeout, deliver_latched, latched, own_ticket, unlatch, wait
from .watched import Watched

T = TypeVar("T")

NEW, RUNNING, DONE = range(3)

#: Requests that are one if they are made again before they are delivered.
_ONCE = (Cancelled, KeyboardInterrupt)

_log = logging.getLogger("hubkit")
_numbers = count(1)


class Task(Watched, Generic[T]):
    """A call that runs on its own. Made by `spawn`, `TaskGroup.spawn` and `Pool.spawn`."""

    __slots__ = (
        "__weakref__",
        "_args",
        "_cancelled",
        "_error",
        "_fn",
        "_kwargs",
        "_name",
        "_requests",
        "_state",
        "_traceback",
        "_value",
        "carrier",
        "context",
        "hub",
        "locals",
        "number",
        "owner",
        "resume",
        "scope",
        "ticket",
    )

    hub: Hub
    context: Context | None
    carrier: Any  # the hub's: what runs this task; before that, a delay
    resume: Any  # the hub's: switches to the carrier, where that is how it is woken
    ticket: Ticket | None  # the wait it is in; set and cleared by waiting.wait
    scope: Scope | None  # the innermost one it is in
    owner: Owner | None
    locals: object  # what its attributes of a Local live and die with
    number: int
    _fn: Callable[..., T] | None
    _args: tuple[Any, ...]
    _kwargs: dict[str, Any] | None
    _name: str | None
    _state: int
    _value: T
    _error: BaseException | None
    _traceback: TracebackType | None
    _cancelled: bool
    _requests: list[BaseException]

    # No __init__: CPython needs twice as long to make an object that has one. See `new_task`.

    # -- running: called by the hub ---------------------------------------------------------------

    def run(self) -> None:
        """Run to the end on the calling carrier. For hubs.

        Switches: if the task does. Call from: the task's carrier. Raises: nothing.
        """
        taken = True  # whether somebody has heard of an error
        if self._requests:
            self._end_badly(self._requests[0])
        else:
            self._state = RUNNING
            fn: Any = self._fn
            args, kwargs = self._args, self._kwargs
            try:
                if args or kwargs:
                    self._args, self._kwargs = (), None
                    self._value = fn(*args, **kwargs or {})
                else:  # on CPython 3.11 a smaller stack to be copied with each switch
                    self._value = fn()
            except BaseException as error:
                # The first traceback entry is this frame: it says nothing about the task's own code.
                if error.__traceback__ is not None:
                    error.__traceback__ = error.__traceback__.tb_next
                taken = self._end_badly(error)
            del args, kwargs
        # The outcome first: another thread may ask for it as soon as the task is done.
        self._state = DONE
        try:
            del self.hub.tasks[self]
        except KeyError:  # the hub has forgotten it
            pass
        if latched:
            latched.pop(self, None)
        self.scope = self.context = self.locals = None
        if self.owner is not None:
            taken |= self.owner.task_ended(self)
        if self._watchers:
            self._serve_watchers()
        elif not taken:
            self._complain()
        if self._error is not None:
            del self  # the error's frames refer to this one

    def begun(self) -> bool:
        """Whether `run` has got so far that it will not be called again. For hubs.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        return self._state != NEW

    def _end_badly(self, error: BaseException) -> bool:
        """Record how it ended; True if there is no error that somebody must hear of."""
        self._error = error
        self._traceback = error.__traceback__
        if isinstance(error, (Cancelled, *self.hub.kill_errors)):
            self._cancelled = True
            return True
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            main = self.hub.main
            if main is not None and main is not self:
                main.interrupt(error)
                return True
        return False

    def _complain(self) -> None:
        _log.error("%s ended by an error that nobody waits for", self, exc_info=self._error)

    def _failed(self) -> bool:
        return self._error is not None and not self._cancelled

    # -- requests ---------------------------------------------------------------------------------

    def cancel(self) -> bool:
        """Ask the task to stop; True if it was not finished.

        `Cancelled` is raised once, at the wait the task is in or else at the entry of its next verb
        that can wait. A task that has not started never runs. Asking again before the request was
        delivered changes nothing.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        if self._state == DONE:
            return False
        if not self._requests:
            self._requests.append(Cancelled(self))
        self.nudge()
        if type(self.carrier) is Delay:
            self.carrier.cancel()
        return True

    def interrupt(self, error: BaseException) -> None:
        """Have `error` raised in the task, delivered like a cancel. For hubs and signal handlers.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        if self._state != DONE:
            self._requests.append(error)
            self.nudge()

    def nudge(self, scope: Scope | None = None) -> None:
        """Make the task look for a request. Any thread.

        Latched before the ticket is read, as `wait` publishes its ticket before it looks at
        `latched`. What may have been delivered or revoked meanwhile is read after the ticket: if it
        still stands then, the ticket belongs to a wait that it is meant for.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        if not self.pending():
            return  # shielded: leaving the shield latches it
        latched[self] = None
        if self._state == DONE:  # in this very instant, in another thread
            latched.pop(self, None)
            return
        ticket = self.ticket
        if not self.pending() or (scope is not None and not scope.active):
            return unlatch(self)
        if ticket is not None:
            self.hub.fire(ticket, INTERRUPT)
        elif self._state == RUNNING:
            self.hub.interrupt_host(self)

    def pending(self) -> bool:
        """Whether a request could be delivered now.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        scope = self.scope
        while scope is not None:
            if scope.shields:
                return False
            if scope.expired and not scope.delivered:
                return True
            scope = scope.outer
        return bool(self._requests)

    def take(self) -> BaseException | None:
        """The request to raise now, marked as delivered: the task's own first, then the innermost
        expired scope's.

        Switches: never. Call from: the task, or its hub while it is suspended. Raises: nothing.
        """
        latched.pop(self, None)
        expired = None
        scope = self.scope
        while scope is not None and not scope.shields:
            if expired is None and scope.expired and not scope.delivered:
                expired = scope
            scope = scope.outer
        request: BaseException | None = None
        if scope is None and self._requests:
            request = self._requests.pop(0)
            while self._requests and type(request) is type(self._requests[0]) in _ONCE:
                self._requests.pop(0)
        elif expired is not None:
            expired.delivered = True
            request = Cancelled(expired)
        if request is not None and self.pending():
            latched[self] = None
        return request

    def deliver(self) -> None:
        """Raise the request to deliver now, if there is one.

        Switches: never. Call from: the task. Raises: the request.
        """
        request = self.take()
        if request is not None:
            try:
                raise request
            finally:
                del request  # it would hold this frame, and the frame it

    # -- the outcome ------------------------------------------------------------------------------

    def done(self) -> bool:
        """Whether the task has ended, in whatever way.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        return self._state == DONE

    def cancelled(self) -> bool:
        """Whether the task has ended by being cancelled or killed.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        return self._cancelled

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the task has ended, at most `timeout` seconds; whether it has.

        Switches: if it must wait. Call from: hub. Raises: Cancelled; RuntimeError if a task joins
        itself.
        """
        if timeout is not None:
            timeout = check_timeout(timeout)
        if latched:
            deliver_latched()
        if self._state == DONE:
            return True
        if timeout is not None and timeout == 0:
            if this_task() is self:
                raise RuntimeError(f"{self!r} waits for its own end, and would do so for ever")
            return False
        ticket = own_ticket()
        if ticket.task is self:
            raise RuntimeError(f"{self!r} waits for its own end, and would do so for ever")
        self._watchers.append(ticket)
        if self._state == DONE:  # in this very instant, in another thread
            self._serve_watchers()
        return wait(ticket, timeout, self) is self or self._state == DONE

    def result(self, timeout: float | None = None) -> T:
        """Wait for the end and return the function's value, or raise its error.

        Switches: if it must wait. Call from: hub. Raises: the task's own error; TaskCancelled if it
        was cancelled; TimeoutError after `timeout` seconds; Cancelled if the caller is cancelled.
        """
        self._wait_done(timeout)
        if self._error is None:
            return self._value
        if self._cancelled:
            raise TaskCancelled(f"{self!r} was cancelled") from None
        raise self._error.with_traceback(self._traceback)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end and return the error the task ended by, or None.

        Switches: if it must wait. Call from: hub. Raises: TaskCancelled if it was cancelled;
        TimeoutError after `timeout` seconds; Cancelled if the caller is cancelled.
        """
        self._wait_done(timeout)
        if self._cancelled:
            raise TaskCancelled(f"{self!r} was cancelled") from None
        return self._error

    def _wait_done(self, timeout: float | None) -> None:
        if not self.join(timeout):
            raise TimeoutError(f"{self!r} has not ended within {timeout} s")

    def add_done_callback(self, fn: Callable[[Task[T]], object]) -> None:
        """Call `fn(task)` in hub context once the task has ended; soon, if it has already.

        Switches: never. Call from: any thread, signal. Raises: TypeError if `fn` is not callable.
        """
        self._call_when_done(self.hub, fn)

    @property
    def name(self) -> str:
        """For people: the function's name and a number, or what was assigned."""
        label = getattr(self._fn, "__qualname__", None) or type(self._fn).__name__
        return self._name or f"{label if self._fn is not None else 'main'}-{self.number}"

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        if self._state == DONE:
            how = "cancelled" if self._cancelled else "failed" if self._error is not None else "done"
        elif self.ticket is not None:
            how = "waiting"
        else:
            how = ("new", "running")[self._state]
        return f"<Task {self.name} {how}>"


def new_task(
    hub: Hub,
    fn: Callable[..., T] | None,
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
    context: Context | None = None,
) -> Task[T]:
    """A task of `hub` that has yet to be given to `Hub.start`.

    Switches: never. Call from: any thread, signal. Raises: nothing.
    """
    task: Task[T] = Task()
    task.hub = hub
    task.context = context
    task.carrier = None
    task.resume = None
    task.ticket = None
    task.scope = None
    task.owner = None
    task.locals = None
    task.number = next(_numbers)
    task._fn = fn
    task._args = args
    task._kwargs = kwargs
    task._name = None
    task._state = NEW
    task._error = None
    task._cancelled = False
    task._watchers = []
    task._requests = []
    return task


def adopt(hub: Hub, carrier: Any) -> Task[Any]:
    """A Task for a carrier that the hub did not make: running, and never seen to end."""
    task: Task[Any] = new_task(hub, None)
    task.carrier = carrier
    task._state = RUNNING
    return task
