"""R05 Nothing lost, nothing doubled: an exception that the host throws meets what is handed over.

Some hosts throw at once, some in their next turn. So that the two meet on either there are two orders, and in
the second a task of the host's does both: the host is at work then, and the guest's turn comes after.
"""

from __future__ import annotations

import pytest

from hubkit import (
    Cancelled,
    Condition,
    Event,
    Lock,
    Queue,
    sleep,
    spawn,
)

from ..hosts import Sleep
from ..tools import LOCKS, LONG, PATIENCE, SHORT, finish, parked, parked_in_order, stop

OWNED = ("RLock", "Condition")  # nobody but its holder can release it, so no task of the host's
ORDERS = ("gift first", "kill first")
each_order = pytest.mark.parametrize("order", ORDERS)


def meet(host, order, task, give):
    """`give()` hands something to `task`, and the host throws into it, in one instant."""
    if order == "gift first":
        give()
        host.kill(task)
        return
    met = Event()

    def host_task():
        host.kill(task)
        give()
        met.set()
        yield Sleep(0)

    host.spawn(host_task())
    assert met.wait(PATIENCE) is True


@each_order
def test_r05_an_item_handed_to_a_killed_task_goes_back_to_the_head(host, order):
    queue = Queue()
    victim = spawn(queue.get)
    parked(victim)

    def give():
        queue.put(1)
        queue.put(2)

    meet(host, order, victim, give)
    finish(victim)
    left = [1, 2] if victim.cancelled() else [2]
    assert [queue.get(timeout=PATIENCE) for _ in left] == left
    assert queue.empty()


@each_order
def test_r05_an_item_handed_to_a_killed_task_reaches_the_next_getter(host, order):
    queue, got = Queue(), []
    tasks = parked_in_order(2, lambda number: got.append(queue.get()))
    meet(host, order, tasks[0], lambda: queue.put("item"))
    finish(tasks[0])
    if not got:
        finish(tasks[1])
    assert got == ["item"]
    stop(*tasks)


def test_r05_a_killed_waiter_does_not_swallow_a_later_wake_up(host):
    queue = Queue()
    tasks = parked_in_order(2, lambda number: queue.get())
    host.kill(tasks[0])
    finish(tasks[0])
    queue.put("item")
    assert tasks[1].result(PATIENCE) == "item"


@pytest.mark.parametrize(
    ("name", "order"),
    [(name, order) for name in LOCKS for order in ORDERS if order == "gift first" or name not in OWNED],
)
def test_r05_a_lock_handed_to_a_killed_task_goes_to_the_next(name, order, host):
    lock = LOCKS[name]()
    lock.acquire()

    def holder():
        with lock:
            pass

    tasks = parked_in_order(2, lambda number: holder())
    meet(host, order, tasks[0], lock.release)
    finish(*tasks)
    assert not tasks[1].cancelled()
    assert spawn(lock.acquire, blocking=False).result(PATIENCE) is True, f"{lock!r} is held by nobody"


@each_order
def test_r05_a_notification_of_a_killed_waiter_goes_to_the_next(host, order):
    condition, woken = Condition(Lock()), []

    def waiter(number):
        with condition:
            woken.append((number, condition.wait()))

    def notify():
        with condition:
            condition.notify()

    tasks = parked_in_order(2, waiter)
    meet(host, order, tasks[0], notify)
    finish(tasks[0])
    if not woken:
        finish(tasks[1])
    assert len(woken) == 1
    stop(*tasks)


def test_r05_a_kill_meets_a_cancel_and_the_hub_goes_on(host):
    for _ in range(10):
        task = spawn(sleep, LONG)
        parked(task)
        task.cancel()
        host.kill(task)
        finish(task)
        assert task.cancelled()
        assert spawn(lambda: sleep(0.001) or "fine").result(PATIENCE) == "fine"


@each_order
def test_r05_a_cancel_that_was_thrown_away_with_its_wait_is_still_delivered(host, order):
    caught = []

    def waiter():
        try:
            sleep(LONG)
        except BaseException as error:
            caught.append(type(error))
        try:
            sleep(SHORT)
        except Cancelled as error:
            caught.append(type(error))

    task = spawn(waiter)
    parked(task)
    meet(host, order, task, task.cancel)
    finish(task)
    assert Cancelled in caught
    assert caught.count(Cancelled) == 1
