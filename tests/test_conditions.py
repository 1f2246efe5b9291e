"""Condition."""

from __future__ import annotations

import threading
from math import nan
from typing import Any

import pytest
from meetings import Meet, Threads, Thrown, at_each_step, thrown_into_next_wait

from hubkit.conditions import Condition
from hubkit.contract import Hub
from hubkit.errors import Cancelled, Deadlock
from hubkit.locks import Lock, RLock
from hubkit.running import checkpoint
from hubkit.semaphores import Semaphore
from hubkit.spawning import current_task, spawn
from hubkit.tasks import Task
from hubkit.timeouts import move_on_after
from hubkit_conformance.tools import (
    PATIENCE,
    SHORT,
    finish,
    not_before,
    parked,
    parked_in_order,
    settle,
    until,
)

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture(params=[Lock, RLock])
def condition(request: pytest.FixtureRequest) -> Condition:
    return Condition(request.param())


def free(condition: Condition) -> bool:
    """Whether another task can take the lock now; it gives it back."""

    def attempt() -> bool:
        taken = condition.acquire(blocking=False)
        if taken:
            condition.release()
        return taken

    return spawn(attempt).result(PATIENCE)


def waiters(condition: Condition, count: int) -> list[Task[bool]]:
    def work(number: int) -> bool:
        with condition:
            return condition.wait(PATIENCE)

    return parked_in_order(count, work)


# -- as in the standard library -------------------------------------------------------------------


def test_it_has_a_lock() -> None:
    condition = Condition()
    assert condition.acquire() is True
    assert condition.acquire() is True, "it should have an RLock of its own"
    assert condition.locked()
    assert not free(condition)
    condition.release()
    condition.release()
    assert free(condition)
    with condition as entered:
        assert entered is True
    with pytest.raises(RuntimeError):
        condition.release()
    assert "0 waiting" in repr(condition)


@pytest.mark.parametrize("lock", [threading.Lock(), Semaphore(), object(), 3])
def test_it_takes_no_other_lock(lock: Any) -> None:
    with pytest.raises(TypeError, match=r"hubkit\.Lock or hubkit\.RLock"):
        Condition(lock)


def test_without_the_lock(condition: Condition) -> None:
    for call in (condition.wait, condition.notify, condition.notify_all):
        with pytest.raises(RuntimeError, match="with condition"):
            call()
    assert len(condition._waiters) == 0


def test_an_rlock_held_by_another_task_does_not_count() -> None:
    condition = Condition()
    condition.acquire()
    for call in (condition.wait, condition.notify, condition.notify_all):
        assert isinstance(spawn(call).exception(PATIENCE), RuntimeError)
    condition.release()


def test_notify(condition: Condition) -> None:
    tasks = waiters(condition, 5)
    with condition:
        condition.notify()
    assert tasks[0].result(PATIENCE) is True
    with condition:
        condition.notify(0)
        condition.notify(2)
    finish(*tasks[1:3])
    assert not tasks[3].done()
    with condition:
        condition.notify(10)
    assert [task.result(PATIENCE) for task in tasks] == [True] * 5
    assert free(condition)


def test_notify_all_and_none(condition: Condition) -> None:
    tasks = waiters(condition, 3)
    with condition:
        condition.notify_all()
        condition.notify_all()
        condition.notify()
    assert [task.result(PATIENCE) for task in tasks] == [True] * 3
    with condition:
        assert condition.wait(SHORT) is False, "a notification was remembered"


@pytest.mark.parametrize("limit", [SHORT, 0, -1])
def test_timeout(condition: Condition, limit: float) -> None:
    with condition:
        with not_before(max(0, limit)):
            assert condition.wait(limit) is False
        assert condition.locked()
        assert not free(condition)
    assert len(condition._waiters) == 0


def test_wait_of_no_time_lets_others_have_the_lock(condition: Condition) -> None:
    news = []

    def work() -> None:
        with condition:
            news.append("there")

    with condition:
        task = spawn(work)
        parked(task)
        while not news:  # a poll that would otherwise never end
            condition.wait(0)
    finish(task)


def test_bad_timeouts(condition: Condition) -> None:
    bad: Any = "soon"
    with condition:
        for call in (condition.wait, lambda limit: condition.wait_for(lambda: True, limit)):
            with pytest.raises(ValueError):
                call(nan)
            with pytest.raises(TypeError):
                call(bad)
        assert condition.locked()


def test_wait_for(condition: Condition) -> None:
    state = [0]

    def work() -> int:
        with condition:
            return condition.wait_for(lambda: state[0] == 4 and state[0], PATIENCE)

    task = spawn(work)
    parked(task)
    for _ in range(4):
        with condition:
            state[0] += 1
            condition.notify()
        settle(task.hub)
    assert task.result(PATIENCE) == 4


def test_wait_for_what_never_comes(condition: Condition) -> None:
    with condition:
        with not_before(SHORT):
            assert condition.wait_for(list, SHORT) == []
        assert condition.wait_for(lambda: "there", 0) == "there"
        assert condition.wait_for(lambda: None, 0) is None
        assert condition.locked()


def test_wait_for_raises_what_the_predicate_raises(condition: Condition) -> None:
    with pytest.raises(ZeroDivisionError), condition:
        condition.wait_for(lambda: 1 / 0)
    assert free(condition)


def test_an_rlock_is_released_whole_and_taken_again_whole() -> None:
    lock = RLock()
    condition = Condition(lock)

    def work() -> int:
        with lock, lock, lock:
            condition.wait(PATIENCE)
            return len(lock._hold[0])

    task = spawn(work)
    parked(task)
    assert free(condition)
    with condition:
        condition.notify()
    assert task.result(PATIENCE) == 3
    assert free(condition)


