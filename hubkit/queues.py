"""Queue, LifoQueue and PriorityQueue: bounds, the count of what is done, the end.

What must live here: what the standard `queue` module promises beyond put and get. What this file must not
know: hubs; who gets which item (simple_queue.py); how a heap is shared (heap.py).

A getter holds its item from the moment it is handed over, but gives its place in a bounded queue on only
once it runs: if something is thrown into it before, the item goes back to the head, where its place still is.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from itertools import repeat
from operator import length_hint
from queue import Empty, Full
from typing import Any, TypeVar

from .handover import Handover
from .heap import Heap
from .registry import this_task
from .simple_queue import ShutDown, SimpleQueue
from .waiting import CLOSED, WOKEN, Ticket, WaitQueue, check_timeout, deliver_latched, latched, wait

__all__ = ["Empty", "Full", "LifoQueue", "PriorityQueue", "Queue", "ShutDown", "SimpleQueue"]

T = TypeVar("T")


class _Places(Handover):
    """The places of a bounded queue, given to putters in the order of their coming."""

    __slots__ = ("_freed", "_stock")

    def __init__(self, number: int) -> None:
        super().__init__()
        self._stock = repeat(None, number)
        self._freed: deque[None] = deque()

    def take(self, timeout: float | None) -> Any:
        if self._take_in_turn():
            return WOKEN
        return None if timeout == 0 else self._queue_up(timeout)

    def give_back(self, number: int = 1) -> None:
        self._freed.extend(repeat(None, number))
        if self._waiters:
            self._match()

    def close(self) -> None:
        self._waiters.wake_all(CLOSED)

    def number(self) -> int:
        return len(self._freed) + length_hint(self._stock)

    def _take(self) -> bool:
        try:
            self._freed.pop()
        except IndexError:
            return next(self._stock, True) is None
        return True

    def _put_back(self) -> None:
        self._freed.append(None)


class Queue(SimpleQueue[T]):
    """First in, first out; bounded if `maxsize` is one or more. Shaped as `queue.Queue`.

    `for item in queue` takes items until the queue is shut down and empty.
    """

    __slots__ = ("_done", "_joiners", "_places", "_put", "maxsize")

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__()
        self.maxsize = maxsize
        self._places = _Places(maxsize) if maxsize > 0 else None
        # How many were put, and how many are done: `next` counts in one atomic step.
        self._put = repeat(None, sys.maxsize)
        self._done = repeat(None, sys.maxsize)
        self._joiners = WaitQueue()

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Add an item, waiting for a place at most `timeout` seconds (None: for ever).

        Zero or less means not to wait. Not blocking, or unbounded, it may be called from signal handlers
        and finalizers.

        Switches: if it must wait. Call from: hub | any thread; as above, signal. Raises: Full; ShutDown;
        Cancelled.
        """
        if timeout is not None:
            timeout = check_timeout(timeout)
        if latched and block:
            deliver_latched()
        if self._shut:
            raise ShutDown
        if self._places is not None:
            outcome = self._places.take(timeout if block else 0.0)
            if outcome is CLOSED or self._shut:
                raise ShutDown
            if outcome is not WOKEN:
                raise Full
        next(self._put)
        if self._getters:
            self._give(item)
        else:
            self._items.append(item)
            if self._getters:
                self._match()

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Take the next item, waiting for one at most `timeout` seconds (None: for ever).

        Zero or less means not to wait.

        Switches: if it must wait. Call from: hub | any thread. Raises: Empty; ShutDown once the queue is
        shut down and empty; Cancelled.
        """
        if timeout is not None:
            timeout = check_timeout(timeout)
        if latched and block:
            deliver_latched()
        if self._getters:
            item = self._get_in_turn(timeout if block else 0.0)
        else:
            try:
                item = self._items.popleft()
            except IndexError:
                item = self._get_in_turn(timeout if block else 0.0)
        if self._places is not None:
            self._places.give_back()
        return item

    def _match(self) -> None:
        super()._match()
        if self._shut and not self._items:
            self._getters.wake_all(CLOSED)

    def full(self) -> bool:
        """Whether there is no place left; there may be one when you look.

        The place of an item that was handed over is free once its getter runs.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        return self._places is not None and not self._places.number()

    def task_done(self) -> None:
        """Say that an item that was taken has been dealt with; `join` waits for all of them.

        Switches: never. Call from: hub | any thread | signal. Raises: ValueError if called more often
        than items were put.
        """
        if self._unfinished() <= 0:
            raise ValueError("task_done() called more often than items were put")
        next(self._done)
        if self._joiners and not self._unfinished():
            self._joiners.wake_all()

    def _unfinished(self) -> int:
        return length_hint(self._done) - length_hint(self._put)

    def join(self, timeout: float | None = None) -> bool:
        """Wait until every item that was put is done, at most `timeout` seconds; whether it is so.

        Switches: if it must wait. Call from: hub | any thread. Raises: Cancelled.
        """
        timeout = check_timeout(timeout)
        if latched:
            deliver_latched()
        if not self._unfinished():
            return True
        if timeout == 0:
            return False
        ticket = Ticket(this_task())
        self._joiners.add(ticket)
        if not self._unfinished():
            self._joiners.wake_all()
        return wait(ticket, timeout, self._joiners.discard) is WOKEN

    def shutdown(self, immediate: bool = False) -> None:
        """Take no more items; getters get what is left and then ShutDown, putters ShutDown at once.

        Immediately: what is left is dropped and counts as done.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        self._shut = True
        if immediate:
            self._drain()
        self._match()
        if self._places is not None:
            self._places.close()

    def _drain(self) -> None:
        while self._items:
            try:
                self._items.popleft()
            except IndexError:
                return
            if self._unfinished() > 0:
                self.task_done()

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                yield self.get()
            except ShutDown:
                return


class _Stack(deque[T]):
    """A deque whose next item is the newest."""

    __slots__ = ()

    def popleft(self) -> T:
        return self.pop()

    def appendleft(self, item: T) -> None:
        self.append(item)


class LifoQueue(Queue[T]):
    """Last in, first out. Shaped as `queue.LifoQueue`."""

    __slots__ = ()

    def _new_items(self) -> Any:
        return _Stack()


class PriorityQueue(Queue[T]):
    """The smallest item first. Shaped as `queue.PriorityQueue`; items are compared with `<`."""

    __slots__ = ()

    def _new_items(self) -> Any:
        return Heap()

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Take the smallest item, as `Queue.get`.

        Switches: if it must wait. Call from: hub | any thread. Raises: as `Queue.get`.
        """
        item = super().get(block, timeout)
        if self._getters:  # they may have found the heap in use by us
            self._match()
        return item
