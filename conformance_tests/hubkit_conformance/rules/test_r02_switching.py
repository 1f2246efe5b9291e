"""R02 Switching."""

from __future__ import annotations

import queue as standard_queue
import socket as standard_socket
import threading
import time
from contextlib import ExitStack

import pytest

import hubkit
from hubkit import (
    Condition,
    Event,
    Future,
    Lock,
    Queue,
    Semaphore,
    TaskGroup,
    checkpoint,
    current_hub,
    current_task,
    move_on_after,
    now,
    shield,
    sleep,
    spawn,
    spawn_later,
    timeout,
    to_thread,
    wait_readable,
)
from hubkit.contract import ORDERED_YIELD, PATCH, VIRTUAL_TIME
from hubkit.errors import NotSupported, WrongContext

from ..plugin import lacks, needs
from ..tools import LONG, PATIENCE, SHORT, finish, not_before, stop, until
from ..verbs import BLOCKED, READY, plain_pair


@needs(ORDERED_YIELD)
@pytest.mark.parametrize("verb", READY)
def test_r02_a_verb_that_need_not_wait_does_not_switch(verb):
    with ExitStack() as stack:
        call, _ = READY[verb](stack)
        other = []
        task = spawn(other.append, "ran")
        call()
        assert other == [], f"{verb} let another task run"
        finish(task)


@needs(ORDERED_YIELD)
def test_r02_verbs_that_only_give_do_not_switch():
    queue, event, semaphore, condition, future = Queue(), Event(), Semaphore(), Condition(), Future()
    waiters = [spawn(queue.get), spawn(event.wait), spawn(future.result)]
    checkpoint()
    other = []
    waiters.append(spawn(other.append, "ran"))
    queue.put(1)
    event.set()
    future.set_result(1)
    semaphore.release()
    with condition:
        condition.notify_all()
    with Lock(), timeout(1), move_on_after(1), shield():
        pass
    queue.qsize()
    current_task().cancel  # noqa: B018 (looking it up is what must not switch)
    current_hub().call_soon(int)
    waiters.append(spawn(int))
    waiters[0].cancel()
    assert other == []
    finish(*waiters)


@needs(ORDERED_YIELD)
@pytest.mark.parametrize(
    "switch", [checkpoint, lambda: sleep(0), lambda: sleep(-1)], ids=["checkpoint", "sleep0", "negative"]
)
def test_r02_a_yield_lets_every_other_ready_task_run_once(switch):
    turns = [0] * 20

    def turner(number):
        while True:
            turns[number] += 1
            checkpoint()

    tasks = [spawn(turner, number) for number in range(20)]
    for expected in range(1, 50):
        switch()
        assert turns == [expected] * 20
    stop(*tasks)


@needs(ORDERED_YIELD)
def test_r02_tasks_that_yield_take_turns_in_order():
    trace = []

    def turner(name):
        for _ in range(4):
            trace.append(name)
            checkpoint()

    finish(*[spawn(turner, name) for name in "abc"])
    assert "".join(trace) == "abc" * 4


@needs(ORDERED_YIELD)
def test_r02_a_task_woken_before_a_yield_runs_before_the_yielder():
    event, trace = Event(), []

    def waiter():
        event.wait()
        trace.append("woken")

    task = spawn(waiter)
    checkpoint()
    event.set()
    checkpoint()
    trace.append("yielder")
    assert trace == ["woken", "yielder"]
    finish(task)


def test_r02_a_yield_gives_others_a_turn_in_the_end():
    seen = []
    task = spawn(seen.append, "ran")
    until(lambda: seen)
    finish(task)


def test_r02_sleep_is_not_over_early():
    for seconds in (0.001, 0.005, SHORT):
        with not_before(seconds):
            sleep(seconds)


def test_r02_sleep_refuses_what_is_no_number():
    with pytest.raises(TypeError):
        sleep(None)
    with pytest.raises(TypeError):
        sleep("1")
    with pytest.raises(ValueError):
        sleep(float("nan"))


@needs(ORDERED_YIELD)
def test_r02_timers_fire_by_time_and_equal_times_in_order():
    trace = Queue()
    start = now() + SHORT
    hub = current_hub()
    hub.call_at(start + 0.005, lambda: trace.put("late"))
    for number in range(10):
        hub.call_at(start, lambda number=number: trace.put(number))
    hub.call_at(start - 0.005, lambda: trace.put("early"))
    assert [trace.get(timeout=PATIENCE) for _ in range(12)] == ["early", *range(10), "late"]


def test_r02_a_timer_that_was_cancelled_does_not_fire():
    fired = []
    handle = current_hub().call_at(now() + SHORT, lambda: fired.append("cancelled"))
    current_hub().call_at(now() + 2 * SHORT, lambda: fired.append("kept"))
    handle.cancel()
    handle.cancel()
    until(lambda: fired)
    assert fired == ["kept"]
    handle.cancel()


def test_r02_a_timer_cancelled_by_another_of_the_same_time_does_not_fire():
    fired = []
    hub, when = current_hub(), now() + SHORT
    hub.call_at(when, lambda: handle.cancel())
    handle = hub.call_at(when, lambda: fired.append("cancelled"))
    hub.call_at(when, lambda: fired.append("kept"))
    until(lambda: fired)
    assert fired == ["kept"]


def test_r02_every_timer_fires_once():
    fired, hub = [], current_hub()
    start = now()
    for number in range(20):
        hub.call_at(start + 0.001 * number, lambda number=number: fired.append(number))
    sleepers = [spawn(sleep, 0.001 * number) for number in range(20)]
    until(lambda: len(fired) >= 20, "every timer firing")
    finish(*sleepers)
    sleep(SHORT)
    assert sorted(fired) == list(range(20))


