"""Event."""

from __future__ import annotations

import gc
import signal
import weakref
from collections.abc import Callable
from math import nan
from typing import Any

import pytest
from meetings import Garbage, Meet, Threads, at_each_step, thrown_into_next_wait

from hubkit.contract import ORDERED_YIELD, Hub
from hubkit.errors import Cancelled, WrongContext
from hubkit.events import Event
from hubkit.registry import current_hub
from hubkit.spawning import current_task, spawn
from hubkit_conformance.tools import PATIENCE, SHORT, finish, not_before, parked, parked_in_order, until

pytestmark = pytest.mark.usefixtures("hub")


def test_a_flag() -> None:
    event = Event()
    assert event.is_set() is False
    event.set()
    event.set()
    assert event.is_set() is True
    assert event.wait() is True
    assert event.wait(-1) is True
    event.clear()
    event.clear()
    assert event.is_set() is False
    assert event.wait(0) is False
    assert event.wait(-1) is False
    assert "not set" in repr(event)
    assert weakref.ref(event)() is event


def test_set_wakes_everybody_in_order(hub: Hub) -> None:
    event, woken = Event(), []

    def waiter(number: int) -> bool:
        answer = event.wait(PATIENCE)
        woken.append(number)
        return answer

    tasks = parked_in_order(5, waiter)
    assert "5 waiting" in repr(event)
    event.set()
    assert [task.result(PATIENCE) for task in tasks] == [True] * 5
    assert sorted(woken) == list(range(5))
    if hub.supports(ORDERED_YIELD):
        assert woken == list(range(5))


def test_a_pulse_wakes_who_waited_and_nobody_else() -> None:
    event = Event()
    tasks = [spawn(event.wait) for _ in range(3)]
    parked(*tasks)
    event.set()
    event.clear()
    late = spawn(event.wait)
    parked(late)
    assert [task.result(PATIENCE) for task in tasks] == [True] * 3
    assert not late.done()
    event.set()
    assert late.result(PATIENCE) is True


def test_a_wait_that_ends_leaves_no_ticket() -> None:
    event = Event()
    with not_before(SHORT):
        assert event.wait(SHORT) is False
    task = spawn(event.wait)
    parked(task)
    task.cancel()
    finish(task)
    assert task.cancelled()
    assert len(event._waiters) == 0


def test_a_throw_leaves_no_ticket(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    event = Event()
    with thrown_into_next_wait(monkeypatch, hub):
        event.wait()
    assert len(event._waiters) == 0
    with thrown_into_next_wait(monkeypatch, hub, event.set):
        event.wait()
    assert event.is_set()
    event.clear()
    assert event.wait(SHORT) is False, "the old wait's wake-up has come to a new one"


def test_a_latched_cancel_comes_first() -> None:
    event = Event()
    event.set()

    def work() -> str:
        task = current_task()
        assert task is not None
        task.cancel()
        assert event.is_set()
        try:
            event.wait()
        except Cancelled:
            return "cancelled"
        return "waited"

    assert spawn(work).result(PATIENCE) == "cancelled"


def test_an_event_is_no_boolean() -> None:
    with pytest.raises(TypeError, match=r"event\.is_set\(\)"):
        bool(Event())


@pytest.mark.parametrize("flag", [True, False])
def test_what_is_no_number_of_seconds(flag: bool) -> None:
    event = Event()
    if flag:
        event.set()
    with pytest.raises(ValueError, match="nan"):
        event.wait(nan)
    bad: Any = "soon"
    with pytest.raises(TypeError, match="soon"):
        event.wait(bad)


def test_in_a_callback() -> None:
    event, seen = Event(), []

    def callback() -> None:
        try:
            event.wait()
        except WrongContext as error:
            seen.append(error)
        event.set()
        seen.append(event.wait())

    current_hub().call_soon(callback)
    until(lambda: len(seen) == 2)
    assert isinstance(seen[0], WrongContext)
    assert seen[1] is True


def by_signal(event: Event) -> None:
    before = signal.signal(signal.SIGUSR1, lambda signum, frame: event.set())
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


def by_finalizer(event: Event) -> None:
    Garbage(event.set)
    gc.collect()


def by_thread(event: Event) -> None:
    Threads(event.set).join()


@pytest.mark.parametrize("by", [by_signal, by_finalizer, by_thread])
def test_set_from_anywhere(by: Callable[[Event], None]) -> None:
    event = Event()
    tasks = [spawn(event.wait) for _ in range(2)]
    parked(*tasks)
    by(event)
    assert [task.result(PATIENCE) for task in tasks] == [True, True]


def test_a_thread_without_a_hub_waits() -> None:
    event, back = Event(), Event()

    def thread() -> None:
        assert event.wait(PATIENCE)
        back.set()

    threads = Threads(thread, thread)
    until(lambda: len(event._waiters) == 2)
    event.set()
    assert back.wait(PATIENCE)
    threads.join()


@pytest.mark.parametrize("intruder", ["set", "clear", "pulse"])
def test_set_interrupted_anywhere_wakes_everybody(intruder: str) -> None:
    def play(meet: Meet) -> None:
        event = Event()
        tasks = [spawn(event.wait, PATIENCE) for _ in range(2)]
        parked(*tasks)

        def intrude() -> None:
            if intruder in ("set", "pulse"):
                event.set()
            if intruder in ("clear", "pulse"):
                event.clear()

        meet(event.set, intrude)
        assert [task.result(PATIENCE) for task in tasks] == [True, True]

    assert at_each_step(play) > 10


def test_wait_interrupted_anywhere_by_set_is_woken() -> None:
    def play(meet: Meet) -> None:
        event, intruded = Event(), []

        def intrude() -> None:
            intruded.append(True)
            event.set()

        def otherwise() -> None:
            until(lambda: event._waiters or intruded)
            if not intruded:
                event.set()

        task = spawn(otherwise)
        assert meet(lambda: event.wait(PATIENCE), intrude) is True
        assert len(event._waiters) == 0
        finish(task)

    assert at_each_step(play) > 10
