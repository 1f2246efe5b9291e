"""Semaphore and BoundedSemaphore."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable
from math import nan
from typing import Any

import pytest
from meetings import Garbage, Meet, Threads, at_each_step, thrown_into_next_wait

from hubkit.contract import FIFO_LOCKS, Hub
from hubkit.errors import Cancelled, WrongContext
from hubkit.registry import current_hub
from hubkit.semaphores import BoundedSemaphore, Semaphore
from hubkit.spawning import current_task, spawn
from hubkit_conformance.tools import PATIENCE, SHORT, finish, not_before, parked, parked_in_order, until

pytestmark = pytest.mark.usefixtures("hub")

each_kind = pytest.mark.parametrize("kind", [Semaphore, BoundedSemaphore])


def take_all(semaphore: Semaphore) -> int:
    """How many permits there are; they are gone afterwards."""
    number = 0
    while semaphore.acquire(blocking=False):
        number += 1
    return number


# -- as in the standard library -------------------------------------------------------------------


@each_kind
def test_permits(kind: type[Semaphore]) -> None:
    semaphore = kind(3)
    assert not semaphore.locked()
    assert [semaphore.acquire() for _ in range(3)] == [True] * 3
    assert semaphore.locked()
    assert semaphore.acquire(blocking=False) is False
    semaphore.release()
    assert semaphore.acquire() is True
    semaphore.release(3)
    assert take_all(semaphore) == 3
    assert repr(semaphore) == f"<{kind.__name__} 0 free, 0 waiting>"


@each_kind
def test_one_permit_by_default(kind: type[Semaphore]) -> None:
    assert take_all(kind()) == 1
    assert take_all(kind(0)) == 0


@each_kind
def test_bad_numbers(kind: type[Semaphore]) -> None:
    with pytest.raises(ValueError):
        kind(-1)
    for bad in (1.5, "1", None):
        with pytest.raises(TypeError):
            kind(bad)  # type: ignore[arg-type]
    semaphore = kind(2)
    for number in (0, -1):
        with pytest.raises(ValueError):
            semaphore.release(number)
    assert take_all(semaphore) == 2


@each_kind
def test_a_million_permits_cost_nothing(kind: type[Semaphore]) -> None:
    semaphore = kind(sys.maxsize)
    with semaphore:
        assert sys.getsizeof(semaphore._freed) < 10_000
    assert not semaphore.locked()


@each_kind
def test_with(kind: type[Semaphore]) -> None:
    semaphore = kind(1)
    with semaphore as entered:
        assert entered is True
        assert semaphore.locked()
    with pytest.raises(KeyError), semaphore:
        raise KeyError
    assert take_all(semaphore) == 1


@each_kind
def test_timeout(kind: type[Semaphore]) -> None:
    semaphore = kind(1)
    semaphore.acquire()
    with not_before(SHORT):
        assert semaphore.acquire(timeout=SHORT) is False  # it does not raise
    for limit in (0, -1, -0.5):
        assert semaphore.acquire(timeout=limit) is False
    semaphore.release()
    assert semaphore.acquire(timeout=0) is True
    semaphore.release()
    assert semaphore.acquire(True, -1) is True


@each_kind
@pytest.mark.parametrize(
    ("blocking", "timeout", "error"),
    [(True, nan, ValueError), (True, "soon", TypeError), (False, 1, ValueError), (False, 0, ValueError)],
)
def test_bad_timeouts(kind: type[Semaphore], blocking: bool, timeout: Any, error: type[Exception]) -> None:
    semaphore = kind(1)
    with pytest.raises(error):
        semaphore.acquire(blocking, timeout)
    assert take_all(semaphore) == 1


def test_anybody_may_give() -> None:
    semaphore = Semaphore(0)
    semaphore.release()
    Threads(semaphore.release).join()
    spawn(semaphore.release, 2).result(PATIENCE)
    assert take_all(semaphore) == 4


def test_a_bounded_semaphore_refuses_what_it_has_not_given() -> None:
    semaphore = BoundedSemaphore(3)
    with pytest.raises(ValueError, match="more than have been taken"):
        semaphore.release()
    semaphore.acquire()
    semaphore.acquire()
    with pytest.raises(ValueError):
        semaphore.release(3)
    assert take_all(semaphore) == 1, "it gave some back and then refused"
    semaphore.release(3)
    with pytest.raises(ValueError):
        semaphore.release()
    assert take_all(semaphore) == 3


@each_kind
def test_contended(kind: type[Semaphore]) -> None:
    semaphore, inside, peaks = kind(3), [], []

    def work(number: int) -> None:
        for _ in range(20):
            with semaphore:
                inside.append(number)
                peaks.append(len(inside))
                inside.remove(number)

    tasks = [spawn(work, number) for number in range(8)]
    finish(*tasks)
    assert max(peaks) <= 3
    assert take_all(semaphore) == 3


# -- order and what meets -------------------------------------------------------------------------


@each_kind
def test_permits_go_to_the_longest_waiters(hub: Hub, kind: type[Semaphore]) -> None:
    if not hub.supports(FIFO_LOCKS):
        pytest.skip("a hub without FIFO_LOCKS")
    semaphore = kind(3)
    take_all(semaphore)
    tasks = parked_in_order(5, lambda number: semaphore.acquire())
    semaphore.release(3)
    assert semaphore.acquire(blocking=False) is False, "a late comer got in first"
    finish(*tasks[:3])
    assert [task.done() for task in tasks] == [True, True, True, False, False]
    semaphore.release(2)
    finish(*tasks)
    assert take_all(semaphore) == 0


@each_kind
def test_a_cancelled_waiter_takes_no_permit(kind: type[Semaphore]) -> None:
    semaphore = kind(1)
    semaphore.acquire()
    first, second = (spawn(semaphore.acquire) for _ in range(2))
    parked(first, second)
    first.cancel()
    semaphore.release()
    assert second.result(PATIENCE) is True
    finish(first)
    assert first.cancelled()
    semaphore.release()
    assert take_all(semaphore) == 1


@each_kind
def test_a_throw_hands_the_permit_on(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, kind: type[Semaphore]
) -> None:
    semaphore = kind(1)
    semaphore.acquire()
    with thrown_into_next_wait(monkeypatch, hub, semaphore.release):
        semaphore.acquire()
    assert take_all(semaphore) == 1
    assert len(semaphore._waiters) == 0

    def hand_over() -> None:
        others.append(spawn(semaphore.acquire))
        until(lambda: len(semaphore._waiters) == 2)
        semaphore.release()

    others: list[Any] = []
    with thrown_into_next_wait(monkeypatch, hub, hand_over):
        semaphore.acquire()
    assert others[0].result(PATIENCE) is True
    assert take_all(semaphore) == 0


@each_kind
def test_a_latched_cancel_comes_first(kind: type[Semaphore]) -> None:
    semaphore = kind(1)

    def work() -> None:
        task = current_task()
        assert task is not None
        task.cancel()
        assert semaphore.acquire(blocking=False)
        semaphore.release()
        with pytest.raises(Cancelled), semaphore:
            raise AssertionError("entered")

    spawn(work).result(PATIENCE)
    assert take_all(semaphore) == 1


def test_in_a_callback() -> None:
    semaphore, seen = Semaphore(1), []

    def callback() -> None:
        seen.append(semaphore.acquire())
        try:
            semaphore.acquire()
        except WrongContext as error:
            seen.append(type(error))
        semaphore.release()

    current_hub().call_soon(callback)
    until(lambda: len(seen) == 2)
    assert seen == [True, WrongContext]
    until(lambda: not semaphore.locked())
    assert len(semaphore._waiters) == 0


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


@pytest.mark.parametrize("by", [by_signal, by_finalizer])
def test_release_from_anywhere(by: Callable[[Callable[[], object]], None]) -> None:
    semaphore = Semaphore(0)
    task = spawn(semaphore.acquire)
    parked(task)
    by(semaphore.release)
    assert task.result(PATIENCE) is True
    by(semaphore.release)
    assert take_all(semaphore) == 1


@pytest.mark.parametrize(
    ("kind", "intruder"), [(Semaphore, "release"), (Semaphore, "try"), (BoundedSemaphore, "try")]
)
def test_release_interrupted_anywhere(kind: type[Semaphore], intruder: str) -> None:
    def play(meet: Meet) -> None:
        semaphore = kind(2)
        taken = take_all(semaphore)
        released = 1
        tasks = parked_in_order(2, lambda number: semaphore.acquire())

        def intrude() -> None:
            nonlocal taken, released
            if intruder == "release":
                released += 1
                semaphore.release()
            else:
                taken += semaphore.acquire(blocking=False)

        meet(semaphore.release, intrude)
        assert taken == 2, "it got in before those who wait"
        until(lambda: sum(task.done() for task in tasks) == released)
        semaphore.release()
        if released == 1:
            finish(*tasks)
            assert take_all(semaphore) == 0
        else:
            assert take_all(semaphore) == 1

    assert at_each_step(play) > 10


@each_kind
def test_acquire_interrupted_anywhere_by_the_release(kind: type[Semaphore]) -> None:
    def play(meet: Meet) -> None:
        semaphore, released = kind(1), []
        semaphore.acquire()

        def release() -> None:
            released.append(True)
            semaphore.release()

        def otherwise() -> None:
            until(lambda: semaphore._waiters or released)
            if not released:
                release()

        task = spawn(otherwise)
        assert meet(lambda: semaphore.acquire(timeout=PATIENCE), lambda: released or release()) is True
        finish(task)
        assert take_all(semaphore) == 0
        semaphore.release()
        assert take_all(semaphore) == 1

    assert at_each_step(play) > 10


@each_kind
def test_threads_lose_no_permit(kind: type[Semaphore]) -> None:
    semaphore, inside = kind(2), []
    too_many: list[int] = []

    def work() -> None:
        for _ in range(300):
            if semaphore.acquire(timeout=PATIENCE):
                inside.append(1)
                if len(inside) > 2:
                    too_many.append(len(inside))
                inside.pop()
                semaphore.release()

    threads = Threads(work, work, work, work)
    tasks = [spawn(work) for _ in range(2)]
    finish(*tasks)
    until(lambda: not any(thread.is_alive() for thread in threads.threads))
    threads.join()
    assert too_many == []
    assert take_all(semaphore) == 2
    assert len(semaphore._waiters) == 0
