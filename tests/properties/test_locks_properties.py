"""Locks, semaphores, conditions, events and barriers: whose it is, and who is next."""

from __future__ import annotations

from threading import BrokenBarrierError
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from machines import CANCELLED, HubMachine, Op, cases, limits

from hubkit import Barrier, BoundedSemaphore, Condition, Event, Lock, RLock, Semaphore

pytestmark = pytest.mark.watchdog(300)

BROKEN = BrokenBarrierError.__name__


class LockMachine(HubMachine):
    """An operation acquires, keeps the lock until it is let go, and releases."""

    @initialize(reentrant=st.booleans())
    def make(self, reentrant: bool) -> None:
        self.reentrant = reentrant
        self.lock: Any = RLock() if reentrant else Lock()
        self.holder: Op | None = None
        self.waiters: list[Op] = []
        self.holding: list[Op] = []

    def model_acquire(self, op: Op, limit: float | None) -> None:
        if self.holder is None and not self.waiters:
            self.holder = op
            self.keep(op)
        else:
            self.wait_in(self.waiters, op, limit, False)

    def keep(self, op: Op) -> None:
        if op.latched:
            self.release(op, CANCELLED)
        elif op.item.is_set():
            self.release(op, True)
        else:
            self.wait_in(self.holding, op)

    def release(self, op: Op, outcome: Any) -> None:
        assert self.holder is op
        self.holder = None
        self.end(op, outcome)
        if self.waiters:
            self.holder = following = self.waiters[0]
            self.wake(following, lambda: self.keep(following))

    def interrupted(self, op: Op) -> None:
        if self.holder is op:
            self.release(op, CANCELLED)
        else:
            self.end(op, CANCELLED)

    @rule(limit=limits, depth=st.integers(1, 3))
    def acquire(self, limit: float | None, depth: int) -> None:
        limit, gate = self.limit(limit), Event()
        times = depth if self.reentrant else 1

        def real() -> bool:
            if not self.lock.acquire(timeout=-1 if limit is None else limit):
                return False
            try:
                self.hold(times - 1, gate)
            finally:
                self.lock.release()
            return True

        self.begin(real, lambda op: self.model_acquire(op, limit)).item = gate

    def hold(self, times: int, gate: Event) -> None:
        if times:
            with self.lock:
                self.hold(times - 1, gate)
        else:
            gate.wait()

    @rule(data=st.data())
    @precondition(lambda self: self.holding)
    def let_go(self, data: st.DataObject) -> None:
        op = data.draw(st.sampled_from(self.holding))
        op.item.set()
        self.wake(op, lambda: self.release(op, True))

    @rule()
    def try_acquire(self) -> None:
        free = self.holder is None and not self.waiters
        assert self.lock.acquire(blocking=False) == free
        if free:
            self.lock.release()

    @rule()
    def release_what_is_not_held(self) -> None:
        if self.reentrant or self.holder is None:
            with pytest.raises(RuntimeError):
                self.lock.release()

    @invariant()
    def it_is_held_by_one(self) -> None:
        assert self.lock.locked() == (self.holder is not None)
        assert len(self.holding) <= 1


class SemaphoreMachine(HubMachine):
    """Permits are neither lost nor made."""

    @initialize(value=st.integers(0, 3), bounded=st.booleans())
    def make(self, value: int, bounded: bool) -> None:
        self.bound = value if bounded else None
        self.semaphore = BoundedSemaphore(value) if bounded else Semaphore(value)
        self.value = value
        self.waiters: list[Op] = []

    def model_acquire(self, op: Op, limit: float | None) -> None:
        if self.value:
            assert not self.waiters
            self.value -= 1
            self.end(op, True)
        else:
            self.wait_in(self.waiters, op, limit, False)

    @rule(limit=limits)
    def acquire(self, limit: float | None) -> None:
        limit = self.limit(limit)
        self.begin(lambda: self.semaphore.acquire(timeout=limit), lambda op: self.model_acquire(op, limit))

    @rule()
    def try_acquire(self) -> None:
        got = self.semaphore.acquire(blocking=False)
        assert got == bool(self.value)
        self.value -= got

    @rule(n=st.integers(1, 3))
    def release(self, n: int) -> None:
        if self.bound is not None and self.value + n > self.bound:
            with pytest.raises(ValueError):
                self.semaphore.release(n)
            return
        self.semaphore.release(n)
        self.value += n
        while self.value and self.waiters:
            self.value -= 1
            self.wake_with(self.waiters[0], True)


