"""Locks, semaphores, conditions, barriers, events under many schedules: nothing is lost in one instant.

Each program lets a wake-up, a time limit and a cancel fall into the same instant of the virtual clock;
`explore` puts them into every order, and lets the clock run on while tasks are ready.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BrokenBarrierError
from typing import Any

import pytest

from hubkit import (
    Barrier,
    BoundedSemaphore,
    Condition,
    Event,
    Future,
    Lock,
    RLock,
    Semaphore,
    Task,
    checkpoint,
    move_on_after,
    shield,
    sleep,
    spawn,
)
from hubkit.testing import explore

#: Of each program, with and without slowness. Many more find what is rare: HUBKIT_SCHEDULES=20000
SCHEDULES = int(os.environ.get("HUBKIT_SCHEDULES", "200"))
INSTANT = 1.0  # when everything happens


def at_the_instant(fn: Callable[..., Any], *args: Any) -> Task[Any]:
    def wait_and_call() -> Any:
        sleep(INSTANT)
        return fn(*args)

    return spawn(wait_and_call)


def finish(*tasks: Task[Any]) -> None:
    for task in tasks:
        task.join()
        assert task.cancelled() or task.exception() is None, task.exception()


class Room:
    """How many are inside at once."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.inside = 0
        self.visits = 0

    @contextmanager
    def visit(self) -> Iterator[None]:
        self.inside += 1
        assert self.inside <= self.size, f"{self.inside} are inside, {self.size} may be"
        try:
            yield
            self.visits += 1
        finally:
            self.inside -= 1


def lock_with_time_limits_and_a_cancel(make: Callable[[], Any]) -> None:
    lock, room = make(), Room(1)

    def use(limit: float) -> bool:
        if not lock.acquire(timeout=limit):
            return False
        try:
            with room.visit():
                sleep(INSTANT)
        finally:
            lock.release()
        return True

    tasks = [spawn(use, limit) for limit in (-1, INSTANT, -1)]
    cancelling = at_the_instant(tasks[2].cancel)
    finish(*tasks, cancelling)
    assert room.visits >= 1
    assert spawn(lock.acquire, False).result() is True, "the lock got lost"


def rlock_held_twice() -> None:
    lock, room = RLock(), Room(1)

    def refused() -> None:
        with pytest.raises(RuntimeError):
            lock.release()

    def use() -> None:
        with lock:
            with lock:
                with room.visit():
                    checkpoint()
            spawn(refused).join()

    tasks = [spawn(use) for _ in range(2)]
    tasks[1].cancel()
    finish(*tasks)
    assert spawn(lock.acquire, False).result() is True


def semaphore_with_everything(make: Callable[[int], Any]) -> None:
    semaphore, room = make(2), Room(2)

    def use(limit: float | None) -> None:
        if semaphore.acquire(timeout=limit):
            try:
                with room.visit():
                    sleep(INSTANT)
            finally:
                semaphore.release()

    tasks = [spawn(use, limit) for limit in (None, INSTANT, None, INSTANT)]
    cancelling = at_the_instant(tasks[2].cancel)
    finish(*tasks, cancelling)
    assert [semaphore.acquire(False) for _ in range(3)] == [True, True, False]


def permits_for_many_at_once() -> None:
    semaphore, got = Semaphore(0), []

    def take(number: int) -> None:
        if semaphore.acquire(timeout=INSTANT):
            got.append(number)

    tasks = [spawn(take, number) for number in range(3)]
    releasing = at_the_instant(semaphore.release, 2)
    cancelling = at_the_instant(tasks[0].cancel)
    finish(*tasks, releasing, cancelling)
    left = 0
    while semaphore.acquire(False):
        left += 1
    assert len(got) + left == 2


def condition_passes_notifications_on() -> None:
    condition, items, got = Condition(), [], []

    def take(limit: float | None) -> None:
        with condition:
            if condition.wait_for(lambda: items, limit):
                got.append(items.pop())

    def give() -> None:
        with condition:
            items.append(1)
            condition.notify()

    patient = spawn(take, None)
    others = [spawn(take, INSTANT), spawn(take, None)]
    giving = [at_the_instant(give), at_the_instant(give)]
    cancelling = at_the_instant(others[1].cancel)
    finish(*others, *giving, cancelling)
    if items or patient.done():
        finish(patient)
    else:  # the two others got both
        assert len(got) == 2
        patient.cancel()
        finish(patient)
    assert len(got) + len(items) == 2
    assert spawn(condition.acquire, False).result() is True, "the lock got lost"


