"""Locks, semaphores, conditions, events and barriers that break their word.

What must live here: faults of what tasks exclude and notify each other by. What this file must not know:
what is passed on besides (values.py); how a hub runs.
"""

from __future__ import annotations

from typing import Any

from hubkit import (
    BoundedSemaphore,
    Cancelled,
    Condition,
    Event,
    Lock,
    RLock,
    Semaphore,
    checkpoint,
    current_hub,
    current_task,
)
from hubkit.barriers import _Round as Round
from hubkit.contract import FIFO_LOCKS, HOST_MIX, ORDERED_YIELD, Hub
from hubkit.handover import Handover
from hubkit.registry import this_task
from hubkit.waiting import CLOSED, WaitQueue, own_ticket

from .fault import fault, wrap


@fault("test_r03_who_releases_a_lock_does_not_get_in_before_a_waiter", needs=(FIFO_LOCKS,))
def lock_barges(hub: type[Hub]) -> None:
    """A released lock is free until a waiter has run; who comes meanwhile gets it."""

    @wrap(Lock, "release")
    def release(right: Any, self: Any) -> None:
        self._put_back()
        current_hub().call_soon(self._match)

    @wrap(Lock, "_take_in_turn")
    def take_in_turn(right: Any, self: Any) -> bool:
        return bool(self._take())


@fault("test_r03_a_lock_is_handed_over_in_order", needs=(FIFO_LOCKS,))
def lock_serves_the_last_first(hub: type[Hub]) -> None:
    """Of those who wait for a lock or a permit the last one gets it."""

    @wrap(Handover, "_match")
    def match(right: Any, self: Any) -> None:
        self._waiters.tickets.reverse()
        right(self)


@fault("test_r03_a_lock_has_one_holder_and_serves_everybody")
def lock_has_two_holders(hub: type[Hub]) -> None:
    """Who must wait for a lock goes on when others have run once, lock or no lock."""

    @wrap(Handover, "_queue_up")
    def queue_up(right: Any, self: Any, timeout: Any) -> Any:
        if timeout is not None:
            return right(self, timeout)
        ticket = own_ticket()
        checkpoint()
        self._take()
        self._give(ticket)
        return ticket.outcome


@fault("test_r05_a_wait_for_a_lock_that_timed_out_leaves_no_trace")
def lock_leaves_a_ghost(hub: type[Hub]) -> None:
    """Who gave up waiting for a lock stays in line, and the lock is handed to nobody."""

    @wrap(Lock, "acquire")
    def acquire(right: Any, self: Any, blocking: bool = True, timeout: Any = -1) -> bool:
        if right(self, blocking, timeout):
            return True
        if blocking and timeout:
            self._waiters.add(own_ticket())
        return False


@fault("test_r05_a_lock_handed_to_a_killed_task_goes_to_the_next", needs=(HOST_MIX,))
def lock_dies_with_a_killed_waiter(hub: type[Hub]) -> None:
    """A lock or permit handed to a waiter into which the host throws stays his."""

    @wrap(Handover, "_undo")
    def undo(right: Any, self: Any, outcome: Any) -> None:
        pass


@fault("test_r02_a_verb_that_need_not_wait_does_not_switch", needs=(ORDERED_YIELD,))
def lock_yields_when_free(hub: type[Hub]) -> None:
    """`acquire` of a free lock lets others run."""

    @wrap(Lock, "acquire")
    def acquire(right: Any, self: Any, blocking: bool = True, timeout: Any = -1) -> bool:
        if blocking and not self.locked():
            checkpoint()
        return bool(right(self, blocking, timeout))


@fault("test_r10_what_waits_for_a_state_returns_false_when_time_is_over")
def lock_lies_when_time_is_over(hub: type[Hub]) -> None:
    """`acquire` returns True although its time was over."""

    @wrap(Lock, "acquire")
    def acquire(right: Any, self: Any, blocking: bool = True, timeout: Any = -1) -> bool:
        return bool(right(self, blocking, timeout)) or blocking


@fault("test_r10_releasing_what_is_not_held_is_an_error")
def release_of_a_free_lock_is_ignored(hub: type[Hub]) -> None:
    """Releasing a lock that nobody holds does nothing, in silence."""

    @wrap(Lock, "release")
    def release(right: Any, self: Any) -> None:
        if self.locked():
            right(self)


@fault("test_r10_releasing_an_rlock_of_another_task_is_an_error")
def anybody_releases_an_rlock(hub: type[Hub]) -> None:
    """An RLock lets go whoever asks."""

    @wrap(RLock, "_held_by_caller")
    def held_by_caller(right: Any, self: Any, purpose: str) -> Any:
        return self._hold.get(0) or right(self, purpose)


@fault("test_r11_a_lock_held_several_times_is_released_whole")
def condition_releases_one_hold(hub: type[Hub]) -> None:
    """`Condition.wait` undoes one `acquire` of an RLock, of however many."""

    @wrap(RLock, "_release_save")
    def release_save(right: Any, self: Any) -> Any:
        self.release()

    @wrap(RLock, "_acquire_restore")
    def acquire_restore(right: Any, self: Any, saved: Any) -> None:
        self.acquire()


# -- semaphores -----------------------------------------------------------------------------------


@fault(
    "test_r03_permits_released_at_once_go_to_the_first_waiters",
    "test_r17_a_wake_up_from_another_thread_ends_a_wait_at_once",
)
def release_wakes_nobody(hub: type[Hub]) -> None:
    """`Semaphore.release` counts the permit and forgets who waits for it."""

    @wrap(Semaphore, "release")
    def release(right: Any, self: Any, n: int = 1) -> None:
        for _ in range(n):
            self._put_back()


