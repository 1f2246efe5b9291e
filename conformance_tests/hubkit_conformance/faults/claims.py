"""Capabilities that are claimed and not kept, and no-ops that say nothing.

What must live here: a fault for each capability, and faults of patching, forking and ending. What this file
must not know: primitives.
"""

from __future__ import annotations

import threading
from typing import Any

from hubkit import forking, idleness, running
from hubkit.contract import (
    DEADLOCK,
    FIFO_LOCKS,
    FORK,
    HOST_MIX,
    INTERRUPT_HOST,
    MANY_TASKS,
    ORDERED_YIELD,
    PATCH,
    PER_THREAD,
    RESTARTABLE,
    VIRTUAL_TIME,
    Hub,
)
from hubkit.errors import NotSupported
from hubkit.handover import Handover
from hubkit.loop_hub import LoopHub

from .fault import claim, fault, wrap


@fault(
    "test_r02_a_yield_lets_every_other_ready_task_run_once",
    "test_r02_tasks_that_yield_take_turns_in_order",
    lacks=(ORDERED_YIELD,),
)
def claims_ordered_yield(hub: type[Hub]) -> None:
    """ORDERED_YIELD is claimed where the system decides who runs."""
    claim(hub, ORDERED_YIELD)


@fault("test_r03_a_lock_is_handed_over_in_order", needs=(FIFO_LOCKS,))
def claims_fifo_locks(hub: type[Hub]) -> None:
    """FIFO_LOCKS is claimed, and a lock goes to any of those who wait."""

    @wrap(Handover, "_match")
    def match(right: Any, self: Any) -> None:
        if len(self._waiters) > 2:
            self._waiters.tickets.rotate(-1)
        right(self)


@fault("test_r21_a_hundred_thousand_tasks_wait_at_once", needs=(MANY_TASKS,))
def claims_many_tasks(hub: type[Hub]) -> None:
    """MANY_TASKS is claimed, and there is room for 20,000."""

    @wrap(hub, "start")
    def start(right: Any, self: Any, task: Any) -> None:
        if len(self.tasks) >= 20_000:
            raise RuntimeError("no more tasks")
        right(self, task)


@fault("test_r16_a_main_task_that_nothing_can_wake_gets_deadlock_with_who_waits_for_what", needs=(DEADLOCK,))
def claims_deadlock(hub: type[Hub]) -> None:
    """DEADLOCK is claimed, and a main task that nothing can wake waits for ever."""

    @wrap(idleness, "outsiders")
    def outsiders(right: Any) -> bool:
        return True


@fault("test_r16_it_is_no_deadlock_while_something_could_wake_main", needs=(DEADLOCK,))
def deadlock_that_is_none(hub: type[Hub]) -> None:
    """Deadlock is raised although another thread could wake the main task."""

    @wrap(idleness, "outsiders")
    def outsiders(right: Any) -> bool:
        return False


@fault("test_r19_the_childs_hub_works_and_holds_only_the_task_that_forked", needs=(FORK,))
def claims_fork(hub: type[Hub]) -> None:
    """FORK is claimed, and the hub in the child is what it was in the parent."""

    @wrap(hub, "after_fork")
    def after_fork(right: Any, self: Any) -> None:
        pass


@fault("test_r19_the_childs_hub_works_and_holds_only_the_task_that_forked", needs=(FORK,), base=LoopHub)
def fork_unwinds_the_others(hub: type[LoopHub]) -> None:
    """In the child the other tasks are cancelled, and undo the parent's work."""

    @wrap(hub, "after_fork")
    def after_fork(right: Any, self: Any) -> None:
        me = self.current()
        for task in list(self.tasks):
            if task is not me and task.carrier is not None:
                task.carrier.throw()
        right(self)


@fault(
    "test_r19_the_child_ends_with_the_status_its_task_asked_for",
    "test_r19_the_childs_hub_works_and_holds_only_the_task_that_forked",
    needs=(FORK,),
)
def forked_child_runs_on(hub: type[Hub]) -> None:
    """A child does not end with the task that forked, or not as that task did."""

    @wrap(forking, "end_process")
    def end_process(right: Any, task: Any) -> None:
        forking.exit_with(KeyError())


