"""Heap: items that come out smallest first, and may be put in and taken out by anybody at any time.

What must live here: the order. What this file must not know: who waits for an item.

Comparing items runs their own `__lt__`, in the middle of which anything may happen: another thread, a signal
handler or a finalizer puts into the same heap, or the comparison fails. So no lock is held across it, and
nothing that others see is changed: each operation makes a new version beside the old one and then
publishes it in one atomic step; if somebody was faster it begins again with his.

A version shares almost all of its nodes with the one before. They form a leftist heap: the shorter way down
is always on the right, so merging two heaps along their right edges takes logarithmic time.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: (length of the right edge, item, left, right), or None for no items
Node = tuple[int, Any, Any, Any] | None
#: (root, number of items, {0: the next version} once there is one)
Version = tuple[Node, int, dict[int, Any]]


class Heap(Generic[T]):
    """Shaped as far as needed as a `deque` whose left end has the smallest item."""

    __slots__ = ("_version",)

    def __init__(self) -> None:
        self._version: Version = (None, 0, {})

    def append(self, item: T) -> None:
        """Put an item in.

        Switches: never. Call from: hub | any thread | signal. Raises: what comparing it raises; then it is
        not in.
        """
        node = (1, item, None, None)
        while True:
            before = self._newest()
            if self._publish(before, _merge(before[0], node), before[1] + 1):
                return

    appendleft = append

    def popleft(self) -> T:
        """Take the smallest item out.

        Switches: never. Call from: hub | any thread | signal. Raises: IndexError if there is none; what
        comparing the others raises; then it is still in.
        """
        while True:
            before = self._newest()
            root = before[0]
            if root is None:
                raise IndexError("pop from an empty heap")
            if self._publish(before, _merge(root[2], root[3]), before[1] - 1):
                item: T = root[1]
                return item

    def __len__(self) -> int:
        return self._newest()[1]

    def _newest(self) -> Version:
        # A slow thread may have left an older one here.
        version = self._version
        while version[2]:
            version = version[2][0]
        return version

    def _publish(self, before: Version, root: Node, size: int) -> bool:
        after: Version = (root, size, {})
        if before[2].setdefault(0, after) is not after:
            return False
        self._version = after
        return True


def _merge(one: Node, other: Node) -> Node:
    if one is None:
        return other
    if other is None:
        return one
    if other[1] < one[1]:
        one, other = other, one
    left, right = one[2], _merge(one[3], other)
    if left is None:
        return 1, one[1], right, None
    assert right is not None
    if left[0] < right[0]:
        left, right = right, left
    return right[0] + 1, one[1], left, right
