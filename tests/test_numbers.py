"""Numbers that callers give: each wrong one is refused with what was expected and what was given."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest

import hubkit
from hubkit.counts import count_of
from hubkit.threads import set_thread_limit

COUNTS = [
    (hubkit.Pool, "a pool's size must be a number of tasks, 1 or more", 0),
    (hubkit.Pool(1).resize, "a pool's size must be a number of tasks, 1 or more", 0),
    (hubkit.Semaphore, "a semaphore's value must be a number of permits, 0 or more", -1),
    (hubkit.BoundedSemaphore, "a semaphore's value must be a number of permits, 0 or more", -1),
    (hubkit.Barrier, "a barrier's parties must be a number of tasks, 1 or more", 0),
    (set_thread_limit, "the limit must be a number of threads, 1 or more", 0),
    (hubkit.Queue, "maxsize must be a number of items, or 0 for no limit", None),
    (hubkit.LifoQueue, "maxsize must be a number of items, or 0 for no limit", None),
    (hubkit.PriorityQueue, "maxsize must be a number of items, or 0 for no limit", None),
]

SECONDS = [
    (hubkit.sleep, "sleep() takes a number of seconds"),
    (hubkit.timeout, "timeout must be a number of seconds or None"),
    (hubkit.move_on_after, "timeout must be a number of seconds or None"),
    (hubkit.timeout_at, "a deadline is a time as of hubkit.now(), or None"),
    (lambda seconds: hubkit.spawn_later(seconds, int), "spawn_later() takes a number of seconds"),
    (lambda seconds: hubkit.run(int, grace=seconds), "grace must be a number of seconds or None"),
    (lambda seconds: hubkit.Event().wait(seconds), "timeout must be a number of seconds or None"),
    (lambda seconds: hubkit.Queue().get(timeout=seconds), "timeout must be a number of seconds or None"),
]


class Number:
    """A whole number that is no int, as NumPy's are."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


def says(error: type[Exception], rule: str, given: object) -> Any:
    return pytest.raises(error, match=f"^{re.escape(f'{rule}, not {given!r}')}$")


@pytest.mark.parametrize(("make", "rule", "too_few"), COUNTS)
@pytest.mark.parametrize("given", ["x", None, 1.5, [1], True])
def test_what_is_no_whole_number_is_no_count(
    make: Callable[[Any], object], rule: str, too_few: int | None, given: object
) -> None:
    with says(TypeError, rule, given):
        make(given)


@pytest.mark.parametrize(("make", "rule", "too_few"), [case for case in COUNTS if case[2] is not None])
def test_a_count_may_be_too_small(make: Callable[[Any], object], rule: str, too_few: int) -> None:
    with says(ValueError, rule, too_few):
        make(too_few)


def test_a_count_is_kept_as_the_int_that_it_stands_for() -> None:
    assert type(count_of(Number(3), "", 1)) is int
    three: Any = Number(3)
    assert hubkit.Queue(three).maxsize == 3
    assert hubkit.Barrier(three).parties == 3
    queue: hubkit.Queue[int] = hubkit.Queue(-1)  # as with `queue.Queue`: no limit
    queue.put(1)
    assert not queue.full()


@pytest.mark.parametrize(("verb", "rule"), SECONDS)
def test_what_is_no_number_of_seconds_is_refused(verb: Callable[[Any], object], rule: str) -> None:
    with says(TypeError, rule, "soon"):
        verb("soon")
    with says(ValueError, rule, nan):
        verb(nan)


def test_for_ever_is_a_number_of_seconds() -> None:
    with hubkit.timeout(inf) as scope:
        hubkit.checkpoint()
    assert not scope.expired


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_block_that_was_given_no_time_is_told_so(seconds: float) -> None:
    with pytest.raises(TimeoutError, match="given no time: a timeout of 0 s, or less"):
        with hubkit.timeout(seconds):
            hubkit.sleep(0.01)
