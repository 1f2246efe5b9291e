"""Cancels, time limits and shields that go wrong.

What must live here: faults of `Task.cancel`, of the delivery of requests, and of scopes. What this file must
not know: what a task waits for.
"""

from __future__ import annotations

import sys
from typing import Any

from hubkit import Cancelled, Task, move_on_after, now, shield, timeout, waiting
from hubkit.contract import ORDERED_YIELD, Hub
from hubkit.scopes import Scope

from .fault import Replace, fault, wrap


@fault("test_r04_a_cancel_ends_every_wait")
def cancel_lost(hub: type[Hub]) -> None:
    """A cancel does not reach a task that waits."""

    @wrap(Task, "cancel")
    def cancel(right: Any, self: Any) -> bool:
        return not self.done() if self.ticket is not None else bool(right(self))


@fault("test_r04_a_cancel_is_delivered_once")
def cancel_delivered_twice(hub: type[Hub]) -> None:
    """A cancel is raised again by the verb after the one it has ended."""
    seen = set()

    @wrap(Task, "take")
    def take(right: Any, self: Any) -> Any:
        request = right(self)
        if request is not None and request not in seen:
            seen.add(request)
            self._requests.append(request)
            waiting.latched[self] = None
        return request


@fault("test_r04_asking_twice_before_the_delivery_is_one_request")
def cancels_pile_up(hub: type[Hub]) -> None:
    """Two cancels before the delivery are two requests."""

    class Another(Cancelled):
        pass

    @wrap(Task, "cancel")
    def cancel(right: Any, self: Any) -> bool:
        if self.pending():
            self._requests.append(Another(self))
        return bool(right(self))


@fault("test_r04_a_latched_cancel_is_raised_by_a_verb_that_would_not_wait")
def cancel_seen_only_where_a_verb_waits(hub: type[Hub]) -> None:
    """A verb that need not wait does not look for requests."""

    @wrap(Task, "deliver")
    def deliver(right: Any, self: Any) -> None:
        if sys._getframe(2).f_code is not waiting.deliver_latched.__code__:
            right(self)


@fault("test_r04_verbs_that_cannot_wait_do_not_raise_a_latched_cancel")
def cancel_raised_where_nothing_waits(hub: type[Hub]) -> None:
    """`spawn` raises a request, though it cannot wait."""

    @wrap(hub, "start")
    def start(right: Any, self: Any, task: Any) -> None:
        caller = self.current()
        if caller is not None:
            caller.deliver()
        right(self, task)


@fault("test_r04_a_cancel_does_not_change_a_task_that_has_ended")
def cancel_after_the_end(hub: type[Hub]) -> None:
    """A task that has ended becomes a cancelled one."""

    @wrap(Task, "cancel")
    def cancel(right: Any, self: Any) -> bool:
        if self.done():
            self._cancelled = True
        return bool(right(self))


@fault("test_r04_a_request_that_was_never_delivered_ends_with_its_task")
def cancel_outlives_its_task(hub: type[Hub]) -> None:
    """What a task has not been told at its end the next task is told."""
    left: list[BaseException] = []

    @wrap(Task, "run")
    def run(right: Any, self: Any) -> None:
        fn = self._fn

        def call(*args: Any, **kwargs: Any) -> Any:
            if left:
                self.interrupt(left.pop())
            try:
                return fn(*args, **kwargs)
            finally:
                left.extend(self._requests)

        self._fn = call
        right(self)


@fault("test_r04_a_cancel_hits_only_its_own_task")
def cancel_hits_the_neighbour(hub: type[Hub]) -> None:
    """A cancel reaches the task that was spawned after the one that was meant."""

    @wrap(Task, "cancel")
    def cancel(right: Any, self: Any) -> bool:
        tasks = list(self.hub.tasks)
        follower = tasks.index(self) + 1 if self in self.hub.tasks else len(tasks)
        return bool(right(tasks[follower] if follower < len(tasks) else self))


@fault("test_r04_a_task_cancelled_before_its_start_never_runs", needs=(ORDERED_YIELD,))
def cancelled_task_starts_all_the_same(hub: type[Hub]) -> None:
    """A task that was cancelled before its start runs up to its first verb."""

    @wrap(Task, "run")
    def run(right: Any, self: Any) -> None:
        requests, self._requests = self._requests, []
        fn = self._fn
        if requests:

            def call(*args: Any, **kwargs: Any) -> Any:
                self._requests.extend(requests)
                waiting.latched[self] = None
                return fn(*args, **kwargs)

            self._fn = call
        right(self)


@fault("test_r04_cancelled_is_no_ordinary_exception")
def cancel_swallowed_by_except_exception(hub: type[Hub]) -> None:
    """What is raised in a cancelled task is an ordinary exception too."""

    class Eatable(Cancelled, Exception):
        pass

    @wrap(Task, "take")
    def take(right: Any, self: Any) -> Any:
        request = right(self)
        return Eatable(request.source) if isinstance(request, Cancelled) else request


@fault("test_r04_cancel_tells_whether_the_task_was_finished")
def cancel_says_nothing(hub: type[Hub]) -> None:
    """`cancel` returns True, whatever it finds."""

    @wrap(Task, "cancel")
    def cancel(right: Any, self: Any) -> bool:
        right(self)
        return True