@lacks(VIRTUAL_TIME)
@pytest.mark.parametrize("seconds", [1e9, 1e12, 1e300], ids=["decades", "millennia", "eternity"])
def test_r02_a_time_that_nobody_lives_to_see_is_no_error(seconds):
    called = []
    sleeper, waiter = spawn(sleep, seconds), spawn(Event().wait, seconds)
    handle = current_hub().call_at(now() + seconds, lambda: called.append("called"))
    sleep(SHORT)
    assert not sleeper.done()
    assert not waiter.done()
    assert not called
    handle.cancel()
    with move_on_after(seconds):
        sleep(SHORT)
    stop(sleeper, waiter)


def test_r02_a_timer_does_not_fire_early():
    fired = Queue()
    when = now() + SHORT
    current_hub().call_at(when, lambda: fired.put(now()))
    assert fired.get(timeout=PATIENCE) >= when


def took(seconds):
    """How long `sleep(seconds)` really takes."""
    start = time.monotonic()
    sleep(seconds)
    return time.monotonic() - start


@lacks(VIRTUAL_TIME)
def test_r02_timers_are_not_late():
    # The machine may be busy now and then, but not each time.
    assert min(took(SHORT) for _ in range(8)) < 5 * SHORT
    busy = spawn(lambda: [sleep(0.001) for _ in range(100)])
    assert min(took(SHORT) for _ in range(8)) < 5 * SHORT
    finish(busy)


@needs(VIRTUAL_TIME)
def test_r02_virtual_time_passes_when_every_task_waits():
    assert took(LONG) < PATIENCE


def spin(until_set):
    while not until_set.is_set():
        checkpoint()


def test_r02_tasks_that_spin_do_not_hold_up_timers_and_threads():
    over = Event()
    spinners = [spawn(spin, over) for _ in range(5)]
    sleep(SHORT)
    assert spawn_later(SHORT, int).result(PATIENCE) == 0
    assert to_thread(int) == 0
    over.set()
    finish(*spinners)


def test_r02_tasks_that_spin_do_not_hold_up_descriptors():
    over = Event()
    with ExitStack() as stack:
        ours, theirs = plain_pair(stack)
        spinners = [spawn(spin, over) for _ in range(5)]
        reader = spawn(wait_readable, ours.fileno(), PATIENCE)
        sleep(SHORT)
        theirs.send(b"x")
        finish(reader)
        assert reader.exception() is None
        over.set()
        finish(*spinners)


#: These wait for a task of their own first, or for nothing that they could find in hub context.
NOT_FROM_CALLBACKS = {"TaskGroup.__exit__", "Condition.wait", "Condition.wait_for"}


@pytest.mark.parametrize("verb", [verb for verb in BLOCKED if verb not in NOT_FROM_CALLBACKS])
def test_r02_a_verb_that_must_wait_is_refused_in_hub_context(verb):
    caught = Queue()
    with ExitStack() as stack:
        call = BLOCKED[verb](stack)

        def callback():
            try:
                call()
            except BaseException as error:
                caught.put(error)
            else:
                caught.put("it returned")

        current_hub().call_soon(callback)
        assert isinstance(caught.get(timeout=PATIENCE), WrongContext)


@pytest.mark.parametrize("verb", READY)
def test_r02_a_verb_that_need_not_wait_works_in_hub_context(verb):
    caught = Queue()
    with ExitStack() as stack:
        call, _ = READY[verb](stack)

        def callback():
            try:
                call()
            except BaseException as error:
                caught.put(error)
            else:
                caught.put(None)

        current_hub().call_soon(callback)
        assert caught.get(timeout=PATIENCE) is None


def test_r02_a_group_cannot_be_entered_in_hub_context():
    caught = Queue()

    def callback():
        try:
            with TaskGroup():
                caught.put("entered")
        except WrongContext as error:
            caught.put(error)

    current_hub().call_soon(callback)
    assert isinstance(caught.get(timeout=PATIENCE), WrongContext)


def the_standard_library_is_patched():
    assert hubkit.patch(), "it must say what it has done"
    ours, theirs = standard_socket.socketpair()
    lock, event, queue = threading.Lock(), threading.Event(), standard_queue.Queue()
    lock.acquire()
    waits = {
        "time.sleep": (lambda: time.sleep(0.2), int),
        "socket.recv": (lambda: ours.recv(1), lambda: theirs.send(b"x")),
        "Lock.acquire": (lock.acquire, lock.release),
        "Event.wait": (event.wait, event.set),
        "Queue.get": (queue.get, lambda: queue.put(1)),
    }

    def main():
        for name, (wait, wake) in waits.items():
            task = hubkit.spawn(wait)
            hubkit.sleep(0.02)
            print(name, "waits" if not task.done() else "does not wait")
            wake()
            task.result(PATIENCE)

    hubkit.run(main)


@needs(PATCH)
def test_r02_a_patched_standard_library_lets_others_run_while_it_waits(child):
    lines = child(the_standard_library_is_patched).output.splitlines()
    assert lines == [
        "time.sleep waits",
        "socket.recv waits",
        "Lock.acquire waits",
        "Event.wait waits",
        "Queue.get waits",
    ]


@lacks(PATCH)
def test_r02_a_hub_that_cannot_patch_says_so():
    with pytest.raises(NotSupported):
        hubkit.patch()
