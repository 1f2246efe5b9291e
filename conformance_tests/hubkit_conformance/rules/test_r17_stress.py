"""R17 Threads: four threads, tasks, signal handlers and finalizers hammer each primitive at once."""

from __future__ import annotations

import collections
import gc
import itertools
import queue as standard
import signal
import threading
from functools import partial
from time import monotonic

import pytest

from hubkit import (
    BoundedSemaphore,
    Channel,
    Condition,
    Event,
    Future,
    LifoQueue,
    Lock,
    PriorityQueue,
    Queue,
    RLock,
    Semaphore,
    SimpleQueue,
    checkpoint,
    current_hub,
    sleep,
    spawn,
)

from ..tools import PATIENCE, finish, until

THREADS = 4
TASKS = 4
SECONDS = 0.7  # of hammering for each primitive
INTERVAL = 0.0015  # seconds between two signals


class Garbage:
    """Calls `fn` when the collector finds it: in any thread, in the middle of anything."""

    def __init__(self, fn):
        self.cycle = self
        self.fn = fn

    def __del__(self):
        self.fn()


class Hammer:
    """Runs the blows: in threads and tasks until time is up, by signals and finalizers meanwhile."""

    def __init__(self):
        self.over = threading.Event()
        self.errors = []
        self.threads = []
        self.tasks = []
        self.signals = 0
        self.finalizers = 0

    def in_threads(self, blow):
        for _ in range(THREADS):
            self.threads.append(threading.Thread(target=self._repeat, args=(blow, lambda: None), daemon=True))

    def in_tasks(self, blow):
        for _ in range(TASKS):
            self.tasks.append(spawn(self._repeat, blow, checkpoint))

    def _repeat(self, blow, between):
        try:
            while not self.over.is_set():
                blow()
                between()
        except BaseException as error:
            self.errors.append(error)
            raise

    def run(self, by_surprise, enough=lambda: True):
        """Hammer away; `by_surprise` is what the signal handlers and the finalizers do.

        On a machine that has other things to do it takes longer until there was `enough` of it.
        """

        def handler(signum, frame):
            self.signals += 1
            self._surprise(by_surprise)

        def finalizer():
            self.finalizers += 1
            self._surprise(by_surprise)

        before = signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, INTERVAL, INTERVAL)
        try:
            for thread in self.threads:
                thread.start()
            start = monotonic()
            while not self.errors and (
                monotonic() < start + SECONDS or not (enough() or monotonic() > start + PATIENCE)
            ):
                for _ in range(10):
                    Garbage(finalizer)
                gc.collect(0)
                sleep(0.002)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            self.over.set()
        gc.collect()

    def _surprise(self, by_surprise):
        try:
            by_surprise()
        except BaseException as error:
            self.errors.append(error)

    def end(self):
        """Wait for all; fails if any of them did."""
        for thread in self.threads:
            until(lambda thread=thread: not thread.is_alive(), f"{thread} ending")
        finish(*self.tasks)
        assert self.errors == []
        assert self.signals, "no signal has come"
        assert self.finalizers, "no finalizer has run"


@pytest.mark.parametrize(
    "make",
    [Queue, SimpleQueue, LifoQueue, PriorityQueue, partial(Queue, 5), partial(PriorityQueue, 5), Channel],
    ids=["Queue", "SimpleQueue", "LifoQueue", "PriorityQueue", "Queue(5)", "PriorityQueue(5)", "Channel"],
)
def test_r17_stress_a_queue_loses_and_doubles_no_item(make):
    queue, numbers, put, got = make(), itertools.count(), collections.deque(), collections.deque()
    hammer = Hammer()
    limit = 50 * 4  # enough for a backlog of an unbounded queue, so that memory does not grow

    def produce():
        if len(put) - len(got) < limit:
            item = next(numbers)
            queue.put(item, timeout=PATIENCE)
            put.append(item)

    def consume():
        try:
            got.append(queue.get(timeout=0.01))
        except standard.Empty:
            pass

    def by_surprise():
        item = next(numbers)
        try:
            queue.put_nowait(item)
        except standard.Full:
            return
        put.append(item)

    hammer.in_threads(produce)
    hammer.in_tasks(consume)
    hammer.in_tasks(produce)
    drain = threading.Event()
    drainers = [spawn(lambda: drain_all(queue, got, drain)) for _ in range(2)]
    hammer.run(by_surprise, lambda: len(put) > 100)
    hammer.end()
    drain.set()
    finish(*drainers)
    try:
        while True:
            got.append(queue.get_nowait())
    except standard.Empty:
        pass
    assert sorted(got) == sorted(put)
    assert len(put) > 100


def drain_all(queue, got, over):
    while not over.is_set():
        try:
            got.append(queue.get(timeout=0.01))
        except standard.Empty:
            pass


@pytest.mark.parametrize("make", [Lock, RLock, Condition, lambda: Semaphore(1), lambda: BoundedSemaphore(1)])
def test_r17_stress_a_lock_has_one_holder_and_is_free_in_the_end(make):
    lock, counter, counted = make(), [0], collections.deque()
    hammer = Hammer()

    def blow():
        with lock:
            before = counter[0]
            if before % 7 == 0:
                gc.collect(0)  # a place to be interrupted at
            counter[0] = before + 1
            counted.append(1)

    def by_surprise():
        if lock.acquire(blocking=False):
            lock.release()

    hammer.in_threads(blow)
    hammer.in_tasks(blow)
    hammer.run(by_surprise, lambda: len(counted) > 100)
    hammer.end()
    assert counter[0] == len(counted) > 100
    assert spawn(lock.acquire, blocking=False).result(PATIENCE) is True


