"""Heap: smallest first, shared by threads and tasks without a lock held over a comparison.

What must live here: who may touch the heap. What this file must not know: queues.

A comparison is somebody's code: it may be slow, switch, or use the same heap again. So the list is claimed by
taking it out of its cell, and whoever finds the cell empty leaves its item in the inbox: the claimer
looks there after it has put the list back.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import Any

from .originals import get_ident, sleep


class InUse(IndexError):
    """The heap is claimed by this thread already: in a comparison, or under a signal handler."""


class Heap:
    """As much of a deque as a queue needs."""

    __slots__ = ("_cell", "_inbox", "_owner")

    def __init__(self) -> None:
        self._cell: deque[list[Any]] = deque(([],))
        self._inbox: deque[Any] = deque()
        self._owner: int | None = None

    def append(self, item: Any) -> None:
        """Add an item; a comparison that fails raises here, with the item in."""
        self._inbox.append(item)
        while self._inbox:
            heap = self._claim()
            if heap is None:
                return  # the claimer will find it
            try:
                self._take_in(heap)
            finally:
                self._release(heap)

    appendleft = append

    def popleft(self) -> Any:
        """Take the smallest item; IndexError if there is none, InUse if this thread is at it already."""
        while True:
            heap = self._claim()
            if heap is not None:
                break
            if self._owner == get_ident():
                raise InUse
            sleep(0)  # another thread is in the middle of a comparison
        try:
            self._take_in(heap)
            return heappop(heap)
        finally:
            self._release(heap)

    def _claim(self) -> list[Any] | None:
        try:
            heap = self._cell.pop()
        except IndexError:
            return None
        self._owner = get_ident()
        return heap

    def _release(self, heap: list[Any]) -> None:
        self._owner = None
        self._cell.append(heap)

    def _take_in(self, heap: list[Any]) -> None:
        while self._inbox:
            heappush(heap, self._inbox.popleft())

    def __len__(self) -> int:
        cell = self._cell
        try:
            return len(cell[0]) + len(self._inbox)
        except IndexError:  # claimed; who asks now gets what is sure
            return len(self._inbox)
