"""R05 Nothing lost, nothing doubled: wake-ups alone. See test_r05_nothing_lost for what they bring."""

from __future__ import annotations

from hubkit import Event, Future, Queue, Semaphore, current_hub, sleep, spawn

from ..tools import LONG, PATIENCE, SHORT, finish, parked, parked_in_order, returned, settle, stop


def test_r05_each_of_many_wake_ups_arrives():
    events, futures, queues = ([make() for _ in range(10)] for make in (Event, Future, Queue))
    semaphore, shared = Semaphore(0), Event()
    tasks = [
        *parked_in_order(10, lambda number: events[number].wait()),
        *parked_in_order(10, lambda number: futures[number].result()),
        *parked_in_order(10, lambda number: queues[number].get()),
        *parked_in_order(10, lambda number: semaphore.acquire()),
        *parked_in_order(10, lambda number: shared.wait()),
    ]
    for event, future, queue in zip(events, futures, queues, strict=True):
        event.set()
        future.set_result(True)
        queue.put(True)
        semaphore.release()
    shared.set()
    assert returned(*tasks) == [True] * 50
    assert semaphore.acquire(blocking=False) is False


def test_r05_who_is_not_woken_goes_on_waiting():
    woken, others = Event(), [Event() for _ in range(6)]

    def waiter(number):
        woken.wait()
        others[number].wait()

    tasks = [*parked_in_order(3, waiter), *parked_in_order(3, lambda number: others[3 + number].wait())]
    woken.set()
    settle(current_hub())
    parked(*tasks)
    sleep(SHORT)
    assert [task.done() for task in tasks] == [False] * 6, "nobody had woken it"
    for event in others:
        event.set()
    finish(*tasks)


def test_r05_a_time_limit_that_was_not_needed_does_not_end_the_next_wait():
    first, second = Event(), Event()

    def waiter():
        in_time = first.wait(2 * SHORT)
        sleep(0.001)
        return in_time, second.wait()

    task = spawn(waiter)
    parked(task)
    first.set()
    until_later = spawn(sleep, LONG)  # and waits that have a time limit of their own go on, too
    sleep(3 * SHORT)
    if task.done():
        assert task.result() == (False, True), "the time limit of the first wait has ended the second"
    second.set()
    assert task.result(PATIENCE)[1] is True
    assert not until_later.done()
    stop(until_later)
