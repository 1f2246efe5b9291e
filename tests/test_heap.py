"""Heap."""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meetings import Meet, Threads, at_each_step

from hubkit.heap import Heap, Node


def drained(heap: Heap[Any]) -> list[Any]:
    return [heap.popleft() for _ in range(len(heap))]


def check(node: Node) -> int:
    """The length of the right edge of a well-formed heap."""
    if node is None:
        return 0
    length, item, left, right = node
    for child in (left, right):
        assert child is None or not child[1] < item
    lengths = check(left), check(right)
    assert lengths[0] >= lengths[1]
    assert length == lengths[1] + 1
    return length


@given(st.lists(st.one_of(st.integers(0, 20), st.none()), max_size=60))
def test_like_a_sorted_list(steps: list[int | None]) -> None:
    heap: Heap[int] = Heap()
    model: list[int] = []
    for step in steps:
        if step is not None:
            heap.append(step)
            model = sorted([*model, step])
        elif model:
            assert heap.popleft() == model.pop(0)
        else:
            with pytest.raises(IndexError):
                heap.popleft()
        assert len(heap) == len(model)
        check(heap._newest()[0])
    assert drained(heap) == model


@pytest.mark.parametrize(
    "order", [sorted, lambda items: sorted(items, reverse=True), lambda items: Random(1).sample(items, 20000)]
)
def test_many_items_in_any_order_need_no_depth(order: Callable[[list[int]], list[int]]) -> None:
    heap: Heap[int] = Heap()
    for item in order(list(range(20000))):
        heap.append(item)
    limit = sys.getrecursionlimit()
    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    sys.setrecursionlimit(depth + 60)
    try:
        assert drained(heap) == list(range(20000))
    finally:
        sys.setrecursionlimit(limit)


class Failing:
    def __init__(self, value: int) -> None:
        self.value = value
        self.fails = False

    def __lt__(self, other: Failing) -> bool:
        if self.fails or other.fails:
            raise ZeroDivisionError
        return self.value < other.value


def test_a_comparison_that_fails_changes_nothing() -> None:
    heap: Heap[Failing] = Heap()
    items = [Failing(value) for value in (5, 2, 9, 1, 7)]
    for item in items:
        heap.append(item)
    for item in items:
        item.fails = True
    with pytest.raises(ZeroDivisionError):
        heap.append(Failing(3))
    with pytest.raises(ZeroDivisionError):
        heap.popleft()
    assert len(heap) == 5
    for item in items:
        item.fails = False
    assert [item.value for item in drained(heap)] == [1, 2, 5, 7, 9]


@pytest.mark.parametrize("intruder", ["append", "popleft"])
@pytest.mark.parametrize("interrupted", ["append", "popleft"])
def test_interrupted_anywhere(interrupted: str, intruder: str) -> None:
    def play(meet: Meet) -> None:
        heap: Heap[int] = Heap()
        for item in (4, 2, 6):
            heap.append(item)
        put, got = [4, 2, 6], []

        def do(name: str, item: int) -> None:
            if name == "append":
                heap.append(item)
                put.append(item)
            else:
                got.append(heap.popleft())

        meet(lambda: do(interrupted, 1), lambda: do(intruder, 3))
        check(heap._newest()[0])
        assert len(heap) == len(put) - len(got)
        rest = drained(heap)
        assert rest == sorted(rest)
        assert sorted(got + rest) == sorted(put)

    assert at_each_step(play) > 20


def test_old_versions_are_not_kept() -> None:
    heap: Heap[int] = Heap()
    for item in range(100):
        heap.append(item)
        heap.popleft()
    seen = 0
    version = heap._version
    while version[2]:
        version = version[2][0]
        seen += 1
    assert seen == 0


def test_threads() -> None:
    heap: Heap[int] = Heap()
    got: list[int] = []

    def work(number: int) -> None:
        for value in range(300):
            heap.append(number * 300 + value)
            if value % 2:
                got.append(heap.popleft())

    Threads(*[lambda number=number: work(number) for number in range(4)]).join()
    assert sorted(got + drained(heap)) == list(range(1200))
