"""Whose loop a hub of asyncio's kind runs on, and how each of the two ends before the other."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from greenlet import greenlet
from scripts import run_script

import hubkit
from hubkit import (
    Event,
    Queue,
    checkpoint,
    current_hub,
    current_task,
    registry,
    sleep,
    spawn,
    testing,
    to_thread,
)
from hubkit.errors import Cancelled, WrongContext
from hubkit.green import socket
from hubkit.tasks import Task, new_task
from hubkit_asyncio import await_, run_task
from hubkit_conformance.tools import LONG, parked

NAME = "hubkit_asyncio.hub:AsyncioHub"
both = pytest.mark.parametrize(
    "hub",
    [
        "asyncio",
        pytest.param(
            "uvloop",
            marks=pytest.mark.skipif(
                "uvloop" not in registry.available_hubs(),
                reason="not installed: pip install 'hubkit[uvloop]'",
            ),
        ),
    ],
)


@pytest.fixture(autouse=True)
def _on_asyncio() -> Iterator[None]:
    with testing.override(NAME):
        yield


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/dev/fd"))


# -- an application's loop ------------------------------------------------------------------------


def test_each_run_of_an_application_has_a_hub_of_its_own() -> None:
    async def main() -> Any:
        assert current_hub() is current_hub()
        assert current_hub().loop is asyncio.get_running_loop()
        assert await run_task(current_hub) is current_hub()
        return current_hub()

    first, second = asyncio.run(main()), asyncio.run(main())
    assert first is not second
    assert first.closed()
    assert second.closed()
    assert not {first, second} & set(registry.hubs())


def test_nothing_is_left_of_many_loops() -> None:
    async def main() -> Any:
        await run_task(sleep, 0.001)
        return weakref.ref(current_hub()), weakref.ref(asyncio.get_running_loop())

    asyncio.run(main())
    before = descriptors()
    refs = [asyncio.run(main()) for _ in range(10)]
    assert descriptors() == before
    asyncio.run(main())  # forgets the last
    gc.collect()
    assert [ref() for pair in refs for ref in pair] == [None] * 20


def test_the_end_of_the_application_cancels_the_tasks_and_waits_for_them() -> None:
    trace: list[str] = []

    def work() -> None:
        try:
            sleep(LONG)
        except Cancelled:
            await_(asyncio.sleep(0.001))
            trace.append("cleaned up")
            raise

    async def main() -> Task[None]:
        task = spawn(work)
        await run_task(parked, task)
        return task

    assert asyncio.run(main()).cancelled()
    assert trace == ["cleaned up"]


def test_tasks_that_do_not_end_are_dropped_and_reported(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubkit_asyncio.loops.GRACE", 0.01)

    def stubborn() -> None:
        while True:
            try:
                sleep(LONG)
            except Cancelled:
                pass

    async def main() -> Task[None]:
        task = spawn(stubborn)
        await run_task(parked, task)
        return task

    with caplog.at_level(logging.WARNING, "hubkit"):
        task = asyncio.run(main())
    assert [record.getMessage() for record in caplog.records] == [f"dropped, as 0.01 s were over: {task!r}"]


def test_tasks_of_a_loop_that_was_only_closed_are_reported_by_the_next_hub(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> Task[None]:
        return spawn(sleep, LONG)

    loop = asyncio.new_event_loop()
    task = loop.run_until_complete(main())
    loop.close()
    assert caplog.records == []
    with caplog.at_level(logging.WARNING, "hubkit"):
        current_hub()
    assert [record.getMessage() for record in caplog.records] == [
        f"dropped, as their loop runs no more: {task!r}"
    ]


def test_a_loop_that_is_run_again_goes_on_with_its_hub() -> None:
    async def begin() -> tuple[Any, Task[str]]:
        return current_hub(), spawn(lambda: sleep(0.001) or "done")

    async def go_on(hub: Any, task: Task[str]) -> str:
        assert current_hub() is hub
        return await task  # type: ignore[no-any-return]

    async def another() -> Any:
        return current_hub()

    loop = asyncio.new_event_loop()
    hub, task = loop.run_until_complete(begin())
    assert asyncio.run(another()) is not hub
    assert loop.run_until_complete(go_on(hub, task)) == "done"
    elsewhere = greenlet(lambda: loop.run_until_complete(go_on(hub, spawn_on(hub))))
    assert elsewhere.switch() == "done"
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    assert hub.closed()


def spawn_on(hub: Any) -> Task[str]:
    task: Task[str] = new_task(hub, lambda: sleep(0.001) or "done")
    hub.start(task)
    return task


def test_a_hub_does_not_keep_the_context_of_who_needed_it_first() -> None:
    class Big:
        pass

    variable: ContextVar[Big] = ContextVar("variable")

    async def first(ref: list[Any]) -> None:
        big = Big()
        ref.append(weakref.ref(big))
        variable.set(big)
        await run_task(sleep, 0.001)

    async def main() -> None:
        ref: list[Any] = []
        await asyncio.create_task(first(ref))
        await asyncio.sleep(0)  # the loop itself keeps it until its next pass
        gc.collect()
        assert ref[0]() is None

    asyncio.run(main())


def test_a_greenlet_that_a_coroutine_has_started_is_nobodys_task() -> None:
    """It would get () from a wait, instead of what it waits for: its starter is resumed in its place."""

    def bridge() -> object:
        with pytest.raises(WrongContext, match="is not a task"):
            current_task()
        event = Event()
        event.set()
        return event.wait()  # need not wait

    async def main() -> None:
        assert greenlet(bridge).switch() is True
        await run_task(checkpoint)

    asyncio.run(main())


def test_there_is_no_main_task_where_the_application_runs_the_loop() -> None:
    async def main() -> None:
        assert current_hub().main is None
        with pytest.raises(RuntimeError, match="runs here already"):
            hubkit.run(print)
        with pytest.raises(RuntimeError, match="runs here already"):
            await run_task(hubkit.run, print)

    asyncio.run(main())


def test_debug_mode_finds_nothing_to_complain_of() -> None:
    async def main() -> int:
        task = spawn(lambda: await_(asyncio.sleep(0.001, 5)))
        return await task  # type: ignore[no-any-return]

    assert asyncio.run(main(), debug=True) == 5


@both
def test_t14_ctrl_c_is_the_applications_and_reaches_the_task_as_a_cancel(hub: str) -> None:
    """`asyncio.run` cancels its main coroutine (from Python 3.11 on)."""
    out = run_script(
        """
        import asyncio
        from hubkit_asyncio import run_task
        def work():
            print("ready", flush=True)
            os.kill(os.getpid(), signal.SIGINT)
            try:
                hubkit.sleep(3600)
            except hubkit.Cancelled:
                print("cancelled")
                raise
        async def main():
            if sys.version_info < (3, 11):
                me = asyncio.current_task()
                asyncio.get_running_loop().add_signal_handler(signal.SIGINT, me.cancel)
            await run_task(work)
        try:
            asyncio.run(main())
        except (KeyboardInterrupt, asyncio.CancelledError):
            print("interrupted")
        """,
        hub,
    )
    assert out == "ready\ncancelled\ninterrupted\n"


@pytest.fixture(params=["asyncio", "uvloop"])
def run_application(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    """`run_application(coroutine)`, on either make of loop."""
    if request.param == "asyncio":
        return asyncio.run
    uvloop = pytest.importorskip("uvloop", reason="not installed: pip install 'hubkit[uvloop]'")

    def run(coroutine: Any) -> Any:
        loop = uvloop.new_event_loop()
        try:
            return loop.run_until_complete(coroutine)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    return run


def test_tasks_that_never_wait_do_not_starve_the_application(run_application: Any) -> None:
    async def main() -> tuple[int, float]:
        over = Event()

        def spin() -> None:
            while not over.is_set():
                checkpoint()

        spinners, ticks, start = [spawn(spin) for _ in range(10)], 0, time.process_time()
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            await asyncio.sleep(0.002)
            ticks += 1
        over.set()
        for spinner in spinners:
            await spinner
        return ticks, time.process_time() - start

    ticks, busy = run_application(main())
    assert ticks >= busy / 0.05


def test_an_application_that_never_waits_does_not_starve_the_tasks(run_application: Any) -> None:
    async def main() -> tuple[int, float]:
        ticks: list[bool] = []

        def tick() -> None:
            while True:
                sleep(0.002)
                ticks.append(True)

        ticker, start = spawn(tick), time.process_time()
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            await asyncio.sleep(0)
        ticker.cancel()
        return len(ticks), time.process_time() - start

    ticks, busy = run_application(main())
    assert ticks >= busy / 0.05


def test_what_comes_from_threads_wakes_an_idle_loop(run_application: Any) -> None:
    async def main() -> list[str]:
        queue: Queue[str] = Queue()
        loop_hub = current_hub()

        def from_thread() -> None:
            queue.put("put")
            loop_hub.start(new_task(loop_hub, lambda: queue.put("started")))
            loop_hub.call_soon(lambda: queue.put("called"))

        got = []
        getter = spawn(lambda: [queue.get() for _ in range(3)])
        await run_task(parked, getter)
        thread = threading.Thread(target=from_thread)
        thread.start()
        got = await getter
        await run_task(to_thread, thread.join)
        return sorted(got)

    assert run_application(main()) == ["called", "put", "started"]


def test_sockets_of_hubkit_and_streams_of_asyncio_talk(run_application: Any) -> None:
    async def main() -> list[bytes]:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(1000):
                writer.write(data)
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()

        def client(number: int) -> bytes:
            with socket.create_connection(address) as sock:
                for turn in range(5):
                    message = b"%d:%d" % (number, turn)
                    sock.sendall(message)
                    assert sock.recv(1000) == message
            return message

        answers = await asyncio.gather(*[run_task(client, number) for number in range(30)])
        server.close()
        await server.wait_closed()
        return answers

    assert run_application(main()) == [b"%d:4" % number for number in range(30)]


def test_tasks_end_in_the_order_of_their_times(run_application: Any) -> None:
    async def main() -> list[int]:
        ended: list[int] = []
        base = hubkit.now()

        def work(number: int) -> None:
            sleep(base + 0.02 + (number % 7) * 0.003 - hubkit.now())
            ended.append(number % 7)

        await asyncio.gather(*[spawn(work, number) for number in range(50)])
        return ended

    ended = run_application(main())
    assert ended == sorted(ended)


# -- a loop of our own ----------------------------------------------------------------------------


def test_a_program_runs_a_loop_and_closes_it() -> None:
    def main() -> Any:
        assert current_hub().loop is None
        return asyncio.get_running_loop()

    before = descriptors()
    loop = hubkit.run(main)
    assert loop.is_closed()
    assert descriptors() == before
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
    assert hubkit.run(main) is not loop


def test_what_a_program_has_left_on_its_loop_is_wound_up() -> None:
    trace: list[str] = []

    async def job() -> None:
        try:
            await asyncio.sleep(LONG)
        finally:
            await asyncio.sleep(0.001)
            trace.append("job")

    async def numbers() -> Any:
        try:
            yield 1
            yield 2
        finally:
            trace.append("generator")

    async def first() -> int:
        keep.append(numbers())
        return await keep[0].__anext__()

    keep: list[Any] = []

    def main() -> None:
        assert await_(first()) == 1
        keep.append(asyncio.get_running_loop().create_task(job()))
        await_(asyncio.sleep(0.001))

    hubkit.run(main)
    assert sorted(trace) == ["generator", "job"]


def test_jobs_that_do_not_end_are_dropped_and_reported(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubkit_asyncio.loops.GRACE", 0.01)

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                pass

    def main() -> asyncio.Task[None]:
        job = asyncio.get_running_loop().create_task(stubborn())
        await_(asyncio.sleep(0.001))
        return job

    with caplog.at_level(logging.WARNING, "hubkit"):
        job = hubkit.run(main)
    assert not job.done()
    (message,) = (record.getMessage() for record in caplog.records if record.name == "hubkit")
    assert message.startswith("dropped, as 0.01 s were over: <Task")
    assert "stubborn" in message


def test_while_our_loop_runs_nobody_starts_another() -> None:
    """Also before the first wait: or else two loops would take turns in this thread, and one would starve."""
    spawn(int)

    async def main() -> None:
        pass

    coroutine = main()
    with pytest.raises(RuntimeError, match="running event loop"):
        asyncio.run(coroutine)
    coroutine.close()


@both
def test_an_error_that_leaves_the_loop_goes_to_the_main_task_and_the_loop_goes_on(hub: str) -> None:
    out = run_script(
        """
        import asyncio
        from hubkit_asyncio import await_
        def stop():
            raise SystemExit(7)
        def main():
            asyncio.get_running_loop().call_soon(stop)
            try:
                hubkit.sleep(30)
            except SystemExit as error:
                print(error.code)
            return await_(asyncio.sleep(0.001, "goes on"))
        print(hubkit.run(main))
        """,
        hub,
    )
    assert out == "7\ngoes on\n"


@both
def test_without_run_the_loop_is_wound_up_at_exit(hub: str) -> None:
    out = run_script(
        """
        import asyncio
        from hubkit_asyncio import await_
        async def job():
            try:
                await asyncio.sleep(3600)
            finally:
                print("job")
        def work():
            try:
                hubkit.sleep(3600)
            finally:
                print("task")
        await_(asyncio.sleep(0))
        task = asyncio.get_running_loop().create_task(job())
        spawn(work)
        await_(asyncio.sleep(0.001))
        """,
        hub,
    )
    assert out == "task\njob\n"


@both
def test_signal_handlers_of_the_loop_work_beside_hubkit(hub: str) -> None:
    out = run_script(
        """
        import asyncio
        def main():
            event = hubkit.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, event.set)
            os.kill(os.getpid(), signal.SIGUSR1)
            print(event.wait(20))
        hubkit.run(main)
        """,
        hub,
    )
    assert out == "True\n"


def test_the_policy_says_which_loop_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loop(asyncio.SelectorEventLoop):
        pass

    monkeypatch.setattr(asyncio, "new_event_loop", Loop)
    assert type(hubkit.run(asyncio.get_running_loop)) is Loop


# -- choosing -------------------------------------------------------------------------------------


def test_a_running_loop_is_detected() -> None:
    out = run_script(
        """
        del os.environ["HUBKIT_BACKEND"]
        import asyncio
        from hubkit_asyncio import run_task
        async def main():
            print(await run_task(lambda: hubkit.sleep(0.001) or hubkit.current_hub().name))
        asyncio.run(main())
        """,
        "",
    )
    assert out == "asyncio\n"


def test_importing_the_adapter_imports_no_asyncio() -> None:
    out = run_script(
        """
        import sys
        import hubkit, hubkit_asyncio
        hubkit_asyncio.adapter.detect()
        print("asyncio" in sys.modules, hubkit_asyncio.run_task.__name__, "asyncio" in sys.modules)
        try:
            hubkit_asyncio.nothing
        except AttributeError as error:
            print(error)
        """,
        "",
        prelude="",
    )
    assert out == "False run_task True\nmodule 'hubkit_asyncio' has no attribute 'nothing'\n"
