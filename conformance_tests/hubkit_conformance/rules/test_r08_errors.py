"""R08 Errors."""

from __future__ import annotations

import logging
import traceback

import pytest

import hubkit
from hubkit import (
    Cancelled,
    Event,
    TaskCancelled,
    TaskGroup,
    checkpoint,
    current_hub,
    sleep,
    spawn,
    spawn_later,
)

from ..tools import LONG, PATIENCE, finish, parked, settle, until


class Oops(Exception):
    pass


def fail(gate=None):
    if gate is not None:
        gate.wait(PATIENCE)
    raise Oops("on purpose")


@pytest.fixture
def logged(caplog):
    """The records of hubkit's logger, as they come."""
    caplog.set_level(logging.WARNING, logger="hubkit")
    return lambda: [record for record in caplog.records if record.name.partition(".")[0] == "hubkit"]


def test_r08_result_raises_the_very_error_as_often_as_asked():
    gate = Event()
    task = spawn(fail, gate)
    joiner = spawn(task.join, PATIENCE)
    parked(joiner)
    gate.set()
    assert joiner.result(PATIENCE) is True
    error = task.exception(PATIENCE)
    assert type(error) is Oops
    lengths = []
    for _ in range(3):
        with pytest.raises(Oops) as caught:
            task.result(PATIENCE)
        assert caught.value is error
        lengths.append(len(traceback.extract_tb(error.__traceback__)))
    assert lengths[0] == lengths[2], "the traceback grows with each look"


def test_r08_exception_is_none_and_result_is_the_value_if_all_went_well():
    task = spawn(lambda: "value")
    assert task.exception(PATIENCE) is None
    assert task.result(PATIENCE) == task.result(PATIENCE) == "value"


def test_r08_the_traceback_begins_with_the_tasks_own_function(logged):
    task = spawn(fail)
    finish(task)
    first = traceback.extract_tb(task.exception().__traceback__)[0]
    assert first.name == "fail"
    until(lambda: task.done())


def test_r08_an_error_that_nobody_waits_for_is_logged_once(logged):
    task = spawn(fail)
    task.name = "the one that fails"
    until(logged)
    settle(current_hub())
    (record,) = logged()
    assert "the one that fails" in record.getMessage()
    assert isinstance(record.exc_info[1], Oops)
    assert record.levelno >= logging.ERROR
    assert type(task.exception(PATIENCE)) is Oops


def test_r08_an_error_that_somebody_waits_for_is_not_logged(logged):
    gate = Event()
    for ask in ("join", "exception"):
        task = spawn(fail, gate)
        asker = spawn(getattr(task, ask))
        parked(task, asker)
        gate.set()
        finish(asker)
        gate.clear()
    task = spawn(fail, gate)

    def ask_and_catch():
        with pytest.raises(Oops):
            task.result()

    asker = spawn(ask_and_catch)
    parked(task, asker)
    gate.set()
    finish(asker)
    assert asker.exception() is None
    settle(current_hub())
    assert logged() == []


def test_r08_an_error_with_a_callback_is_not_logged(logged):
    gate, told = Event(), []
    task = spawn(fail, gate)
    task.add_done_callback(told.append)
    gate.set()
    until(lambda: told)
    settle(current_hub())
    assert told == [task]
    assert logged() == []


def test_r08_an_error_in_a_group_is_not_logged(logged):
    with pytest.raises(Exception) as caught:
        with TaskGroup() as group:
            group.spawn(fail)
    assert isinstance(caught.value.exceptions[0], Oops)
    settle(current_hub())
    assert logged() == []


def test_r08_a_cancelled_task_is_not_logged(logged):
    task = spawn(sleep, LONG)
    parked(task)
    task.cancel()
    until(task.done)
    settle(current_hub())
    assert logged() == []


def test_r08_an_error_harms_nobody_else(logged):
    event = Event()
    bystanders = [spawn(event.wait, PATIENCE) for _ in range(5)]
    parked(*bystanders)
    failing = [spawn(fail) for _ in range(20)]
    until(lambda: all(task.done() for task in failing))
    assert spawn(lambda: checkpoint() or "fine").result(PATIENCE) == "fine"
    assert spawn_later(0.001, int).result(PATIENCE) == 0
    event.set()
    assert [task.result(PATIENCE) for task in bystanders] == [True] * 5
    until(lambda: len(logged()) == 20)


def test_r08_a_base_exception_harms_nobody_else(logged):
    class Odd(BaseException):
        pass

    def odd():
        raise Odd

    task = spawn(odd)
    with pytest.raises(Odd):
        task.result(PATIENCE)
    assert spawn(lambda: sleep(0.001) or "fine").result(PATIENCE) == "fine"


def test_r08_a_cancelled_task_does_not_cancel_who_asks():
    task = spawn(sleep, LONG)
    parked(task)
    task.cancel()
    finish(task)
    for ask in (task.result, task.exception):
        with pytest.raises(TaskCancelled) as caught:
            ask(PATIENCE)
        assert isinstance(caught.value, Exception)
        assert not isinstance(caught.value, Cancelled)
    checkpoint()


def test_r08_who_waits_for_a_task_that_is_cancelled_is_not_cancelled():
    task = spawn(sleep, LONG)

    def asker():
        with pytest.raises(TaskCancelled):
            task.result()
        checkpoint()
        return "innocent"

    asking = spawn(asker)
    parked(task, asking)
    task.cancel()
    assert asking.result(PATIENCE) == "innocent"


def test_r08_a_task_that_was_killed_ends_cancelled(host, logged):
    task = spawn(sleep, LONG)
    parked(task)
    host.kill(task)
    finish(task)
    assert task.cancelled()
    with pytest.raises(TaskCancelled):
        task.result()
    settle(current_hub())
    assert logged() == []


def a_task_ends_by(name):
    error = {"KeyboardInterrupt": KeyboardInterrupt, "SystemExit": SystemExit}[name]

    def offender():
        raise error

    def main():
        bystander = hubkit.spawn(hubkit.sleep, LONG)
        hubkit.spawn(offender)
        try:
            hubkit.sleep(LONG)
        except error:
            print("main task:", name)
        print("bystander done:", bystander.done())
        hubkit.checkpoint()
        print("once")

    hubkit.run(main)


@pytest.mark.parametrize("name", ["KeyboardInterrupt", "SystemExit"])
def test_r08_what_is_meant_for_the_process_goes_to_the_main_task(child, name):
    finished = child(a_task_ends_by, name)
    assert finished.output.splitlines() == [f"main task: {name}", "bystander done: False", "once"]