# -- timeouts -------------------------------------------------------------------------------------


def each_scope(verb: str) -> Replace:
    """Wraps a method of `timeout` and `move_on_after` alike."""

    def replace(wrong: Any) -> None:
        for scope in (timeout, move_on_after):
            wrap(scope, verb)(wrong)

    return replace


@fault("test_r06_a_timeout_ends_every_wait")
def timeout_never_fires(hub: type[Hub]) -> None:
    """A scope has no deadline, whatever it was given."""

    @each_scope("__enter__")
    def enter(right: Any, self: Any) -> Any:
        self.reschedule(None)
        return right(self)


@fault("test_r06_a_timeout_is_not_early")
def timeout_early(hub: type[Hub]) -> None:
    """A scope expires at half its time."""

    @each_scope("__enter__")
    def enter(right: Any, self: Any) -> Any:
        right(self)
        if self.deadline is not None:
            self.reschedule((now() + self.deadline) / 2)
        return self


@fault("test_r06_no_library_eats_an_expiry")
def timeout_raised_as_an_os_error_inside(hub: type[Hub]) -> None:
    """An expiry is a TimeoutError already inside of the block: an OSError, that libraries catch."""

    @wrap(Task, "take")
    def take(right: Any, self: Any) -> Any:
        request = right(self)
        return TimeoutError() if isinstance(getattr(request, "source", None), Scope) else request


@fault("test_r06_a_scope_revokes_what_it_has_not_delivered")
def timeout_not_revoked(hub: type[Hub]) -> None:
    """A scope that expired and had no occasion to say so is raised after its block."""

    @each_scope("_leave")
    def leave(right: Any, self: Any) -> None:
        undelivered = self.expired and not self.delivered
        right(self)
        if undelivered or (self.expired and not self.delivered):
            self.task.interrupt(Cancelled(self))


@fault("test_r06_expiry_is_a_cancelled_of_the_scope_inside_and_a_timeout_error_outside")
def timeout_moves_on(hub: type[Hub]) -> None:
    """`timeout` leaves its block in silence when it has expired."""

    @wrap(timeout, "__exit__")
    def leave(right: Any, self: Any, *error: Any) -> bool:
        try:
            right(self, *error)
        except TimeoutError:
            return True
        return False


@fault("test_r06_the_outer_expiry_passes_through_the_inner_scope")
def inner_scope_takes_the_outer_expiry(hub: type[Hub]) -> None:
    """A scope takes any Cancelled of a scope for its own."""

    @wrap(Scope, "caused")
    def caused(right: Any, self: Any, error: Any) -> bool:
        return isinstance(error, Cancelled) and isinstance(error.source, Scope)


@fault("test_r06_a_cancel_is_no_timeout")
def timeout_takes_a_cancel(hub: type[Hub]) -> None:
    """A scope takes the cancel of its task for its own expiry."""

    @wrap(Scope, "caused")
    def caused(right: Any, self: Any, error: Any) -> bool:
        return isinstance(error, Cancelled)


@fault("test_r06_a_body_that_finished_in_spite_of_expiry_raises_nothing")
def timeout_punishes_a_finished_body(hub: type[Hub]) -> None:
    """A block that was done, but late, raises TimeoutError."""

    @wrap(timeout, "__exit__")
    def leave(right: Any, self: Any, *error: Any) -> Any:
        right(self, *error)
        if self.expired and error[0] is None:
            raise TimeoutError("late")


@fault("test_r06_a_cancel_of_the_task_comes_before_an_expiry")
def expiry_before_cancel(hub: type[Hub]) -> None:
    """Of a cancel and an expiry the expiry is raised first."""

    @wrap(Task, "take")
    def take(right: Any, self: Any) -> Any:
        requests, self._requests = self._requests, []
        try:
            request = right(self)
        finally:
            self._requests = requests
        if request is None:
            return right(self)
        waiting.latched[self] = None
        return request


@fault("test_r06_reschedule_moves_the_deadline")
def reschedule_does_nothing(hub: type[Hub]) -> None:
    """`reschedule` in the block is accepted and forgotten."""

    @each_scope("reschedule")
    def reschedule(right: Any, self: Any, deadline: Any) -> None:
        if not self.active:
            right(self, deadline)


# -- shields --------------------------------------------------------------------------------------


@fault("test_r07_a_cancel_waits_until_the_shield_is_left")
def shield_lets_requests_in(hub: type[Hub]) -> None:
    """A shield shields from nothing."""
    shield.shields = False


@fault("test_r07_leaving_a_shield_loses_no_value")
def shield_raises_on_leaving(hub: type[Hub]) -> None:
    """What a shield has deferred is raised by its end."""

    @wrap(shield, "__exit__")
    def leave(right: Any, self: Any, *error: Any) -> None:
        right(self, *error)
        self.task.deliver()


@fault("test_r07_a_cancel_waits_until_the_shield_is_left")
def shield_swallows_requests(hub: type[Hub]) -> None:
    """What a shield has deferred is forgotten."""

    @wrap(shield, "__exit__")
    def leave(right: Any, self: Any, *error: Any) -> None:
        self.task._requests.clear()
        right(self, *error)
