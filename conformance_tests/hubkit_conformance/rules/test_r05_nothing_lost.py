"""R05 Nothing lost, nothing doubled: one meeting at a time. See test_r05_stress for all at once."""

from __future__ import annotations

import queue as standard

import pytest

from hubkit import (
    Channel,
    Condition,
    Event,
    Future,
    Queue,
    Semaphore,
    checkpoint,
    current_hub,
    move_on_after,
    now,
    sleep,
    spawn,
)

from ..tools import LOCKS, LONG, PATIENCE, SHORT, finish, parked, parked_in_order, settle, stop

each_lock = pytest.mark.parametrize("make", LOCKS.values(), ids=LOCKS.keys())


def assert_free(lock):
    assert spawn(lock.acquire, blocking=False).result(PATIENCE) is True, (
        f"{lock!r} is held by nobody, yet not free"
    )


@each_lock
def test_r05_a_lock_handed_to_a_cancelled_task_is_released_by_it(make):
    lock = make()
    lock.acquire()

    def holder():
        with lock:
            checkpoint()

    first, second = spawn(holder), spawn(holder)
    parked(first, second)
    lock.release()
    first.cancel()
    finish(first, second)
    assert not second.cancelled()
    assert_free(lock)


@each_lock
def test_r05_a_lock_released_after_a_cancel_goes_to_the_next(make):
    lock = make()
    lock.acquire()
    first, second = (spawn(lock.acquire) for _ in range(2))
    parked(first, second)
    first.cancel()
    finish(first)
    assert first.cancelled()
    lock.release()
    assert second.result(PATIENCE) is True


@each_lock
def test_r05_a_wait_for_a_lock_that_timed_out_leaves_no_trace(make):
    lock = make()
    lock.acquire()
    assert spawn(lock.acquire, timeout=SHORT).result(PATIENCE) is False
    lock.release()
    assert_free(lock)


@each_lock
def test_r05_the_last_of_all_waiters_gets_the_lock(make):
    lock = make()
    lock.acquire()
    tasks = parked_in_order(5, lambda number: lock.acquire())
    lock.release()
    for task in tasks[:4]:
        task.cancel()
    # Whoever the lock was handed to has ended with it or passed it on.
    finish(*tasks[:4])
    if not any(task.exception is None or not task.cancelled() for task in tasks[:4]):
        assert tasks[4].result(PATIENCE) is True
    else:
        settle(current_hub())
        assert not tasks[4].done()
        stop(tasks[4])


def test_r05_an_item_that_meets_a_cancel_stays_or_arrives():
    queue, got = Queue(), []
    tasks = parked_in_order(2, lambda number: got.append(queue.get()))
    tasks[0].cancel()
    queue.put("item")
    finish(*tasks)
    assert got == ["item"]
    assert queue.empty()


def test_r05_an_item_that_meets_a_timeout_stays_or_arrives():
    for delay in (0.001, 0.002, 0.003):
        queue, got = Queue(), []

        def getter(queue=queue, got=got):
            with move_on_after(0.002):
                got.append(queue.get())

        task = spawn(getter)
        sleep(delay)
        queue.put("item")
        finish(task)
        assert len(got) + queue.qsize() == 1


def test_r05_an_item_that_meets_an_expiry_in_one_instant_stays_or_arrives():
    queue, got, scopes = Queue(), [], []

    def getter():
        with move_on_after(LONG) as scope:
            scopes.append(scope)
            got.append(queue.get())

    for order in ("put first", "expiry first"):
        task = spawn(getter)
        parked(task)
        if order == "put first":
            queue.put("item")
        scopes.pop().reschedule(now())
        if order != "put first":
            queue.put("item")
        finish(task)
        assert len(got) + queue.qsize() == 1, order
        got.clear()
        queue = Queue()


