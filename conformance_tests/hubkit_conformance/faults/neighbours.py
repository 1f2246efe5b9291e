"""Other threads, signal handlers and hosts whose news is not heard.

What must live here: faults in what passes between a hub and those outside of it. What this file must not
know: primitives.
"""

from __future__ import annotations

from collections import deque
from math import inf
from time import process_time
from typing import Any

from hubkit.contract import HOST_MIX, INTERRUPT_HOST, Hub
from hubkit.ctrl_c import CtrlC
from hubkit.in_place import InPlaceHub
from hubkit.loop_hub import LoopHub
from hubkit.originals import get_ident
from hubkit.ring import Ring

from .fault import fault, wrap


@fault("test_r17_a_wake_up_from_another_thread_ends_a_wait_at_once", base=LoopHub)
def wake_up_from_a_thread_not_noticed(hub: type[LoopHub]) -> None:
    """What another thread fires lies in the ring until the hub wakes by itself."""

    @wrap(hub.host_class, "wake")
    def wake(right: Any, self: Any) -> None:
        if get_ident() == self.hub.thread:
            right(self)


@fault("test_r17_a_wake_up_from_another_thread_ends_a_wait_at_once", base=Ring)
def wake_up_from_a_thread_lost(hub: type[Hub]) -> None:
    """What another thread fires is accepted and lost."""

    @wrap(hub, "fire")
    def fire(right: Any, self: Any, ticket: Any, outcome: Any) -> bool:
        if get_ident() == self.thread:
            return bool(right(self, ticket, outcome))
        return bool(ticket.claim())


@fault("test_r13_callbacks_of_several_threads_are_each_called_once", base=Ring)
def callback_from_a_thread_lost(hub: type[Hub]) -> None:
    """What another thread asks to be called is not called."""

    @wrap(hub, "call_soon")
    def call_soon(right: Any, self: Any, fn: Any) -> None:
        if get_ident() == self.thread:
            right(self, fn)


@fault("test_r17_two_hubs_share_a_primitive", base=LoopHub, needs=("PER_THREAD",))
def wake_up_in_the_wrong_hub(hub: type[LoopHub]) -> None:
    """A task is made ready in the hub of whoever wakes it."""

    @wrap(hub, "fire")
    def fire(right: Any, self: Any, ticket: Any, outcome: Any) -> bool:
        here = hub.here(False)
        return bool(right(here if here is not None else self, ticket, outcome))


@fault("test_r18_what_a_handler_fires_for_another_task_is_noticed_at_once", base=InPlaceHub)
def wake_up_from_a_handler_not_noticed(hub: type[InPlaceHub]) -> None:
    """What a signal handler fires lies in the ring until the hub wakes by itself."""
    watched = []

    @wrap(hub.host_class, "wake")
    def wake(right: Any, self: Any) -> None:
        if get_ident() != self.hub.thread:
            right(self)

    @wrap(hub, "add_wake")
    def add_wake(right: Any, self: Any, fd: int, drain: Any) -> None:
        watched.append(fd)
        if len(watched) == 1:  # what comes after that tells of signals
            right(self, fd, drain)


@fault("test_r18_ctrl_c_reaches_the_main_task_without_run", base=InPlaceHub)
def ctrl_c_hits_who_polls(hub: type[InPlaceHub]) -> None:
    """What a signal handler raises is raised in the task that happens to poll."""

    @wrap(hub, "_raise_in_main")
    def raise_in_main(right: Any, self: Any, error: BaseException, g: Any) -> None:
        raise error


@fault("test_r18_ctrl_c_leaves_a_verb_that_it_meets_whole")
def ctrl_c_hits_the_middle(hub: type[Hub]) -> None:
    """Ctrl-C is raised in the middle of whatever verb of hubkit's it meets."""

    @wrap(CtrlC, "__call__")
    def call(right: Any, self: Any, number: int, frame: Any) -> None:
        raise KeyboardInterrupt


@fault("test_r22_guests_that_spin_do_not_starve_the_host", needs=(HOST_MIX,), base=Ring)
def host_starved(hub: type[Ring]) -> None:
    """A slice of the guest's has no end while one of its tasks is ready."""

    @wrap(hub, "_new_slice")
    def new_slice(right: Any, self: Any) -> None:
        right(self)
        self._slice_end = inf


@fault("test_r22_a_host_that_spins_does_not_starve_the_guests", needs=(HOST_MIX,), base=LoopHub)
def guest_starved(hub: type[LoopHub]) -> None:
    """The guest takes a turn every 0.2 s of the process's time."""
    last = [0.0]

    @wrap(hub, "turn")
    def turn(right: Any, self: Any) -> None:
        if process_time() < last[0] + 0.2:
            self.host.wake()
        else:
            last[0] = process_time()
            right(self)


@fault("test_r22_a_host_task_may_wait_and_is_one_task", needs=(HOST_MIX,), base=LoopHub)
def host_task_another_each_time(hub: type[LoopHub]) -> None:
    """A task of the host's is another task of hubkit's in each call."""

    @wrap(hub, "current")
    def current(right: Any, self: Any) -> Any:
        task = right(self)
        if task is not None and task not in self.tasks and task is not self.main and task.ticket is None:
            del task.carrier.hubkit_task
            return right(self)
        return task


@fault("test_r05_a_killed_waiter_does_not_swallow_a_later_wake_up", needs=(HOST_MIX,))
def killed_waiter_swallows_a_wake_up(hub: type[Hub]) -> None:
    """A wait that the host ends by an exception stays where wakers look, and alive."""

    @wrap(hub, "park")
    def park(right: Any, self: Any, ticket: Any) -> Any:
        try:
            return right(self, ticket)
        except BaseException:
            if hasattr(ticket, "armed"):
                _leave_a_twin(ticket)
            raise


def _leave_a_twin(ticket: Any) -> None:
    """Put a ticket that nobody waits on in front of those in the same line."""
    import gc

    from hubkit.waiting import ticket_for

    for line in gc.get_referrers(ticket):
        if isinstance(line, deque):
            line.appendleft(ticket_for(ticket.task))


@fault("test_r22_a_cancel_reaches_a_task_in_a_wait_of_the_hosts_own", needs=(INTERRUPT_HOST,))
def host_waits_not_interrupted(hub: type[Hub]) -> None:
    """INTERRUPT_HOST is claimed, and a request does not reach a wait in the host's own verbs."""

    @wrap(hub, "interrupt_host")
    def interrupt_host(right: Any, self: Any, task: Any) -> bool:
        return True
