"""R04 Cancel."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from hubkit import (
    BoundedSemaphore,
    Cancelled,
    Event,
    Lock,
    Pool,
    Queue,
    RLock,
    Semaphore,
    TaskCancelled,
    checkpoint,
    current_hub,
    current_task,
    sleep,
    spawn,
    spawn_later,
)
from hubkit.contract import ORDERED_YIELD

from ..plugin import needs
from ..tools import LONG, PATIENCE, SHORT, finish, parked, settle, until
from ..verbs import BLOCKED, READY


@pytest.mark.parametrize("verb", BLOCKED)
def test_r04_a_cancel_ends_every_wait(verb):
    caught = []
    with ExitStack() as stack:
        call = BLOCKED[verb](stack)

        def waiter():
            try:
                call()
            except Cancelled as request:
                caught.append(request.source)
                raise

        task = spawn(waiter)
        parked(task)
        assert task.cancel() is True
        finish(task)
        assert caught == [task]
        assert task.cancelled()


@pytest.mark.parametrize("verb", READY)
def test_r04_a_latched_cancel_is_raised_by_a_verb_that_would_not_wait(verb):
    with ExitStack() as stack:
        call, untouched = READY[verb](stack)

        def waiter():
            current_task().cancel()
            with pytest.raises(Cancelled) as caught:
                call()
            return caught.value.source is current_task()

        assert spawn(waiter).result(PATIENCE) is True
        assert untouched(), f"{verb} raised at its entry and had an effect all the same"


@pytest.mark.parametrize(
    "verb", [checkpoint, lambda: sleep(0), lambda: sleep(LONG)], ids=["checkpoint", "sleep0", "sleep"]
)
def test_r04_a_latched_cancel_is_raised_by_a_yield(verb):
    def waiter():
        current_task().cancel()
        verb()

    task = spawn(waiter)
    finish(task)
    assert task.cancelled()


def test_r04_verbs_that_cannot_wait_do_not_raise_a_latched_cancel():
    def waiter():
        queue, lock, event, semaphore = Queue(), Lock(), Event(), Semaphore()
        current_task().cancel()
        queue.put_nowait(1)
        queue.put(2, block=False)
        got = queue.get_nowait(), queue.get(block=False)
        locked = [each.acquire(blocking=False) for each in (lock, RLock(), semaphore, BoundedSemaphore())]
        lock.release()
        semaphore.release()
        event.set()
        child = Pool(1).try_spawn(int)
        spawn(int)
        return got, locked, event.is_set(), child is not None

    assert spawn(waiter).result(PATIENCE) == ((1, 2), [True] * 4, True, True)


def test_r04_cancel_tells_whether_the_task_was_finished():
    ended, waiting = spawn(int), spawn(sleep, LONG)
    finish(ended)
    assert ended.cancel() is False
    assert waiting.cancel() is True
    finish(waiting)
    assert waiting.cancel() is False


def test_r04_a_cancel_does_not_change_a_task_that_has_ended():
    task = spawn(int)
    finish(task)
    task.cancel()
    assert task.result() == 0
    assert not task.cancelled()


def test_r04_a_cancel_is_delivered_once():
    caught = []

    def waiter():
        try:
            sleep(LONG)
        except Cancelled:
            caught.append("once")
        checkpoint()
        sleep(0)
        sleep(SHORT)
        Event().wait(SHORT)
        return "went on"

    task = spawn(waiter)
    parked(task)
    task.cancel()
    assert task.result(PATIENCE) == "went on"
    assert caught == ["once"]
    assert not task.cancelled()


def test_r04_asking_twice_before_the_delivery_is_one_request():
    caught = []

    def waiter():
        current_task().cancel()
        current_task().cancel()
        for _ in range(3):
            try:
                checkpoint()
            except Cancelled:
                caught.append("delivered")

    finish(spawn(waiter))
    assert caught == ["delivered"]


def test_r04_asking_again_after_the_delivery_is_another_request():
    caught = []

    def waiter():
        for _ in range(3):
            try:
                sleep(LONG)
            except Cancelled:
                caught.append("delivered")

    task = spawn(waiter)
    for count in range(1, 4):
        parked(task)
        assert task.cancel() is True
        until(lambda count=count: len(caught) == count)
    finish(task)
    assert caught == ["delivered"] * 3


@needs(ORDERED_YIELD)
def test_r04_a_task_cancelled_before_its_start_never_runs():
    seen = []
    task = spawn(seen.append, "ran")
    assert task.cancel() is True
    finish(task)
    assert seen == []
    assert task.cancelled()


def test_r04_a_task_cancelled_before_its_start_serves_who_waits_for_it():
    seen, told = [], Queue()
    task = spawn_later(LONG, seen.append, "ran")
    task.add_done_callback(told.put)
    joiner = spawn(task.join, PATIENCE)
    parked(joiner)
    task.cancel()
    assert told.get(timeout=PATIENCE) is task
    assert joiner.result(PATIENCE) is True
    assert seen == []
    with pytest.raises(TaskCancelled):
        task.result(PATIENCE)


def test_r04_what_was_handed_over_is_kept_and_the_cancel_is_latched():
    queue, got = Queue(), []

    def waiter():
        got.append(queue.get())
        try:
            checkpoint()
        except Cancelled:
            got.append("cancelled")

    task = spawn(waiter)
    parked(task)
    queue.put("item")
    if task.cancel():
        finish(task)
        assert got == ["item", "cancelled"]
    else:
        assert got == ["item"]  # it was faster


@needs(ORDERED_YIELD)
def test_r04_a_wake_up_that_comes_after_the_cancel_leaves_its_gift():
    queue = Queue()
    task = spawn(queue.get)
    parked(task)
    task.cancel()
    queue.put("item")
    finish(task)
    assert task.cancelled()
    assert queue.get_nowait() == "item"


def test_r04_cancelled_is_no_ordinary_exception():
    assert issubclass(Cancelled, BaseException)
    assert not issubclass(Cancelled, Exception)

    def waiter():
        try:
            sleep(LONG)
        except Exception:
            return "eaten"

    task = spawn(waiter)
    parked(task)
    task.cancel()
    finish(task)
    assert task.cancelled()


def test_r04_clean_up_may_wait():
    def waiter():
        try:
            sleep(LONG)
        finally:
            sleep(SHORT)
            cleaned.append(True)

    cleaned = []
    task = spawn(waiter)
    parked(task)
    task.cancel()
    finish(task)
    assert cleaned == [True]
    assert task.cancelled()


def test_r04_a_task_that_ends_by_an_error_of_its_own_was_not_cancelled():
    def waiter():
        try:
            sleep(LONG)
        except Cancelled:
            raise ValueError("of its own") from None

    task = spawn(waiter)
    parked(task)
    joiner = spawn(task.exception, PATIENCE)
    parked(joiner)
    task.cancel()
    assert isinstance(joiner.result(PATIENCE), ValueError)
    assert not task.cancelled()


def test_r04_a_request_that_was_never_delivered_ends_with_its_task():
    def self_cancelling():
        current_task().cancel()
        return "ended"

    for _ in range(5):
        assert spawn(self_cancelling).result(PATIENCE) == "ended"
        assert spawn(lambda: checkpoint() or "innocent").result(PATIENCE) == "innocent"


def test_r04_a_cancel_hits_only_its_own_task():
    event = Event()
    tasks = [spawn(event.wait, PATIENCE) for _ in range(3)]
    parked(*tasks)
    tasks[1].cancel()
    finish(tasks[1])
    settle(current_hub())
    assert [task.done() for task in tasks] == [False, True, False]
    event.set()
    assert tasks[0].result(PATIENCE) is tasks[2].result(PATIENCE) is True


def test_r04_the_main_task_can_be_cancelled_too():
    me = current_task()
    spawn(me.cancel)
    with pytest.raises(Cancelled) as caught:
        sleep(PATIENCE)
    assert caught.value.source is me
    checkpoint()


def test_r04_a_spinning_task_meets_its_cancel_at_a_yield():
    def spin():
        while True:
            checkpoint()

    task = spawn(spin)
    settle(current_hub())
    task.cancel()
    finish(task)
    assert task.cancelled()


def test_r04_a_cancel_from_a_callback_arrives():
    task = spawn(sleep, LONG)
    parked(task)
    current_hub().call_soon(task.cancel)
    finish(task)
    assert task.cancelled()


def test_r04_a_cancel_from_another_thread_arrives():
    tasks = [spawn(sleep, LONG) for _ in range(20)]
    parked(*tasks)
    thread = threading.Thread(target=lambda: [task.cancel() for task in tasks])
    thread.start()
    finish(*tasks)
    thread.join()
    assert all(task.cancelled() for task in tasks)


def test_r04_a_cancel_from_another_thread_reaches_a_task_that_runs():
    started, go_on = threading.Event(), threading.Event()

    def worker():
        started.set()
        go_on.wait(PATIENCE)  # blocks the thread: the cancel comes while the task runs
        checkpoint()

    def canceller():
        started.wait(PATIENCE)
        task.cancel()
        go_on.set()

    thread = threading.Thread(target=canceller)
    task = spawn(worker)
    thread.start()
    finish(task)
    thread.join()
    assert task.cancelled()