def test_r05_a_get_that_timed_out_leaves_no_trace():
    queue = Queue()
    with pytest.raises(standard.Empty):
        queue.get(timeout=SHORT)
    task = spawn(queue.get)
    parked(task)
    queue.put("item")
    assert task.result(PATIENCE) == "item"


def test_r05_a_put_that_was_cancelled_has_not_put():
    queue = Queue(1)
    queue.put("first")
    task = spawn(queue.put, "cancelled")
    parked(task)
    task.cancel()
    finish(task)
    assert queue.get_nowait() == "first"
    settle(current_hub())
    assert queue.empty()
    queue.put("room", timeout=PATIENCE)


def test_r05_a_put_that_timed_out_has_not_put_and_leaves_no_trace():
    queue = Queue(1)
    queue.put("first")
    with pytest.raises(standard.Full):
        queue.put("late", timeout=SHORT)
    task = spawn(queue.put, "second")
    parked(task)
    assert [queue.get(timeout=PATIENCE) for _ in range(2)] == ["first", "second"]
    finish(task)
    assert queue.empty()


def test_r05_a_channels_put_that_was_cancelled_has_not_put():
    channel, got = Channel(), []
    putter = spawn(channel.put, "cancelled")
    parked(putter)
    putter.cancel()
    getter = spawn(lambda: got.append(channel.get()))
    finish(putter)
    parked(getter)
    assert putter.cancelled()
    channel.put("kept", timeout=PATIENCE)
    finish(getter)
    assert got == ["kept"]


def test_r05_a_channels_get_that_was_cancelled_takes_nothing():
    channel = Channel()
    getter = spawn(channel.get)
    parked(getter)
    getter.cancel()
    with pytest.raises(standard.Full):
        channel.put("item", timeout=SHORT)
    finish(getter)
    putter = spawn(channel.put, "item")
    assert channel.get(timeout=PATIENCE) == "item"
    finish(putter)


def test_r05_a_permit_that_meets_a_cancel_is_there_for_the_next():
    semaphore = Semaphore(0)
    tasks = parked_in_order(2, lambda number: semaphore.acquire())
    tasks[0].cancel()
    semaphore.release()
    finish(tasks[0])
    if tasks[0].cancelled():
        assert tasks[1].result(PATIENCE) is True
    stop(tasks[1])
    assert semaphore.acquire(blocking=False) is False


def test_r05_a_notification_that_meets_a_cancel_goes_to_the_next():
    for order in ("notify first", "cancel first"):
        condition, woken = Condition(), []

        def waiter(number, condition=condition, woken=woken):
            with condition:
                woken.append((number, condition.wait()))

        tasks = parked_in_order(2, waiter)
        with condition:
            if order == "notify first":
                condition.notify()
                tasks[0].cancel()
            else:
                tasks[0].cancel()
                condition.notify()
        finish(tasks[0])
        if tasks[0].cancelled() and not woken:
            finish(tasks[1])
        assert len(woken) == 1, order
        stop(*tasks)


def test_r05_a_notification_is_not_spent_on_who_has_timed_out():
    condition = Condition()

    def waiter(timeout):
        with condition:
            return condition.wait(timeout)

    assert spawn(waiter, SHORT).result(PATIENCE) is False
    task = spawn(waiter, PATIENCE)
    parked(task)
    with condition:
        condition.notify()
    assert task.result(PATIENCE) is True


def test_r05_an_event_set_and_cleared_at_once_has_woken_its_waiters():
    event = Event()
    tasks = parked_in_order(3, lambda number: event.wait(PATIENCE))
    event.set()
    event.clear()
    assert [task.result(PATIENCE) for task in tasks] == [True] * 3


def test_r05_a_future_wakes_everybody_but_the_cancelled():
    future = Future()
    tasks = parked_in_order(4, lambda number: future.result())
    tasks[1].cancel()
    future.set_result("x")
    finish(*tasks)
    assert [None if task.cancelled() else task.result() for task in tasks] == ["x", None, "x", "x"]
