"""Task groups and pools that do not look after their tasks.

What must live here: faults of what owns tasks. What this file must not know: how tasks run.
"""

from __future__ import annotations

import sys
from typing import Any

from hubkit import Cancelled, Pool, TaskGroup
from hubkit.contract import Hub
from hubkit.registry import this_task
from hubkit.slots import SizedSlots
from hubkit.waiting import WOKEN

from .fault import fault, wrap

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup


@fault("test_r09_a_group_is_left_when_all_its_children_have_ended")
def group_leaks_a_child(hub: type[Hub]) -> None:
    """A group forgets the child that was spawned last, and is left without it."""

    @wrap(TaskGroup, "__exit__")
    def leave(right: Any, self: Any, *error: Any) -> Any:
        if self._children:
            self._children.popitem()
        return right(self, *error)


@fault("test_r09_the_first_error_cancels_the_other_children_and_the_body")
def group_waits_for_all_after_an_error(hub: type[Hub]) -> None:
    """The error of a child does not stop the others."""

    @wrap(TaskGroup, "expire")
    def expire(right: Any, self: Any) -> None:
        pass


@fault("test_r09_all_errors_come_out_together")
def group_raises_the_first_error_only(hub: type[Hub]) -> None:
    """Errors of a group but the first one are lost."""

    @wrap(TaskGroup, "__exit__")
    def leave(right: Any, self: Any, *error: Any) -> Any:
        try:
            return right(self, *error)
        except BaseExceptionGroup as errors:
            raise errors.derive(errors.exceptions[:1]) from None


@fault("test_r09_an_error_of_the_body_cancels_the_children_and_comes_in_a_group")
def group_raises_a_single_error_bare(hub: type[Hub]) -> None:
    """A single error comes out of a group as it is."""

    @wrap(TaskGroup, "__exit__")
    def leave(right: Any, self: Any, *error: Any) -> Any:
        try:
            return right(self, *error)
        except BaseExceptionGroup as errors:
            if len(errors.exceptions) == 1:
                raise errors.exceptions[0] from None
            raise


@fault("test_r09_an_interrupt_from_outside_cancels_and_joins_the_children_and_goes_on")
def interrupted_group_does_not_join(hub: type[Hub]) -> None:
    """A group that is interrupted cancels its children, and does not wait for their ends."""

    @wrap(TaskGroup, "__exit__")
    def leave(right: Any, self: Any, kind: Any, error: Any, traceback: Any) -> Any:
        if isinstance(error, Cancelled) and error.source is not self:
            self.expire()
            self._children.clear()
        return right(self, kind, error, traceback)


@fault("test_r09_a_group_that_stops_does_not_start_more_children")
def stopping_group_starts_more(hub: type[Hub]) -> None:
    """A child that is spawned into a group that stops runs."""

    @wrap(TaskGroup, "spawn")
    def spawn(right: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        going, self._going = self._going, [True]
        try:
            return right(self, *args, **kwargs)
        finally:
            self._going = going


@fault("test_r09_the_groups_own_request_does_not_outlive_it")
def groups_request_outlives_it(hub: type[Hub]) -> None:
    """What a group has not raised in its block comes after it."""

    @wrap(TaskGroup, "__exit__")
    def leave(right: Any, self: Any, *error: Any) -> Any:
        try:
            return right(self, *error)
        finally:
            if self.expired and not self.delivered:
                self.task.interrupt(Cancelled(self))


# -- pools ----------------------------------------------------------------------------------------


@fault("test_r12_a_slot_lives_as_long_as_its_task")
def slot_leaks_with_a_cancelled_task(hub: type[Hub]) -> None:
    """The slot of a task that was cancelled is never free again."""

    @wrap(Pool, "task_ended")
    def task_ended(right: Any, self: Any, task: Any) -> bool:
        if task.cancelled():
            self._tasks.pop(task, None)
            return False
        return bool(right(self, task))


@fault("test_r12_a_slot_lives_as_long_as_its_task")
def slot_free_too_early(hub: type[Hub]) -> None:
    """A slot is free as soon as its task has been spawned."""

    @wrap(Pool, "_start")
    def start(right: Any, self: Any, *args: Any) -> Any:
        task = right(self, *args)
        task.owner = None
        self.task_ended(task)
        return task


@fault("test_r12_a_pool_runs_no_more_tasks_than_its_size")
def pool_runs_one_too_many(hub: type[Hub]) -> None:
    """A pool has room for one more than its size."""

    @wrap(SizedSlots, "__init__")
    def init(right: Any, self: Any, size: int) -> None:
        right(self, size + 1)


@fault("test_r12_a_slot_handed_to_a_spawner_who_is_cancelled_is_not_lost")
def slot_dies_with_a_cancelled_spawner(hub: type[Hub]) -> None:
    """A slot that was handed to a spawner who is cancelled is lost."""

    @wrap(SizedSlots, "take")
    def take(right: Any, self: Any, timeout: Any) -> Any:
        waited = timeout is None and not self.free()
        outcome = right(self, timeout)
        if waited and outcome is WOKEN:
            this_task().deliver()
        return outcome
