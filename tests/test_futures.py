"""Future."""

from __future__ import annotations

import gc
import logging
import signal
import threading
import traceback
import weakref
from contextvars import ContextVar
from math import nan
from typing import Any

import pytest

from hubkit.errors import Cancelled, InvalidState, TaskCancelled
from hubkit.futures import Future
from hubkit.registry import current_hub
from hubkit.running import checkpoint, sleep
from hubkit.spawning import current_task, spawn
from hubkit.tasks import Task
from hubkit.timeouts import timeout
from hubkit_conformance.tools import LONG, PATIENCE, SHORT, finish, not_before, parked, until

pytestmark = pytest.mark.usefixtures("hub")


def test_a_value() -> None:
    future: Future[str] = Future()
    assert (future.done(), future.cancelled()) == (False, False)
    tasks = [spawn(future.result) for _ in range(3)]
    parked(*tasks)
    future.set_result("value")
    assert [task.result(PATIENCE) for task in tasks] == ["value"] * 3
    assert (future.result(0), future.exception(0), future.done()) == ("value", None, True)


def test_none_is_a_value() -> None:
    future: Future[None] = Future()
    future.set_result(None)
    assert future.done()
    assert future.result(0) is None


def test_an_error() -> None:
    future: Future[str] = Future()
    task = spawn(future.exception)
    parked(task)
    error = KeyError("x")
    future.set_exception(error)
    assert task.result(PATIENCE) is error
    lengths = set()
    for _ in range(3):
        with pytest.raises(KeyError) as caught:
            future.result()
        assert caught.value is error
        lengths.add(len(traceback.extract_tb(error.__traceback__)))
    assert len(lengths) == 1, "the traceback grows with each who asks"


def test_an_error_may_be_given_as_a_class() -> None:
    future: Future[str] = Future()
    future.set_exception(KeyError)
    assert type(future.exception(0)) is KeyError
    with pytest.raises(TypeError, match="takes an exception"):
        Future[int]().set_exception("boom")  # type: ignore[arg-type]


def test_a_second_outcome_is_an_error_and_changes_nothing() -> None:
    future: Future[int] = Future()
    future.set_result(1)
    for again in (lambda: future.set_result(2), lambda: future.set_exception(KeyError())):
        with pytest.raises(InvalidState, match="has ended before"):
            again()
    assert future.cancel() is False
    assert future.result(0) == 1
    assert not future.cancelled()


def test_cancel() -> None:
    future: Future[int] = Future()
    task = spawn(future.result)
    parked(task)
    assert future.cancel() is True
    assert future.cancel() is False
    assert (future.done(), future.cancelled()) == (True, True)
    assert type(task.exception(PATIENCE)) is TaskCancelled, "the waiter is not cancelled itself"
    with pytest.raises(TaskCancelled):
        future.exception(0)
    with pytest.raises(InvalidState):
        future.set_result(1)


def test_t19_a_cancelled_that_is_passed_on_does_not_cancel_who_waits() -> None:
    future: Future[int] = Future()

    def worker() -> None:
        try:
            sleep(LONG)
        except BaseException as error:
            future.set_exception(error)
            raise

    task = spawn(worker)
    parked(task)
    task.cancel()
    with pytest.raises(TaskCancelled):
        future.result(PATIENCE)
    assert future.cancelled()


def test_time_limits() -> None:
    future: Future[int] = Future()
    with not_before(SHORT):
        with pytest.raises(TimeoutError, match=r"has not ended within 0\.03 s"):
            future.result(SHORT)
    for limit in (0, -1):
        with pytest.raises(TimeoutError):
            future.exception(limit)
    with pytest.raises(TimeoutError):
        with timeout(SHORT):
            future.result()
    assert not future._watchers, "nothing is left of a wait that ended otherwise"
    future.set_result(1)
    with pytest.raises(ValueError):
        future.result(nan)
    with pytest.raises(TypeError):
        future.result("soon")  # type: ignore[arg-type]


def test_a_cancelled_waiter_leaves_the_others_alone() -> None:
    future: Future[int] = Future()
    first, second = spawn(future.result), spawn(future.result)
    parked(first, second)
    first.cancel()
    finish(first)
    assert first.cancelled()
    future.set_result(7)
    assert second.result(PATIENCE) == 7


def test_a_latched_cancel_comes_before_the_value() -> None:
    future: Future[int] = Future()
    future.set_result(1)

    def body() -> None:
        task = current_task()
        assert task is not None
        task.cancel()
        with pytest.raises(Cancelled):
            future.result()

    spawn(body).result(PATIENCE)


