"""The steered ring: the native hub's order of tasks, put into the hands of somebody else.

What must live here: asking who is next, and stopping a task at a verb. What this file must not know: how
it is decided, and what time it is.

Who is chosen is moved to the front of the ring, and the ring then does what it always does. So all else
is as shipped: what a task finds when it runs, what is stale, when the hub polls.
"""

from __future__ import annotations

from typing import Any

from greenlet import greenlet

from hubkit.contract import Steering
from hubkit.errors import Closed
from hubkit.tasks import Task
from hubkit.waiting import Ticket
from hubkit_native.hub import NativeHub


class SteeredHub(NativeHub):
    """The native hub, first in first out unless somebody steers."""

    def __init__(self) -> None:
        self._steering: Steering | None = None
        self._chosen: tuple[Any, Ticket | None] | None = None  # at the front of the ring, until it runs
        super().__init__()

    def steer(self, steering: Steering) -> None:
        """Let `steering` decide from here on; see `Hub.steer`.

        Switches: never. Call from: the hub's thread, before its first task. Raises: Closed.
        """
        if self._closed:
            raise Closed(f"the {self.name} hub of this thread is closed: it cannot be steered")
        self._steering = steering

    def switch(self, g: greenlet) -> bool:
        """Let the chosen task run; see `Ring.switch`."""
        if self._steering is not None:
            self._choose(self._steering)
        return super().switch(g)

    def next_start(self) -> Any:
        """The chosen entry, if it is a task to start; see `Ring.next_start`."""
        if self._steering is not None:
            self._choose(self._steering)
        return super().next_start()

    def at_verb(self, task: Task[Any]) -> None:
        """Stop `task`, which could go on, if that is what is wanted; see `Hub.at_verb`."""
        steering = self._steering
        if steering is None or task.hub is not self or self._closed:
            return
        ready = self._live()
        answer = steering.preempt(task, [entry[0] for entry in ready], bool(self._timers))
        if answer > len(ready):
            self._hurry()
        elif answer:
            self._to_front(ready[answer - 1])
            self.yield_now()

    def _choose(self, steering: Steering) -> None:
        ready = self._live()
        while ready and ready[0] is not self._chosen:
            answer = steering.next([entry[0] for entry in ready], bool(self._timers))
            if answer < len(ready):
                self._to_front(ready[answer])
                return
            self._hurry()
            ready = self._live()

    def _live(self) -> list[tuple[Any, Ticket | None]]:
        """What is ready, without what is stale."""
        ready = self._ready
        for _ in range(len(ready)):
            entry = ready.popleft()
            task, ticket = entry
            if ticket is None or task.ticket is ticket:
                ready.append(entry)  # another thread may append meanwhile: the order is not its concern
        return list(ready)

    def _to_front(self, entry: tuple[Any, Ticket | None]) -> None:
        self._ready.remove(entry)
        self._ready.appendleft(entry)
        self._chosen = entry

    def _hurry(self) -> None:
        """Have the next timer due."""
        raise NotImplementedError
