"""Tasks that wait for coroutines and coroutines that wait for tasks: values, errors, cancels, contexts."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

import pytest

import hubkit
from hubkit import (
    Future,
    Queue,
    Task,
    checkpoint,
    current_task,
    move_on_after,
    sleep,
    spawn,
    testing,
    timeout,
)
from hubkit.errors import Cancelled, TaskCancelled, WrongContext
from hubkit_asyncio import await_, run_task
from hubkit_conformance.tools import LONG, PATIENCE, finish, parked, until

T = TypeVar("T")

HUBS = ("hubkit_asyncio.hub:AsyncioHub", "hubkit_uvloop.hub:UvloopHub")

variable: ContextVar[str] = ContextVar("variable", default="unset")


@pytest.fixture(params=HUBS, ids=("asyncio", "uvloop"))
def hub_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if "uvloop" in name:
        pytest.importorskip("uvloop", reason="uvloop is not installed: pip install 'hubkit[uvloop]'")
    return name


def run(hub_name: str, coroutine: Coroutine[Any, Any, T]) -> T:
    """As an application does that has nothing of hubkit's around it."""
    if "uvloop" not in hub_name:
        return asyncio.run(coroutine)
    import uvloop

    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)  # type: ignore[no-any-return]
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


Both = Callable[[Callable[[], Any]], Any]


@pytest.fixture(params=("hubkit runs the loop", "the application runs it"))
def in_task(request: pytest.FixtureRequest, hub_name: str) -> Iterator[Both]:
    """`in_task(fn)` calls `fn` in a task: of a loop that hubkit has started, or of one that ran already."""
    with testing.override(hub_name):
        if request.param == "hubkit runs the loop":
            yield lambda fn: spawn(fn).result(PATIENCE)
        else:
            yield lambda fn: run(hub_name, run_task(fn))


@pytest.fixture(params=("hubkit runs the loop", "the application runs it"))
def in_coroutine(request: pytest.FixtureRequest, hub_name: str) -> Iterator[Callable[[Any], Any]]:
    """`in_coroutine(coroutine)` runs it, in a loop of either kind."""
    with testing.override(hub_name):
        if request.param == "hubkit runs the loop":
            yield await_
        else:
            yield lambda coroutine: run(hub_name, coroutine)


async def late(value: T) -> T:
    await asyncio.sleep(0.001)
    return value


async def fail(error: BaseException) -> None:
    await asyncio.sleep(0.001)
    raise error


class Awaited:
    """Something that is awaitable and no coroutine."""

    def __await__(self) -> Any:
        return late("awaited").__await__()


# -- a task waits for a coroutine -----------------------------------------------------------------


def test_a_task_gets_what_an_awaitable_brings(in_task: Both) -> None:
    def task() -> list[object]:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        done.set_result("future")
        together = asyncio.gather(late(1), late(2))
        return [await_(late("coroutine")), await_(done), await_(Awaited()), await_(together), await_(ready())]

    async def ready() -> str:
        return "at once"

    assert in_task(task) == ["coroutine", "future", "awaited", [1, 2], "at once"]


def test_the_main_task_may_wait_for_a_coroutine(hub_name: str) -> None:
    with testing.override(hub_name):
        assert hubkit.run(lambda: await_(late("main"))) == "main"


def test_other_tasks_and_coroutines_go_on_meanwhile(in_task: Both) -> None:
    def task() -> object:
        steps: Queue[str] = Queue()
        there = asyncio.Event()

        async def coroutine() -> str:
            steps.put("coroutine")
            await there.wait()
            return steps.get_nowait()

        def other() -> None:
            assert steps.get() == "coroutine"
            steps.put("other task")
            there.set()

        spawn(other)
        return await_(coroutine())

    assert in_task(task) == "other task"