@pytest.mark.parametrize("make", [Semaphore, BoundedSemaphore])
def test_r17_stress_a_semaphore_loses_and_doubles_no_permit(make):
    semaphore, inside, blows = make(3), collections.deque(), collections.deque()
    hammer = Hammer()

    def blow():
        if semaphore.acquire(timeout=PATIENCE):
            inside.append(1)
            if len(inside) > 3:
                hammer.errors.append(AssertionError(f"{len(inside)} are inside with 3 permits"))
            inside.pop()
            semaphore.release()
            blows.append(1)

    def by_surprise():
        if semaphore.acquire(blocking=False):
            semaphore.release()

    hammer.in_threads(blow)
    hammer.in_tasks(blow)
    hammer.run(by_surprise, lambda: len(blows) > 100)
    hammer.end()
    assert [semaphore.acquire(blocking=False) for _ in range(4)] == [True, True, True, False]
    assert len(blows) > 100


def test_r17_stress_permits_given_by_surprise_all_arrive():
    semaphore, given, taken = Semaphore(0), collections.deque(), collections.deque()
    hammer = Hammer()

    def give():
        if len(given) - len(taken) < 200:
            given.append(1)
            semaphore.release()

    def take():
        if semaphore.acquire(timeout=0.01):
            taken.append(1)

    hammer.in_threads(give)
    hammer.in_tasks(take)
    hammer.run(give, lambda: len(given) > 100)
    hammer.end()
    while semaphore.acquire(blocking=False):
        taken.append(1)
    assert len(taken) == len(given) > 100


def test_r17_stress_a_condition_loses_no_notification():
    condition, items, got, made = Condition(), collections.deque(), collections.deque(), itertools.count()
    hammer = Hammer()

    def produce():
        with condition:
            if len(items) < 100:
                items.append(next(made))
                condition.notify()

    def consume():
        with condition:
            # Each item comes with a notification: with one lost, somebody waits beside an item.
            if condition.wait_for(lambda: items or hammer.over.is_set(), PATIENCE):
                if items:
                    got.append(items.popleft())
            else:
                hammer.errors.append(AssertionError(f"a consumer waited {PATIENCE} s"))

    def by_surprise():
        if condition.acquire(blocking=False):
            condition.release()

    hammer.in_threads(produce)
    hammer.in_tasks(consume)
    hammer.run(by_surprise, lambda: len(got) > 100)
    with condition:
        condition.notify_all()
    hammer.end()
    assert list(got) + list(items) == list(range(next(made)))
    assert len(got) > 100


def test_r17_stress_an_event_wakes_everybody_each_time():
    hammer, rounds = Hammer(), collections.deque([Event()])
    woken = collections.deque()

    def wait():
        if rounds[-1].wait(PATIENCE):
            woken.append(1)
        else:
            hammer.errors.append(AssertionError("an event was set and somebody not woken"))

    def by_surprise():
        before = rounds[-1]
        rounds.append(Event())
        before.set()

    hammer.in_threads(wait)
    hammer.in_tasks(wait)
    hammer.run(by_surprise, lambda: len(woken) > 100)
    for event in list(rounds):
        event.set()
    hammer.end()
    assert len(woken) > 100


def test_r17_stress_a_future_has_one_outcome():
    hammer, rounds, outcomes = Hammer(), collections.deque([Future()]), collections.deque()

    def wait():
        future = rounds[-1]
        outcomes.append((future, future.result(PATIENCE)))

    def resolve(number):
        before = rounds[-1]
        rounds.append(Future())
        try:
            before.set_result(number)
        except Exception as error:
            if type(error).__name__ != "InvalidState":
                raise

    numbers = itertools.count()
    hammer.in_threads(wait)
    hammer.in_tasks(wait)
    hammer.run(lambda: resolve(next(numbers)), lambda: len(rounds) > 100)
    for future in list(rounds):
        if not future.done():
            future.set_result(-1)
    hammer.end()
    by_future = {}
    for future, value in outcomes:
        assert by_future.setdefault(future, value) == value
    assert len(by_future) > 20


def test_r17_stress_spawns_cancels_and_callbacks_from_everywhere():
    hub, hammer = current_hub(), Hammer()
    spawned, ran, registered, called = (collections.deque() for _ in range(4))

    def blow():
        if len(spawned) - len(ran) < 50:
            spawned.append(spawn(ran.append, 1))
            registered.append(1)
            hub.call_soon(lambda: called.append(1))

    def cancel():
        task = spawn(sleep, PATIENCE)
        checkpoint()
        task.cancel()
        task.join()

    def from_threads():
        # A thread that spawns is a hub of its own on some hubs; callbacks go to the one under test.
        registered.append(1)
        hub.call_soon(lambda: called.append(1))
        threading.Event().wait(0.001)

    hammer.in_threads(from_threads)
    hammer.in_tasks(cancel)
    hammer.run(blow)
    hammer.end()
    finish(*spawned)
    until(lambda: len(called) == len(registered), "every callback being called")
    assert len(ran) == len(spawned)
