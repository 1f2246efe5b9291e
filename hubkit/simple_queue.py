"""SimpleQueue: items on their way from those who put them to those who get them.

What must live here: handing items to getters in the order of their coming. What this file must not know:
hubs; in which order a container gives its items back; why there is a limit or an end (queues.py).

There is no lock: adding an item and taking one are one atomic step of the container each. Who puts adds first
and then looks for getters; who gets publishes its ticket first and then looks for items. An item in hand for
a getter who has gone is put back, and then looked at again. Nobody takes an item while others wait for one.
"""

from __future__ import annotations

import sys
from collections import deque
from queue import Empty
from typing import Any, Generic, Protocol, TypeVar

from .registry import this_task
from .slots import Slots
from .waiting import CLOSED, TIMED_OUT, Ticket, WaitQueue, check_timeout, deliver_latched, latched, wait

if sys.version_info >= (3, 13):
    from queue import ShutDown as ShutDown
else:

    class ShutDown(Exception):
        """`put` or `get` of a queue that was shut down; `queue.ShutDown` itself from Python 3.13 on."""


T = TypeVar("T")


class Items(Protocol[T]):
    """A container whose operations are atomic. `popleft` takes the next item or raises IndexError;
    `appendleft` puts it back as if it had not been taken."""

    def append(self, item: T, /) -> None: ...
    def appendleft(self, item: T, /) -> None: ...
    def popleft(self) -> T: ...
    def __len__(self) -> int: ...


class SimpleQueue(Generic[T]):
    """First in, first out, without limit. Shaped as `queue.SimpleQueue`."""

    __slots__ = ("__weakref__", "_closed", "_getters", "_items", "_slots")

    def __init__(self) -> None:
        self._items: Items[T] = self._container()
        self._getters = WaitQueue()
        self._slots: Slots | None = None  # places for items, if there is a limit
        self._closed = False

    def _container(self) -> Items[T]:
        return deque()

    # -- putting ----------------------------------------------------------------------------------

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Add an item; it goes to the longest waiting getter. `block` and `timeout` mean nothing here.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        if self._getters and self._hand_over(item):
            return
        self._items.append(item)
        if self._getters:
            self._match()

    def _hand_over(self, item: T) -> bool:
        """Give an item to the longest waiting getter right away; False if it has to be added first."""
        if self._items:
            return False
        ticket = self._getters.next()
        return ticket is not None and ticket.task.hub.fire(ticket, (item,))

    def put_nowait(self, item: T) -> None:
        """`put` without waiting.

        Switches: never. Call from: hub | any thread | signal. Raises: as `put`, and Full if there is no room.
        """
        self.put(item, False)

    # -- getting ----------------------------------------------------------------------------------

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Take the next item, at most after `timeout` seconds (None: for ever).

        Not blocking, it does not wait; nor with a timeout of zero or less.

        Switches: if it must wait. Call from: hub | any thread; not blocking, signal too. Raises: Empty if
        none came in time; Cancelled; ValueError and TypeError for a timeout that is no number; ShutDown
        if the queue was shut down and no item is left.
        """
        if not (latched or self._getters or timeout is not None or self._slots is not None):
            try:
                return self._items.popleft()
            except IndexError:
                pass
        return self._get(block, timeout)

    def get_nowait(self) -> T:
        """`get` without waiting.

        Switches: never. Call from: hub | any thread | signal. Raises: as `get`.
        """
        return self.get(False)

    def _get(self, block: bool, timeout: float | None) -> T:
        if timeout is not None:
            timeout = check_timeout(timeout)
        if latched and block:
            deliver_latched()
        slots = self._slots
        if self._getters:
            self._match()  # some may have gone, and not have withdrawn yet
        if self._items and not self._getters:
            try:
                item = self._items.popleft()
            except IndexError:
                pass
            else:
                if slots is not None:
                    slots.release()
                return item
        if self._closed and self._is_over():
            raise ShutDown(f"{self!r} was shut down, and is empty")
        if not block or timeout == 0:
            raise Empty
        ticket = Ticket(this_task())
        self._getters[ticket] = None
        if self._items or self._closed:
            self._look_again(ticket)
        outcome = wait(ticket, timeout, self._getters.discard, self._undo)
        if outcome is TIMED_OUT:
            raise Empty
        if outcome is CLOSED:
            raise ShutDown(f"{self!r} was shut down, and is empty")
        if slots is not None:
            slots.release()  # not before: an item put back still has its place
        result: T = outcome[0]
        return result

    def _look_again(self, ticket: Ticket) -> None:
        try:
            self._match()
        except BaseException:  # items could not be compared
            if ticket.claim():
                self._getters.discard(ticket)
                raise

    def _undo(self, outcome: Any) -> None:
        """Something was thrown into a getter in the instant in which an item was handed to it."""
        if outcome is not CLOSED:
            self._items.appendleft(outcome[0])
            self._match()

    def _match(self) -> None:
        """Hand items to those who wait. An item travels in a tuple: it may be any object."""
        items, getters = self._items, self._getters
        while getters and items:
            try:
                item = items.popleft()
            except IndexError:  # another has just taken it
                continue
            ticket = getters.next()
            if ticket is None or not ticket.task.hub.fire(ticket, (item,)):
                items.appendleft(item)
        if getters and self._closed and self._is_over():
            getters.wake_all(CLOSED)

    def _is_over(self) -> bool:
        """Once it is closed: whether no item is left and none can come any more."""
        return not self._items

    # -- looking ----------------------------------------------------------------------------------

    def qsize(self) -> int:
        """The number of items in the queue.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        return len(self._items)

    def empty(self) -> bool:
        """Whether there is no item in the queue.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        return not self._items

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._items)} items, {len(self._getters)} waiting>"