def test_an_error_crosses_with_its_traceback(in_task: Both) -> None:
    error = KeyError("mine")

    def task() -> list[str]:
        with pytest.raises(KeyError) as caught:
            await_(fail(error))
        assert caught.value is error
        return [entry.name for entry in caught.traceback]

    names = in_task(task)
    assert names[0] == "task"
    assert names[-1] == "fail"


def test_a_system_exit_of_a_coroutine_ends_the_caller_and_not_the_loop(in_task: Both) -> None:
    def task() -> str:
        with pytest.raises(SystemExit):
            await_(fail(SystemExit(3)))
        return await_(late("goes on"))

    assert in_task(task) == "goes on"


def test_context_variables_cross_both_ways(in_task: Both) -> None:
    async def coroutine() -> str:
        before = variable.get()
        await asyncio.sleep(0)
        variable.set("by the coroutine")
        return before

    def task() -> tuple[str, str]:
        token = variable.set("by the task")
        seen = await_(coroutine()), variable.get()
        variable.reset(token)
        return seen

    assert in_task(task) == ("by the task", "by the coroutine")


def test_a_cancel_of_the_task_cancels_the_awaitable_and_waits_for_its_end(in_task: Both) -> None:
    trace: list[str] = []

    async def coroutine() -> None:
        try:
            trace.append("began")
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            trace.append("cancelled")
            await asyncio.sleep(0.001)
            trace.append("cleaned up")
            raise

    def victim() -> None:
        try:
            await_(coroutine())
        finally:
            trace.append("task goes")

    def task() -> bool:
        waiting = spawn(victim)
        until(lambda: trace)
        waiting.cancel()
        finish(waiting)
        return waiting.cancelled()

    assert in_task(task) is True
    assert trace == ["began", "cancelled", "cleaned up", "task goes"]


def test_a_timeout_of_the_task_cancels_the_awaitable(in_task: Both) -> None:
    ended: list[str] = []

    async def coroutine() -> None:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    def task() -> bool:
        with pytest.raises(TimeoutError):
            with timeout(0.01):
                await_(coroutine())
        with move_on_after(0.01) as scope:
            await_(coroutine())
        return scope.expired

    assert in_task(task) is True
    assert ended == ["cancelled"] * 2


@pytest.mark.parametrize("by", ["cancel", "timeout"])
def test_what_the_awaitable_brings_in_spite_of_a_cancel_is_not_lost(in_task: Both, by: str) -> None:
    began: list[bool] = []

    async def stubborn() -> str:
        began.append(True)
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            await asyncio.sleep(0.001)
        return "value"

    def victim(got: list[object]) -> None:
        with timeout(0.01 if by == "timeout" else None):
            got.append(await_(stubborn()))
            checkpoint()  # the request has not been forgotten
            got.append("not reached")

    def task() -> tuple[list[object], object]:
        got: list[object] = []
        waiting = spawn(victim, got)
        until(lambda: began)
        if by == "cancel":
            waiting.cancel()
        finish(waiting)
        return got, waiting.cancelled() if by == "cancel" else type(waiting.exception())

    assert in_task(task) == (["value"], True if by == "cancel" else TimeoutError)


def test_an_error_of_the_clean_up_takes_the_place_of_the_cancel(in_task: Both) -> None:
    began: list[bool] = []

    async def coroutine() -> None:
        try:
            began.append(True)
            await asyncio.sleep(LONG)
        finally:
            raise KeyError("clean-up")

    def task() -> BaseException | None:
        waiting = spawn(await_, coroutine())
        until(lambda: began)
        waiting.cancel()
        return waiting.exception(PATIENCE)

    assert repr(in_task(task)) == "KeyError('clean-up')"


def test_somebody_elses_cancel_of_the_awaitable_is_an_ordinary_error(in_task: Both) -> None:
    def task() -> str:
        job = asyncio.get_running_loop().create_task(late(LONG))
        job.cancel()
        with pytest.raises(TaskCancelled):
            await_(job)
        return "goes on"

    assert in_task(task) == "goes on"


