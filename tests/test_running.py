"""run, the end of a hub with and without it, sleep and checkpoint."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import threading
import weakref
from math import inf, nan
from typing import Any

import pytest
from hubs import each_hub, skip_without

from hubkit import registry, running
from hubkit.contract import ORDERED_YIELD, PER_THREAD, Hub
from hubkit.errors import Cancelled, WrongContext
from hubkit.futures import Future
from hubkit.registry import current_hub, this_task
from hubkit.running import checkpoint, now, run, sleep
from hubkit.spawning import all_tasks, spawn, spawn_later
from hubkit.timeouts import move_on_after
from hubkit_conformance.child import Child
from hubkit_conformance.tools import LONG, PATIENCE, SHORT, finish, not_before, parked, until


def cleaning(trace: list[str], what: str = "cleaned up") -> None:
    try:
        sleep(LONG)
    finally:
        sleep(0.001)
        trace.append(what)


def stubborn(gate: Future[None]) -> None:
    while not gate.done():
        try:
            gate.result()
        except Cancelled:
            pass


# -- run ------------------------------------------------------------------------------------------


def test_run_gives_back_what_the_function_does(hub: Hub) -> None:
    assert run(lambda *args: args, 1, 2) == (1, 2)
    with pytest.raises(KeyError):
        run({}.__getitem__, "x")


def test_nothing_is_left_of_a_hub_that_has_ended(hub: Hub) -> None:
    def main() -> weakref.ref[Hub]:
        for _ in range(3):
            spawn(sleep, 0.001).join()
        current_hub().call_soon(int)
        sleep(0.001)
        return weakref.ref(current_hub())

    refs = [run(main) for _ in range(3)]
    run(main)  # whoever looks for a hub forgets those that are closed
    gc.collect()
    assert {ref() for ref in refs} <= {hub, None}  # the first was made by the fixture, which keeps it


def test_run_ends_its_hub(hub: Hub) -> None:
    trace: list[str] = []

    def main() -> Hub:
        spawn_later(LONG, print, "never")
        task = spawn(cleaning, trace)
        parked(task)
        assert len(all_tasks()) >= 2
        return current_hub()

    ended = run(main)
    assert trace == ["cleaned up"]
    assert not ended.tasks
    assert ended not in registry.hubs()
    assert run(current_hub) is not ended
    with pytest.raises(OSError, match="closed"):
        ended.call_soon(print)


def test_run_ends_tasks_that_were_there_before_it(hub: Hub) -> None:
    trace: list[str] = []
    task = spawn(cleaning, trace)
    parked(task)
    run(int)
    assert trace == ["cleaned up"]


def test_run_ends_tasks_that_are_spawned_by_the_ending(hub: Hub) -> None:
    trace: list[str] = []

    def generation(number: int) -> None:
        try:
            sleep(LONG)
        finally:
            if number:
                spawn(generation, number - 1)
            trace.append("ended")

    def main() -> Hub:
        parked(spawn(generation, 3))
        return current_hub()

    ended = run(main)
    assert 1 <= len(trace) <= 4, "each has ended, or was cancelled before its start"
    assert not ended.tasks


def test_run_refuses_to_nest(hub: Hub) -> None:
    trace: list[str] = []

    def refused() -> None:
        with pytest.raises(RuntimeError, match="call the function, or spawn it"):
            run(int)
        trace.append("refused")

    def main() -> None:
        refused()
        spawn(refused).result(PATIENCE)
        current_hub().call_soon(refused)
        until(lambda: len(trace) == 3)
        checkpoint()
        assert current_hub() in registry.hubs(), "it was not ended by that"

    run(main)
    assert trace == ["refused"] * 3


def test_run_in_a_task_is_refused_without_an_outer_run_too(hub: Hub) -> None:
    assert isinstance(spawn(run, int).exception(PATIENCE), RuntimeError)


def test_run_checks_its_arguments(hub: Hub) -> None:
    with pytest.raises(TypeError, match="run\\(\\) takes a function"):
        run(3)  # type: ignore[arg-type]

    async def coroutine() -> None:
        """Nobody awaits it."""

    with pytest.raises(TypeError, match=r"coroutine, a coroutine's, by asyncio.run"):
        run(coroutine)
    for bad, error in ((nan, ValueError), ("soon", TypeError)):
        with pytest.raises(error):
            run(int, grace=bad)  # type: ignore[arg-type]


def test_run_drops_after_the_grace_time_what_will_not_end(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    gate: Future[None] = Future()

    def main() -> None:
        parked(spawn(stubborn, gate))

    with caplog.at_level(logging.WARNING, "hubkit"), not_before(SHORT):
        run(main, grace=SHORT)
    assert "dropped, as 0.03 s were over: <Task stubborn" in caplog.text
    gate.set_result(None)


def test_run_without_a_limit_of_grace_waits_for_all(hub: Hub) -> None:
    trace: list[str] = []

    def main() -> None:
        parked(*[spawn(cleaning, trace) for _ in range(3)])

    run(main, grace=None)
    assert trace == ["cleaned up"] * 3


def test_a_cancel_of_main_that_comes_too_late_does_not_stop_the_ending(hub: Hub) -> None:
    trace: list[str] = []

    def main() -> str:
        parked(spawn(cleaning, trace))
        this_task().cancel()
        return "value"

    assert run(main) == "value"
    assert trace == ["cleaned up"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_during_the_ending_is_raised_after_it(hub: Hub, kind: type[BaseException]) -> None:
    trace: list[str] = []

    def impatient(main: Any) -> None:
        try:
            sleep(LONG)
        finally:
            main.interrupt(kind("during the ending"))

    def main() -> None:
        parked(spawn(impatient, this_task()), spawn(cleaning, trace))

    with pytest.raises(kind, match="during the ending"):
        run(main)
    assert trace == ["cleaned up"]


def test_a_second_ctrl_c_ends_the_ending(hub: Hub) -> None:
    gate: Future[None] = Future()
    main_task: list[Any] = []

    def main() -> None:
        main_task.append(this_task())
        parked(spawn(stubborn, gate))

    def press_twice() -> None:
        until_parked()
        main_task[0].interrupt(KeyboardInterrupt("first"))
        until_parked()
        main_task[0].interrupt(KeyboardInterrupt("second"))

    def until_parked() -> None:
        """Until main waits, and for another thing than before."""
        before = seen[-1:]
        while not main_task or main_task[0].ticket in (None, *before) or not hub_is_ending.is_set():
            pass
        seen.append(main_task[0].ticket)

    seen: list[Any] = []
    hub_is_ending = threading.Event()
    thread = threading.Thread(target=press_twice)
    thread.start()

    def main_and_then() -> None:
        main()
        hub_is_ending.set()

    with pytest.raises(KeyboardInterrupt, match="second"):
        run(main_and_then, grace=LONG)
    thread.join()
    gate.set_result(None)


def test_an_error_of_main_comes_out_although_tasks_are_left(hub: Hub) -> None:
    trace: list[str] = []

    def main() -> None:
        parked(spawn(cleaning, trace))
        raise KeyError("of main")

    with pytest.raises(KeyError, match="of main"):
        run(main)
    assert trace == ["cleaned up"]


@pytest.mark.usefixtures("a_hub_in_each_thread")
def test_two_threads_run_programs_that_do_not_disturb_each_other(hub: Hub) -> None:
    results: list[Any] = []

    def program(number: int) -> int:
        tasks = [spawn(lambda: sleep(0.001 * number) or number) for _ in range(3)]  # type: ignore[func-returns-value]
        return sum(task.result(PATIENCE) for task in tasks)

    threads = [
        threading.Thread(target=lambda number=number: results.append(run(program, number)))
        for number in range(4)
    ]
    keeper = spawn(sleep, LONG)
    for thread in threads:
        thread.start()
    until(lambda: not any(thread.is_alive() for thread in threads))
    assert sorted(results) == [0, 3, 6, 9]
    assert not keeper.done(), "of another program"


# -- the end without run --------------------------------------------------------------------------


def at_exit() -> None:
    def clean() -> None:
        try:
            sleep(LONG)
        finally:
            sleep(0.001)
            print("cleaned up", flush=True)

    atexit.register(print, "handler from before the first task", flush=True)
    task = spawn(clean)
    spawn_later(LONG, print, "never")
    parked(task)
    atexit.register(print, "handler from after", flush=True)
    print("end of the program", flush=True)


@each_hub
def test_t21_tasks_are_ended_between_the_exit_handlers(hub_name: str) -> None:
    lines = Child(hub_name)(at_exit).output.splitlines()
    assert lines == [
        "end of the program",
        "handler from after",
        "cleaned up",
        "handler from before the first task",
    ]


def at_exit_with_a_thread() -> None:
    main_waits = threading.Event()

    def thread_main() -> None:
        main_waits.wait()
        threading.main_thread().join()  # it has ended, and waits for this one
        task = spawn(pow, 2, 3)
        print("thread:", task.result(PATIENCE), flush=True)

    def clean() -> None:
        try:
            sleep(LONG)
        finally:
            print("cleaned up", flush=True)

    thread = threading.Thread(target=thread_main)
    thread.start()
    parked(spawn(clean))
    main_waits.set()
    print("end of the program", flush=True)


@each_hub
def test_tasks_are_ended_after_the_last_thread_has(hub_name: str) -> None:
    skip_without(PER_THREAD, hub_name)
    finished = Child(hub_name)(at_exit_with_a_thread, status=None)
    lines = finished.output.splitlines()
    if (
        "can't create new thread at interpreter shutdown" in finished.errors
        or "no further thread" in finished.errors
    ):
        lines.insert(1, "thread: 8")  # of a hub of threads on CPython 3.12
    assert lines == ["end of the program", "thread: 8", "cleaned up"], str(finished)


def at_exit_with_daemon_threads() -> None:
    registry.use(os.environ[registry.VARIABLE])  # some hubs have to be imported in the main thread

    def serve() -> None:
        spawn(sleep, LONG)
        spawn(sleep, LONG).join()

    def serve_with_run() -> None:
        run(serve)

    def spawn_and_end() -> None:
        parked(spawn(sleep, LONG))

    threads = [
        threading.Thread(target=target, daemon=True) for target in (serve, serve_with_run, spawn_and_end)
    ]
    for thread in threads:
        thread.start()
    threads[2].join()
    until(lambda: sum(len(hub.tasks) for hub in registry.hubs()) >= 4)
    print("end of the program", flush=True)


@each_hub
def test_tasks_of_daemon_threads_keep_no_process_alive(hub_name: str) -> None:
    skip_without(PER_THREAD, hub_name)
    assert Child(hub_name)(at_exit_with_daemon_threads).output == "end of the program\n"


def at_exit_with_a_stubborn_task() -> None:
    logging.basicConfig(format="%(message)s")
    running.GRACE = 0.05

    def unwound() -> None:
        try:
            stubborn(Future())
        finally:
            print("a dropped task was unwound", flush=True)

    parked(spawn(unwound))


@each_hub
def test_a_task_that_will_not_end_is_dropped_and_not_unwound(hub_name: str) -> None:
    finished = Child(hub_name)(at_exit_with_a_stubborn_task)
    assert finished.output == ""
    assert "dropped, as 0.05 s were over" in finished.errors


def at_exit_by_an_error() -> None:
    def clean() -> None:
        try:
            sleep(LONG)
        finally:
            print("cleaned up", flush=True)

    parked(spawn(clean))
    raise KeyError("of the program")


@each_hub
def test_tasks_are_ended_when_the_program_fails(hub_name: str) -> None:
    finished = Child(hub_name)(at_exit_by_an_error, status=1)
    assert finished.output == "cleaned up\n"
    assert "KeyError: 'of the program'" in finished.errors


def after_run() -> None:
    def main() -> str:
        parked(spawn(sleep, LONG))
        return "value"

    print(run(main), flush=True)
    print(run(main), flush=True)


@each_hub
def test_after_run_there_is_nothing_left_to_end(hub_name: str) -> None:
    finished = Child(hub_name)(after_run)
    assert finished.output == "value\nvalue\n"
    assert "dropped" not in finished.errors
    assert "Traceback" not in finished.errors


# -- sleep, checkpoint, now -----------------------------------------------------------------------


@pytest.mark.usefixtures("hub")
class TestSleep:
    """Each on every hub."""

    def test_it_is_not_early(self) -> None:
        for seconds in (0.001, 0.01, SHORT):
            with not_before(seconds):
                assert sleep(seconds) is None  # type: ignore[func-returns-value]

    def test_what_is_no_time_is_refused(self) -> None:
        for bad in (None, "1", [1]):
            with pytest.raises(TypeError, match=r"^sleep\(\) takes a number of seconds, not "):
                sleep(bad)  # type: ignore[arg-type]
        with pytest.raises(ValueError):
            sleep(nan)

    @pytest.mark.parametrize("call", [checkpoint, lambda: sleep(0), lambda: sleep(0.0), lambda: sleep(-5)])
    def test_zero_or_less_lets_every_other_ready_task_run_once(self, call: Any) -> None:
        if not current_hub().supports(ORDERED_YIELD):
            call()
            return
        trace: list[tuple[str, int]] = []

        def body(name: str) -> None:
            for turn in range(3):
                trace.append((name, turn))
                call()

        tasks = [spawn(body, name) for name in "abc"]
        finish(*tasks)
        assert trace == [(name, turn) for turn in range(3) for name in "abc"]

    @pytest.mark.parametrize("seconds", [0, -1, 0.001, LONG, inf])
    def test_a_latched_cancel_is_raised_first(self, seconds: float) -> None:
        def body() -> None:
            this_task().cancel()
            with pytest.raises(Cancelled):
                sleep(seconds)

        spawn(body).result(PATIENCE)

    def test_for_ever_ends_by_a_cancel(self) -> None:
        task = spawn(sleep, inf)
        parked(task)
        task.cancel()
        finish(task)
        assert task.cancelled()

    def test_a_cancel_during_a_checkpoint_is_raised_by_it(self) -> None:
        if not current_hub().supports(ORDERED_YIELD):
            pytest.skip("nobody runs for certain during a checkpoint")
        trace: list[str] = []

        def body() -> None:
            trace.append("before")
            checkpoint()
            trace.append("after")

        task = spawn(body)
        spawn(task.cancel)
        finish(task)
        assert trace == ["before"]

    def test_in_hub_context_it_says_what_to_do(self) -> None:
        errors: list[BaseException] = []

        def callback() -> None:
            for call in (checkpoint, lambda: sleep(0), lambda: sleep(1)):
                try:
                    call()
                except BaseException as error:
                    errors.append(error)

        current_hub().call_soon(callback)
        until(lambda: len(errors) == 3)
        assert {type(error) for error in errors} == {WrongContext}
        assert all("spawn" in str(error) for error in errors)

    def test_now_goes_with_deadlines(self) -> None:
        before = now()
        with move_on_after(1) as scope:
            pass
        assert scope.deadline is not None
        assert before + 1 <= scope.deadline <= now() + 1

    def test_many_sleepers_wake_in_the_order_of_their_times(self) -> None:
        order: list[int] = []
        start = now() + SHORT  # all of them sleep by then

        def sleeper(number: int) -> None:
            sleep(start + 0.005 * number - now())
            order.append(number)

        tasks = [spawn(sleeper, number) for number in (4, 2, 3, 1)]
        finish(*tasks)
        if current_hub().supports(ORDERED_YIELD):
            assert order == [1, 2, 3, 4]
        else:
            assert sorted(order) == [1, 2, 3, 4]