@fault("test_r19_a_hub_without_fork_says_so_in_the_child", lacks=(FORK,))
def no_fork_and_no_word(hub: type[Hub]) -> None:
    """A hub that does not work in a forked child does not say so."""

    @wrap(hub, "after_fork")
    def after_fork(right: Any, self: Any) -> None:
        pass


@fault("test_r02_a_patched_standard_library_lets_others_run_while_it_waits", needs=(PATCH,))
def claims_patch(hub: type[Hub]) -> None:
    """PATCH is claimed; `patch` says what it would have done, and has done nothing."""

    @wrap(hub, "patch")
    def patch(right: Any) -> dict[str, str]:
        return {"time": "patched", "socket": "patched"}


@fault("test_r02_a_hub_that_cannot_patch_says_so", lacks=(PATCH,))
def patch_does_nothing_in_silence(hub: type[Hub]) -> None:
    """`patch` of a hub that cannot returns as if it had."""

    @wrap(hub, "patch")
    def patch(right: Any) -> dict[str, str]:
        return {}


@fault("test_r22_a_hundred_of_each_run_side_by_side_on_sleeps", lacks=(HOST_MIX, INTERRUPT_HOST))
def claims_host_mix(hub: type[Hub]) -> None:
    """HOST_MIX is claimed where there is no host."""
    claim(hub, HOST_MIX)


@fault("test_r22_a_cancel_reaches_a_task_in_a_wait_of_the_hosts_own", lacks=(HOST_MIX, INTERRUPT_HOST))
def claims_interrupt_host(hub: type[Hub]) -> None:
    """INTERRUPT_HOST is claimed where there is no host."""
    claim(hub, INTERRUPT_HOST)


@fault("test_r17_two_hubs_share_a_primitive", "test_r17_spawn_makes_a_hub_in_a_thread", needs=(PER_THREAD,))
def claims_per_thread(hub: type[Hub]) -> None:
    """PER_THREAD is claimed, and only the main thread can have a hub."""

    @wrap(hub, "here")
    def here(right: Any, create: bool) -> Hub | None:
        if create and threading.current_thread() is not threading.main_thread():
            raise NotSupported("there is one hub, and another thread has it")
        found: Hub | None = right(create)
        return found


@fault("test_r20_run_may_be_called_again", needs=(RESTARTABLE,))
def claims_restartable(hub: type[Hub]) -> None:
    """RESTARTABLE is claimed, and a second `run` returns at once."""
    ran: list[bool] = []

    @wrap(hub, "run")
    def run(right: Any, self: Any, main: Any) -> Any:
        if ran:
            return None
        ran.append(True)
        return right(self, main)


@fault("test_r02_virtual_time_passes_when_every_task_waits", lacks=(VIRTUAL_TIME,))
def claims_virtual_time(hub: type[Hub]) -> None:
    """VIRTUAL_TIME is claimed, and an hour takes an hour."""
    claim(hub, VIRTUAL_TIME)


# -- the end --------------------------------------------------------------------------------------


@fault("test_r20_run_cancels_and_joins_what_is_left")
def run_leaves_tasks(hub: type[Hub]) -> None:
    """`run` ends and drops the tasks that are left."""

    @wrap(running, "end_tasks")
    def end_tasks(right: Any, ending: Any, grace: Any) -> None:
        pass


@fault("test_r20_run_cancels_and_joins_what_is_left")
def run_does_not_join(hub: type[Hub]) -> None:
    """`run` cancels the tasks that are left, and does not wait for their clean-up."""

    @wrap(running, "end_tasks")
    def end_tasks(right: Any, ending: Any, grace: Any) -> None:
        right(ending, 0)


@fault("test_r20_tasks_are_ended_when_the_interpreter_exits")
def exit_leaves_tasks(hub: type[Hub]) -> None:
    """When the interpreter exits nobody ends the tasks."""

    @wrap(running, "end_at_exit")
    def end_at_exit(right: Any) -> None:
        pass


@fault("test_r20_run_drops_a_task_that_will_not_end")
def run_waits_for_ever(hub: type[Hub]) -> None:
    """`run` does not end before its last task has."""

    @wrap(running, "end_tasks")
    def end_tasks(right: Any, ending: Any, grace: Any) -> None:
        right(ending, None)
