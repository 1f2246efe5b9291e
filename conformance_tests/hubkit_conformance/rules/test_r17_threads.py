"""R17 Threads. See test_r17_stress for all at once."""

from __future__ import annotations

import gc
import signal
import threading
import time

import pytest

import hubkit
from hubkit import (
    Condition,
    Event,
    Future,
    Lock,
    Queue,
    RLock,
    Semaphore,
    checkpoint,
    current_hub,
    now,
    sleep,
    spawn,
)
from hubkit.contract import PER_THREAD
from hubkit.errors import NotSupported

from ..plugin import lacks, needs
from ..tools import PATIENCE, SHORT, finish, parked, until


def in_thread(fn, *args):
    """A started plain thread that runs `fn`; `.outcome` has what became of it when it is joined."""

    def run():
        try:
            thread.outcome = fn(*args)
        except BaseException as error:
            thread.outcome = error

    thread = threading.Thread(target=run, daemon=True)
    thread.outcome = "no outcome"
    thread.start()
    return thread


def join(*threads):
    """Wait for plain threads without blocking the hub."""
    for thread in threads:
        until(lambda thread=thread: not thread.is_alive(), f"{thread} ending")
    return [thread.outcome for thread in threads]


WAKE_UPS = {
    "Event.set": lambda: (lambda event: (event.wait, event.set))(Event()),
    "Queue.put": lambda: (lambda queue: (queue.get, lambda: queue.put(True)))(Queue()),
    "Semaphore.release": lambda: (lambda each: (each.acquire, each.release))(Semaphore(0)),
    "Future.set_result": lambda: (lambda each: (each.result, lambda: each.set_result(True)))(Future()),
}


@pytest.mark.parametrize("verb", WAKE_UPS)
def test_r17_a_wake_up_from_another_thread_ends_a_wait_at_once(verb):
    wait, wake = WAKE_UPS[verb]()
    task = spawn(wait)
    parked(task)

    def wake_when_the_hub_is_at_rest():
        time.sleep(SHORT)
        given = now()
        wake()
        return given

    thread = in_thread(wake_when_the_hub_is_at_rest)
    assert task.result(PATIENCE) is True
    noticed = now()
    (given,) = join(thread)
    assert noticed - given < PATIENCE / 2


@pytest.mark.parametrize("verb", WAKE_UPS)
def test_r17_a_thread_without_a_hub_waits_natively(verb):
    wait, wake = WAKE_UPS[verb]()
    thread = in_thread(wait)
    sleep(SHORT)
    assert thread.is_alive()
    wake()
    assert join(thread) == [True]


@pytest.mark.parametrize("make", [Lock, RLock, Condition, lambda: Semaphore(1)])
def test_r17_a_lock_excludes_threads_and_tasks_alike(make):
    lock, inside, errors = make(), [], []

    def worker(name):
        for _ in range(100):
            with lock:
                inside.append(name)
                if inside != [name]:
                    errors.append(list(inside))
                inside.pop()

    threads = [in_thread(worker, f"thread {number}") for number in range(3)]
    tasks = [spawn(worker, f"task {number}") for number in range(3)]
    finish(*tasks)
    assert join(*threads) == [None] * 3
    assert errors == []


def test_r17_a_condition_works_between_a_thread_and_a_task():
    condition, items = Condition(), []

    def consumer():
        got = []
        while len(got) < 100:
            with condition:
                assert condition.wait_for(lambda: items, PATIENCE)
                got.append(items.pop(0))
        return got

    task = spawn(consumer)

    def producer():
        for number in range(100):
            with condition:
                items.append(number)
                condition.notify()

    thread = in_thread(producer)
    assert task.result(PATIENCE) == list(range(100))
    assert join(thread) == [None]


def test_r17_items_go_through_a_queue_between_threads_and_tasks():
    queue, back = Queue(3), Queue()

    def thread_worker():
        while (item := queue.get()) is not None:
            back.put(item)

    threads = [in_thread(thread_worker) for _ in range(3)]

    def task_worker(name):
        for number in range(50):
            queue.put((name, number))

    finish(*[spawn(task_worker, name) for name in "abc"])
    for _ in threads:
        queue.put(None)
    assert join(*threads) == [None] * 3
    assert sorted(back.get_nowait() for _ in range(150)) == [
        (name, number) for name in "abc" for number in range(50)
    ]
    assert back.empty()


