"""Channel."""

from __future__ import annotations

import gc
import signal
from math import nan
from queue import Empty, Full
from typing import Any

import pytest
from meetings import Garbage, Meet, Threads, at_each_step, thrown_into_next_wait

from hubkit.channels import Channel
from hubkit.contract import Hub
from hubkit.errors import Cancelled, Closed, WrongContext
from hubkit.registry import current_hub
from hubkit.spawning import current_task, spawn
from hubkit.tasks import Task
from hubkit_conformance.tools import (
    PATIENCE,
    SHORT,
    finish,
    not_before,
    parked,
    parked_in_order,
    settle,
    until,
)

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture
def channel() -> Channel[Any]:
    return Channel()


def putters(channel: Channel[Any], *items: object) -> list[Task[None]]:
    return parked_in_order(len(items), lambda number: channel.put(items[number], timeout=PATIENCE))


def getters(channel: Channel[Any], count: int) -> list[Task[Any]]:
    return parked_in_order(count, lambda number: channel.get(timeout=PATIENCE))


def assert_idle(channel: Channel[Any]) -> None:
    assert not channel._offers
    assert not channel._getters
    assert not channel._owed


def test_put_waits_for_get(channel: Channel[Any]) -> None:
    tasks = putters(channel, "a", "b")
    settle(tasks[0].hub)
    assert not any(task.done() for task in tasks)
    assert "2 putters" in repr(channel)
    assert channel.get() == "a"
    finish(tasks[0])
    assert not tasks[1].done()
    assert channel.get_nowait() == "b"
    finish(*tasks)
    assert_idle(channel)


def test_get_waits_for_put(channel: Channel[Any]) -> None:
    tasks = getters(channel, 2)
    channel.put("a")
    channel.put_nowait("b")
    with pytest.raises(Full):
        channel.put_nowait("c")
    assert [task.result(PATIENCE) for task in tasks] == ["a", "b"]
    assert_idle(channel)


def test_nobody_there(channel: Channel[Any]) -> None:
    for limit in (0, -1):
        with pytest.raises(Empty):
            channel.get(timeout=limit)
        with pytest.raises(Full):
            channel.put("x", timeout=limit)
    with pytest.raises(Empty):
        channel.get_nowait()
    with pytest.raises(Full):
        channel.put_nowait("x")
    with not_before(SHORT), pytest.raises(Empty):
        channel.get(timeout=SHORT)
    with not_before(SHORT), pytest.raises(Full):
        channel.put("x", timeout=SHORT)
    assert_idle(channel)


def test_bad_timeouts(channel: Channel[Any]) -> None:
    bad: Any = "soon"
    for call in (lambda limit: channel.get(timeout=limit), lambda limit: channel.put(1, timeout=limit)):
        with pytest.raises(ValueError):
            call(nan)
        with pytest.raises(TypeError):
            call(bad)
    assert_idle(channel)


@pytest.mark.parametrize("item", [None, (), (1,)])
def test_an_item_may_be_anything(channel: Channel[Any], item: object) -> None:
    task = getters(channel, 1)[0]
    channel.put(item)
    assert task.result(PATIENCE) is item
    putters(channel, item)
    assert channel.get() is item


def test_close(channel: Channel[Any]) -> None:
    assert channel.closed is False
    tasks: list[Task[Any]] = [*getters(channel, 2)]
    channel.close()
    channel.close()
    finish(*tasks)
    assert [type(task.exception()) for task in tasks] == [Closed, Closed]
    assert channel.closed is True
    for call in (channel.get, channel.get_nowait, lambda: channel.put(1), lambda: channel.put_nowait(1)):
        with pytest.raises(Closed):
            call()
    assert "closed" in repr(channel)


def test_close_refuses_what_nobody_got(channel: Channel[Any]) -> None:
    tasks = putters(channel, "a", "b")
    channel.close()
    finish(*tasks)
    assert [type(task.exception()) for task in tasks] == [Closed, Closed]
    with pytest.raises(Closed):
        channel.get()
    assert_idle(channel)


def test_iteration_ends_when_it_is_closed(channel: Channel[Any]) -> None:
    task: Task[list[Any]] = spawn(list, channel)
    for number in range(3):
        channel.put(number)
    channel.close()
    assert task.result(PATIENCE) == [0, 1, 2]


def test_who_goes_is_passed_over(channel: Channel[Any]) -> None:
    goes, stays = putters(channel, "never", "item")
    goes.cancel()
    assert channel.get(timeout=PATIENCE) == "item"
    finish(goes, stays)
    assert goes.cancelled()
    lost, found = getters(channel, 2)
    lost.cancel()
    channel.put("next", timeout=PATIENCE)
    assert found.result(PATIENCE) == "next"
    finish(lost)
    assert_idle(channel)


def test_put_is_not_told_taken_by_who_has_gone(channel: Channel[Any]) -> None:
    task = getters(channel, 1)[0]
    task.cancel()
    with pytest.raises(Full):
        channel.put_nowait("item")
    finish(task)
    assert_idle(channel)
    task = putters(channel, "item")[0]
    task.cancel()
    with pytest.raises(Empty):
        channel.get_nowait()
    finish(task)
    assert_idle(channel)


