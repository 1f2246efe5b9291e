"""R20 The end."""

from __future__ import annotations

import threading

import pytest

import hubkit
from hubkit.contract import RESTARTABLE
from hubkit.errors import NotSupported

from ..plugin import lacks, needs
from ..tools import LONG, PATIENCE


def run_returns_and_raises(what):
    def main():
        hubkit.sleep(0.001)
        if what == "error":
            raise KeyError("of main")
        return "value"

    try:
        print("returned", hubkit.run(main))
    except KeyError as error:
        print("raised", error)


@pytest.mark.parametrize(("what", "line"), [("value", "returned value"), ("error", "raised 'of main'")])
def test_r20_run_returns_the_value_or_raises_the_error(child, what, line):
    assert child(run_returns_and_raises, what).output.splitlines() == [line]


def run_passes_arguments():
    print(hubkit.run(lambda *args: args, 1, 2))


def test_r20_run_passes_arguments(child):
    assert child(run_passes_arguments).output.splitlines() == ["(1, 2)"]


def tasks_are_left():
    def cleaning():
        try:
            hubkit.sleep(LONG)
        finally:
            hubkit.sleep(0.01)
            print("cleaned up\n", end="", flush=True)  # one write: threads do not mix within it

    def main():
        for _ in range(3):
            hubkit.spawn(cleaning)
        hubkit.sleep(0.01)
        hubkit.spawn_later(LONG, print, "never")
        print("main ends")

    hubkit.run(main)
    print("after run")


def test_r20_run_cancels_and_joins_what_is_left(child):
    output = child(tasks_are_left).output.splitlines()
    assert output == ["main ends", *["cleaned up"] * 3, "after run"]


def a_task_will_not_end():
    def stubborn():
        while True:
            try:
                hubkit.sleep(LONG)
            except BaseException:
                pass

    def main():
        hubkit.spawn(stubborn)
        hubkit.sleep(0.01)

    hubkit.run(main, grace=0.1)
    print("after run")


def test_r20_run_drops_a_task_that_will_not_end(child):
    assert child(a_task_will_not_end).output.splitlines() == ["after run"]


def the_interpreter_exits(with_error):
    def cleaning():
        try:
            hubkit.sleep(LONG)
        finally:
            print("cleaned up\n", end="", flush=True)

    for _ in range(3):
        hubkit.spawn(cleaning)
    hubkit.sleep(0.05)
    print("end of the program", flush=True)
    if with_error:
        raise SystemExit(3)


@pytest.mark.parametrize("with_error", [False, True], ids=["normally", "by SystemExit"])
def test_r20_tasks_are_ended_when_the_interpreter_exits(child, with_error):
    finished = child(the_interpreter_exits, with_error, status=3 if with_error else 0)
    assert finished.output.splitlines() == ["end of the program", *["cleaned up"] * 3]


def the_interpreter_exits_with_threads_in_use():
    gate = threading.Event()
    hubkit.spawn(hubkit.to_thread, gate.wait, LONG)
    hubkit.spawn(hubkit.Event().wait)
    hubkit.spawn(hubkit.Lock().acquire)
    hubkit.sleep(0.05)
    print("end of the program", flush=True)


def test_r20_no_task_keeps_the_process_alive(child):
    assert child(the_interpreter_exits_with_threads_in_use).output.splitlines() == ["end of the program"]


def run_inside_a_task():
    def main():
        for where in (lambda fn: fn(), lambda fn: hubkit.spawn(fn).result()):
            try:
                where(lambda: hubkit.run(int))
            except RuntimeError:
                print("refused")
        hubkit.sleep(0.001)

    hubkit.run(main)


def test_r20_run_inside_a_task_is_refused(child):
    assert child(run_inside_a_task).output.splitlines() == ["refused", "refused"]


def run_again_and_again():
    def main(number):
        event = hubkit.Event()
        hubkit.spawn_later(0.001, event.set)
        return number, event.wait(PATIENCE), [task for task in hubkit.all_tasks() if not task.done()]

    for number in range(5):
        _, woken, tasks = hubkit.run(main, number)
        assert woken is True
        assert len(tasks) <= 1, f"of an earlier run: {tasks}"
    print("fine")


@needs(RESTARTABLE)
def test_r20_run_may_be_called_again(child):
    assert child(run_again_and_again).output.splitlines() == ["fine"]


def run_twice():
    hubkit.run(int)
    try:
        hubkit.run(int)
    except NotSupported:
        print("NotSupported")


@lacks(RESTARTABLE)
def test_r20_a_second_run_says_that_it_is_not_supported(child):
    assert child(run_twice).output.splitlines() == ["NotSupported"]


def run_in_a_thread():
    def main():
        tasks = [hubkit.spawn(pow, number, 2) for number in range(3)]
        return [task.result() for task in tasks]

    hubkit.current_hub()  # the choice is made, and its host imported, in the main thread
    results = []
    thread = threading.Thread(target=lambda: results.append(hubkit.run(main)))
    thread.start()
    thread.join()
    print(results)


@needs("PER_THREAD")
def test_r20_run_works_in_any_thread(child):
    assert child(run_in_a_thread).output.splitlines() == ["[[0, 1, 4]]"]


def a_cancelled_main():
    def main():
        hubkit.spawn(hubkit.current_task().cancel)
        hubkit.sleep(LONG)

    try:
        hubkit.run(main)
    except BaseException as error:
        print(type(error).__name__, isinstance(error, Exception))


def test_r20_a_main_task_that_is_cancelled_ends_run_by_cancelled(child):
    assert child(a_cancelled_main).output.splitlines() == ["Cancelled False"]