# -- R11 ------------------------------------------------------------------------------------------


def test_a_cancel_is_raised_with_the_lock_held(condition: Condition) -> None:
    trace = []

    def work() -> None:
        with condition:
            try:
                condition.wait()
            except Cancelled:
                condition.notify_all()  # raises without the lock
                trace.append("held")
                raise

    task = spawn(work)
    parked(task)
    condition.acquire()
    task.cancel()
    settle(task.hub)
    assert trace == [], "it went on without the lock"
    task.cancel()
    settle(task.hub)
    assert trace == []
    condition.release()
    finish(task)
    assert trace == ["held"]
    assert task.cancelled()
    assert free(condition)


def test_an_expired_scope_is_raised_with_the_lock_held(condition: Condition) -> None:
    with condition:
        with move_on_after(SHORT) as scope:
            condition.wait()
        assert scope.expired
        assert condition.locked()
    assert len(condition._waiters) == 0


def test_a_latched_cancel_comes_first(condition: Condition) -> None:
    def work() -> None:
        task = current_task()
        assert task is not None
        with condition:
            task.cancel()
            for call in (condition.wait, lambda: condition.wait_for(lambda: True)):
                with pytest.raises(Cancelled):
                    call()
                assert condition.locked()
                task.cancel()
            with pytest.raises(Cancelled):
                checkpoint()

    spawn(work).result(PATIENCE)
    assert free(condition)


def test_a_notified_waiter_that_is_cancelled_then_has_been_notified(condition: Condition) -> None:
    tasks = waiters(condition, 2)
    with condition:
        condition.notify()
        tasks[0].cancel()
    finish(tasks[0])
    if tasks[0].cancelled():
        assert tasks[1].result(PATIENCE) is True
    else:
        assert tasks[0].result() is True
        settle(tasks[1].hub)
        assert not tasks[1].done()
        with condition:
            condition.notify()
        finish(tasks[1])


def test_a_cancelled_waiter_consumes_no_notification(condition: Condition) -> None:
    tasks = waiters(condition, 2)
    with condition:
        tasks[0].cancel()
        condition.notify()
    assert tasks[1].result(PATIENCE) is True
    finish(tasks[0])
    assert tasks[0].cancelled()
    assert free(condition)


def test_a_throw_passes_the_notification_on(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, condition: Condition
) -> None:
    others: list[Task[bool]] = []

    def notify() -> None:
        others.extend(waiters(condition, 1))

        def notify_one() -> None:
            with condition:
                condition.notify()

        finish(spawn(notify_one))

    condition.acquire()
    with thrown_into_next_wait(monkeypatch, hub, notify):
        condition.wait()
    assert condition._lock._is_owned()
    condition.release()
    assert others[0].result(PATIENCE) is True
    assert len(condition._waiters) == 0


def test_a_throw_while_it_gets_the_lock_back_passes_the_notification_on(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Lock):
        """Throws once into who takes it back."""

        __slots__ = ("thrown",)

        def _acquire_restore(self, saved: Any) -> None:
            if not hasattr(self, "thrown"):
                self.thrown = True
                raise Thrown
            super()._acquire_restore(saved)

    lock = Interrupted()
    condition = Condition(lock)
    seen = []

    def first() -> None:
        with condition:
            try:
                condition.wait()
            except Thrown:
                seen.append(lock.locked())
                raise

    task = spawn(first)
    parked(task)
    other = waiters(condition, 1)[0]
    with condition:
        condition.notify()
    assert isinstance(task.exception(PATIENCE), Thrown)
    assert seen == [True]
    assert other.result(PATIENCE) is True
    assert free(condition)


def test_a_deadlock_on_the_way_back_is_raised_and_not_waited_for_again() -> None:
    class Stuck(Lock):
        __slots__ = ()

        def _acquire_restore(self, saved: Any) -> None:
            raise Deadlock("nobody will ever release it")

    condition = Condition(Stuck())
    condition.acquire()
    with pytest.raises(Deadlock):
        condition.wait(0)


def test_notify_interrupted_anywhere_by_a_leaving_waiter(condition: Condition) -> None:
    def play(meet: Meet) -> None:
        tasks = waiters(condition, 2)
        condition.acquire()
        meet(condition.notify, tasks[0].cancel)
        condition.release()
        until(lambda: any(task.done() and not task.cancelled() for task in tasks), "one being woken")
        for task in tasks:
            task.cancel()
        finish(*tasks)
        assert len(condition._waiters) == 0
        assert free(condition)

    assert at_each_step(play) > 10


def test_between_threads_and_tasks(condition: Condition) -> None:
    items: list[int] = []
    got: list[int] = []

    def consume() -> None:
        while True:
            with condition:
                assert condition.wait_for(lambda: items, PATIENCE)
                item = items.pop(0)
                if item < 0:
                    return
                got.append(item)

    def produce(number: int) -> None:
        for value in range(50):
            with condition:
                items.append(number * 50 + value)
                condition.notify()

    tasks = [spawn(consume) for _ in range(3)]
    threads = Threads(consume, lambda: produce(0), lambda: produce(1))
    producer = spawn(produce, 2)
    finish(producer)
    until(lambda: len(got) == 150)
    for _ in range(4):
        with condition:
            items.append(-1)
            condition.notify()
    finish(*tasks)
    until(lambda: not any(thread.is_alive() for thread in threads.threads))
    threads.join()
    assert sorted(got) == list(range(150))
