"""Timers that go wrong in the hub.

What must live here: faults of `call_at` and of the handle that it returns. What this file must not know: what
waits for a time.
"""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import Any

from hubkit.contract import ORDERED_YIELD, VIRTUAL_TIME, Hub
from hubkit.waiting import TIMED_OUT, Ticket

from .fault import every, fault, wrap


@fault("test_r02_a_timer_does_not_fire_early", "test_r02_sleep_is_not_over_early")
def timer_early(hub: type[Hub]) -> None:
    """Timers fire 20 ms before their time."""

    @wrap(hub, "call_at")
    def call_at(right: Any, self: Any, when: float, fn: Any) -> Any:
        return right(self, when - 0.02, fn)


@fault("test_r02_timers_are_not_late", lacks=(VIRTUAL_TIME,))
def timer_late(hub: type[Hub]) -> None:
    """Timers fire 0.2 s after their time."""

    @wrap(hub, "call_at")
    def call_at(right: Any, self: Any, when: float, fn: Any) -> Any:
        return right(self, when + 0.2, fn)


@fault("test_r02_every_timer_fires_once")
def timer_lost(hub: type[Hub]) -> None:
    """Each fifth timer never fires."""
    strikes = every(5)

    @wrap(hub, "call_at")
    def call_at(right: Any, self: Any, when: float, fn: Any) -> Any:
        return right(self, when + 3600 * strikes(), fn)


@fault("test_r02_every_timer_fires_once")
def timer_doubled(hub: type[Hub]) -> None:
    """A callback at a time is called twice."""

    @wrap(hub, "call_at")
    def call_at(right: Any, self: Any, when: float, fn: Any) -> Any:
        if type(fn) is not Ticket:
            right(self, when, fn)
        return right(self, when, fn)


@fault("test_r02_a_timer_that_was_cancelled_does_not_fire")
def timer_not_cancelled(hub: type[Hub]) -> None:
    """`cancel` of a timer changes nothing."""

    @wrap(hub, "call_at")
    def call_at(right: Any, self: Any, when: float, fn: Any) -> Any:
        right(self, when, fn)
        return SimpleNamespace(cancel=lambda: None)


@fault("test_r02_timers_fire_by_time_and_equal_times_in_order", needs=(ORDERED_YIELD,))
def equal_times_in_reverse(hub: type[Hub]) -> None:
    """Of timers for one time the youngest is first."""
    age = count()

    @wrap(hub, "call_at")
    def call_at(right: Any, self: Any, when: float, fn: Any) -> Any:
        return right(self, when - next(age) * 1e-8, fn)


@fault("test_r02_timers_fire_by_time_and_equal_times_in_order", needs=(ORDERED_YIELD,))
def timers_by_age(hub: type[Hub]) -> None:
    """A timer does not fire before those that were set earlier."""
    latest = [0.0]

    @wrap(hub, "call_at")
    def call_at(right: Any, self: Any, when: float, fn: Any) -> Any:
        if type(fn) is not Ticket:
            when = latest[0] = max(when, latest[0])
        return right(self, when, fn)


@fault("test_r05_a_time_limit_that_was_not_needed_does_not_end_the_next_wait")
def time_limit_ends_a_later_wait(hub: type[Hub]) -> None:
    """The timer of a wait goes on when the wait has ended, and ends the wait that its task is in by then."""

    @wrap(hub, "call_at")
    def call_at(right: Any, self: Any, when: float, fn: Any) -> Any:
        if type(fn) is not Ticket:
            return right(self, when, fn)
        right(self, when, lambda: self.fire(fn.task.ticket or fn, TIMED_OUT))
        return SimpleNamespace(cancel=lambda: None)
