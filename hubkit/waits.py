"""Waiting for several tasks at once: `wait` and `as_completed`, as in `concurrent.futures`.

What must live here: which ends the waiter wants to be woken for. What this file must not know: how a task
or a future ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, KeysView
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from .registry import current_hub, this_task
from .waiting import TIMED_OUT, WOKEN, Ticket, check_timeout, deliver_latched, latched, ticket_for
from .waiting import wait as wait_for
from .watched import Watched

__all__ = ["ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION", "Waited", "as_completed", "wait"]

A = TypeVar("A", bound=Watched)


class Waited(NamedTuple):
    """What `wait` returns: two sets, each in the order in which the tasks were given."""

    done: KeysView[Any]
    pending: KeysView[Any]


def wait(tasks: Iterable[Watched], timeout: float | None = None, return_when: str = ALL_COMPLETED) -> Waited:
    """Wait until all of `tasks` (tasks, futures) have ended, or `timeout` seconds; (done, pending).

    With FIRST_COMPLETED until one has ended, with FIRST_EXCEPTION until one has failed or all have ended.
    Nothing is raised when the time is over, and nobody's error is.

    Switches: if it must wait. Call from: hub. Raises: TypeError, ValueError; Cancelled; RuntimeError if a
    task waits for itself.
    """
    given = _checked(tasks)
    timeout = check_timeout(timeout)
    wanted = _wanted(return_when, len(given))
    if latched:
        deliver_latched()
    if given and timeout != 0:
        ends = _Ends(given, wanted)
        try:
            ends.wait(timeout)
        finally:
            ends.close()
    done = {task: None for task in given if task.done()}
    return Waited(done.keys(), {task: None for task in given if task not in done}.keys())


def as_completed(tasks: Iterable[A], timeout: float | None = None) -> Iterator[A]:
    """Iterate over `tasks` (tasks, futures) in the order in which they end.

    Those that have ended already come first, in the order given.

    Switches: if it must wait, in each step. Call from: hub. Raises: TypeError, ValueError at the call;
    in a step TimeoutError if more are left `timeout` seconds after the call; Cancelled; RuntimeError if a
    task waits for itself.
    """
    given = _checked(tasks)
    timeout = check_timeout(timeout)
    return _iterate(given, timeout, None if timeout is None else current_hub().now() + timeout)


def _iterate(tasks: list[A], timeout: float | None, deadline: float | None) -> Iterator[A]:
    ends = _Ends(tasks, lambda ends, task: True)
    try:
        for number in range(len(tasks)):
            if latched:
                deliver_latched()
            left = None if deadline is None else max(0.0, deadline - current_hub().now())
            if not ends.wait(left):
                raise TimeoutError(f"{len(tasks) - number} of {len(tasks)} have not ended within {timeout} s")
            yield ends.ended.popleft()
    finally:
        ends.close()


def _checked(tasks: Iterable[A]) -> list[A]:
    if not isinstance(tasks, Iterable):
        raise TypeError(f"only several tasks can be waited for in this way: write [task], not {tasks!r}")
    given = list(dict.fromkeys(tasks))
    for task in given:
        if not isinstance(task, Watched):
            raise TypeError(f"only tasks and futures can be waited for, not {task!r}")
    return given


Wanted = Callable[["_Ends[Any]", Any], bool]


def _wanted(return_when: str, number: int) -> Wanted:
    """Whether the end of a task is what a waiter for `number` of them waits for."""
    if return_when == ALL_COMPLETED:
        return lambda ends, task: len(ends.ended) == number
    if return_when == FIRST_COMPLETED:
        return lambda ends, task: True
    if return_when == FIRST_EXCEPTION:
        return lambda ends, task: task._failed() or len(ends.ended) == number
    raise ValueError(f"return_when is ALL_COMPLETED, FIRST_COMPLETED or FIRST_EXCEPTION, not {return_when!r}")


class _Ends(Generic[A]):
    """Watches tasks for one waiter; `ended` has those that have ended, in that order."""

    def __init__(self, tasks: list[A], wanted: Wanted) -> None:
        self.ended: deque[A] = deque()
        self._wanted = wanted
        self._ticket: Ticket | None = None
        self._watchers = {task: partial(self._note, task) for task in tasks}
        for task, watcher in self._watchers.items():
            task._watch(watcher)

    def _note(self, task: A) -> None:
        """Called where the task ends, in any thread."""
        self.ended.append(task)
        ticket = self._ticket
        if ticket is not None and self._wanted(self, task):
            ticket.task.hub.fire(ticket, WOKEN)

    def wait(self, timeout: float | None) -> bool:
        """Wait until there is an end that was wanted, or `timeout` seconds; whether there is."""
        if self._has_wanted():
            return True
        me = this_task()
        if me in self._watchers:
            raise RuntimeError(f"{me!r} waits for itself and would do so for ever")
        if timeout == 0:
            return False
        ticket = ticket_for(me)
        self._ticket = ticket  # published first, then looked again
        try:
            return self._has_wanted() or wait_for(ticket, timeout) is not TIMED_OUT or self._has_wanted()
        finally:
            self._ticket = None

    def _has_wanted(self) -> bool:
        return any(self._wanted(self, task) for task in list(self.ended))

    def close(self) -> None:
        """Watch no longer."""
        for task, watcher in self._watchers.items():
            task._withdraw(watcher)
