"""Lock and RLock."""

from __future__ import annotations

import gc
import signal
import weakref
from collections.abc import Callable
from math import nan
from typing import Any

import pytest
from meetings import Garbage, Meet, Threads, at_each_step, thrown_into_next_wait

from hubkit.contract import FIFO_LOCKS, Hub
from hubkit.errors import Cancelled, WrongContext
from hubkit.locks import Lock, RLock
from hubkit.registry import current_hub
from hubkit.running import checkpoint
from hubkit.spawning import current_task, spawn
from hubkit_conformance.tools import PATIENCE, SHORT, finish, not_before, parked, parked_in_order, until

pytestmark = pytest.mark.usefixtures("hub")

AnyLock = Lock | RLock
each_kind = pytest.mark.parametrize("kind", [Lock, RLock])


def free_for_others(lock: AnyLock) -> bool:
    """Whether another task can take the lock now; it gives it back."""

    def attempt() -> bool:
        taken = lock.acquire(blocking=False)
        if taken:
            lock.release()
        return taken

    return spawn(attempt).result(PATIENCE)


# -- as in the standard library -------------------------------------------------------------------


@each_kind
def test_acquire_and_release(kind: type[AnyLock]) -> None:
    lock = kind()
    assert lock.locked() is False
    assert lock.acquire() is True
    assert lock.locked() is True
    assert not free_for_others(lock)
    lock.release()
    assert lock.locked() is False
    assert free_for_others(lock)
    assert weakref.ref(lock)() is lock
    assert "free" in repr(lock)


@each_kind
def test_with(kind: type[AnyLock]) -> None:
    lock = kind()
    with lock as entered:
        assert entered is True
        assert lock.locked()
    with pytest.raises(KeyError), lock:
        raise KeyError
    assert not lock.locked()


@each_kind
def test_try_acquire(kind: type[AnyLock]) -> None:
    lock = kind()
    assert lock.acquire(False) is True
    assert spawn(lock.acquire, False).result(PATIENCE) is False
    assert spawn(lock.acquire, timeout=0).result(PATIENCE) is False
    assert spawn(lock.acquire, True, 0).result(PATIENCE) is False


@each_kind
def test_contended(kind: type[AnyLock]) -> None:
    lock, inside = kind(), []
    lock.acquire()

    def work(number: int) -> None:
        with lock:
            inside.append(number)
            checkpoint()
            assert inside[-1] == number

    tasks = parked_in_order(5, work)
    assert inside == []
    assert "5 waiting" in repr(lock)
    lock.release()
    finish(*tasks)
    assert sorted(inside) == list(range(5))
    assert not lock.locked()


@each_kind
def test_timeout(kind: type[AnyLock]) -> None:
    lock = kind()
    lock.acquire()

    def attempt() -> bool:
        with not_before(SHORT):
            return lock.acquire(timeout=SHORT)

    assert spawn(attempt).result(PATIENCE) is False
    assert len(lock._waiters) == 0
    lock.release()
    assert free_for_others(lock)


@each_kind
@pytest.mark.parametrize("timeout", [-1, -1.0, None])
def test_for_ever(kind: type[AnyLock], timeout: float | None) -> None:
    lock = kind()
    assert lock.acquire(timeout=timeout)
    task = spawn(lock.acquire, True, timeout)
    parked(task)
    lock.release()
    assert task.result(PATIENCE) is True


@each_kind
@pytest.mark.parametrize(
    ("blocking", "timeout", "error"),
    [
        (True, -2, ValueError),
        (True, -0.5, ValueError),
        (True, nan, ValueError),
        (True, "soon", TypeError),
        (False, 1, ValueError),
        (False, 0, ValueError),
        (False, "soon", TypeError),
    ],
)
def test_bad_timeouts(kind: type[AnyLock], blocking: bool, timeout: Any, error: type[Exception]) -> None:
    lock = kind()
    with pytest.raises(error):
        lock.acquire(blocking, timeout)
    assert not lock.locked()
    assert lock.acquire(False, -1)


@each_kind
def test_release_of_what_is_not_held(kind: type[AnyLock]) -> None:
    lock = kind()
    with pytest.raises(RuntimeError, match=r"acquire\(\)"):
        lock.release()
    with lock:
        pass
    with pytest.raises(RuntimeError):
        lock.release()
    assert free_for_others(lock)


