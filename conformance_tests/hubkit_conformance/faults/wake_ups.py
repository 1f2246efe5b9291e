"""Wake-ups, starts and yields that go wrong in the hub.

What must live here: faults of `fire`, `park`, `start` and `yield_now`. What this file must not know:
primitives.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from hubkit.contract import ORDERED_YIELD, Hub
from hubkit.ring import Ring
from hubkit.waiting import INTERRUPT, TIMED_OUT, WOKEN

from .fault import every, fault, wrap

NEWS = "test_r05_each_of_many_wake_ups_arrives"


@fault(NEWS)
def wake_up_lost(hub: type[Hub]) -> None:
    """Each third wake-up is accepted, and its task does not run."""
    strikes = every(3)

    @wrap(hub, "fire")
    def fire(right: Any, self: Any, ticket: Any, outcome: Any) -> bool:
        if outcome in (TIMED_OUT, INTERRUPT) or not strikes():
            return bool(right(self, ticket, outcome))
        return bool(ticket.claim())


@fault("test_r05_an_item_that_meets_a_cancel_stays_or_arrives")
def wake_up_accepted_twice(hub: type[Hub]) -> None:
    """`fire` says True to everybody, also to those who come too late."""

    @wrap(hub, "fire")
    def fire(right: Any, self: Any, ticket: Any, outcome: Any) -> bool:
        right(self, ticket, outcome)
        return True


@fault("test_r05_who_is_not_woken_goes_on_waiting")
def wake_up_early(hub: type[Hub]) -> None:
    """A wait ends when others have run once, woken or not."""

    @wrap(hub, "park")
    def park(right: Any, self: Any, ticket: Any) -> Any:
        if ticket.outcome is None:
            self.yield_now()
        if ticket.outcome is None and ticket.claim():
            return WOKEN
        return right(self, ticket)


@fault("test_r02_a_task_woken_before_a_yield_runs_before_the_yielder", needs=(ORDERED_YIELD,))
def wake_up_late(hub: type[Hub]) -> None:
    """A woken task becomes ready by a callback, and so after those that yield meanwhile."""

    @wrap(hub, "fire")
    def fire(right: Any, self: Any, ticket: Any, outcome: Any) -> bool:
        if not hasattr(ticket, "armed"):
            return False
        self.call_soon(lambda: self.call_soon(lambda: right(self, ticket, outcome)))
        return True


@fault("test_r03_an_event_wakes_its_waiters_in_order", needs=(ORDERED_YIELD,), base=Ring)
def wake_ups_last_in_first_out(hub: type[Hub]) -> None:
    """A woken task goes to the head of those that are ready."""

    @wrap(hub, "fire")
    def fire(right: Any, self: Any, ticket: Any, outcome: Any) -> bool:
        fired = right(self, ticket, outcome)
        if fired:
            self._ready.rotate(1)
        return bool(fired)


@fault("test_r05_who_is_not_woken_goes_on_waiting")
def wake_up_hits_the_next_wait_too(hub: type[Hub]) -> None:
    """What has woken a task once ends its next wait as well."""
    woken = set()

    @wrap(hub, "park")
    def park(right: Any, self: Any, ticket: Any) -> Any:
        if ticket.task in woken:
            woken.discard(ticket.task)
            self.fire(ticket, WOKEN)
        outcome = right(self, ticket)
        if outcome is WOKEN:
            woken.add(ticket.task)
        return outcome


@fault("test_r04_what_was_handed_over_is_kept_and_the_cancel_is_latched", base=Ring)
def cancel_overtakes_a_hand_over(hub: type[Hub]) -> None:
    """A cancel takes the place of what the waiter had been given a moment before."""

    @wrap(hub, "fire")
    def fire(right: Any, self: Any, ticket: Any, outcome: Any) -> bool:
        if right(self, ticket, outcome):
            return True
        if outcome is INTERRUPT and ticket.task.ticket is ticket:
            ticket.outcome = INTERRUPT
        return False


@fault("test_r01_every_task_runs_exactly_once")
def start_lost(hub: type[Hub]) -> None:
    """Each seventh task is accepted and never started."""
    strikes = every(7)

    @wrap(hub, "start")
    def start(right: Any, self: Any, task: Any) -> None:
        if strikes():
            self.tasks[task] = None
        else:
            right(self, task)


@fault("test_r01_every_task_runs_exactly_once", base=Ring)
def start_doubled(hub: type[Hub]) -> None:
    """A task is put into the ring twice and runs twice."""

    @wrap(hub, "start")
    def start(right: Any, self: Any, task: Any) -> None:
        fn, args, kwargs = task._fn, task._args, task._kwargs
        if fn is not None:
            task._fn = lambda *_, **__: fn(*args, **kwargs or {})
        right(self, task)
        right(self, task)


@fault("test_r01_children_start_in_spawn_order", needs=(ORDERED_YIELD,), base=Ring)
def starts_in_reverse(hub: type[Hub]) -> None:
    """A new task goes to the head of those that are ready."""

    @wrap(hub, "start")
    def start(right: Any, self: Any, task: Any) -> None:
        right(self, task)
        self._ready.rotate(1)


@fault("test_r01_spawn_returns_before_the_child_runs", needs=(ORDERED_YIELD,), base=Ring)
def start_switches_to_the_child(hub: type[Hub]) -> None:
    """`start` lets the child run before it returns."""

    @wrap(hub, "start")
    def start(right: Any, self: Any, task: Any) -> None:
        right(self, task)
        if self.current() is not None and self.current() is not task:
            self.yield_now()


@fault("test_r21_tasks_that_spawn_tasks_a_thousand_deep_work", base=Ring)
def start_runs_inline(hub: type[Hub]) -> None:
    """A task runs on the stack of its spawner, inside of `start`."""

    @wrap(hub, "start")
    def start(right: Any, self: Any, task: Any) -> None:
        task.run()


@fault("test_r02_a_yield_lets_every_other_ready_task_run_once", needs=(ORDERED_YIELD,))
def yield_does_nothing(hub: type[Hub]) -> None:
    """`yield_now` returns at once."""

    @wrap(hub, "yield_now")
    def yield_now(right: Any, self: Any) -> None:
        self.current()


@fault("test_r02_a_yield_lets_every_other_ready_task_run_once", needs=(ORDERED_YIELD,), base=Ring)
def yield_lets_only_the_next_run(hub: type[Hub]) -> None:
    """A task that yields is the second to run, however many are ready."""

    @wrap(hub, "yield_now")
    def yield_now(right: Any, self: Any) -> None:
        later = list(self._ready)[1:]
        while len(self._ready) > 1:
            self._ready.pop()
        try:
            right(self)
        finally:
            self._ready.extendleft(reversed(later))


@fault(
    "test_r02_tasks_that_spin_do_not_hold_up_timers_and_threads",
    "test_r02_tasks_that_spin_do_not_hold_up_descriptors",
    base=Ring,
)
def spinning_tasks_starve_the_rest(hub: type[Hub]) -> None:
    """The hub looks at timers and descriptors only when no task is ready."""

    @wrap(hub, "_renew")
    def _renew(right: Any, self: Any) -> bool:
        self._new_slice()
        return True


@fault("test_r13_call_soon_calls_once_in_order_and_in_hub_context", base=Ring)
def callbacks_see_a_task(hub: type[Hub]) -> None:
    """In hub context `current` names the task that ran last."""
    last: deque[Any] = deque([None], 1)

    @wrap(hub, "current")
    def current(right: Any, self: Any) -> Any:
        task = right(self)
        last.append(last[0] if task is None else task)
        return last[0]
