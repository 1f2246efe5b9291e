"""Queue, LifoQueue and PriorityQueue: queues with a limit, an end, and a count of what is not done.

What must live here: room for items, shutting down, what the standard `queue` module promises besides. What
this file must not know: hubs; how items come to getters (simple_queue.py); how a heap is shared (heap.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from queue import Empty, Full
from typing import TypeVar

from .counts import count_of
from .heap import Heap
from .simple_queue import Items, ShutDown, SimpleQueue
from .slots import Slots
from .tally import Tally
from .waiting import CLOSED, WOKEN, check_timeout, deliver_latched, latched

__all__ = ["Empty", "Full", "LifoQueue", "PriorityQueue", "Queue", "ShutDown", "SimpleQueue"]

T = TypeVar("T")


class Queue(SimpleQueue[T]):
    """First in, first out, with a limit if wanted. Shaped as `queue.Queue`; `for item in queue` gets items
    until the queue is shut down."""

    __slots__ = ("_gated", "_settlements", "_tally", "_ups", "maxsize")

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__()
        # As with `queue.Queue`, less than 0 is no limit either.
        self.maxsize = maxsize = count_of(maxsize, "maxsize must be a number of items, or 0 for no limit")
        if maxsize > 0:
            self._slots = Slots(maxsize)
        self._gated = maxsize > 0  # whether a put can be refused: there is a limit, or it is shut down
        self._tally = Tally()
        self._ups = self._tally.ups
        self._settlements: list[list[None]] = []  # see _settle; each is empty once it has ended

    # -- putting ----------------------------------------------------------------------------------

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Add an item, at most after `timeout` seconds (None: for ever) if the queue is full.

        It goes to the longest waiting getter. Not blocking, it does not wait; nor with a timeout of zero or
        less.

        Switches: if it must wait. Call from: hub | any thread; not blocking, or without a limit, signal
        too. Raises: Full if there was no room in time; Cancelled; ValueError and TypeError for a timeout
        that is no number; ShutDown if the queue was shut down.
        """
        if latched or timeout is not None or self._gated:
            self._admit(block, timeout)
        next(self._ups)  # before the item can be got and done
        getters = self._getters.tickets
        if getters and not self._items:  # as SimpleQueue.put
            try:
                ticket = getters.popleft()
            except IndexError:
                pass
            else:
                if ticket.task.hub.fire(ticket, (item,)):
                    return
        try:
            self._items.append(item)
        except BaseException:  # items that cannot be compared
            self._refuse()
            raise
        if getters or self._closed:
            self._put_late(item)

    def _admit(self, block: bool, timeout: float | None) -> None:
        """Everything that may keep an item out."""
        if timeout is not None:
            timeout = check_timeout(timeout)
        if latched and block:
            deliver_latched()
        if self._closed:
            raise ShutDown(f"{self!r} was shut down")
        if self._slots is not None:
            outcome = self._slots.take(timeout if block else 0)
            if outcome is not WOKEN:
                raise ShutDown(f"{self!r} was shut down") if outcome is CLOSED else Full

    def _refuse(self) -> None:
        """Take back what `_admit` and the tally have given to an item."""
        if self._slots is not None:
            self._slots.release()
        self._tally.down()

    def _put_late(self, item: T) -> None:
        if self._closed and self._settle(item):
            self._refuse()
            raise ShutDown(f"{self!r} was shut down")
        self._match()

    def _settle(self, item: T) -> bool:
        """`shutdown` came in the middle of a `put`: take the item back; False if somebody has it already.

        The getters may all have left. Meanwhile, as other items are out too, nobody concludes that the
        queue is empty.
        """
        settlement = [None]
        self._settlements.append(settlement)
        others: list[T] = []
        found = False
        try:
            while not found:
                other = self._items.popleft()
                found = other is item
                if not found:
                    others.append(other)
        except IndexError:
            pass
        finally:
            for other in reversed(others):
                self._items.appendleft(other)
            settlement.clear()
            self._match()
        return found

    # -- shutting down ----------------------------------------------------------------------------

    def shutdown(self, immediate: bool = False) -> None:
        """Let nothing more in: every `put` raises ShutDown, and every `get` once the queue is empty.

        If `immediate` the items that are left are thrown away and count as done.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        self._closed = self._gated = True
        if immediate:
            self._drain()
        if self._slots is not None:
            self._slots.close()
        self._match()

    def _drain(self) -> None:
        while True:
            try:
                self._items.popleft()
            except IndexError:
                return
            self._refuse()

    def _is_over(self) -> bool:
        while True:
            begun = len(self._settlements)
            if any(self._settlements) or self._items:
                return False
            if begun == len(self._settlements):  # so nobody had items out when we looked at them
                return True

    @property
    def is_shutdown(self) -> bool:
        """Whether `shutdown` has been called."""
        return self._closed

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                item = self.get()
            except ShutDown:
                return
            yield item

    # -- counting ---------------------------------------------------------------------------------

    def full(self) -> bool:
        """Whether `put_nowait` would find no room. A place promised to a waiting putter is taken.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        return self._slots is not None and self._slots.locked()

    def task_done(self) -> None:
        """Count one item that was got as done.

        Switches: never. Call from: hub | any thread | signal. Raises: ValueError if called more often than
        items were put.
        """
        if not self._tally.down():
            raise ValueError("task_done() called too many times: once for each item that was put")

    def join(self, timeout: float | None = None) -> bool:
        """Wait until every item put has been done, at most `timeout` seconds; whether they have.

        Switches: if it must wait. Call from: hub | any thread. Raises: Cancelled; ValueError and
        TypeError for a timeout that is no number.
        """
        return self._tally.join(timeout)

    @property
    def unfinished_tasks(self) -> int:
        """How many of the items put have not been done."""
        return max(0, self._tally.count())

    def __repr__(self) -> str:
        limit = f" of {self.maxsize}" if self.maxsize > 0 else ""
        waiting = f"{self._getters.alive()} waiting" + (", shut down" if self._closed else "")
        return f"<{type(self).__name__} {len(self._items)}{limit} items, {waiting}>"


class _Stack(deque[T]):
    """A deque whose left end is its right end."""

    __slots__ = ()

    popleft = deque.pop
    appendleft = deque.append


class LifoQueue(Queue[T]):
    """Last in, first out. Shaped as `queue.LifoQueue`."""

    __slots__ = ()

    def _container(self) -> Items[T]:
        return _Stack()


class PriorityQueue(Queue[T]):
    """Smallest first, by the items' own `<`. Shaped as `queue.PriorityQueue`.

    An item that cannot be compared with the others is not put: `put` raises what the comparison raised.
    """

    __slots__ = ()

    def _container(self) -> Items[T]:
        return Heap()