def test_a_lock_may_be_released_by_another_task_or_thread() -> None:
    lock = Lock()
    lock.acquire()
    spawn(lock.release).result(PATIENCE)
    assert not lock.locked()
    lock.acquire()
    Threads(lock.release).join()
    assert not lock.locked()


def test_an_rlock_is_taken_again_by_its_holder_alone() -> None:
    lock = RLock()
    for _ in range(3):
        assert lock.acquire() is True
    assert "held 3 times" in repr(lock)
    with pytest.raises(RuntimeError, match="does not hold"):
        spawn(lock.release).result(PATIENCE)
    for _ in range(3):
        assert not free_for_others(lock)
        lock.release()
    assert free_for_others(lock)
    with pytest.raises(RuntimeError):
        lock.release()


def test_an_rlock_of_a_thread() -> None:
    lock = RLock()

    def thread() -> None:
        with lock, lock:
            assert lock._is_owned()
        assert not lock.locked()

    Threads(thread, thread).join()
    lock.acquire()

    def other() -> None:
        assert not lock._is_owned()
        assert lock.acquire(False) is False
        with pytest.raises(RuntimeError):
            lock.release()

    Threads(other).join()
    assert lock._is_owned()


def test_an_rlock_handed_over_belongs_to_who_gets_it() -> None:
    lock = RLock()

    def work() -> list[bool]:
        with lock:
            owned = [lock._is_owned()]
            with lock:
                checkpoint()
            owned.append(lock._is_owned())
        return [*owned, lock._is_owned()]

    lock.acquire()
    tasks = parked_in_order(3, lambda number: work())
    lock.release()
    assert [task.result(PATIENCE) for task in tasks] == [[True, True, False]] * 3


# -- order and what meets -------------------------------------------------------------------------


@each_kind
def test_nobody_gets_in_before_a_waiter(hub: Hub, kind: type[AnyLock]) -> None:
    if not hub.supports(FIFO_LOCKS):
        pytest.skip("a hub without FIFO_LOCKS")
    lock, order = kind(), []

    def work(name: str) -> None:
        with lock:
            order.append(name)

    lock.acquire()
    task = spawn(work, "waiter")
    parked(task)
    lock.release()
    assert lock.acquire(False) is False
    work("who released")
    finish(task)
    assert order == ["waiter", "who released"]


@each_kind
def test_a_waiter_that_has_gone_keeps_nobody_out(hub: Hub, kind: type[AnyLock]) -> None:
    lock = kind()
    lock.acquire()
    task = spawn(lock.acquire)
    parked(task)
    task.cancel()  # on a hub of greenlets its ticket is dead and still queued
    lock.release()
    until(lambda: lock.acquire(False), "getting the lock")
    finish(task)
    assert task.cancelled()


@each_kind
def test_a_cancel_after_the_hand_over_comes_with_the_next_verb(kind: type[AnyLock]) -> None:
    lock, trace = kind(), []
    lock.acquire()

    def work() -> None:
        with lock:
            trace.append("has it")
            checkpoint()
            trace.append("never")

    task = spawn(work)
    parked(task)
    lock.release()
    task.cancel()
    finish(task)
    assert task.cancelled()
    assert trace in (["has it"], [])
    assert free_for_others(lock)


@each_kind
def test_a_throw_hands_the_lock_on(hub: Hub, monkeypatch: pytest.MonkeyPatch, kind: type[AnyLock]) -> None:
    lock = kind()
    holder = spawn(lock.acquire)
    finish(holder)

    def hand_over() -> None:
        waiting.append(spawn(lock.acquire))
        until(lambda: len(lock._waiters) == 2)
        lock._put_back()
        lock._match()

    waiting: list[Any] = []
    with thrown_into_next_wait(monkeypatch, hub, hand_over):
        lock.acquire()
    assert waiting[0].result(PATIENCE) is True
    assert lock.locked()
    assert len(lock._waiters) == 0


@each_kind
def test_a_throw_leaves_no_ticket(hub: Hub, monkeypatch: pytest.MonkeyPatch, kind: type[AnyLock]) -> None:
    lock = kind()
    finish(spawn(lock.acquire))
    with thrown_into_next_wait(monkeypatch, hub):
        lock.acquire()
    assert len(lock._waiters) == 0
    lock._put_back()
    assert free_for_others(lock)