@fault("test_r03_permits_released_at_once_go_to_the_first_waiters")
def release_of_many_gives_one(hub: type[Hub]) -> None:
    """`release(n)` gives one permit."""

    @wrap(Semaphore, "release")
    def release(right: Any, self: Any, n: int = 1) -> None:
        right(self)


@fault("test_r10_a_bounded_semaphore_refuses_more_than_it_had")
def bounded_semaphore_grows(hub: type[Hub]) -> None:
    """A BoundedSemaphore takes more permits than it had."""

    @wrap(BoundedSemaphore, "release")
    def release(right: Any, self: Any, n: int = 1) -> None:
        self._out.extend([None] * n)
        right(self, n)


# -- conditions -----------------------------------------------------------------------------------


@fault("test_r05_a_notification_that_meets_a_cancel_goes_to_the_next")
def notification_dies_with_a_cancelled_waiter(hub: type[Hub]) -> None:
    """A waiter that was notified and then cancelled is cancelled, and the notification is lost."""

    @wrap(Condition, "wait")
    def wait(right: Any, self: Any, timeout: Any = None) -> bool:
        woken = right(self, timeout)
        this_task().deliver()
        return bool(woken)


@fault("test_r05_a_notification_of_a_killed_waiter_goes_to_the_next", needs=(HOST_MIX,))
def notification_dies_with_a_killed_waiter(hub: type[Hub]) -> None:
    """A notification that meets an exception of the host's is lost."""

    @wrap(Condition, "_undo")
    def undo(right: Any, self: Any, outcome: Any) -> None:
        pass


@fault("test_r11_wait_holds_the_lock_when_it_is_interrupted")
def interrupted_wait_has_no_lock(hub: type[Hub]) -> None:
    """`Condition.wait` that is interrupted does not take the lock again."""

    @wrap(Condition, "wait")
    def wait(right: Any, self: Any, timeout: Any = None) -> bool:
        try:
            return bool(right(self, timeout))
        except Cancelled:
            self.release()
            raise


@fault("test_r11_a_notification_is_not_remembered")
def notification_remembered(hub: type[Hub]) -> None:
    """`notify` with nobody there lets the next waiter go at once."""
    remembered = []

    @wrap(Condition, "notify")
    def notify(right: Any, self: Any, n: int = 1) -> None:
        if not self._waiters:
            remembered.append(self)
        right(self, n)

    @wrap(Condition, "wait")
    def wait(right: Any, self: Any, timeout: Any = None) -> bool:
        if self in remembered:
            remembered.remove(self)
            return True
        return bool(right(self, timeout))


@fault("test_r11_notify_wakes_as_many_as_asked")
def notify_wakes_all(hub: type[Hub]) -> None:
    """`notify` wakes everybody."""

    @wrap(Condition, "notify")
    def notify(right: Any, self: Any, n: int = 1) -> None:
        self.notify_all()


@fault("test_r03_a_notification_chooses_the_longest_waiters", needs=(FIFO_LOCKS,))
def notify_wakes_the_last(hub: type[Hub]) -> None:
    """`notify` chooses those who came last."""

    @wrap(Condition, "notify")
    def notify(right: Any, self: Any, n: int = 1) -> None:
        self._waiters.tickets.reverse()
        right(self, n)


# -- events and barriers --------------------------------------------------------------------------


@fault("test_r05_an_event_set_and_cleared_at_once_has_woken_its_waiters")
def event_wakes_one(hub: type[Hub]) -> None:
    """`Event.set` wakes the longest waiter only."""

    @wrap(Event, "set")
    def set_(right: Any, self: Any) -> None:
        others = list(self._waiters.tickets)[1:]
        for ticket in others:
            self._waiters.discard(ticket)
        right(self)
        for ticket in others:
            self._waiters.add(ticket)


@fault("test_r05_an_event_set_and_cleared_at_once_has_woken_its_waiters")
def event_forgets_a_pulse(hub: type[Hub]) -> None:
    """Who was woken by `Event.set` waits again if the flag is down by the time he runs."""

    @wrap(Event, "wait")
    def wait(right: Any, self: Any, timeout: Any = None) -> bool:
        woken = right(self, timeout)
        while woken and not self.is_set():
            woken = right(self, timeout)
        return bool(woken)


@fault("test_r02_verbs_that_only_give_do_not_switch", needs=(ORDERED_YIELD,))
def event_set_yields(hub: type[Hub]) -> None:
    """`Event.set` lets those run whom it wakes."""

    @wrap(Event, "set")
    def set_(right: Any, self: Any) -> None:
        right(self)
        if current_task() is not None:
            checkpoint()


@fault("test_r05_each_of_many_wake_ups_arrives")
def wait_queue_skips_one(hub: type[Hub]) -> None:
    """Whoever wakes all who wait forgets the last of them."""

    @wrap(WaitQueue, "wake_all")
    def wake_all(right: Any, self: Any, *outcome: Any) -> int:
        last = next(reversed(self.tickets), None) if len(self) > 1 else None
        if last is not None:
            self.discard(last)
        return int(right(self, *outcome))


@fault("test_r10_a_barrier_raises_broken_barrier_error_for_all_who_wait")
def barrier_breaks_for_one(hub: type[Hub]) -> None:
    """A barrier that breaks tells who comes later, and forgets who waits."""

    @wrap(Round, "end")
    def end(right: Any, self: Any, outcome: Any) -> None:
        if outcome is CLOSED:
            self.outcome = CLOSED
        else:
            right(self, outcome)
