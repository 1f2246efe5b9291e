"""Ctrl-C while a program runs: where it is raised, and that it loses nothing where it is not."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

import pytest
from hubs import each_hub, skip_without

from hubkit import (
    Cancelled,
    Event,
    Lock,
    Pool,
    Queue,
    Semaphore,
    Task,
    all_tasks,
    ctrl_c,
    current_hub,
    now,
    testing,
    waiting,
)
from hubkit.contract import DEADLOCK, Adapter, Hub
from hubkit.registry import this_task
from hubkit.running import checkpoint, run, sleep
from hubkit.spawning import spawn, spawn_later
from hubkit.threads import to_thread
from hubkit_conformance.child import Child
from hubkit_conformance.tools import PATIENCE, SHORT, parked
from hubkit_native.hub import NativeHub

# -- at any line ----------------------------------------------------------------------------------

#: Lines from one Ctrl-C to the next. No divisor of much, so that loops are met at different places.
STRIDE = 7


class Meeting:
    """Ctrl-C at the n-th line of hubkit's own code that runs, as if the signal had come there."""

    def __init__(self, own: set[str]) -> None:
        self.own = own
        self.lines_left = 0
        self.place = ""

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] in self.own and name != ctrl_c.__name__:
            return self.count
        return None

    def count(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line" and self.lines_left:
            self.lines_left -= 1
            if not self.lines_left:
                self.place = f"{frame.f_code.co_name}, line {frame.f_lineno}"
                handler: Any = signal.getsignal(signal.SIGINT)
                handler(signal.SIGINT, frame)
        return self.count


def busy() -> tuple[list[Task[Any]], list[Any]]:
    """Tasks that wait for one another in each way; and what they leave when all have ended."""
    queue: Queue[Any] = Queue(1)
    lock, semaphore, event, left = Lock(), Semaphore(1), Event(), []

    def producer(name: str) -> None:
        for number in range(2):
            queue.put(f"{name} {number}")

    def consumer() -> None:
        for _ in range(2):
            item = queue.get()
            with lock:
                sleep(0)
                left.append(item)

    def waiter() -> None:
        event.wait()
        with semaphore:
            sleep(0.0003)
        left.append("waited")

    tasks = [spawn(producer, "a"), spawn(consumer), spawn(waiter), spawn(waiter), spawn(producer, "b")]
    return [*tasks, spawn(consumer), spawn_later(0.0002, event.set)], left


RESULT = ["a 0", "a 1", "b 0", "b 1", "waited", "waited"]


def main_meets_ctrl_c_everywhere() -> None:
    caught = []

    def calmly(fn: Callable[..., Any], *args: Any) -> Any:
        while True:
            try:
                return fn(*args)
            except KeyboardInterrupt:
                caught.append(meeting.place)

    line = 1
    while True:
        caught.clear()
        meeting.place, meeting.lines_left = "", line
        tasks, left = busy()
        late = [task for task in tasks if not calmly(task.join, PATIENCE)]
        meeting.lines_left = 0
        calmly(checkpoint)
        if not meeting.place:
            break
        assert not late, f"after Ctrl-C in {meeting.place} these go on for ever: {late}"
        assert sorted(left) == RESULT, f"after Ctrl-C in {meeting.place}"
        assert not any(task.exception() for task in tasks), f"after Ctrl-C in {meeting.place}"
        assert caught == [meeting.place]
        line += STRIDE
    print(line)


def a_program_meets_ctrl_c_everywhere(own: str) -> None:
    global meeting
    meeting = Meeting({"hubkit", own})
    sys.settrace(meeting.trace)  # before the first greenlet: the frames of those that are there stay untraced
    run(main_meets_ctrl_c_everywhere)
    sys.settrace(None)


@each_hub
def test_at_any_line_of_hubkits_own_it_loses_nothing(hub_name: str) -> None:
    finished = Child(hub_name)(a_program_meets_ctrl_c_everywhere, hub_name.partition(".")[0], seconds=100)
    assert int(finished.output) > 500, "that was not much of hubkit's"


# -- in the program's own code --------------------------------------------------------------------


@pytest.fixture(autouse=True)
def pythons_handler() -> Iterator[None]:
    """pytest's own, or none, would be left alone."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def a_handler_that_could_wake_somebody() -> Iterator[None]:
    """So that no hub sees a deadlock."""
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def press() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def press_once(it_is_time: Callable[[], object]) -> None:
    """Press from another thread, a while after it is time: main is about to block then, and a call written
    in C is not interrupted by a signal that comes just before it blocks."""

    def watch() -> None:
        while not it_is_time():
            time.sleep(0.001)
        time.sleep(4 * SHORT)
        press()

    threading.Thread(target=watch).start()


def in_the_middle(fn: Callable[[], object], module: Any = "hubkit.pretended") -> None:
    """Call it as a module's code would."""
    namespace: dict[str, Any] = {"__name__": module}
    exec("def call(fn): fn()", namespace)
    namespace["call"](fn)


def compute(trace: list[str]) -> None:
    try:
        press()
        trace.append("went on")
    except KeyboardInterrupt:
        trace.append("interrupted")
        raise


def test_main_is_interrupted_where_it_computes(hub: Hub) -> None:
    trace: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run(compute, trace)
    assert trace == ["interrupted"]


def test_main_is_interrupted_in_a_function_written_in_c(hub: Hub) -> None:
    def it_sleeps() -> bool:
        frame = sys._current_frames()[threading.main_thread().ident or 0]
        return frame.f_code.co_name == "main" and frame.f_globals["__name__"] == run.__module__

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        press_once(it_sleeps)
        run(time.sleep, PATIENCE)
    assert time.monotonic() - started < PATIENCE


def test_a_task_that_computes_ends_and_main_is_told(hub: Hub) -> None:
    if hub.name == "threads":
        pytest.skip("its tasks are other threads, where Python runs no signal handler")

    def main() -> Task[None]:
        task = spawn(press)
        with pytest.raises(KeyboardInterrupt):
            Event().wait()
        return task

    with a_handler_that_could_wake_somebody():
        assert isinstance(run(main)._error, KeyboardInterrupt)


def test_a_callback_is_interrupted_where_it_computes(hub: Hub) -> None:
    if hub.name == "threads":
        pytest.skip("its callbacks are made in another thread")
    trace: list[str] = []

    def main() -> None:
        for ask in (current_hub().call_soon, lambda fn: current_hub().call_at(now(), fn)):
            ask(partial(compute, trace))
            with pytest.raises(KeyboardInterrupt):
                Event().wait()

    with a_handler_that_could_wake_somebody():
        run(main)
    assert trace == ["interrupted"] * 2


def test_a_callback_whose_error_is_being_logged_costs_no_other(
    hub: Hub, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if hub.name == "threads":
        pytest.skip("its callbacks are made in another thread")
    monkeypatch.setattr(logging.getLogger("hubkit"), "filter", lambda record: press() or True)
    event = Event()

    def main() -> None:
        current_hub().call_soon(lambda: 1 / 0)
        current_hub().call_soon(event.set)
        with pytest.raises(KeyboardInterrupt):
            Event().wait()
        event.wait()

    with a_handler_that_could_wake_somebody():
        run(main)
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("module", "interrupted"),
    [
        ("hubkit.locks", False),
        ("hubkit_native.hub", False),
        ("hubkit.pipeline.handler", True),
        ("myapp.hub", False),
        ("myapp.views", True),
        ("abc", True),
        ("__main__", True),
        (7, True),
    ],
)
def test_whose_code_it_is(module: Any, interrupted: bool) -> None:
    class Mine(NativeHub):
        """A hub that the program has brought along."""

    Mine.__module__ = "myapp.hub"
    trace = []

    def main() -> None:
        try:
            in_the_middle(press, module)
        except KeyboardInterrupt:
            trace.append("interrupted")
        try:
            checkpoint()
        except KeyboardInterrupt:
            trace.append("put off")

    with testing.override(Mine):
        run(main)
    assert trace == ["interrupted" if interrupted else "put off"]


# -- whose handler it is --------------------------------------------------------------------------


def test_it_is_in_place_as_long_as_the_program_runs(hub: Hub) -> None:
    assert type(run(signal.getsignal, signal.SIGINT)) is ctrl_c.CtrlC
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_somebody_elses_is_left_alone(hub: Hub) -> None:
    def mine(*_: Any) -> None:
        """Nothing."""

    signal.signal(signal.SIGINT, mine)
    assert run(signal.getsignal, signal.SIGINT) is mine

    def main() -> None:
        signal.signal(signal.SIGINT, mine)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run(main)
    assert signal.getsignal(signal.SIGINT) is mine


def test_who_puts_it_back_after_the_program_gets_pythons(hub: Hub) -> None:
    left = run(signal.getsignal, signal.SIGINT)
    signal.signal(signal.SIGINT, left)
    with pytest.raises(KeyboardInterrupt):
        in_the_middle(press)
    again = run(signal.getsignal, signal.SIGINT)
    assert type(again) is ctrl_c.CtrlC
    assert again is not left


def a_verb_before_the_program() -> None:
    spawn(int).join()
    print(type(run(signal.getsignal, signal.SIGINT)).__name__)


@each_hub
def test_a_verb_before_the_program_keeps_it_from_nothing(hub_name: str) -> None:
    assert Child(hub_name)(a_verb_before_the_program).output == "CtrlC\n"


def a_job_forks() -> None:
    def fork() -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of forks beside threads
            child = os.fork()
        if child:
            return f"child ended with {os.waitpid(child, 0)[1]}"
        status = 1
        try:
            in_the_middle(press_here)
        except KeyboardInterrupt:
            status = 0
        finally:
            os._exit(status)

    print(run(to_thread, fork))


def press_here() -> None:
    signal.raise_signal(signal.SIGINT)


@each_hub
def test_in_a_forked_process_it_is_pythons(hub_name: str) -> None:
    assert Child(hub_name)(a_job_forks).output == "child ended with 0\n"


def everybody_waits() -> None:
    def main() -> None:
        me = this_task()
        try:
            press_once(lambda: me.ticket)
            Event().wait()
        except KeyboardInterrupt:
            print("interrupted")

    run(main)


@each_hub
def test_the_loop_says_nothing_about_it(hub_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")  # eventlet's own
    finished = Child(hub_name)(everybody_waits)
    assert (finished.output, finished.errors) == ("interrupted\n", "")


def test_a_program_in_another_thread_sets_none(hub: Hub, a_hub_in_each_thread: None) -> None:
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.append(run(signal.getsignal, signal.SIGINT)))
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def a_pool_without_run() -> None:
    def work() -> None:
        try:
            sleep(PATIENCE)
        except Cancelled:
            ends.append("cancelled")
            raise

    ends: list[str] = []
    me = this_task()
    try:
        with Pool(3) as pool:
            for task in [pool.spawn(work) for _ in range(3)]:
                parked(task)
            press_once(lambda: me.ticket)
            pool.join()
    except KeyboardInterrupt:
        ends.append("interrupted")
    print(*ends)


@each_hub
def test_without_run_a_loop_that_it_has_ended_is_no_error_of_those_who_wait(
    hub_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    finished = Child(hub_name)(a_pool_without_run)
    assert finished.output == "cancelled cancelled cancelled interrupted\n"
    assert "Closed" not in finished.errors


# -- when nobody takes it -------------------------------------------------------------------------


def test_one_that_is_not_taken_is_raised_when_the_program_has_ended(hub: Hub) -> None:
    trace = []

    def main() -> None:
        in_the_middle(press)
        trace.append("went on")

    with pytest.raises(KeyboardInterrupt):
        run(main)
    assert trace == ["went on"]
    assert not waiting.latched, "or every verb would look for it from now on"


def test_one_that_comes_while_the_hub_is_closed_is_raised_when_it_is(hub: Hub) -> None:
    trace = []

    def close() -> None:
        press()
        trace.append("goes on")
        type(hub).close(hub)

    vars(hub)["close"] = close
    try:
        with pytest.raises(KeyboardInterrupt):
            run(int)
    finally:
        del vars(hub)["close"]
    assert trace == ["goes on"]


def test_one_more_at_once_is_the_same(hub: Hub) -> None:
    def main() -> int:
        in_the_middle(press)
        in_the_middle(press)
        for times in range(3):
            try:
                checkpoint()
            except KeyboardInterrupt:
                continue
            return times
        return 3

    assert run(main) == 1


def test_one_more_later_is_raised_wherever_it_comes(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctrl_c, "PATIENCE", 0)

    def main() -> None:
        in_the_middle(press)
        with pytest.raises(KeyboardInterrupt):
            in_the_middle(press)
        checkpoint()  # it was the same one

    run(main)


def test_one_more_while_a_task_computes_is_the_same(hub: Hub) -> None:
    if hub.name == "threads":
        pytest.skip("its tasks are other threads: main may have taken the first by then")

    def twice() -> str:
        in_the_middle(press)
        press()
        return "went on"

    def main() -> str:
        task = spawn(twice)
        with pytest.raises(KeyboardInterrupt):
            Event().wait()
        checkpoint()
        return task.result()

    with a_handler_that_could_wake_somebody():
        assert run(main) == "went on"


def test_who_handles_it_may_clear_its_traceback(hub: Hub) -> None:
    def main() -> str:
        in_the_middle(press)
        try:
            checkpoint()
        except KeyboardInterrupt as error:
            error.__traceback__ = None
        return "handled"

    assert run(main) == "handled"


def test_after_one_was_taken_the_next_is_a_new_one(hub: Hub) -> None:
    def main() -> None:
        for _ in range(3):
            in_the_middle(press)
            with pytest.raises(KeyboardInterrupt):
                checkpoint()

    run(main)


def test_it_is_nobody_who_could_wake_a_task(hub: Hub, adapter: Adapter) -> None:
    """Else no hub would ever see a deadlock."""
    skip_without(DEADLOCK, adapter.hub)
    with pytest.raises(Exception, match="nothing is left that could wake one"):
        run(Event().wait)


def test_to_thread_and_join_are_waits_as_well(hub: Hub) -> None:
    gate = threading.Event()

    def main() -> None:
        job = spawn(to_thread, gate.wait, PATIENCE)
        parked(job)
        me = this_task()
        with pytest.raises(KeyboardInterrupt):
            press_once(lambda: me.ticket)
            job.join()
        assert job in all_tasks(), "it was not meant"
        gate.set()
        assert job.result() is True

    run(main)


def test_the_handler_needs_no_frame(hub: Hub) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(lambda: signal.getsignal(signal.SIGINT)(signal.SIGINT, None))  # type: ignore[operator, misc]