@each_kind
def test_a_latched_cancel_comes_first(kind: type[AnyLock]) -> None:
    lock = kind()

    def work() -> None:
        task = current_task()
        assert task is not None
        task.cancel()
        assert lock.acquire(blocking=False)  # cannot wait, so it delivers nothing
        lock.release()
        with pytest.raises(Cancelled), lock:
            raise AssertionError("entered")

    spawn(work).result(PATIENCE)
    assert not lock.locked()


@each_kind
def test_in_a_callback(kind: type[AnyLock]) -> None:
    lock, seen = kind(), []

    def callback() -> None:
        with lock:
            seen.append(lock.locked())
        seen.append(lock.locked())

    def waiting_callback() -> None:
        try:
            lock.acquire()
        except WrongContext as error:
            seen.append(type(error))

    current_hub().call_soon(callback)
    until(lambda: len(seen) == 2)
    assert seen == [True, False]
    lock.acquire()
    current_hub().call_soon(waiting_callback)
    until(lambda: len(seen) == 3)
    assert seen[2] is WrongContext
    assert len(lock._waiters) == 0


# -- from anywhere --------------------------------------------------------------------------------


def by_signal(release: Callable[[], object]) -> None:
    before = signal.signal(signal.SIGUSR1, lambda signum, frame: release())
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


def by_finalizer(release: Callable[[], object]) -> None:
    Garbage(release)
    gc.collect()


def by_thread(release: Callable[[], object]) -> None:
    Threads(release).join()


@pytest.mark.parametrize("by", [by_signal, by_finalizer, by_thread])
def test_release_from_anywhere(by: Callable[[Callable[[], object]], None]) -> None:
    lock = Lock()
    lock.acquire()
    task = spawn(lock.acquire)
    parked(task)
    by(lock.release)
    assert task.result(PATIENCE) is True
    assert lock.locked()
    by(lock.release)
    assert not lock.locked()


@each_kind
def test_release_interrupted_anywhere_by_a_try(kind: type[AnyLock]) -> None:
    def play(meet: Meet) -> None:
        lock, taken = kind(), []
        lock.acquire()
        task = spawn(lock.acquire)
        parked(task)

        def intrude() -> None:
            Threads(lambda: taken.append(lock.acquire(False))).join()

        meet(lock.release, intrude)
        assert taken in ([], [False])
        assert task.result(PATIENCE) is True
        assert lock.locked()

    assert at_each_step(play) > 10


@each_kind
def test_acquire_interrupted_anywhere_by_the_release(kind: type[AnyLock]) -> None:
    def play(meet: Meet) -> None:
        lock, released = kind(), []
        finish(spawn(lock.acquire))

        def release() -> None:
            released.append(True)
            lock._put_back()
            lock._match()

        def otherwise() -> None:
            until(lambda: lock._waiters or released)
            if not released:
                release()

        task = spawn(otherwise)
        # The release comes once, early or late, and must not be missed.
        assert meet(lambda: lock.acquire(timeout=PATIENCE), lambda: released or release()) is True
        finish(task)
        assert lock.locked()
        assert len(lock._waiters) == 0

    assert at_each_step(play) > 10


def test_an_rlock_used_anywhere_in_its_own_methods() -> None:
    """A finalizer that takes and releases the lock of the task that it interrupts."""

    def play(meet: Meet) -> None:
        lock = RLock()

        def finalizer() -> None:
            with lock:
                assert lock._is_owned()

        def act() -> None:
            with lock:
                assert lock._is_owned()
                with lock:
                    pass
                assert lock._is_owned()
                assert len(lock._hold[0]) == 1

        meet(act, finalizer)
        assert not lock.locked()

    assert at_each_step(play) > 50


@each_kind
def test_threads_and_tasks_exclude_each_other(kind: type[AnyLock]) -> None:
    lock, counter = kind(), [0]

    def work() -> None:
        for _ in range(200):
            with lock:
                before = counter[0]
                hash(lock)
                counter[0] = before + 1

    threads = Threads(work, work, work)
    tasks = [spawn(work) for _ in range(3)]
    finish(*tasks)
    until(lambda: not any(thread.is_alive() for thread in threads.threads))
    threads.join()
    assert counter[0] == 1200
    assert not lock.locked()
    assert len(lock._waiters) == 0
