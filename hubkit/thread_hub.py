"""ThreadHub: the contract on OS threads, one for each task.

What must live here: which task a thread runs, which hub serves it, and when waiting in it would stop
somebody else's event loop. What this file must not know: how a thread blocks (blocking.py), where threads
come from (worker_threads.py).

The kernel schedules, so there is no ring. What hubs have in common is process-wide: how to wake a thread, the
descriptors, the callback thread. A hub object only owns tasks, so that ending one program in a thread
leaves another's alone. Threads that never spawn nor run a program wait on the shared one, whatever
hub the process has chosen.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from typing import Any, TypeVar

from . import blocking, forking, registry
from .callback_thread import CallbackThread
from .contract import FIFO_LOCKS, FORK, PATCH, PER_THREAD, RESTARTABLE, Hub, TimerHandle
from .errors import Closed, WrongContext
from .naming import name_of, name_of_failed
from .originals import ThreadLocal, get_ident, monotonic, sleep
from .tasks import Task, adopt
from .waiting import Ticket
from .worker_threads import after_each_job, run_in_thread

T = TypeVar("T")

_log = logging.getLogger("hubkit")
_here = ThreadLocal()  # .task: what this thread runs, None in hub context; .hub: the hub made in it
_mains: dict[int, Task[Any]] = {}  # the main thread's task, by the thread's ident
_shared: dict[type[ThreadHub], ThreadHub] = {}
_deadlines: dict[Ticket, float] = {}  # of waits whose thread watches the clock itself
_callbacks = CallbackThread()


class ThreadHub(Hub):
    """Runs each task in a native thread of its own."""

    name = "threads"
    capabilities = frozenset((FIFO_LOCKS, FORK, PATCH, PER_THREAD, RESTARTABLE))

    def __init__(self) -> None:
        self._main: Task[Any] | None = None  # while a program runs in this hub
        super().__init__()
        self._closed = False
        self._forked: Task[Any] | None = None  # in a forked child: the process ends with it
        registry.remember(self)

    # -- finding ----------------------------------------------------------------------------------

    @classmethod
    def here(cls, create: bool) -> ThreadHub | None:
        """The hub made in this thread; see `Hub.here`.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        hub: ThreadHub | None = getattr(_here, "hub", None)
        if type(hub) is cls and not hub._closed:
            return hub
        if not create:
            return None
        hub = _here.hub = cls()
        return hub

    @classmethod
    def shared(cls) -> ThreadHub:
        """The hub of all threads that have none of their own.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        hub = _shared.get(cls)
        if hub is None or hub._closed:
            _shared.pop(cls, None)
            hub = _shared.setdefault(cls, cls())
        return hub

    def current(self) -> Task[Any] | None:
        """The calling thread's task; see `Hub.current`.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        try:
            return _here.task  # type: ignore[no-any-return]
        except AttributeError:
            _here.task = task = self._adopt()
            return task

    def _adopt(self) -> Task[Any]:
        if get_ident() == threading.main_thread().ident:
            return self._main_threads_task()
        return adopt(self, get_ident())

    def _main_threads_task(self) -> Task[Any]:
        """Made by whoever asks first, maybe another thread that has a KeyboardInterrupt for it."""
        ident = threading.main_thread().ident
        assert ident is not None
        return _mains.get(ident) or _mains.setdefault(ident, adopt(self, ident))

    @property
    def main(self) -> Task[Any] | None:
        """The task of the program that runs in this hub, else that of the main thread."""
        return self._main or self._main_threads_task()

    @main.setter
    def main(self, task: Task[Any] | None) -> None:
        self._main = task

    # -- life -------------------------------------------------------------------------------------

    def run(self, main: Callable[[], T]) -> T:
        """Call `main` in this thread as the main task; see `Hub.run`.

        Switches: if it must wait. Call from: a thread that runs no task. Raises: RuntimeError if it runs
        one or this hub runs another program; Closed; what `main` raises.
        """
        if self._closed:
            raise self._refusal("run a program")
        task = self.current()
        if task is None or task in task.hub.tasks or self._main is not None:
            raise RuntimeError("a program runs here already: call the function, or spawn it as a task")
        before = registry.hub_here()
        self._main = task
        registry.serve(self)
        try:
            return main()
        finally:
            registry.serve(before)
            self._main = None

    def close(self) -> None:
        """Drop what tasks are left: their threads find the hub closed at their next wait; see `Hub.close`.

        Switches: never. Call from: the hub's thread, outside its tasks. Raises: nothing.
        """
        if self._closed:
            return
        self._closed = True
        self.tasks.clear()
        registry.forget(self)
        for ident, main in list(_mains.items()):
            if main.hub is self:
                del _mains[ident]
        adopted: Task[Any] | None = getattr(_here, "task", None)
        if adopted is not None and adopted.hub is self:
            del _here.task

    def _refusal(self, purpose: str) -> Closed:
        """The error for a verb of a hub that is closed."""
        return Closed(f"this hub of the kind {self.name!r} is closed: it cannot {purpose}")

    def now(self) -> float:
        """Seconds of `time.monotonic`.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        return float(monotonic())

    # -- tasks ------------------------------------------------------------------------------------

    def start(self, task: Task[Any]) -> None:
        """Run `task` in a thread of its own, from now on; see `Hub.start`.

        Switches: never. Call from: any thread, signal. Raises: Closed; RuntimeError if the system gives
        no more threads.
        """
        if self._closed:
            raise self._refusal(f"start {task!r}")
        self.tasks[task] = None
        try:
            _callbacks.start()
            run_in_thread(partial(self._carry, task))
        except BaseException:
            self.tasks.pop(task, None)
            raise

    def _carry(self, task: Task[Any]) -> None:
        registry.serve(self)
        _here.task = task
        task.carrier = get_ident()
        context = task.context
        if context is None:
            task.run()
        else:
            context.run(task.run)
        task.carrier = None
        if task is self._forked:
            forking.end_process(task)
        del task, context  # the frames of its error, if any, refer to this one

    def yield_now(self) -> None:
        """Offer the interpreter to other threads; see `Hub.yield_now`.

        Switches: always, if the kernel likes. Call from: hub. Raises: WrongContext in a callback.
        """
        if self.current() is None:
            raise WrongContext("a callback cannot let others run: spawn a task from it")
        sleep(0)

    # -- waiting ----------------------------------------------------------------------------------

    def park(self, ticket: Ticket) -> Any:
        """Block this thread until `ticket` is fired; see `Hub.park`.

        Switches: if it must wait. Call from: hub. Raises: WrongContext, Closed, what a signal handler
        raises.
        """
        try:
            if ticket.task is not self.current():
                raise WrongContext("only the task that a ticket was made for can wait on it")
            if self._closed:
                raise self._refusal("wait: nothing could end it")
            if ticket.outcome is None:
                self._refuse_to_freeze(ticket.task)
        except BaseException:
            blocking.leave(ticket)
            raise
        return blocking.block(ticket, _deadlines.pop(ticket, None))

    def fire(self, ticket: Ticket, outcome: Any) -> bool:
        """Claim a ticket and wake its thread; see `Hub.fire`.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        return blocking.fire(ticket, outcome)

    def _refuse_to_freeze(self, task: Task[Any]) -> None:
        """Blocking the thread would also block an event loop that lives in it."""
        asyncio = sys.modules.get("asyncio.events")
        if asyncio is not None and asyncio._get_running_loop() is not None:
            raise WrongContext(
                "this call must wait, and would stop the asyncio loop that runs in this thread meanwhile. "
                "Call it from another thread: await asyncio.to_thread(function)"
                + self._or_choose("; or choose")
            )
        if task in task.hub.tasks or registry.chosen() != self.name:
            return  # a thread of ours; or the chosen hub has found no host of its kind in this thread
        remedy = self._or_choose("Choose")
        if remedy:
            raise WrongContext(
                f"this call must wait, and would stop what is at work in this thread. {remedy}"
            )

    def _or_choose(self, verb: str) -> str:
        """What to type to be a guest of the host that is at work in this thread, if there is one."""
        host = registry.detected() if registry.chosen() == self.name else None
        if host is None or host.name == self.name:
            return ""
        return (
            f"{verb} the hub of {host.name} before anything else does: hubkit.use({host.name!r}), or "
            f"{registry.VARIABLE}={host.name}"
        )

    # -- callbacks and timers ---------------------------------------------------------------------

    def call_soon(self, fn: Callable[[], object]) -> None:
        """Queue `fn` for the callback thread; see `Hub.call_soon`.

        Switches: never. Call from: any thread, signal. Raises: TypeError, Closed.
        """
        if not callable(fn):
            raise TypeError(f"call_soon() takes a function without arguments, not {fn!r}")
        if self._closed:
            raise self._refusal(f"call {name_of(fn)}")
        _callbacks.call_soon(self, copy_context(), fn)

    def call_back(self, context: Context, fn: Callable[[], object]) -> None:
        """Call `fn()` in hub context, which is the callback thread.

        Switches: never. Call from: the callback thread. Raises: nothing.
        """
        if self._closed:
            return
        registry.serve(self)
        _here.task = None
        try:
            context.run(fn)
        except (KeyboardInterrupt, SystemExit) as error:
            if (main := self.main) is not None:
                main.interrupt(error)
        except BaseException as error:
            _log.error("the callback %s failed", name_of_failed(fn, error), exc_info=error)

    def call_at(self, when: float, fn: Callable[[], object]) -> TimerHandle:
        """Queue `fn` for a time; see `Hub.call_at`.

        The thread that is about to park on `fn`, a ticket of its own, watches the clock itself.

        Switches: never. Call from: any thread. Raises: Closed.
        """
        if self._closed:
            raise self._refusal("wait for a time")
        if type(fn) is Ticket and fn.task is getattr(_here, "task", None) and fn not in _deadlines:
            _deadlines[fn] = when
            return _Deadline(fn)
        return _callbacks.call_at(self, when, fn)

    # -- descriptors ------------------------------------------------------------------------------

    def arm_fd(self, fd: int, direction: str, ticket: Ticket) -> None:
        """Let `park` watch a descriptor; see `Hub.arm_fd`.

        Switches: never. Call from: hub. Raises: Busy, OSError, Closed.
        """
        if self._closed:
            raise self._refusal("watch a descriptor")
        blocking.arm(fd, direction, ticket)

    def forget_fd(self, fd: int) -> None:
        """Wake the waiters of `fd` with CLOSED; see `Hub.forget_fd`.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        blocking.forget(fd)

    # -- patching ---------------------------------------------------------------------------------

    @classmethod
    def patch(cls) -> dict[str, str]:
        """Nothing: the standard library blocks one thread, and so one task; see `Hub.patch`.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        return {"": "nothing to patch: on threads the standard library is cooperative as it is"}

    # -- fork -------------------------------------------------------------------------------------

    def after_fork(self) -> None:
        """In the child: its only thread is the one that forked."""
        survivor = getattr(_here, "task", None)
        self._forked = survivor if survivor in self.tasks else None
        self._main = None
        self.tasks = {task: None for task in self.tasks if task is survivor}
        if survivor is not None:
            _mains[get_ident()] = survivor


class _Deadline:
    """The handle of a timer that is only looked at by the thread which waits."""

    __slots__ = ("_ticket",)

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket

    def cancel(self) -> None:
        _deadlines.pop(self._ticket, None)


def _tidy() -> bool:
    """Between two jobs of a thread."""
    _here.__dict__.clear()
    registry.serve(None)
    return True


def _in_child() -> None:
    survivor = getattr(_here, "task", None)
    blocking.after_fork(survivor)
    _callbacks.after_fork(survivor)


after_each_job(_tidy)
os.register_at_fork(after_in_child=_in_child)
