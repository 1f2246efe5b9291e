"""SimpleQueue: items handed to those who wait for them.

What must live here: matching items with getters. What this file must not know: hubs, bounds.

There is no lock: an item, a ticket, a place is taken or put back in one atomic step.

1. `put` adds its item first and then looks for getters.
2. `get` publishes its ticket first and then looks for items.
3. Whoever has taken an item for a getter that is gone puts it back where it was and looks again.
"""

from __future__ import annotations

import sys
from collections import deque
from queue import Empty
from typing import Any, Generic, TypeVar

from .heap import InUse
from .registry import this_task
from .waiting import CLOSED, Ticket, WaitQueue, check_timeout, deliver_latched, latched, wait

if sys.version_info >= (3, 13):
    from queue import ShutDown
else:

    class ShutDown(Exception):
        """The queue was shut down."""


T = TypeVar("T")


class SimpleQueue(Generic[T]):
    """Unbounded, and nothing but put and get. Shaped as `queue.SimpleQueue`."""

    __slots__ = ("__weakref__", "_getters", "_items", "_shut")

    def __init__(self) -> None:
        self._items: Any = self._new_items()
        self._getters = WaitQueue()
        self._shut = False

    def _new_items(self) -> Any:
        return deque()

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Add an item. Never waits: `block` and `timeout` are there for the shape.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        if self._getters:
            self._give(item)
        else:
            self._items.append(item)
            if self._getters:
                self._match()

    def _give(self, item: T) -> None:
        """Add an item while somebody waits: mostly it is his."""
        if not self._items:
            ticket = self._getters.next()
            if ticket is not None and ticket.task.hub.fire(ticket, (item,)):
                return
        self._items.append(item)
        if self._getters:
            self._match()

    def put_nowait(self, item: T) -> None:
        """Add an item, as `put`.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        self.put(item, False)

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Take the next item, waiting for one at most `timeout` seconds (None: for ever).

        Zero or less means not to wait.

        Switches: if it must wait. Call from: hub | any thread. Raises: Empty; Cancelled.
        """
        if timeout is not None:
            timeout = check_timeout(timeout)
        if latched and block:
            deliver_latched()
        if not self._getters:
            try:
                return self._items.popleft()  # type: ignore[no-any-return]
            except IndexError:
                pass
        return self._get_in_turn(timeout if block else 0.0)

    def get_nowait(self) -> T:
        """Take the next item if there is one.

        Switches: never. Call from: hub | any thread | signal. Raises: Empty.
        """
        return self.get(False)

    def _get_in_turn(self, timeout: float | None) -> T:
        if self._getters:
            self._match()  # some may have gone, and not have withdrawn yet
            if not self._getters:
                try:
                    return self._items.popleft()  # type: ignore[no-any-return]
                except IndexError:
                    pass
        if self._shut and not self._items:
            raise ShutDown
        if timeout == 0:
            raise Empty
        ticket = Ticket(this_task())
        self._getters[ticket] = None
        if self._items or self._shut:
            self._match()
        outcome = wait(ticket, timeout, self._getters.discard, self._undo)
        if type(outcome) is tuple:
            return outcome[0]  # type: ignore[no-any-return]
        raise ShutDown if outcome is CLOSED else Empty

    def _match(self) -> None:
        """Hand items to those who wait for them, in a tuple: an item may be anything."""
        items, getters = self._items, self._getters
        while items and getters:
            ticket = getters.next()
            if ticket is None:
                continue
            try:
                item = items.popleft()
            except InUse:  # whoever uses it looks for getters after
                getters.put_first(ticket)
                return
            except IndexError:
                getters.put_first(ticket)
                continue
            if not ticket.task.hub.fire(ticket, (item,)):
                items.appendleft(item)

    def _undo(self, outcome: Any) -> None:
        """Something was thrown into a getter in the instant of the hand-over."""
        if type(outcome) is tuple:
            self._items.appendleft(outcome[0])
            self._match()

    def qsize(self) -> int:
        """The number of items that nobody has been given yet.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        return len(self._items)

    def empty(self) -> bool:
        """Whether `qsize()` is zero; it may not be any more when you look.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        return not self._items

    def __len__(self) -> int:
        return len(self._items)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._items)} items, {len(self._getters)} waiting>"
