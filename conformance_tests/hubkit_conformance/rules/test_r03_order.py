"""R03 Order."""

from __future__ import annotations

import threading
import time

import pytest

from hubkit import (
    Channel,
    Condition,
    Event,
    Future,
    Lock,
    Pool,
    Queue,
    Semaphore,
    checkpoint,
    current_task,
    spawn,
    to_thread,
)
from hubkit.contract import FIFO_LOCKS, ORDERED_YIELD

from ..plugin import needs
from ..tools import LOCKS, finish, parked, parked_in_order, returned


@needs(ORDERED_YIELD)
def test_r03_an_event_wakes_its_waiters_in_order():
    event, woken = Event(), []

    def waiter(number):
        event.wait()
        woken.append(number)

    tasks = parked_in_order(10, waiter)
    event.set()
    finish(*tasks)
    assert woken == list(range(10))


@needs(ORDERED_YIELD)
def test_r03_the_main_task_is_woken_in_its_turn_like_any_other():
    """With nobody ready the hub sleeps; on whose stack it does so must not matter."""
    event, woken = Event(), []

    def waiter(who):
        event.wait()
        woken.append(who)

    main = current_task()

    def wake_all():
        while not getattr(main.ticket, "armed", False):
            time.sleep(0.001)
        event.set()

    tasks = parked_in_order(3, waiter)
    thread = threading.Thread(target=wake_all)
    thread.start()
    waiter("main")
    finish(*tasks)
    to_thread(thread.join)
    assert woken == [0, 1, 2, "main"]


@needs(ORDERED_YIELD)
def test_r03_a_queue_serves_its_getters_in_order():
    queue = Queue()
    tasks = parked_in_order(10, lambda number: (number, queue.get()))
    for item in range(10):
        queue.put(item)
    assert returned(*tasks) == [(number, number) for number in range(10)]


@needs(ORDERED_YIELD)
def test_r03_a_queue_admits_its_putters_in_order():
    queue = Queue(1)
    queue.put("first")
    tasks = parked_in_order(10, queue.put)
    assert [queue.get() for _ in range(11)] == ["first", *range(10)]
    finish(*tasks)


@needs(ORDERED_YIELD)
def test_r03_a_channel_serves_its_getters_and_its_putters_in_order():
    channel = Channel()
    tasks = parked_in_order(5, lambda number: (number, channel.get()))
    for item in range(5):
        channel.put(item)
    assert returned(*tasks) == [(number, number) for number in range(5)]
    tasks = parked_in_order(5, channel.put)
    assert [channel.get() for _ in range(5)] == [0, 1, 2, 3, 4]
    finish(*tasks)


@needs(ORDERED_YIELD)
def test_r03_a_future_wakes_its_waiters_in_order():
    future, woken = Future(), []
    tasks = parked_in_order(10, lambda number: woken.append((number, future.result())))
    future.set_result("x")
    finish(*tasks)
    assert woken == [(number, "x") for number in range(10)]


@needs(ORDERED_YIELD)
def test_r03_a_task_wakes_its_joiners_in_order():
    gate, woken = Event(), []
    joined = spawn(gate.wait)

    def joiner(number):
        joined.join()
        woken.append(number)

    tasks = parked_in_order(10, joiner)
    gate.set()
    finish(*tasks)
    assert woken == list(range(10))


@needs(FIFO_LOCKS)
@pytest.mark.parametrize("make", LOCKS.values(), ids=LOCKS.keys())
def test_r03_a_lock_is_handed_over_in_order(make):
    lock, held = make(), []

    def holder(number):
        with lock:
            held.append(number)
            checkpoint()

    lock.acquire()
    tasks = parked_in_order(10, holder)
    lock.release()
    finish(*tasks)
    assert held == list(range(10))


@needs(FIFO_LOCKS)
@pytest.mark.parametrize("make", LOCKS.values(), ids=LOCKS.keys())
def test_r03_who_releases_a_lock_does_not_get_in_before_a_waiter(make):
    lock, trace = make(), []

    def holder(number):
        with lock:
            trace.append(number)

    lock.acquire()
    tasks = parked_in_order(2, holder)
    lock.release()
    assert lock.acquire(blocking=False) is False, "the lock belongs to the waiter since its release"
    lock.acquire()
    trace.append("again")
    lock.release()
    finish(*tasks)
    assert trace == [0, 1, "again"]


@needs(FIFO_LOCKS)
def test_r03_a_late_comer_does_not_get_in_before_a_waiter():
    lock, trace = Lock(), []

    def holder(name):
        with lock:
            trace.append(name)

    lock.acquire()
    first = spawn(holder, "waiter")
    parked(first)
    lock.release()
    late = spawn(holder, "late")
    finish(first, late)
    assert trace == ["waiter", "late"]


@needs(FIFO_LOCKS)
def test_r03_permits_released_at_once_go_to_the_first_waiters():
    semaphore, got = Semaphore(0), []

    def taker(number):
        semaphore.acquire()
        got.append(number)

    tasks = parked_in_order(5, taker)
    semaphore.release(3)
    finish(*tasks[:3])
    assert sorted(got) == [0, 1, 2]
    assert semaphore.acquire(blocking=False) is False
    semaphore.release(2)
    finish(*tasks)
    assert sorted(got) == [0, 1, 2, 3, 4]


@needs(FIFO_LOCKS)
def test_r03_a_notification_chooses_the_longest_waiters():
    condition, woken = Condition(), []

    def waiter(number):
        with condition:
            condition.wait()
            woken.append(number)

    tasks = parked_in_order(5, waiter)
    with condition:
        condition.notify(2)
    finish(*tasks[:2])
    assert sorted(woken) == [0, 1]
    with condition:
        condition.notify_all()
    finish(*tasks)
    assert sorted(woken) == [0, 1, 2, 3, 4]


@needs(FIFO_LOCKS)
def test_r03_a_full_pool_admits_in_order():
    pool, gate, admitted = Pool(1), Event(), []
    holder = pool.spawn(gate.wait)
    tasks = parked_in_order(5, lambda number: pool.spawn(admitted.append, number).join())
    gate.set()
    finish(holder, *tasks)
    assert admitted == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("make", LOCKS.values(), ids=LOCKS.keys())
def test_r03_a_lock_has_one_holder_and_serves_everybody(make):
    lock, inside, served = make(), [], []

    def holder(number):
        for _ in range(20):
            with lock:
                inside.append(current_task())
                checkpoint()
                assert inside == [current_task()]
                inside.pop()
        served.append(number)

    tasks = [spawn(holder, number) for number in range(8)]
    assert returned(*tasks) == [None] * 8
    assert sorted(served) == list(range(8))
