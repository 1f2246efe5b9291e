"""Futures and pools: one outcome for all who ask; so many tasks at a time, and not more."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from machines import CANCELLED, HubMachine, Op, cases, limits, numbers, outcome_of

from hubkit import Closed, Event, Future, Pool
from hubkit.errors import InvalidState

pytestmark = pytest.mark.watchdog(300)


class FutureMachine(HubMachine):
    """Several futures; each takes one outcome."""

    @initialize()
    def make(self) -> None:
        self.futures: list[Future[int]] = [Future(), Future()]
        self.outcomes: list[Any] = [None, None]
        self.waiters: list[list[Op]] = [[], []]

    def model_result(self, op: Op, which: int, limit: float | None) -> None:
        outcome = self.outcomes[which]
        if outcome is not None:
            self.end(op, outcome)
        else:
            self.wait_in(self.waiters[which], op, limit, "TimeoutError")

    @rule(which=st.integers(0, 1), limit=limits)
    def result(self, which: int, limit: float | None) -> None:
        limit, future = self.limit(limit), self.futures[which]
        self.begin(lambda: future.result(limit), lambda op: self.model_result(op, which, limit)).item = which

    def expired(self, op: Op) -> None:
        """What has come in the same instant is not refused."""
        outcome = self.outcomes[op.item]
        self.end(op, op.timed_out if outcome is None else outcome)

    @rule(which=st.integers(0, 1), value=numbers, how=st.sampled_from(["result", "exception", "cancel"]))
    def supply(self, which: int, value: int, how: str) -> None:
        future, ended = self.futures[which], self.outcomes[which] is not None
        if how == "cancel":
            assert future.cancel() == (not ended)
        else:
            supplies = (
                (lambda: future.set_result(value))
                if how == "result"
                else (lambda: future.set_exception(KeyError(value)))
            )
            if ended:
                with pytest.raises(InvalidState):
                    supplies()
            else:
                supplies()
        if not ended:
            self.outcomes[which] = {"result": value, "exception": "KeyError", "cancel": "TaskCancelled"}[how]
            for op in list(self.waiters[which]):
                self.wake_with(op, self.outcomes[which])


class PoolMachine(HubMachine):
    """A spawner waits for a place; its job keeps it until it is let go, cancelled, or fails."""

    @initialize(size=st.integers(1, 3))
    def make(self, size: int) -> None:
        self.pool = Pool(size)
        self.size = size
        self.taken = 0
        self.closed = False
        self.spawners: list[Op] = []
        self.jobs: list[Op] = []  # that run, or will

    # -- the model --------------------------------------------------------------------------------

    def model_spawn(self, op: Op) -> None:
        if self.closed:
            self.end(op, Closed.__name__)
        elif self.taken < self.size and not self.spawners:
            self.taken += 1
            self.start_job(op)
        else:
            self.wait_in(self.spawners, op)

    def start_job(self, spawner: Op) -> None:
        if self.closed:  # in the instant in which it got its place
            self.end(spawner, Closed.__name__)
            self.give_back()
            return
        self.end(spawner, None)
        self.ring.append(lambda: self.job_begins(spawner.item))

    def job_begins(self, job: Op) -> None:
        job.begun = True
        if job.cancelled:
            self.end_job(job, CANCELLED)
        elif job.item.is_set():
            self.end_job(job, True)
        else:
            self.wait_in(self.jobs, job)

    def end_job(self, job: Op, outcome: Any) -> None:
        self.end(job, outcome)
        self.give_back()

    def give_back(self) -> None:
        self.taken -= 1
        self.admit()

    def admit(self) -> None:
        while self.spawners and self.taken < self.size and not self.closed:
            self.taken += 1
            spawner = self.spawners[0]
            self.wake(spawner, lambda spawner=spawner: self.start_job(spawner))

    def interrupted(self, op: Op) -> None:
        if op.item is not None and isinstance(op.item, Event):
            self.end_job(op, CANCELLED)
        else:
            self.end(op, CANCELLED)

    # -- what happens -----------------------------------------------------------------------------

    def new_job(self) -> Op:
        job = self.new_op()
        job.item = Event()
        return job

    @rule()
    def spawn(self) -> None:
        job = self.new_job()

        def real() -> None:
            job.task = self.pool.spawn(outcome_of, job.item.wait)

        self.begin(real, self.model_spawn).item = job

    @rule()
    def try_spawn(self) -> None:
        job = self.new_job()
        if self.closed:
            with pytest.raises(Closed):
                self.pool.try_spawn(outcome_of, job.item.wait)
            return
        task = self.pool.try_spawn(outcome_of, job.item.wait)
        room = self.taken < self.size and not self.spawners
        assert (task is not None) == room
        if room:
            self.taken += 1
            job.task = task
            self.ring.append(lambda: self.job_begins(job))

    @rule(data=st.data())
    @precondition(lambda self: self.jobs)
    def let_go(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.jobs))
        job.item.set()
        self.wake(job, lambda: self.end_job(job, True))

    @rule(size=st.integers(1, 4))
    def resize(self, size: int) -> None:
        self.pool.resize(size)
        self.size = size
        self.admit()

    @rule()
    @precondition(lambda self: len(self.ops) > 12)
    def close(self) -> None:
        self.pool.close()
        self.closed = True
        for op in list(self.spawners):
            self.wake_with(op, Closed.__name__)

    @invariant()
    def it_has_the_size_that_it_was_given(self) -> None:
        assert self.pool.size == self.size
        assert self.pool.free == max(0, self.size - self.taken)
        assert len(self.pool) <= self.taken

    def at_rest(self) -> None:
        assert len(self.pool) == self.taken == len(self.jobs)
        assert self.pool.join(timeout=0) == (not self.jobs)


TestFutureOnNative, TestFutureOnVirtual = cases(FutureMachine)
TestPoolOnNative, TestPoolOnVirtual = cases(PoolMachine)
