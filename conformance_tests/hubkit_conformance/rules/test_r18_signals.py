"""R18 Signals."""

from __future__ import annotations

import signal
import threading
import time

import pytest

import hubkit
from hubkit import Event, Queue, current_hub, now, sleep, spawn
from hubkit.contract import VIRTUAL_TIME

from ..plugin import lacks
from ..tools import LONG, PATIENCE, SHORT, parked

SOON = PATIENCE / 2


@pytest.fixture
def on_alarm():
    """Has a handler called by SIGALRM, once, after some seconds."""

    def arm(handler, seconds=SHORT):
        signal.signal(signal.SIGALRM, lambda *_: handler())
        signal.setitimer(signal.ITIMER_REAL, seconds)

    before = signal.getsignal(signal.SIGALRM)
    yield arm
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_r18_a_handler_runs_while_main_waits_without_a_time_limit(on_alarm):
    event, called = Event(), []

    def handler():
        called.append(now())
        event.set()

    started = now()
    on_alarm(handler)
    event.wait()
    assert now() - called[0] < SOON
    assert called[0] - started < SOON


@lacks(VIRTUAL_TIME)
def test_r18_a_handler_runs_while_main_sleeps(on_alarm):
    called = []
    on_alarm(lambda: called.append(now()))
    started = now()
    sleep(10 * SHORT)
    assert called
    assert called[0] - started < 9 * SHORT + SOON
    assert now() - started >= 10 * SHORT - 0.002, "the signal ended the sleep"


def test_r18_what_a_handler_fires_for_another_task_is_noticed_at_once(on_alarm):
    queue = Queue()
    task = spawn(queue.get)
    parked(task)
    on_alarm(lambda: queue.put(now()))
    # With a time limit, or a hub that looks again each second is in time; but not where the clock leaps.
    given = task.result(None if current_hub().supports(VIRTUAL_TIME) else LONG)
    assert now() - given < SOON


def test_r18_a_handler_may_spawn_while_the_hub_waits(on_alarm):
    queue = Queue()
    on_alarm(lambda: spawn(queue.put, "from a task"))
    assert queue.get() == "from a task"


@lacks(VIRTUAL_TIME)
def test_r18_an_error_of_a_handler_is_raised_in_the_main_task(on_alarm):
    class FromHandler(Exception):
        pass

    def handler():
        raise FromHandler

    bystander = spawn(sleep, LONG)
    parked(bystander)
    on_alarm(handler)
    with pytest.raises(FromHandler):
        sleep(PATIENCE)
    assert not bystander.done()
    sleep(0.001)
    assert spawn(lambda: sleep(0.001) or "fine").result(PATIENCE) == "fine"
    bystander.cancel()


def waits_for_ctrl_c(how):
    def bystander():
        try:
            hubkit.sleep(LONG)
        except KeyboardInterrupt:
            print("a bystander got it")

    def ticker():
        try:
            while not main_waits:
                hubkit.sleep(0.002)
            hubkit.sleep(0.002)
            Event().wait()  # the last to come to rest: whoever rests last may poll
        except KeyboardInterrupt:
            print("the ticker got it")

    # A handler keeps the hub from seeing a deadlock where nothing else could wake main.
    signal.signal(signal.SIGUSR2, lambda *_: None)
    main_waits = []
    for _ in range(3):
        hubkit.spawn(bystander)
    if not hubkit.current_hub().supports(VIRTUAL_TIME):  # there it would make an hour pass
        hubkit.spawn(ticker)
        hubkit.sleep(0.01)
    hubkit.checkpoint()
    main_waits.append(True)
    try:
        print("ready", flush=True)
        {
            "Event.wait": Event().wait,
            "sleep": lambda: hubkit.sleep(LONG),
            "Task.join": hubkit.spawn(Event().wait).join,
            "to_thread": lambda: hubkit.to_thread(threading.Event().wait, LONG),
        }[how]()
    except KeyboardInterrupt:
        print("main got it")
    hubkit.sleep(0.001)
    print("main goes on")
    for task in hubkit.all_tasks():
        task.cancel()


def a_program_waits_for_ctrl_c(how):
    hubkit.run(waits_for_ctrl_c, how)


@pytest.mark.parametrize(
    "how", ["Event.wait", pytest.param("sleep", marks=lacks(VIRTUAL_TIME)), "Task.join", "to_thread"]
)
def test_r18_ctrl_c_reaches_the_main_task_and_no_other(child, how):
    _main_gets_ctrl_c(child.start(a_program_waits_for_ctrl_c, how))


def test_r18_ctrl_c_reaches_the_main_task_without_run(child):
    _main_gets_ctrl_c(child.start(waits_for_ctrl_c, "Event.wait"))


def _main_gets_ctrl_c(process):
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(SHORT)  # most likely it waits now; Ctrl-C just before is as good
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert output.splitlines() == ["main got it", "main goes on"], errors
    assert process.returncode == 0, errors


def a_put_meets_ctrl_c():
    class Item:
        def __init__(self, number):
            self.number = number

        def __lt__(self, other):  # called in the middle of a put
            if not met:
                met.append(True)
                # Main may be about to block, if this is another thread: just before it does it hears nothing.
                time.sleep(4 * SHORT)
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            return self.number < other.number

    def bystander():
        for number in (3, 1, 2):
            queue.put(Item(number))
        return [queue.get_nowait().number for _ in range(3)]

    def main():
        task = hubkit.spawn(bystander)
        try:
            Event().wait()
        except KeyboardInterrupt:
            print("main got it")
        print(task.result())

    met, queue = [], hubkit.PriorityQueue()
    signal.signal(signal.SIGUSR2, lambda *_: None)  # no deadlock, as above
    hubkit.run(main)


def test_r18_ctrl_c_leaves_a_verb_that_it_meets_whole(child):
    assert child(a_put_meets_ctrl_c).output.splitlines() == ["main got it", "[1, 2, 3]"]


def main_waits_and_lets_ctrl_c_through():
    def main():
        hubkit.spawn(hubkit.sleep, LONG)
        print("ready", flush=True)
        Event().wait()  # a sleep would be over at once where the clock leaps

    signal.signal(signal.SIGUSR2, lambda *_: None)  # so that no hub sees a deadlock, as above
    hubkit.run(main)


def test_r18_ctrl_c_ends_a_program_that_does_not_handle_it(child):
    process = child.start(main_waits_and_lets_ctrl_c_through)
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(SHORT)  # most likely it waits now; Ctrl-C just before is as good
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGINT, errors
    assert "KeyboardInterrupt" in errors