@needs(PER_THREAD)
def test_r17_two_hubs_share_a_primitive():
    there, back = Queue(), Queue()

    def echo():
        while (item := there.get()) is not None:
            back.put(item)

    def other_hub():
        def main():
            tasks = [spawn(echo) for _ in range(3)]
            for task in tasks:
                task.join()
            return hubkit.current_hub()

        return hubkit.run(main)

    thread = in_thread(other_hub)
    for number in range(100):
        there.put(number)
    got = sorted(back.get(timeout=PATIENCE) for _ in range(100))
    for _ in range(3):
        there.put(None)
    assert got == list(range(100))
    (hub,) = join(thread)
    assert isinstance(hub, type(current_hub())), f"the other hub ended by {hub!r}"


@needs(PER_THREAD)
def test_r17_a_task_of_another_hub_can_be_joined_and_cancelled():
    tasks, over = Queue(), Event()

    def other_hub():
        def main():
            tasks.put(spawn(pow, 2, 3))
            tasks.put(spawn(sleep, PATIENCE))
            over.wait(PATIENCE)

        return hubkit.run(main)

    thread = in_thread(other_hub)
    first, second = tasks.get(timeout=PATIENCE), tasks.get(timeout=PATIENCE)
    assert first.result(PATIENCE) == 8
    assert second.cancel() is True
    assert second.join(PATIENCE) is True
    assert second.cancelled()
    over.set()
    assert join(thread) == [None]


@needs(PER_THREAD)
def test_r17_spawn_makes_a_hub_in_a_thread():
    def work():
        trace = []
        tasks = [spawn(lambda number=number: (checkpoint(), trace.append(number))) for number in range(5)]
        for task in tasks:
            task.join(PATIENCE)
        return sorted(trace)

    assert join(in_thread(work)) == [[0, 1, 2, 3, 4]]


@lacks(PER_THREAD)
def test_r17_a_second_hub_says_that_it_is_not_supported():
    assert isinstance(join(in_thread(hubkit.run, int))[0], NotSupported)


class OnFinalize:
    """Calls `fn` when the collector finds it: anywhere, in the middle of anything."""

    def __init__(self, fn):
        self.cycle = self
        self.fn = fn

    def __del__(self):
        self.fn()


def test_r17_a_finalizer_may_give():
    queue, event, semaphore, future = Queue(), Event(), Semaphore(0), Future()
    seen = []
    current = current_hub()
    waiters = [spawn(queue.get), spawn(event.wait), spawn(semaphore.acquire), spawn(future.result)]
    parked(*waiters)
    for give in (
        lambda: queue.put(True),
        event.set,
        semaphore.release,
        lambda: future.set_result(True),
        lambda: current.call_soon(lambda: seen.append("soon")),
        lambda: spawn(seen.append, "spawned"),
    ):
        OnFinalize(give)
    gc.collect()
    assert [task.result(PATIENCE) for task in waiters] == [True] * 4
    until(lambda: sorted(seen) == ["soon", "spawned"])


def test_r17_a_finalizer_may_interrupt_the_very_call_that_it_makes():
    queue, semaphore, event = Queue(), Semaphore(0), Event()

    def give(item):
        queue.put(item)
        semaphore.release()
        event.set()

    before = gc.get_threshold()
    gc.collect()
    try:
        for number in range(200):
            gc.set_threshold(1 + number % 17)  # the collector runs after so many things were made: anywhere
            OnFinalize(lambda number=number: give(("finalizer", number)))
            give(("call", number))
    finally:
        gc.set_threshold(*before)
    gc.collect()
    expected = [(who, number) for who in ("call", "finalizer") for number in range(200)]
    assert sorted(queue.get_nowait() for _ in range(400)) == expected
    assert queue.empty()
    assert [semaphore.acquire(blocking=False) for _ in range(401)] == [True] * 400 + [False]


def test_r17_a_signal_handler_may_give():
    queue, event, semaphore, future, lock = Queue(), Event(), Semaphore(0), Future(), Lock()
    seen = []
    current = current_hub()
    lock.acquire()
    waiters = [spawn(fn) for fn in (queue.get, event.wait, semaphore.acquire, future.result, lock.acquire)]
    victim = spawn(sleep, PATIENCE)
    parked(*waiters, victim)

    def handler(signum, frame):
        queue.put(True)
        event.set()
        semaphore.release()
        future.set_result(True)
        lock.release()
        current.call_soon(lambda: seen.append("soon"))
        spawn(seen.append, "spawned")
        victim.cancel()

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        signal.raise_signal(signal.SIGUSR1)
        assert [task.result(PATIENCE) for task in waiters] == [True] * 5
    finally:
        signal.signal(signal.SIGUSR1, before)
    finish(victim)
    assert victim.cancelled()
    until(lambda: sorted(seen) == ["soon", "spawned"])
