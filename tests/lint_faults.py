"""Hubs that each break one sentence of the contract, for the tests of hubkit.testing.lint.

All are the native hub with one verb done wrong. A scenario is what a program does when it meets the fault.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any

from hubkit import Event, Task, checkpoint, current_hub, current_task, now, run, sleep, spawn, wait_readable
from hubkit.contract import READ, Hub
from hubkit.errors import Busy
from hubkit.tasks import new_task
from hubkit.testing.linting import clauses
from hubkit.testing.linting.clauses import Clause
from hubkit.waiting import WOKEN, Ticket, ticket_for
from hubkit_native.hub import NativeHub

Scenario = Callable[[], object]

FAULTS: list[tuple[Clause, str, Scenario]] = []


def breaks(clause: Clause, scenario: Scenario) -> Callable[[type[Hub]], type[Hub]]:
    """The hub breaks `clause`, which is seen when `scenario` runs on it."""

    def note(hub_class: type[Hub]) -> type[Hub]:
        FAULTS.append((clause, hub_class.__name__, scenario))
        return hub_class

    return note


# -- scenarios ------------------------------------------------------------------------------------


def nap() -> None:
    sleep(0.001)


def two_waiters() -> None:
    event = Event()
    tasks = [spawn(event.wait), spawn(event.wait)]
    checkpoint()
    event.set()
    for task in tasks:
        task.join()


def two_tasks() -> None:
    tasks = [spawn(int), spawn(int)]
    checkpoint()
    for task in tasks:
        task.join()


def a_task_and_one_that_yields() -> None:
    tasks = [spawn(int), spawn(checkpoint)]
    for task in tasks[::-1]:
        task.join()


def two_calls() -> None:
    hub, called = current_hub(), Event()
    hub.call_soon(int)
    hub.call_soon(called.set)
    called.wait(1)
    checkpoint()


def fire_twice() -> None:
    task: Any = current_task()
    ticket = ticket_for(task)
    for _ in range(2):
        task.hub.fire(ticket, WOKEN)


def two_timers(delay: float = 0.0) -> None:
    hub, called = current_hub(), Event()
    when = hub.now() + delay
    hub.call_at(when, int)
    hub.call_at(when, called.set)
    called.wait(1)
    sleep(0.02)


def a_cancelled_timer() -> None:
    hub, called = current_hub(), Event()
    hub.call_at(hub.now() + 0.001, int).cancel()
    hub.call_at(hub.now() + 0.002, called.set)
    called.wait(1)


@contextmanager
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def two_readers() -> None:
    with ends() as (ours, _):
        for _ in range(2):
            task = spawn(wait_readable, ours)
            checkpoint()
        checkpoint()
        current_hub().forget_fd(ours.fileno())
        task.exception()


def a_closed_descriptor() -> None:
    task: Any = current_task()
    with ends() as (ours, _):
        fd = ours.fileno()
    task.hub.arm_fd(fd, READ, ticket_for(task))


def a_forgotten_descriptor() -> None:
    with ends() as (ours, theirs):
        task = spawn(wait_readable, ours)
        checkpoint()
        current_hub().forget_fd(ours.fileno())
        theirs.send(b"x")
        task.exception()


# -- life -----------------------------------------------------------------------------------------


@breaks(clauses.RUN_RESULT, lambda: run(lambda: 1))
class RunReturnsNothing(NativeHub):
    def run(self, main: Any) -> Any:
        super().run(main)


@breaks(clauses.RUN_MAIN, lambda: run(lambda: 1))
class RunsMainTwice(NativeHub):
    def run(self, main: Any) -> Any:
        super().run(main)
        return super().run(main)


@breaks(clauses.RUN_MAIN, lambda: run(lambda: 1))
class RunsMainInHubContext(NativeHub):
    in_main = False

    def run(self, main: Any) -> Any:
        self.in_main = True
        try:
            return main()
        finally:
            self.in_main = False

    def current(self) -> Any:
        return None if self.in_main else super().current()


def call_when_closed() -> None:
    hub = current_hub()
    hub.close()
    hub.call_soon(int)


@breaks(clauses.CLOSED, call_when_closed)
class CallsWhenClosed(NativeHub):
    def call_soon(self, fn: Any) -> None:
        if not self.closed():
            super().call_soon(fn)


@breaks(clauses.NOW, lambda: (now(), now()))
class GoesBackInTime(NativeHub):
    times = 0

    def now(self) -> float:
        self.times += 1
        return super().now() - self.times


# -- tasks ----------------------------------------------------------------------------------------


@breaks(clauses.CURRENT, lambda: spawn(checkpoint).join())
class TakesEachTaskForTheMainOne(NativeHub):
    def current(self) -> Any:
        return self.main if super().current() is not None else None


@breaks(clauses.START_ONCE, two_tasks)
class RunsTasksTwice(NativeHub):
    def start(self, task: Task[Any]) -> None:
        super().start(task)
        self._ready.append(task)


@breaks(clauses.START_ORDER, two_tasks)
class StartsTheLastFirst(NativeHub):
    def start(self, task: Task[Any]) -> None:
        super().start(task)
        self._ready.rotate()


@breaks(clauses.START_INLINE, two_tasks)
class StartsInline(NativeHub):
    def start(self, task: Task[Any]) -> None:
        task.run()


class _Keeps(NativeHub):
    """Does not start the first task."""

    kept: Any = None

    def start(self, task: Task[Any]) -> None:
        if self.kept is None:
            self.kept = task
        else:
            super().start(task)


@breaks(clauses.START_CARRIER, a_task_and_one_that_yields)
class RunsTasksOnTheStackOfOthers(_Keeps):
    def yield_now(self) -> None:
        if not self.kept.done() and self.current() is not self.main:
            self.kept.run()
        super().yield_now()


@breaks(clauses.START_ORDER, two_tasks)
class NeverStartsTheFirst(_Keeps):
    pass


@breaks(clauses.YIELD_ALL, two_tasks)
class YieldsToNobody(NativeHub):
    def yield_now(self) -> None:
        pass


# -- waiting --------------------------------------------------------------------------------------


@breaks(clauses.PARK_EARLY, nap)
class ParksNot(NativeHub):
    def park(self, ticket: Ticket) -> Any:
        return WOKEN


@breaks(clauses.PARK_OUTCOME, nap)
class ParkReturnsAnotherOutcome(NativeHub):
    def park(self, ticket: Ticket) -> Any:
        super().park(ticket)
        return WOKEN


@breaks(clauses.FIRE_ONE, fire_twice)
class FiresTwice(NativeHub):
    def fire(self, ticket: Ticket, outcome: Any) -> bool:
        super().fire(ticket, outcome)
        return True


@breaks(clauses.FIRE_ONE, fire_twice)
class FiresNot(NativeHub):
    def fire(self, ticket: Ticket, outcome: Any) -> bool:
        return False


@breaks(clauses.FIRE_SETS, fire_twice)
class FiresWithAnotherOutcome(NativeHub):
    def fire(self, ticket: Ticket, outcome: Any) -> bool:
        return super().fire(ticket, "another")


@breaks(clauses.FIRE_RAISES, fire_twice)
class FireRaises(NativeHub):
    def fire(self, ticket: Ticket, outcome: Any) -> bool:
        raise KeyError("fire")


@breaks(clauses.FIRE_ORDER, two_waiters)
class WakesTheLastFirst(NativeHub):
    def fire(self, ticket: Ticket, outcome: Any) -> bool:
        won = super().fire(ticket, outcome)
        self._ready.rotate()
        return won


# -- callbacks and timers -------------------------------------------------------------------------


@breaks(clauses.CALL_ONCE, two_calls)
class CallsInline(NativeHub):
    def call_soon(self, fn: Any) -> None:
        fn()


@breaks(clauses.CALL_ONCE, two_calls)
class CallsTwice(NativeHub):
    def call_soon(self, fn: Any) -> None:
        super().call_soon(fn)
        super().call_soon(fn)


@breaks(clauses.CALL_ONCE, two_calls)
class CallsTheLastFirst(NativeHub):
    def call_soon(self, fn: Any) -> None:
        super().call_soon(fn)
        self._callbacks.due.rotate()


@breaks(clauses.CALL_ONCE, two_calls)
class CallsInAnotherContext(NativeHub):
    def call_soon(self, fn: Any) -> None:
        super().call_soon(lambda: Context().run(fn))


@breaks(clauses.CALL_CONTEXT, two_calls)
class CallsInATask(NativeHub):
    def call_soon(self, fn: Any) -> None:
        self.start(new_task(self, fn))


@breaks(clauses.AT_EARLY, lambda: two_timers(0.5))
@breaks(clauses.AT_EARLY, lambda: sleep(0.5))
class TimersAreEarly(NativeHub):
    def call_at(self, when: float, fn: Any) -> Any:
        return super().call_at(when - 0.4, fn)


@breaks(clauses.AT_ORDER, two_timers)
class EqualTimersAreReordered(NativeHub):
    delay = 0.02

    def call_at(self, when: float, fn: Any) -> Any:
        self.delay /= 2
        return super().call_at(when + self.delay, fn)


@breaks(clauses.AT_CONTEXT, two_timers)
class TimersAreTasks(NativeHub):
    def call_at(self, when: float, fn: Any) -> Any:
        if type(fn) is Ticket:
            return super().call_at(when, fn)
        return super().call_at(when, lambda: self.start(new_task(self, fn)))


class _Uncancelled:
    def cancel(self) -> None:
        pass


@breaks(clauses.AT_CANCELLED, a_cancelled_timer)
class TimersAreNotCancelled(NativeHub):
    def call_at(self, when: float, fn: Any) -> Any:
        super().call_at(when, fn)
        return _Uncancelled()


# -- descriptors ----------------------------------------------------------------------------------


@breaks(clauses.ARM_BUSY, two_readers)
class NeverBusy(NativeHub):
    def arm_fd(self, fd: int, direction: str, ticket: Ticket) -> None:
        try:
            super().arm_fd(fd, direction, ticket)
        except Busy:
            pass


@breaks(clauses.ARM_EBADF, a_closed_descriptor)
class ArmsClosedDescriptors(NativeHub):
    def arm_fd(self, fd: int, direction: str, ticket: Ticket) -> None:
        try:
            super().arm_fd(fd, direction, ticket)
        except OSError:
            pass


@breaks(clauses.FORGET, a_forgotten_descriptor)
class ForgetsTheWaiters(NativeHub):
    def forget_fd(self, fd: int) -> None:
        pass
