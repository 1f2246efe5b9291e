"""Task: what the rules leave to the module. R01, R04, R08 and R13 are in the conformance suite."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import traceback
import weakref
from math import inf, nan
from typing import Any, NoReturn

import pytest

from hubkit.errors import Cancelled, TaskCancelled
from hubkit.futures import Future
from hubkit.registry import current_hub, this_task
from hubkit.running import checkpoint, now, run, sleep
from hubkit.spawning import all_tasks, current_task, spawn, spawn_later
from hubkit.tasks import Task
from hubkit.timeouts import move_on_after
from hubkit.waiting import latched
from hubkit_conformance.tools import LONG, PATIENCE, SHORT, finish, not_before, parked, stop, until

pytestmark = pytest.mark.usefixtures("hub")


def fail(text: str = "of the task") -> NoReturn:
    raise KeyError(text)


def me() -> Task[Any]:
    return this_task()


# -- spawning -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [3, None, "name"])
def test_what_is_no_function_is_refused_at_the_call(bad: Any) -> None:
    for call in (spawn, lambda fn: spawn_later(1, fn)):
        with pytest.raises(TypeError, match="takes"):
            call(bad)


def test_any_keyword_may_be_passed_on() -> None:
    names = ("fn", "self", "delay", "hub", "args", "kwargs")
    task = spawn(dict, **dict.fromkeys(names, 1))
    assert task.result(PATIENCE) == dict.fromkeys(names, 1)
    assert spawn_later(0, dict, fn=1, delay=2).result(PATIENCE) == {"fn": 1, "delay": 2}


def test_spawn_later_is_not_early() -> None:
    start = now()
    assert spawn_later(SHORT, now).result(PATIENCE) >= start + SHORT
    with pytest.raises(TypeError, match="not None"):
        spawn_later(None, int)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        spawn_later(nan, int)
    with pytest.raises(TypeError):
        spawn_later("1", int)  # type: ignore[arg-type]


@pytest.mark.parametrize("delay", [LONG, inf])
def test_a_delayed_task_that_is_cancelled_ends_at_once(delay: float) -> None:
    ran: list[int] = []
    task = spawn_later(delay, ran.append, 1)
    assert task in all_tasks()
    waiter = spawn(task.join)
    parked(waiter)
    assert task.cancel() is True
    assert task.join(PATIENCE)
    assert task.cancelled()
    assert not ran
    assert waiter.result(PATIENCE) is True
    assert task not in all_tasks()
    assert task.cancel() is False


def test_a_cancel_that_meets_the_timer_starts_no_task_twice() -> None:
    ran: list[int] = []
    tasks = []
    for _ in range(50):
        tasks.append(spawn_later(0.0005, ran.append, 1))
        sleep(0.0005)
        tasks[-1].cancel()
    finish(*tasks)
    assert len(ran) == sum(not task.cancelled() for task in tasks)


# -- requests -------------------------------------------------------------------------------------


def test_two_cancels_in_the_same_instant_are_one_request() -> None:
    def body() -> str:
        with pytest.raises(Cancelled):
            sleep(LONG)
        checkpoint()
        return "once"

    task = spawn(body)
    parked(task)
    # What two threads do that have both seen that nothing was asked yet.
    task._requests.extend([Cancelled(task), Cancelled(task)])
    task.nudge()
    assert task.result(PATIENCE) == "once"


def test_cancels_from_many_threads_are_delivered_and_leave_nothing() -> None:
    def body(caught: list[Cancelled]) -> None:
        try:
            sleep(LONG)
        except Cancelled as request:
            caught.append(request)
        with move_on_after(PATIENCE):
            until(lambda: not any(thread.is_alive() for thread in threads))

    for _ in range(20):
        caught: list[Cancelled] = []
        task = spawn(body, caught)
        parked(task)
        threads = [threading.Thread(target=task.cancel) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        finish(task)
        assert len(caught) == 1
        assert caught[0].source is task
    assert not latched


def test_an_interrupt_is_delivered_like_a_cancel() -> None:
    task = spawn(sleep, LONG)
    parked(task)
    task.interrupt(KeyError("thrown"))
    assert repr(task.exception(PATIENCE)) == "KeyError('thrown')"
    task.interrupt(KeyError("too late"))
    assert repr(task.exception(PATIENCE)) == "KeyError('thrown')"


def test_a_cancelled_says_who_asked() -> None:
    def body() -> str:
        with pytest.raises(Cancelled) as caught:
            sleep(LONG)
        return str(caught.value)

    task = spawn(body)
    parked(task)
    task.cancel()
    assert task.result(PATIENCE).startswith("cancelled by <Task ")


# -- the end --------------------------------------------------------------------------------------


def test_t19_the_result_of_a_cancelled_task_does_not_cancel_who_asks() -> None:
    task = spawn(sleep, LONG)
    waiter = spawn(task.result)
    parked(task, waiter)
    task.cancel()
    error = waiter.exception(PATIENCE)
    assert type(error) is TaskCancelled
    assert not waiter.cancelled()
    for ask in (task.result, task.exception):
        with pytest.raises(TaskCancelled, match="was cancelled"):
            ask()


def test_t24_a_traceback_begins_with_the_tasks_own_function_and_does_not_grow() -> None:
    task = spawn(fail)
    finish(task)
    depths = set()
    for _ in range(3):
        with pytest.raises(KeyError) as caught:
            task.result()
        depths.add(len(traceback.extract_tb(caught.value.__traceback__)))
    assert len(depths) == 1
    error = task.exception()
    assert error is not None
    assert traceback.extract_tb(task._traceback)[0].name == "fail"


def test_t24_an_error_that_is_kept_shows_no_later_tasks_locals() -> None:
    task = spawn(fail)
    finish(task)
    secret = "of a later task"

    def later(secret: str) -> str:
        checkpoint()
        return secret

    spawn(later, secret).result(PATIENCE)
    entry = task._traceback
    while entry is not None:
        assert secret not in entry.tb_frame.f_locals.values()
        entry = entry.tb_next


def test_joining_oneself_is_an_error_at_once() -> None:
    def body() -> None:
        for ask in (me().join, me().result, me().exception):
            with pytest.raises(RuntimeError, match="waits for its own end"):
                ask()

    spawn(body).result(PATIENCE)


def test_time_limits_of_the_outcome() -> None:
    task = spawn(sleep, LONG)
    with not_before(SHORT):
        assert task.join(SHORT) is False
    for limit in (0, -1):
        assert task.join(limit) is False
        with pytest.raises(TimeoutError, match="has not ended within"):
            task.result(limit)
    assert not task._watchers, "nothing is left of waits that ended otherwise"
    stop(task)


def test_an_error_is_logged_once_if_nobody_waits(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "hubkit"):
        task = spawn(fail, "lonely")
        until(task.done)
        until(lambda: caplog.records)
    assert [repr(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        "KeyError('lonely')"
    ]
    assert task.name in caplog.text


def test_a_failed_task_is_freed_without_the_collector() -> None:
    class Fault(Exception):
        pass

    def fault() -> NoReturn:
        raise Fault

    gc.collect()
    gc.disable()
    try:
        task = spawn(fault)
        finish(task)
        ref = weakref.ref(task)
        del task
        finish(*[spawn(int) for _ in range(3)])  # what a carrier last had to do with is forgotten by then
        until(lambda: ref() is None, "the task being freed")
    finally:
        gc.enable()


def test_a_done_callback_is_checked_at_the_call() -> None:
    with pytest.raises(TypeError, match="must be callable"):
        spawn(int).add_done_callback(None)  # type: ignore[arg-type]


def test_a_callback_for_a_closed_hub_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    task = run(lambda: spawn(int))
    with caplog.at_level(logging.ERROR, "hubkit"):
        task.add_done_callback(print)
    assert "is closed" in caplog.text


def test_joiners_and_callbacks_are_served_in_order() -> None:
    gate: Future[None] = Future()
    order: list[str] = []
    task = spawn(gate.result)

    def joiner(name: str) -> None:
        task.join()
        order.append(name)

    first = spawn(joiner, "first")
    parked(first)
    task.add_done_callback(lambda task: order.append("callback"))
    second = spawn(joiner, "second")
    parked(second)
    gate.set_result(None)
    finish(first, second)
    until(lambda: len(order) == 3)
    if current_hub().supports("ORDERED_YIELD"):
        assert order == ["first", "callback", "second"]
    else:
        assert sorted(order) == ["callback", "first", "second"]


# -- names, lists ---------------------------------------------------------------------------------


def test_names_and_states() -> None:
    gate: Future[None] = Future()
    task = spawn(gate.result)
    assert task.name == f"Future.result-{task.number}"
    parked(task)
    assert repr(task) == f"<Task {task.name} waiting>"
    task.name = "mine"
    gate.set_result(None)
    finish(task)
    assert repr(task) == "<Task mine done>"
    assert repr(me()).endswith("running>")
    assert repr(spawn_later(LONG, int)).endswith("new>")
    failed, cancelled = spawn(fail), spawn(sleep, LONG)
    parked(cancelled)
    cancelled.cancel()
    finish(failed, cancelled)
    assert repr(failed).endswith("failed>")
    assert repr(cancelled).endswith("cancelled>")


def test_a_callable_without_a_name_has_one_all_the_same() -> None:
    class Caller:
        def __call__(self) -> int:
            return 1

    task = spawn(Caller())
    assert task.name.startswith("Caller-")
    assert task.result(PATIENCE) == 1


def test_all_tasks_lists_those_that_have_not_ended_in_order() -> None:
    tasks = [spawn(sleep, LONG) for _ in range(3)]
    ended = spawn(int)
    finish(ended)
    assert [task for task in all_tasks() if task in (*tasks, ended)] == tasks
    stop(*tasks)
    assert not set(tasks) & set(all_tasks())


def test_current_task() -> None:
    task = spawn(current_task)
    assert task.result(PATIENCE) is task
    assert current_task() is me()
    seen: list[Any] = []
    current_hub().call_soon(lambda: seen.append(current_task()))
    until(lambda: seen)
    assert seen == [None]


def test_a_task_starts_outside_of_any_except_block() -> None:
    try:
        raise KeyError("of the spawner")
    except KeyError:
        assert spawn(sys.exc_info).result(PATIENCE) == (None, None, None)
