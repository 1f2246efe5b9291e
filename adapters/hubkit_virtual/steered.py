"""The steered ring: the native hub's order of tasks, put into the hands of somebody else.

What must live here: asking who is next, and stopping a task at a verb. What this file must not know: how
it is decided, and what time it is.

Who is chosen is moved to the front of the ring, and the ring then does what it always does. So all else
is as shipped: what a task finds when it runs, what is stale, when the hub polls.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Any

from hubkit.contract import Steering
from hubkit.errors import Closed
from hubkit.ring import Turn, spent_ticket
from hubkit.tasks import Task
from hubkit.waiting import Ticket, back_in, nothing
from hubkit_native.hub import NativeHub


class SteeredHub(NativeHub):
    """The native hub, first in first out unless somebody steers."""

    def __init__(self) -> None:
        self._steering: Steering | None = None
        self._chosen: Any = None  # at the front of the ring, until it runs
        super().__init__()

    def steer(self, steering: Steering) -> None:
        """Let `steering` decide from here on; see `Hub.steer`.

        Switches: never. Call from: the hub's thread, before its first task. Raises: Closed.
        """
        if self._closed:
            raise Closed(f"the {self.name} hub of this thread is closed: it cannot be steered")
        self._steering = steering
        self.upcoming = self._next_entries()

    def yield_now(self) -> None:
        """Go to the end of the ring, from where it may be chosen; see `Hub.yield_now`.

        Switches: always, if another task is ready. Call from: hub. Raises: what is thrown.
        """
        task = self.current()
        if self._steering is None or task is None:
            super().yield_now()
            return
        if not self._ready and self._goes_on():
            return
        outer = task.ticket
        try:
            task.ticket = spent_ticket()
            self._queue_up(task)
        finally:
            task.ticket = outer
            if outer is not None:
                back_in(outer, task)

    def _goes_on(self) -> bool:
        """Whether a task that yields to nobody has some of its slice left."""
        try:
            self._ready.appendleft(next(self.upcoming))  # of another thread, in this very instant
        except IndexError:
            return True
        except StopIteration:
            return self._renew()
        return False

    def _next_entries(self) -> Iterator[Any]:
        if self._steering is None:
            return super()._next_entries()
        return map(SteeredHub._choose, repeat(self, self._credit))

    def at_verb(self, task: Task[Any]) -> None:
        """Stop `task`, which could go on, if that is what is wanted; see `Hub.at_verb`."""
        steering = self._steering
        if steering is None or task.hub is not self or self._closed:
            return
        ready = self._live()
        answer = steering.preempt(task, list(map(_task_of, ready)), bool(self._timers))
        if answer > len(ready):
            self._hurry()
        elif answer:
            self._to_front(ready[answer - 1])
            self.yield_now()

    def _choose(self) -> Any:
        """Take the chosen one out of the ring; IndexError if there is none."""
        steering, ready = self._steering, self._live()
        assert steering is not None
        while ready and ready[0] is not self._chosen:
            answer = steering.next(list(map(_task_of, ready)), bool(self._timers))
            if answer < len(ready):
                self._to_front(ready[answer])
                break
            self._hurry()
            ready = self._live()
        return self._ready.popleft()

    def _live(self) -> list[Any]:
        """What is ready, without what is stale."""
        ready = self._ready
        for _ in range(len(ready)):
            entry = ready.popleft()
            if entry.resume is not nothing:
                ready.append(entry)  # another thread may append meanwhile: the order is not its concern
        return list(ready)

    def _to_front(self, entry: Any) -> None:
        self._ready.remove(entry)
        self._ready.appendleft(entry)
        self._chosen = entry

    def _hurry(self) -> None:
        """Have the next timer due."""
        raise NotImplementedError


def _task_of(entry: Any) -> Any:
    """Whom an entry of the ring lets run."""
    return entry.task if isinstance(entry, (Ticket, Turn)) else entry
