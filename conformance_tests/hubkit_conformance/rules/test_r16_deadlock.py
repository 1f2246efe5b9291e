"""R16 Deadlock. In processes of their own: a test runner has threads that could wake somebody."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

import hubkit
from hubkit import Deadlock, Event, Lock, Pool, Queue, current_task, spawn
from hubkit.contract import DEADLOCK

from ..plugin import needs
from ..tools import LONG, PATIENCE


def nothing_can_wake_main():
    queue, lock, event = Queue(), Lock(), Event()

    def first():
        with lock:
            queue.get()

    def second():
        lock.acquire()

    def main():
        hubkit.spawn(first).name = "the first"
        hubkit.spawn(second).name = "the second"
        hubkit.checkpoint()
        try:
            event.wait()
        except Deadlock as error:
            print(error)
        hubkit.sleep(0.001)
        print("main goes on")
        try:
            event.wait()
        except Deadlock:
            print("and again")

    hubkit.run(main)


@needs(DEADLOCK)
def test_r16_a_main_task_that_nothing_can_wake_gets_deadlock_with_who_waits_for_what(child):
    output = child(nothing_can_wake_main).output
    assert "the first" in output
    assert "the second" in output
    assert "queue.get()" in output, "the stack of the first is missing"
    assert "lock.acquire()" in output, "the stack of the second is missing"
    assert output.splitlines()[-2:] == ["main goes on", "and again"]


def written_later_by_a_process():
    """A descriptor that another process writes to, so that nothing but the descriptor can wake us."""
    code = "import time; time.sleep(0.2); print('x')"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    processes.append(process)
    return process.stdout.fileno()


processes = []  # kept, or the descriptor would be closed


def a_task_still_has(what):
    event = Event()

    def by_timer():
        hubkit.sleep(0.2)
        event.set()

    def by_call_at():
        hubkit.current_hub().call_at(hubkit.now() + 0.2, event.set)

    def by_descriptor():
        hubkit.wait_readable(written_later_by_a_process())
        event.set()

    def by_job():
        hubkit.to_thread(threading.Event().wait, 0.2)
        event.set()

    def by_thread():
        threading.Thread(target=lambda: (threading.Event().wait(0.2), event.set())).start()

    def by_signal_handler():
        signal.signal(signal.SIGALRM, lambda *_: event.set())
        signal.setitimer(signal.ITIMER_REAL, 0.2)

    def main():
        spawned = {"timer": by_timer, "job": by_job, "descriptor": by_descriptor}
        called = {"call_at": by_call_at, "thread": by_thread, "signal handler": by_signal_handler}
        if what in spawned:
            hubkit.spawn(spawned[what])
        else:
            called[what]()
        print(event.wait())

    hubkit.run(main)


@needs(DEADLOCK)
@pytest.mark.parametrize("what", ["timer", "call_at", "descriptor", "job", "thread", "signal handler"])
def test_r16_it_is_no_deadlock_while_something_could_wake_main(child, what):
    assert child(a_task_still_has, what).output.splitlines() == ["True"]


def an_idle_thread_is_left():
    def main():
        hubkit.to_thread(int)  # leaves an idle thread of hubkit's own
        try:
            Event().wait()
        except Deadlock:
            print("Deadlock")

    hubkit.run(main)


@needs(DEADLOCK)
def test_r16_an_idle_thread_of_hubkits_own_is_no_hope(child):
    assert child(an_idle_thread_is_left).output.splitlines() == ["Deadlock"]


def main_sleeps_while_others_wait():
    def main():
        task = hubkit.spawn(Event().wait)
        hubkit.sleep(0.1)
        print(task.done())
        try:
            task.join()
        except Deadlock:
            print("Deadlock")

    hubkit.run(main)


@needs(DEADLOCK)
def test_r16_only_a_main_task_that_waits_for_ever_gets_it(child):
    assert child(main_sleeps_while_others_wait).output.splitlines() == ["False", "Deadlock"]


def test_r16_a_task_that_joins_itself_is_told_so():
    with pytest.raises(RuntimeError):
        current_task().join()
    for ask in ("join", "result", "exception"):
        task = spawn(lambda ask=ask: getattr(current_task(), ask)(PATIENCE))
        assert isinstance(task.exception(PATIENCE), RuntimeError)


def test_r16_a_task_that_joins_its_own_pool_is_told_so():
    pool = Pool(2)
    task = pool.spawn(lambda: pool.join(LONG))
    assert isinstance(task.exception(PATIENCE), RuntimeError)
    assert pool.join(PATIENCE) is True