def test_a_throw_into_a_getter_gives_the_item_to_the_next(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, channel: Channel[Any]
) -> None:
    with thrown_into_next_wait(monkeypatch, hub, lambda: channel.put("item")):
        channel.get()
    later = putters(channel, "later")
    assert [channel.get_nowait(), channel.get_nowait()] == ["item", "later"]
    finish(*later)
    with thrown_into_next_wait(monkeypatch, hub, lambda: channel.put("item")):
        channel.get()
    channel.close()
    assert channel.get() == "item", "it was accepted before the channel was closed"
    with pytest.raises(Closed):
        channel.get()


def test_a_throw_into_a_putter(hub: Hub, monkeypatch: pytest.MonkeyPatch, channel: Channel[Any]) -> None:
    with thrown_into_next_wait(monkeypatch, hub):
        channel.put("never")
    assert_idle(channel)
    with pytest.raises(Empty):
        channel.get_nowait()


def test_a_latched_cancel_comes_first(channel: Channel[Any]) -> None:
    waiting = putters(channel, "item")

    def work() -> None:
        task = current_task()
        assert task is not None
        for call in (channel.get, lambda: channel.put(2)):
            task.cancel()
            with pytest.raises(Cancelled):
                call()

    spawn(work).result(PATIENCE)
    assert channel.get() == "item"
    finish(*waiting)


def test_in_a_callback(channel: Channel[Any]) -> None:
    seen: list[Any] = []
    task = getters(channel, 1)[0]

    def callback() -> None:
        channel.put("item")
        for call in (channel.get, lambda: channel.put(1)):
            try:
                call()
            except WrongContext as error:
                seen.append(type(error))

    current_hub().call_soon(callback)
    assert task.result(PATIENCE) == "item"
    until(lambda: len(seen) == 2)
    assert_idle(channel)


def test_by_a_signal_handler_and_by_a_finalizer(channel: Channel[Any]) -> None:
    tasks = getters(channel, 2)
    before = signal.signal(signal.SIGUSR1, lambda signum, frame: channel.put_nowait("item"))
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    Garbage(lambda: channel.put_nowait("item"))
    gc.collect()
    assert [task.result(PATIENCE) for task in tasks] == ["item", "item"]


@pytest.mark.parametrize("waiting", ["getter", "putter"])
@pytest.mark.parametrize("intruder", ["put", "get", "cancel", "close"])
def test_interrupted_anywhere(waiting: str, intruder: str) -> None:
    def play(meet: Meet) -> None:
        channel: Channel[str] = Channel()
        put: list[str] = []
        got: list[str] = []

        def give(item: str) -> None:
            try:
                channel.put_nowait(item)
            except (Full, Closed):
                return
            put.append(item)

        def take() -> None:
            try:
                got.append(channel.get_nowait())
            except (Empty, Closed):
                pass

        def waiter() -> None:
            try:
                if waiting == "getter":
                    got.append(channel.get(timeout=PATIENCE))
                else:
                    channel.put("waiter's", timeout=PATIENCE)
                    put.append("waiter's")
            except Closed:
                pass

        task = spawn(waiter)
        parked(task)
        intrusions = {"put": lambda: give("intruder's"), "get": take, "cancel": task.cancel}
        act = (lambda: give("item")) if waiting == "getter" else take
        meet(act, intrusions.get(intruder, channel.close))
        task.cancel()
        finish(task)
        got.extend(channel._owed)
        assert sorted(got) == sorted(put)
        assert not channel._offers

    assert at_each_step(play) > 10


@pytest.mark.parametrize("side", ["put", "get"])
def test_a_wait_interrupted_anywhere_by_the_other_side(side: str) -> None:
    def play(meet: Meet) -> None:
        channel: Channel[str] = Channel()
        come: list[Task[Any]] = []

        def other_side() -> None:
            if side == "put":
                come.append(spawn(channel.get, True, PATIENCE))
            else:
                come.append(spawn(channel.put, "item", True, PATIENCE))
            if type(hub).supports("ORDERED_YIELD"):
                return
            until(lambda: come[0].done() or come[0].ticket is not None)

        def act() -> Any:
            return channel.put("item", timeout=PATIENCE) if side == "put" else channel.get(timeout=PATIENCE)

        def otherwise() -> None:
            until(lambda: channel._offers or channel._getters or come)
            if not come:
                other_side()

        hub = current_hub()
        task = spawn(otherwise)
        answer = meet(act, lambda: come or other_side())
        finish(task)
        assert {answer, come[0].result(PATIENCE)} == {None, "item"}
        assert_idle(channel)

    assert at_each_step(play) > 10


def test_threads_and_tasks_lose_no_item(channel: Channel[Any]) -> None:
    got: list[int] = []

    def produce(number: int) -> None:
        for value in range(60):
            channel.put(number * 60 + value, timeout=PATIENCE)

    def consume() -> None:
        for item in channel:
            got.append(item)

    consumers = [spawn(consume) for _ in range(2)]
    consumer = Threads(consume, consume)
    producers = Threads(lambda: produce(0), lambda: produce(1), lambda: produce(2))
    finish(spawn(produce, 3))
    until(lambda: not any(thread.is_alive() for thread in producers.threads))
    producers.join()
    until(lambda: not channel._owed)
    channel.close()
    finish(*consumers)
    until(lambda: not any(thread.is_alive() for thread in consumer.threads))
    consumer.join()
    assert sorted(got) == list(range(240))
