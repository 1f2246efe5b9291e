"""R11 Condition."""

from __future__ import annotations

import pytest

from hubkit import (
    Cancelled,
    Condition,
    Lock,
    RLock,
    checkpoint,
    current_hub,
    move_on_after,
    sleep,
    spawn,
)

from ..tools import LONG, PATIENCE, SHORT, finish, parked, parked_in_order, settle, stop


def free(lock):
    """Whether another task could take it now."""

    def attempt():
        taken = lock.acquire(blocking=False)
        if taken:
            lock.release()
        return taken

    return spawn(attempt).result(PATIENCE)


def test_r11_wait_releases_the_lock_meanwhile_and_holds_it_afterwards():
    condition, held = Condition(), []

    def waiter():
        with condition:
            condition.wait()
            held.append(not free(condition))

    task = spawn(waiter)
    parked(task)
    assert free(condition)
    with condition:
        condition.notify()
    finish(task)
    assert held == [True]
    assert free(condition)


def test_r11_wait_holds_the_lock_after_its_time_is_over():
    condition = Condition()
    with condition:
        assert condition.wait(SHORT) is False
        assert not free(condition)
    assert free(condition)


@pytest.mark.parametrize("way", ["cancel", "timeout"])
def test_r11_wait_holds_the_lock_when_it_is_interrupted(way):
    condition, held = Condition(), []

    def waiter():
        with move_on_after(SHORT if way == "timeout" else LONG):
            with condition:
                try:
                    condition.wait()
                except Cancelled:
                    held.append(True)
                    condition.notify_all()  # a RuntimeError without the lock
                    raise

    task = spawn(waiter)
    parked(task)
    if way == "cancel":
        task.cancel()
    finish(task)
    assert held == [True]
    assert task.cancelled() is (way == "cancel")
    assert way == "cancel" or task.exception() is None, "it raised without the lock"
    assert free(condition)


def test_r11_an_interrupted_wait_gets_the_lock_although_it_is_taken():
    condition, trace = Condition(), []

    def waiter():
        with condition:
            try:
                condition.wait()
            finally:
                trace.append("has it")

    task = spawn(waiter)
    parked(task)
    condition.acquire()
    task.cancel()
    settle(current_hub())
    assert not task.done(), "it raised without the lock"
    task.cancel()  # a second cancel does not stop it from getting the lock either
    settle(current_hub())
    assert not task.done(), "it raised without the lock"
    trace.append("released")
    condition.release()
    finish(task)
    assert trace == ["released", "has it"]
    assert task.cancelled()
    assert free(condition)


def test_r11_wait_holds_the_lock_when_the_host_throws(host):
    condition, held = Condition(), []

    def waiter():
        with condition:
            try:
                condition.wait()
            except BaseException:
                held.append(True)
                condition.notify_all()  # a RuntimeError without the lock
                raise

    task = spawn(waiter)
    parked(task)
    host.kill(task)
    finish(task)
    assert held == [True]
    assert task.cancelled()
    assert free(condition)


def test_r11_the_notification_of_an_interrupted_waiter_goes_to_the_next():
    condition, woken = Condition(), []

    def waiter(number):
        with condition:
            condition.wait()
            woken.append(number)
            checkpoint()

    tasks = parked_in_order(3, waiter)
    with condition:
        condition.notify()
        tasks[0].cancel()
    # The first either woke and met its cancel at the checkpoint, or passed the notification on.
    finish(tasks[0])
    if not woken:
        finish(tasks[1])
    settle(current_hub())
    assert len(woken) == 1
    stop(*tasks)


def test_r11_the_notification_of_a_waiter_killed_while_it_acquires_goes_to_the_next(host):
    condition, woken = Condition(), []

    def waiter(number):
        with condition:
            condition.wait()
            woken.append(number)

    tasks = parked_in_order(2, waiter)
    condition.acquire()
    condition.notify()
    settle(current_hub())  # now the first waits for the lock
    host.kill(tasks[0])
    settle(current_hub())
    condition.release()
    finish(tasks[0])
    if tasks[0].cancelled():
        finish(tasks[1])
    assert len(woken) == 1
    stop(*tasks)
    assert free(condition)


def test_r11_a_notification_is_not_remembered():
    condition = Condition()
    with condition:
        condition.notify()
        condition.notify_all()
        assert condition.wait(SHORT) is False


def test_r11_notify_wakes_as_many_as_asked():
    condition, woken = Condition(), []

    def waiter(number):
        with condition:
            condition.wait()
            woken.append(number)

    tasks = parked_in_order(5, waiter)
    with condition:
        condition.notify(2)
    settle(current_hub())
    assert len(woken) == 2
    with condition:
        condition.notify_all()
    finish(*tasks)
    assert sorted(woken) == [0, 1, 2, 3, 4]


def test_r11_wait_and_notify_need_the_lock():
    condition = Condition()
    for call in (condition.wait, condition.notify, condition.notify_all):
        with pytest.raises(RuntimeError):
            call()


def test_r11_a_lock_held_several_times_is_released_whole():
    lock = RLock()
    condition = Condition(lock)

    def waiter():
        with condition, condition, condition:
            condition.wait()
            lock.release()
            lock.release()
            still = not free(lock)
            lock.acquire()
            lock.acquire()
        return still

    task = spawn(waiter)
    parked(task)
    assert free(lock)
    with condition:
        condition.notify()
    assert task.result(PATIENCE) is True
    assert free(lock)


def test_r11_conditions_may_share_a_lock():
    lock = Lock()
    first, second = Condition(lock), Condition(lock)

    def waiter(condition):
        with condition:
            return condition.wait(PATIENCE)

    tasks = [spawn(waiter, condition) for condition in (first, second)]
    parked(*tasks)
    with lock:
        second.notify()
    assert tasks[1].result(PATIENCE) is True
    assert not tasks[0].done()
    with lock:
        first.notify()
    assert tasks[0].result(PATIENCE) is True


def test_r11_wait_for_looks_again_after_each_notification():
    condition, looks, value = Condition(), [], []

    def predicate():
        looks.append("look")
        return value

    def waiter():
        with condition:
            return condition.wait_for(predicate, PATIENCE)

    task = spawn(waiter)
    parked(task)
    with condition:
        condition.notify()
    sleep(SHORT)
    assert not task.done()
    with condition:
        value.append("there")
        condition.notify()
    assert task.result(PATIENCE) == ["there"]
    assert len(looks) == 3