def test_a_coroutine_that_never_began_is_closed(in_task: Both) -> None:
    """One that was never awaited would warn, and warnings are errors."""

    def cancels_itself() -> None:
        current_task().cancel()
        await_(late("never"))

    def task() -> list[bool]:
        refused, early = spawn(cancels_itself), spawn(await_, late("never"))
        parked(early)
        early.cancel()  # before the loop has come to it
        finish(refused, early)
        gc.collect()
        return [refused.cancelled(), early.cancelled()]

    assert in_task(task) == [True, True]


def test_await_says_what_it_takes_and_where(in_task: Both, hub_name: str) -> None:
    async def in_a_coroutine() -> None:
        with pytest.raises(WrongContext, match="type `await`"):
            await_(late(1))

    def task() -> None:
        with pytest.raises(TypeError, match="not 5"):
            await_(5)  # type: ignore[arg-type]
        await_(in_a_coroutine())

    in_task(task)


def test_await_on_another_hub_says_which_to_choose() -> None:
    with testing.override("hubkit_native.hub:NativeHub"):
        with pytest.raises(WrongContext, match=r"hubkit\.use\('asyncio'\)"):
            await_(late(1))
    gc.collect()


# -- a coroutine waits for a task -----------------------------------------------------------------


def test_a_coroutine_gets_what_a_task_brings(in_coroutine: Any) -> None:
    async def coroutine() -> list[object]:
        task = spawn(lambda: sleep(0.001) or "spawned")
        future: Future[str] = Future()
        spawn(future.set_result, "future")
        return [
            await task,
            await task,
            await future,
            await run_task(lambda *args, **kwargs: (args, kwargs), 1, fn=2),
            await asyncio.gather(*[run_task(lambda n=n: sleep(0.001) or n) for n in range(3)]),
        ]

    assert in_coroutine(coroutine()) == ["spawned", "spawned", "future", ((1,), {"fn": 2}), [0, 1, 2]]


def test_what_must_wait_is_refused_in_a_coroutine_and_the_bridge_named(in_coroutine: Any) -> None:
    async def coroutine() -> None:
        for verb in (checkpoint, spawn(sleep, 0).join, Queue().get, lambda: sleep(0.001)):
            with pytest.raises(WrongContext, match=r"await hubkit_asyncio\.run_task\(fn, …\)"):
                verb()
        assert current_task() is None
        queue: Queue[int] = Queue()
        queue.put(1)
        assert queue.get() == 1  # need not wait

    in_coroutine(coroutine())


def test_a_coroutine_gets_the_error_of_a_task(in_coroutine: Any) -> None:
    def fails() -> None:
        sleep(0.001)
        raise KeyError("mine")

    async def coroutine() -> None:
        for awaitable in (run_task(fails), spawn(fails)):
            with pytest.raises(KeyError, match="mine"):
                await awaitable
        with pytest.raises(TypeError, match="not 5"):
            await run_task(5)  # type: ignore[arg-type]

    in_coroutine(coroutine())


def test_context_variables_cross_into_a_task_and_back(in_coroutine: Any) -> None:
    def work() -> str:
        before = variable.get()
        sleep(0.001)
        variable.set("by the task")
        return before

    async def coroutine() -> tuple[str, str]:
        variable.set("by the coroutine")
        return await run_task(work), variable.get()

    assert in_coroutine(coroutine()) == ("by the coroutine", "by the task")


@pytest.mark.parametrize("bridge", [run_task, spawn])
def test_a_cancel_of_the_coroutine_cancels_the_task_and_waits_for_its_end(
    in_coroutine: Any, bridge: Callable[..., Awaitable[Any]]
) -> None:
    trace: list[str] = []

    def work() -> None:
        try:
            sleep(LONG)
        except Cancelled:
            trace.append("cancelled")
            sleep(0.002)
            trace.append("cleaned up")
            raise

    async def waiter() -> None:
        try:
            await bridge(work)
        except asyncio.CancelledError:
            trace.append("coroutine goes")
            raise

    async def coroutine() -> bool:
        job = asyncio.get_running_loop().create_task(waiter())
        await asyncio.sleep(0.005)
        job.cancel()
        await asyncio.wait([job])
        return job.cancelled()

    assert in_coroutine(coroutine()) is True
    assert trace == ["cancelled", "cleaned up", "coroutine goes"]


