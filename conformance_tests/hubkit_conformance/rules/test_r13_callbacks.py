"""R13 Callbacks."""

from __future__ import annotations

import logging
import threading
import time
from contextvars import ContextVar

import pytest

from hubkit import Event, Queue, checkpoint, current_hub, current_task, now, sleep, spawn

from ..tools import LONG, PATIENCE, SHORT, finish, parked, settle, stop, until

variable = ContextVar("variable", default="default")


def test_r13_call_soon_calls_once_in_order_and_in_hub_context():
    trace = []
    hub = current_hub()
    for number in range(20):
        hub.call_soon(lambda number=number: trace.append((number, current_task())))
    until(lambda: len(trace) >= 20)
    settle(hub)
    assert trace == [(number, None) for number in range(20)]


def test_r13_call_soon_never_calls_inline():
    trace = []
    current_hub().call_soon(lambda: trace.append("callback"))
    inline = list(trace)
    until(lambda: trace)
    if current_hub().supports("ORDERED_YIELD"):
        assert inline == []
    nested = Queue()

    def outer():
        current_hub().call_soon(lambda: nested.put("inner"))
        nested.put("outer")

    current_hub().call_soon(outer)
    assert [nested.get(timeout=PATIENCE) for _ in range(2)] == ["outer", "inner"]


def test_r13_a_done_callback_is_called_once_with_its_task():
    gate, told = Event(), []
    task = spawn(gate.wait)
    for number in range(10):
        task.add_done_callback(lambda task, number=number: told.append((number, task, current_task())))
    settle(current_hub())
    assert told == []
    gate.set()
    until(lambda: len(told) >= 10)
    settle(current_hub())
    assert told == [(number, task, None) for number in range(10)]


def test_r13_one_registration_one_call():
    gate, told = Event(), []
    task = spawn(gate.wait)
    for _ in range(3):
        task.add_done_callback(told.append)
    gate.set()
    until(lambda: len(told) >= 3)
    settle(current_hub())
    assert told == [task] * 3


def test_r13_a_done_callback_registered_after_the_end_is_called_but_not_inline():
    task = spawn(int)
    finish(task)
    callers, told = [], Queue()
    me = current_task()

    def callback(task):
        callers.append(current_task())
        told.put(task)

    task.add_done_callback(callback)
    assert told.get(timeout=PATIENCE) is task
    assert callers == [None]
    assert callers != [me]


@pytest.mark.parametrize("end", ["value", "error", "cancel", "cancel before start"])
def test_r13_a_done_callback_is_called_however_the_task_ends(end):
    gate, told = Event(), Queue()

    def work():
        gate.wait(PATIENCE)
        if end == "error":
            raise KeyError("on purpose")
        if end == "cancel":
            sleep(LONG)

    task = spawn(work)
    task.add_done_callback(told.put)
    if end == "cancel before start":
        task.cancel()
    else:
        parked(task)
        gate.set()
        if end == "cancel":
            task.cancel()
    assert told.get(timeout=PATIENCE) is task
    assert task.done()


def test_r13_a_callback_that_is_not_callable_is_refused():
    task = spawn(int)
    with pytest.raises(TypeError):
        task.add_done_callback("nonsense")
    finish(task)


def test_r13_a_callback_runs_in_its_registrants_context():
    seen = Queue()
    task = spawn(int)

    def registrant(value):
        variable.set(value)
        current_hub().call_soon(lambda: seen.put(("soon", variable.get())))
        task.add_done_callback(lambda task: seen.put(("done", variable.get())))
        current_hub().call_at(now(), lambda: seen.put(("at", variable.get())))
        variable.set("changed afterwards")

    finish(spawn(registrant, "alice"))
    assert {seen.get(timeout=PATIENCE) for _ in range(3)} == {
        ("soon", "alice"),
        ("done", "alice"),
        ("at", "alice"),
    }
    assert variable.get() == "default"


def test_r13_a_callback_changes_no_context_but_its_own():
    seen = Queue()
    current_hub().call_soon(lambda: variable.set("leaked"))
    current_hub().call_soon(lambda: seen.put(variable.get()))
    assert seen.get(timeout=PATIENCE) == "default"
    assert spawn(variable.get).result(PATIENCE) == "default"
    assert variable.get() == "default"


def test_r13_an_error_in_a_callback_is_logged_and_harms_nobody(caplog):
    caplog.set_level(logging.WARNING, logger="hubkit")
    told = Queue()
    bystander = spawn(sleep, LONG)
    task = spawn(int)

    def bad(*args):
        raise KeyError("in a callback")

    task.add_done_callback(bad)
    task.add_done_callback(told.put)
    assert told.get(timeout=PATIENCE) is task
    current_hub().call_soon(bad)
    current_hub().call_soon(lambda: told.put("next"))
    assert told.get(timeout=PATIENCE) == "next"
    current_hub().call_at(now(), bad)
    current_hub().call_at(now(), lambda: told.put("timer"))
    assert told.get(timeout=PATIENCE) == "timer"
    until(lambda: len(caplog.records) >= 3)
    assert [type(record.exc_info[1]) for record in caplog.records] == [KeyError] * 3
    assert all(record.name.startswith("hubkit") for record in caplog.records)
    assert task.result(PATIENCE) == 0
    assert not bystander.done()
    stop(bystander)
    checkpoint()


def test_r13_call_soon_from_another_thread_is_noticed_at_once():
    hub, called, asked = current_hub(), Event(), []

    def ask_when_the_hub_is_at_rest():
        time.sleep(SHORT)
        asked.append(now())
        hub.call_soon(called.set)

    thread = threading.Thread(target=ask_when_the_hub_is_at_rest)
    thread.start()
    assert called.wait(PATIENCE) is True
    assert now() - asked[0] < PATIENCE / 2
    thread.join()


def test_r13_callbacks_of_several_threads_are_each_called_once():
    hub, called = current_hub(), []

    def register(name):
        for number in range(200):
            hub.call_soon(lambda number=number: called.append((name, number)))

    threads = [threading.Thread(target=register, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(called) >= 800)
    for thread in threads:
        thread.join()
    settle(hub)
    assert len(called) == 800
    for name in range(4):
        assert [number for who, number in called if who == name] == list(range(200))