class ConditionMachine(HubMachine):
    """A notification reaches who waits, the longest first, and is not remembered."""

    @initialize(make=st.sampled_from([Lock, RLock]))
    def make(self, make: Any) -> None:
        self.condition = Condition(make())
        self.waiters: list[Op] = []

    @rule(limit=limits)
    def wait(self, limit: float | None) -> None:
        limit = self.limit(limit)

        def real() -> bool:
            with self.condition:
                return self.condition.wait(limit)

        self.begin(real, lambda op: self.wait_in(self.waiters, op, limit, False))

    @rule(n=st.integers(0, 3))
    def notify(self, n: int) -> None:
        with self.condition:
            self.condition.notify(n)
        for op in self.waiters[:n]:
            self.wake_with(op, True)

    @rule()
    def notify_all(self) -> None:
        with self.condition:
            self.condition.notify_all()
        for op in list(self.waiters):
            self.wake_with(op, True)

    @rule()
    def notify_without_the_lock(self) -> None:
        with pytest.raises(RuntimeError):
            self.condition.notify()


class EventMachine(HubMachine):
    """Set, it lets all pass, also those who find it clear again when they run."""

    @initialize()
    def make(self) -> None:
        self.event = Event()
        self.is_set = False
        self.waiters: list[Op] = []

    def model_wait(self, op: Op, limit: float | None) -> None:
        if self.is_set:
            self.end(op, True)
        else:
            self.wait_in(self.waiters, op, limit, False)

    @rule(limit=limits)
    def wait(self, limit: float | None) -> None:
        limit = self.limit(limit)
        self.begin(lambda: self.event.wait(limit), lambda op: self.model_wait(op, limit))

    @rule()
    def set(self) -> None:
        self.event.set()
        self.is_set = True
        for op in list(self.waiters):
            self.wake_with(op, True)

    @rule()
    def clear(self) -> None:
        self.event.clear()
        self.is_set = False

    @invariant()
    def it_says_what_it_is(self) -> None:
        assert self.event.is_set() == self.is_set


class Round:
    """One passing of the barrier."""

    def __init__(self) -> None:
        self.came = 0
        self.over = self.broken = False
        self.waiters: list[Op] = []


class BarrierMachine(HubMachine):
    """All pass or all are broken."""

    @initialize(parties=st.integers(1, 4))
    def make(self, parties: int) -> None:
        self.parties = parties
        self.barrier = Barrier(parties)
        self.round = Round()

    def model_wait(self, op: Op, limit: float | None) -> None:
        round_ = self.round
        if round_.broken:
            self.end(op, BROKEN)
            return
        op.item = round_, round_.came
        round_.came += 1
        if round_.came < self.parties:
            self.wait_in(round_.waiters, op, limit)
            return
        round_.over = True
        self.round = Round()
        for waiter in list(round_.waiters):
            self.wake_with(waiter, waiter.item[1])
        self.end(op, op.item[1])

    def breaks(self, round_: Round) -> None:
        if not round_.over:
            round_.over = round_.broken = True
            for waiter in list(round_.waiters):
                self.wake_with(waiter, BROKEN)

    def interrupted(self, op: Op) -> None:
        self.breaks(op.item[0])
        self.end(op, CANCELLED)

    def expired(self, op: Op) -> None:
        round_, number = op.item
        self.breaks(round_)
        self.end(op, BROKEN if round_.broken else number)

    @rule(limit=limits)
    def wait(self, limit: float | None) -> None:
        limit = self.limit(limit)
        self.begin(lambda: self.barrier.wait(limit), lambda op: self.model_wait(op, limit))

    @rule()
    def abort(self) -> None:
        self.barrier.abort()
        self.breaks(self.round)

    @rule()
    def reset(self) -> None:
        self.barrier.reset()
        before, self.round = self.round, Round()
        self.breaks(before)

    @invariant()
    def it_says_what_it_is(self) -> None:
        assert self.barrier.broken == self.round.broken


TestLockOnNative, TestLockOnVirtual = cases(LockMachine)
TestSemaphoreOnNative, TestSemaphoreOnVirtual = cases(SemaphoreMachine)
TestConditionOnNative, TestConditionOnVirtual = cases(ConditionMachine)
TestEventOnNative, TestEventOnVirtual = cases(EventMachine)
TestBarrierOnNative, TestBarrierOnVirtual = cases(BarrierMachine)