def test_callbacks_run_in_order_in_hub_context_and_once() -> None:
    future: Future[int] = Future()
    seen: list[Any] = []
    for number in range(3):
        future.add_done_callback(lambda f, number=number: seen.append((number, f is future, current_task())))
    future.set_result(1)
    future.add_done_callback(lambda f: seen.append((3, f is future, current_task())))
    if current_hub().supports("ORDERED_YIELD"):
        assert seen == [], "called inline"
    until(lambda: len(seen) == 4)
    assert seen == [(number, True, None) for number in range(4)]
    with pytest.raises(TypeError, match="must be callable"):
        future.add_done_callback(3)  # type: ignore[arg-type]


def test_an_error_in_a_callback_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    future: Future[int] = Future()
    seen: list[Any] = []

    def broken(future: Future[int]) -> None:
        raise KeyError("in the callback")

    with caplog.at_level(logging.ERROR, "hubkit"):
        future.add_done_callback(broken)
        future.add_done_callback(seen.append)
        future.set_result(1)
        until(lambda: seen)
    assert [repr(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        "KeyError('in the callback')"
    ]


variable: ContextVar[str] = ContextVar("variable", default="default")


def test_a_callback_runs_in_a_copy_of_the_registrants_context() -> None:
    future: Future[int] = Future()
    seen: list[str] = []

    def register() -> None:
        variable.set("registrant")
        future.add_done_callback(lambda f: (seen.append(variable.get()), variable.set("callback")))
        checkpoint()
        seen.append(variable.get())

    spawn(register).result(PATIENCE)
    future.set_result(1)
    until(lambda: len(seen) == 2)
    assert seen == ["registrant", "registrant"]


@pytest.mark.usefixtures("a_hub_in_each_thread")
def test_a_callback_of_a_hub_that_is_closed_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    future: Future[int] = Future()
    waiter = spawn(future.result)
    parked(waiter)

    def other_thread() -> None:
        from hubkit.running import run

        run(future.add_done_callback, print)

    thread = threading.Thread(target=other_thread)
    thread.start()
    until(lambda: not thread.is_alive())
    with caplog.at_level(logging.ERROR, "hubkit"):
        future.set_result(3)
    assert waiter.result(PATIENCE) == 3
    assert "is closed" in caplog.text


def test_set_from_another_thread() -> None:
    future: Future[int] = Future()
    thread = threading.Thread(target=future.set_result, args=(5,))
    thread.start()
    assert future.result(PATIENCE) == 5
    thread.join()


def test_set_from_a_signal_handler_while_all_wait() -> None:
    future: Future[int] = Future()
    before = signal.signal(signal.SIGUSR1, lambda number, frame: future.set_result(number))
    try:
        timer = threading.Timer(0.01, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1))
        timer.start()
        assert future.result(PATIENCE) == signal.SIGUSR1
        timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_wait_in_a_thread_without_a_hub() -> None:
    future: Future[int] = Future()
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(future.result(PATIENCE)))
    thread.start()
    until(lambda: future._watchers)
    future.set_result(1)
    until(lambda: not thread.is_alive())
    assert results == [1]


def test_one_of_many_suppliers_wins_and_all_hear_the_same() -> None:
    for _ in range(100):
        future: Future[int] = Future()
        won: list[int] = []
        waiters = [spawn(future.result) for _ in range(3)]

        def supply(number: int, future: Future[int], won: list[int]) -> None:
            try:
                future.set_result(number)
            except InvalidState:
                return
            won.append(number)

        threads = [threading.Thread(target=supply, args=(number, future, won)) for number in range(4)]
        for thread in threads:
            thread.start()
        assert {task.result(PATIENCE) for task in waiters} == {future.result(PATIENCE)}
        for thread in threads:
            thread.join()
        assert won == [future.result()]


def test_a_future_frees_its_value_with_itself() -> None:
    class Value:
        pass

    future: Future[Value] = Future()
    future.set_result(Value())
    ref = weakref.ref(future.result())
    gc.collect()
    gc.disable()
    try:
        del future
        assert ref() is None
    finally:
        gc.enable()


def test_repr() -> None:
    future: Future[int] = Future()
    assert repr(future).startswith("<Future pending at 0x")
    future.cancel()
    assert repr(future).startswith("<Future cancelled")
    for how, error in (("failed", KeyError()), ("done", None)):
        future = Future()
        if error is None:
            future.set_result(1)
        else:
            future.set_exception(error)
        assert repr(future).startswith(f"<Future {how}")


def test_waiters_are_woken_in_order() -> None:
    future: Future[int] = Future()
    order: list[int] = []

    def waiter(number: int) -> None:
        future.result()
        order.append(number)

    tasks: list[Task[None]] = []
    for number in range(5):
        tasks.append(spawn(waiter, number))
        parked(tasks[-1])
    future.set_result(1)
    finish(*tasks)
    if current_hub().supports("ORDERED_YIELD"):
        assert order == list(range(5))
    else:
        assert sorted(order) == list(range(5))