def condition_holds_its_lock_whatever_ends_the_wait() -> None:
    condition = Condition(Lock())

    def wait() -> None:
        with condition:
            with move_on_after(INSTANT):
                try:
                    condition.wait(INSTANT)
                finally:
                    assert condition.locked() if hasattr(condition, "locked") else True
                    condition.notify()  # RuntimeError without the lock

    tasks = [spawn(wait) for _ in range(2)]
    cancelling = at_the_instant(tasks[0].cancel)
    finish(*tasks, cancelling)
    assert spawn(condition.acquire, False).result() is True


def barrier_breaks_for_all_or_for_none() -> None:
    barrier, passed, broken = Barrier(3), [], []

    def come(limit: float | None) -> None:
        try:
            passed.append(barrier.wait(limit))
        except BrokenBarrierError:
            broken.append(True)

    early = [spawn(come, INSTANT), spawn(come, None)]
    late = at_the_instant(come, None)
    cancelling = at_the_instant(early[1].cancel)
    finish(*early, late, cancelling)
    assert bool(passed) != bool(broken) or not (passed or broken)
    assert sorted(passed) == list(range(len(passed))) or early[1].cancelled()
    barrier.reset()
    again = [spawn(come, None) for _ in range(3)]
    finish(*again)


def barrier_reset_and_abort() -> None:
    barrier, ends = Barrier(2), []

    def come() -> None:
        try:
            ends.append(barrier.wait(5 * INSTANT))
        except BrokenBarrierError:
            ends.append("broken")

    tasks = [spawn(come), spawn(come), spawn(come)]
    meddling = [at_the_instant(barrier.reset), at_the_instant(barrier.abort)]
    finish(*tasks, *meddling)
    assert len(ends) == 3
    numbers = [end for end in ends if end != "broken"]
    assert sorted(numbers) in ([], [0, 1])


def event_wakes_everybody() -> None:
    event, seen = Event(), []

    def wait(limit: float | None) -> None:
        seen.append(event.wait(limit))

    tasks = [spawn(wait, None), spawn(wait, INSTANT), spawn(wait, None)]
    setting = at_the_instant(event.set)
    cancelling = at_the_instant(tasks[2].cancel)
    finish(*tasks, setting, cancelling)
    assert True in seen
    assert len(seen) == 3 - tasks[2].cancelled()


def event_set_and_cleared() -> None:
    """Who waits when it is set is woken, also if it is cleared at once."""
    event = Event()

    def pulse() -> None:
        event.set()
        event.clear()

    tasks = [spawn(event.wait, None) for _ in range(2)]
    checkpoint()
    waiting = [task for task in tasks if task.ticket is not None and hasattr(task.ticket, "armed")]
    spawn(pulse).join()
    finish(*waiting)
    event.set()
    finish(*tasks)


def future_tells_everybody_once() -> None:
    future: Future[int] = Future()
    seen, called = [], []
    future.add_done_callback(called.append)

    def wait(limit: float | None) -> None:
        try:
            seen.append(future.result(limit))
        except TimeoutError:
            seen.append(None)

    tasks = [spawn(wait, None), spawn(wait, INSTANT)]
    setting = at_the_instant(future.set_result, 5)
    cancelling = at_the_instant(tasks[0].cancel)
    finish(*tasks, setting, cancelling)
    future.add_done_callback(called.append)
    while len(called) < 2:
        checkpoint()
    checkpoint()
    assert called == [future, future]
    assert future.result() == 5


def shield_puts_a_cancel_off() -> None:
    lock, trace = Lock(), []

    def work() -> None:
        with lock:
            with shield():
                sleep(INSTANT)
                trace.append("done")
            checkpoint()
            trace.append("went on")

    task = spawn(work)
    stopping = at_the_instant(task.cancel)
    finish(task, stopping)
    assert trace[:1] in ([], ["done"])
    assert not lock.locked()


PROGRAMS: dict[str, Callable[[], object]] = {
    "Lock": lambda: lock_with_time_limits_and_a_cancel(Lock),
    "RLock": lambda: lock_with_time_limits_and_a_cancel(RLock),
    "RLock twice": rlock_held_twice,
    "Semaphore": lambda: semaphore_with_everything(Semaphore),
    "BoundedSemaphore": lambda: semaphore_with_everything(BoundedSemaphore),
    "Semaphore.release(n)": permits_for_many_at_once,
    "Condition notifications": condition_passes_notifications_on,
    "Condition lock": condition_holds_its_lock_whatever_ends_the_wait,
    "Barrier": barrier_breaks_for_all_or_for_none,
    "Barrier.reset": barrier_reset_and_abort,
    "Event": event_wakes_everybody,
    "Event.clear": event_set_and_cleared,
    "Future": future_tells_everybody_once,
    "shield": shield_puts_a_cancel_off,
}


@pytest.mark.parametrize("time_passes", [False, True], ids=["", "time passes"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_is_lost(name: str, time_passes: bool) -> None:
    explore(PROGRAMS[name], schedules=SCHEDULES, time_passes=time_passes)
