"""LintHub: a hub that is watched while a program runs, and those who call it.

What must live here: for each verb what must hold before it, after it, and while it is under way. What this
file must not know: the hub; it is a class mixed in before the hub's own.

A fault of the caller's is raised before anything is done, one of the hub's where a verb returns to a task.
Where nothing may be raised (`fire`, `forget_fd`, callbacks, the beginning of a task) it is only logged.
What the contract answers by an error of its own (a verb after `close`, a second wait on a descriptor) is
left to the hub, which is held to that.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Any, ClassVar, TypeVar

from ...contract import ORDERED_YIELD, READ, WRITE, Hub, TimerHandle
from ...errors import ContractViolation, WrongContext
from ...originals import get_ident
from ...tasks import Task
from ...waiting import TIMED_OUT, Ticket
from . import clauses
from .calls import MARK, Call, Handle
from .clauses import Clause
from .order import stamp
from .record import Record, first
from .tasks import LintedTask, runs_on_this_stack

T = TypeVar("T")


class LintHub(Hub):
    """Checks both sides of the contract; `hubkit.testing.lint` makes one of any hub class."""

    checked: ClassVar[type[Hub]]  #: the hub's own class
    violations: ClassVar[list[ContractViolation]]  #: of all hubs of this class, in order
    longest_callback: ClassVar[float]  #: seconds

    def __init__(self) -> None:
        self.record = Record(self.violations)
        self.checked.__init__(self)

    def _blame(self, clause: Clause, what: str) -> None:
        raise self.record.note(clause, what)

    def _check_thread(self, clause: Clause) -> None:
        if self.thread is not None and self.thread != get_ident():
            self._blame(clause, f"it was called from the thread {get_ident()}, not {self.thread}")

    def _check_task(self, clause: Clause) -> Task[Any]:
        self._check_thread(clause)
        task = self.checked.current(self)
        if task is None:
            self._blame(clause, "it was called in hub context, where nothing may wait")
        assert task is not None
        return task

    def _check_refused(self, closed: bool, verb: str) -> None:
        if closed:
            self._blame(clauses.CLOSED, f"{verb} did as if nothing had happened")

    # -- life -------------------------------------------------------------------------------------

    def run(self, main: Callable[[], T]) -> T:
        """See `Hub.run`."""
        self._check_thread(clauses.RUN_HERE)
        calls: list[None] = []
        results: list[T] = []

        def counted() -> T:
            calls.append(None)
            if self.checked.current(self) is None:
                self.record.note(clauses.RUN_MAIN, "there is no task in main(), or not this hub's")
            results.append(main())
            return results[0]

        value = self.checked.run(self, counted)
        if len(calls) != 1:
            self._blame(clauses.RUN_MAIN, f"main() was called {len(calls)} times")
        if not results or value is not results[0]:
            self._blame(clauses.RUN_RESULT, f"main() ended otherwise, and run() returned {value!r}")
        return value

    def close(self) -> None:
        """See `Hub.close`."""
        if not self.record.closed:
            self._check_thread(clauses.CLOSE_HERE)
            if (task := self._task_here()) is not None and task in self.tasks:
                self._blame(clauses.CLOSE_HERE, f"it was called in {task!r}")
        self.checked.close(self)
        self.record.closed = True
        self.record.forget_all()

    def _task_here(self) -> Task[Any] | None:
        try:
            return self.checked.current(self)
        except WrongContext:
            return None

    def now(self) -> float:
        """See `Hub.now`."""
        before = self.record.latest
        now = self.checked.now(self)
        if now < before:
            self._blame(clauses.NOW, f"it went back from {before!r} to {now!r}")
        self.record.latest = max(now, before)
        return now

    def after_fork(self) -> None:
        """See `Hub.after_fork`."""
        self.checked.after_fork(self)
        self.record.forget_all()

    # -- tasks ------------------------------------------------------------------------------------

    def start(self, task: Task[Any]) -> None:
        """See `Hub.start`."""
        record = self.record
        if not first(record.started, task) or task.done():
            self._blame(clauses.START_TWICE, f"{task!r} was started before, or has ended")
        if type(task) is Task:
            task.__class__ = LintedTask
        closed = record.closed
        record.starting[task] = get_ident()
        record.runnable.begins(task)
        try:
            self.checked.start(self, task)
        except BaseException:
            record.runnable.forget(task)
            record.started.pop(task, None)
            raise
        finally:
            record.starting.pop(task, None)
        self._check_refused(closed, "start")
        record.runnable.returns(task)

    def task_begins(self, task: Task[Any]) -> None:
        """Called by the task on its carrier."""
        record = self.record
        overtaken = record.runnable.answer(task)
        if not first(record.ran, task):
            record.note(clauses.START_ONCE, f"{task!r} was run twice")
        if record.starting.get(task) == get_ident():
            record.note(clauses.START_INLINE, f"{task!r} was run by start()")
        elif runs_on_this_stack() > 1:
            record.note(clauses.START_CARRIER, f"{task!r} was run on the stack of another task")
        elif (current := self._task_here()) is not task:
            record.note(clauses.CURRENT, f"it says {current!r} in {task!r}")
        if overtaken is not None and self.supports(ORDERED_YIELD):
            record.note(clauses.START_ORDER, f"{task!r} has begun before {_made_ready(overtaken)}")

    def yield_now(self) -> None:
        """See `Hub.yield_now`."""
        task = self._check_task(clauses.YIELD_HERE)
        began = stamp()
        self.checked.yield_now(self)
        if self.supports(ORDERED_YIELD):
            left_out = self.record.runnable.first_before(began)
            if left_out is not None:
                self._blame(clauses.YIELD_ALL, f"{task!r} runs again before {_made_ready(left_out)}")
        self._check_current(task)

    def _check_current(self, task: Task[Any]) -> None:
        current = self._task_here()
        if current is not task:
            self._blame(clauses.CURRENT, f"it says {current!r} in {task!r}")

    # -- waiting ----------------------------------------------------------------------------------

    def park(self, ticket: Ticket) -> Any:
        """See `Hub.park`."""
        record = self.record
        task = self._check_task(clauses.PARK_HERE)
        if task is not ticket.task:
            self._blame(clauses.PARK_OWN, f"{task!r} parks with a ticket of {ticket.task!r}")
        if not first(record.parked, ticket):
            self._blame(clauses.PARK_OWN, f"{task!r} parks for the second time with one ticket")
        closed = record.closed
        record.waiting[ticket] = None
        try:
            outcome = self.checked.park(self, ticket)
        except BaseException:
            record.runnable.forget(ticket)
            raise
        finally:
            record.waiting.pop(ticket, None)
        overtaken = record.runnable.answer(ticket)
        self._check_refused(closed, "park")
        self._check_outcome(ticket, outcome)
        self._check_current(task)
        if overtaken is not None:
            self._blame(clauses.FIRE_ORDER, f"{task!r} runs before {_made_ready(overtaken)}")
        return outcome

    def _check_outcome(self, ticket: Ticket, outcome: Any) -> None:
        if hasattr(ticket, "armed") or ticket.outcome is None:
            self._blame(clauses.PARK_EARLY, f"{ticket.task!r} runs again, and nobody has fired its ticket")
        if outcome is not ticket.outcome:
            self._blame(clauses.PARK_OUTCOME, f"it returned {outcome!r}, and not {ticket.outcome!r}")
        if outcome is TIMED_OUT and ticket in self.record.deadlines:
            early = self.record.deadlines[ticket] - self.checked.now(self)
            if early > 0:
                self._blame(clauses.AT_EARLY, f"a wait of {ticket.task!r} timed out {early:g} s too early")

    def fire(self, ticket: Ticket, outcome: Any) -> bool:
        """See `Hub.fire`."""
        record = self.record
        task: Any = ticket.task
        if task is None:  # a hub's own mark, of a task that does not wait
            return self._fire(ticket, outcome)
        if outcome is None:
            record.note(clauses.FIRE_OUTCOME, f"a ticket of {ticket.task!r} was fired with None")
        if ticket.task.hub is not self:
            record.note(clauses.FIRE_OWN_HUB, f"{ticket.task!r} is a task of {ticket.task.hub!r}")
        dead = ticket.task.done()
        queued = self._queues_up(ticket)
        if queued:
            record.runnable.begins(ticket)
        if not self._fire(ticket, outcome):
            record.runnable.forget(ticket)
            if hasattr(ticket, "armed"):
                record.note(clauses.FIRE_ONE, f"False, and nobody had fired the ticket of {ticket.task!r}")
            return False
        if not first(record.won, ticket):
            record.note(clauses.FIRE_ONE, f"True for a second time, for a ticket of {ticket.task!r}")
        elif hasattr(ticket, "armed") or ticket.outcome is not outcome:
            record.note(clauses.FIRE_SETS, f"fired with {outcome!r}, the ticket has {ticket.outcome!r}")
        elif dead:
            record.note(clauses.FIRE_THE_DEAD, f"{ticket.task!r} had ended")
        elif queued:
            record.runnable.returns(ticket)
        return True

    def _queues_up(self, ticket: Ticket) -> bool:
        """Whether the ticket's task, once fired, has to run in its turn: if the hub has begun to wait for it.

        That is not certain of what comes from another thread, nor from a signal handler or a finalizer on
        the task's own stack.
        """
        return (
            ticket in self.record.waiting
            and hasattr(ticket, "armed")
            and self.thread == get_ident()
            and self._task_here() is not ticket.task
            and self.supports(ORDERED_YIELD)
        )

    def _fire(self, ticket: Ticket, outcome: Any) -> bool:
        try:
            return self.checked.fire(self, ticket, outcome)
        except Exception as error:
            if not _came_from_a_signal(error.__traceback__):
                self.record.note(clauses.FIRE_RAISES, f"it has raised {error!r}")
            raise

    # -- callbacks --------------------------------------------------------------------------------

    def call_soon(self, fn: Callable[[], object]) -> None:
        """See `Hub.call_soon`."""
        if not callable(fn):
            raise TypeError(f"call_soon() takes a function without arguments, not {fn!r}")
        record = self.record
        closed = record.closed
        call = Call(self, fn)
        record.soon.begins(call)
        mark = MARK.set(call.number)
        try:
            self.checked.call_soon(self, call)
        except BaseException:
            record.soon.forget(call)
            raise
        finally:
            MARK.reset(mark)
        self._check_refused(closed, "call_soon")
        call.registrar = None
        record.soon.returns(call)

    def call_at(self, when: float, fn: Callable[[], object]) -> TimerHandle:
        """See `Hub.call_at`."""
        record = self.record
        closed = record.closed
        if type(fn) is Ticket:
            record.deadlines[fn] = when
            handle = self.checked.call_at(self, when, fn)
            self._check_refused(closed, "call_at")
            return handle
        call = Call(self, fn, when)
        order = record.timers_of(when)
        order.begins(call)
        try:
            handle = self.checked.call_at(self, when, call)
        except BaseException:
            record.forget_timer(call)
            raise
        finally:
            call.registrar = None
        self._check_refused(closed, "call_at")
        order.returns(call)
        record.tidy(when)
        return Handle(handle, call, self.thread, record.forget_timer)

    def call_begins(self, call: Call) -> None:
        """Called by the callback where it runs."""
        record = self.record
        timed = call.when is not None
        order = record.soon if call.when is None else record.timers_of(call.when)
        overtaken = order.answer(call)
        record.tidy(call.when)
        if next(call.times) > 1:
            record.note(clauses.CALL_ONCE, f"{call!r} was called twice")
        elif call.registrar == get_ident():
            record.note(clauses.CALL_ONCE, f"{call!r} was called inline")
        elif (task := self._task_here()) is not None:
            clause = clauses.AT_CONTEXT if timed else clauses.CALL_CONTEXT
            record.note(clause, f"{call!r} was called in {task!r}")
        elif call.when is not None:
            self._check_timer(call, call.when, overtaken)
        elif MARK.get() != call.number:
            record.note(clauses.CALL_ONCE, f"{call!r} was called in another context")
        elif overtaken is not None:
            record.note(clauses.CALL_ONCE, f"{call!r} was called before {overtaken!r}")

    def _check_timer(self, call: Call, when: float, overtaken: Call | None) -> None:
        early = when - self.checked.now(self)
        if call.forbidden:
            self.record.note(clauses.AT_CANCELLED, f"{call!r} was called, and had been cancelled")
        elif early > 0:
            self.record.note(clauses.AT_EARLY, f"{call!r} was called {early:g} s too early")
        elif overtaken is not None:
            self.record.note(clauses.AT_ORDER, f"{call!r} was called before {overtaken!r}")

    def call_ended(self, call: Call, seconds: float) -> None:
        """Called by the callback when its function has ended."""
        if seconds > self.longest_callback:
            self.record.note(clauses.CALL_BLOCKS, f"{call!r} took {seconds:.3f} s")

    # -- descriptors ------------------------------------------------------------------------------

    def arm_fd(self, fd: int, direction: str, ticket: Ticket) -> None:
        """See `Hub.arm_fd`."""
        record = self.record
        task = self._check_task(clauses.ARM_HERE)
        if task is not ticket.task:
            self._blame(clauses.ARM_OWN, f"{task!r} arms a ticket of {ticket.task!r}")
        closed, gone = record.closed, not _is_open(fd)
        holder = record.watched.get((fd, direction))
        self.checked.arm_fd(self, fd, direction, ticket)
        self._check_refused(closed, "arm_fd")
        if gone and not _is_open(fd):
            self._blame(clauses.ARM_EBADF, f"descriptor {fd} is closed, and it raised nothing")
        if holder is not None and holder is not ticket and hasattr(holder, "armed"):
            self._blame(clauses.ARM_BUSY, f"{holder.task!r} waits already to {direction} descriptor {fd}")
        record.watched[fd, direction] = ticket

    def forget_fd(self, fd: int) -> None:
        """See `Hub.forget_fd`."""
        record = self.record
        waiting = [record.watched.pop((fd, direction), None) for direction in (READ, WRITE)]
        self.checked.forget_fd(self, fd)
        for ticket in waiting:
            if ticket is not None and hasattr(ticket, "armed"):
                record.note(clauses.FORGET, f"{ticket.task!r} still waits for descriptor {fd}")


def _made_ready(item: Task[Any] | Ticket) -> str:
    return f"{item.task!r}, woken earlier" if isinstance(item, Ticket) else f"{item!r}, started earlier"


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _came_from_a_signal(traceback: TracebackType | None) -> bool:
    """Whether a handler of a signal is among the frames: it may raise in the middle of anything."""
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    codes = {getattr(getattr(handler, "__func__", handler), "__code__", None) for handler in handlers}
    while traceback is not None:
        if traceback.tb_frame.f_code in codes:
            return True
        traceback = traceback.tb_next
    return False