def test_a_timeout_of_the_coroutine_reaches_the_task(in_coroutine: Any) -> None:
    async def coroutine() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(run_task(sleep, LONG), 0.01)

    in_coroutine(coroutine())


def test_a_second_cancel_reaches_the_clean_up(in_coroutine: Any) -> None:
    trace: list[str] = []

    def work() -> None:
        try:
            sleep(LONG)
        finally:
            trace.append("cleaning")
            sleep(LONG)

    async def coroutine() -> bool:
        job = asyncio.get_running_loop().create_task(run_task(work))
        for _ in range(2):
            await asyncio.sleep(0.005)
            job.cancel()
        await asyncio.wait([job])
        return job.cancelled()

    assert in_coroutine(coroutine()) is True
    assert trace == ["cleaning"]


def test_somebody_elses_cancel_of_the_task_does_not_cancel_the_coroutine(in_coroutine: Any) -> None:
    async def coroutine() -> str:
        task = spawn(sleep, LONG)
        spawn(task.cancel)
        with pytest.raises(TaskCancelled):
            await task
        return "goes on"

    assert in_coroutine(coroutine()) == "goes on"


def test_a_value_in_spite_of_the_cancel_is_returned(in_coroutine: Any) -> None:
    def stubborn() -> str:
        try:
            sleep(LONG)
        except Cancelled:
            pass
        return "value"

    async def coroutine() -> object:
        job = asyncio.get_running_loop().create_task(run_task(stubborn))
        await asyncio.sleep(0.005)
        job.cancel()
        return await job

    assert in_coroutine(coroutine()) == "value"


def test_a_future_that_a_cancelled_coroutine_waited_for_is_left_alone(in_coroutine: Any) -> None:
    async def coroutine() -> Future[str]:
        future: Future[str] = Future()

        async def waiter() -> str:
            return await future  # type: ignore[no-any-return]

        job = asyncio.get_running_loop().create_task(waiter())
        await asyncio.sleep(0.001)
        job.cancel()
        await asyncio.wait([job])
        assert job.cancelled()
        assert future._watchers == []
        future.set_result("mine")
        return future

    assert in_coroutine(coroutine()).result(0) == "mine"


def test_a_coroutine_may_wait_for_a_task_of_another_thread(in_coroutine: Any) -> None:
    made: list[Task[str]] = []
    gate = threading.Event()

    def other_thread() -> None:
        made.append(spawn(lambda: sleep(0.005) or "from the other loop"))
        gate.set()
        made[0].join()

    async def coroutine() -> str:
        thread = threading.Thread(target=other_thread)
        thread.start()
        await asyncio.get_running_loop().run_in_executor(None, gate.wait, PATIENCE)
        result: str = await made[0]
        thread.join(PATIENCE)
        return result

    assert in_coroutine(coroutine()) == "from the other loop"


def test_each_may_call_the_other_to_any_depth(in_task: Both) -> None:
    async def down(depth: int) -> int:
        return await run_task(up, depth - 1) if depth else 0

    def up(depth: int) -> int:
        return 1 + await_(down(depth))

    assert in_task(lambda: up(20)) == 21


def test_many_of_each(in_coroutine: Any) -> None:
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    def work(number: int) -> int:
        checkpoint()
        return await_(double(number)) + 1

    async def coroutine() -> list[int]:
        return await asyncio.gather(*[run_task(work, number) for number in range(500)])

    assert in_coroutine(coroutine()) == [2 * number + 1 for number in range(500)]
