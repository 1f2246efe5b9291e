"""hubkit.threads: to_thread, on each of our hubs."""

from __future__ import annotations

import contextvars
import gc
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from hubs import each_hub
from scripts import run_script

import hubkit
from hubkit import (
    Cancelled,
    Event,
    Local,
    Queue,
    WrongContext,
    current_hub,
    current_task,
    move_on_after,
    sleep,
    spawn,
    threads,
    timeout,
    to_thread,
    worker_threads,
)
from hubkit.contract import Hub
from hubkit.threads import set_thread_limit
from hubkit_conformance.tools import LONG, PATIENCE, SHORT, finish, parked, parked_in_order, until


@pytest.fixture(autouse=True)
def every_place_comes_back(hub: Hub) -> Iterator[None]:
    before = threads._places
    limit = before.size
    yield
    set_thread_limit(limit)
    until(lambda: before.free() == limit)
    assert not before.busy
    assert not before._waiters.alive()


class Gate:
    """Jobs that wait in `enter` until `open`; native."""

    def __init__(self) -> None:
        self.entered: list[Any] = []
        self._opened = threading.Event()

    def enter(self, name: Any = None) -> Any:
        self.entered.append(name)
        assert self._opened.wait(PATIENCE)
        return name

    def open(self) -> None:
        self._opened.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


# -- what comes back ------------------------------------------------------------------------------


def test_the_value_comes_back_from_another_thread() -> None:
    def job(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs, threading.get_ident()

    args, kwargs, ident = to_thread(job, 1, 2, fn="any name", self=3)
    assert (args, kwargs) == ((1, 2), {"fn": "any name", "self": 3})
    assert ident != threading.get_ident()
    assert to_thread(lambda: None) is None


@pytest.mark.parametrize(
    "kind",
    [KeyError, StopIteration, SystemExit, KeyboardInterrupt, GeneratorExit, Cancelled, BaseException],
)
def test_whatever_is_raised_comes_back_as_it_is(kind: type[BaseException]) -> None:
    error = kind("from the thread")

    def fail() -> NoReturn:
        raise error

    with pytest.raises(kind) as caught:
        to_thread(fail)
    assert caught.value is error
    assert caught.traceback[-1].name == "fail"


def test_an_error_is_freed_without_the_collector() -> None:
    class Fault(Exception):
        pass

    def fail() -> NoReturn:
        raise Fault

    def body() -> weakref.ref[Fault]:
        try:
            to_thread(fail)
        except Fault as error:
            return weakref.ref(error)
        pytest.fail("no error")

    gc.collect()
    gc.disable()
    try:
        ref = body()
        until(lambda: ref() is None, "the error being freed")
    finally:
        gc.enable()


def test_what_is_no_function_is_an_error_at_the_call() -> None:
    with pytest.raises(TypeError, match="function"):
        to_thread("not callable")  # type: ignore[arg-type]


variable = contextvars.ContextVar("variable", default="default")


def test_it_runs_in_a_copy_of_the_callers_context() -> None:
    def job() -> str:
        seen = variable.get()
        variable.set("in the thread")
        return seen

    token = variable.set("of the caller")
    assert to_thread(job) == "of the caller"
    assert variable.get() == "of the caller"
    variable.reset(token)


# -- waiting --------------------------------------------------------------------------------------


def test_other_tasks_run_meanwhile(gate: Gate) -> None:
    task = spawn(to_thread, gate.enter, "value")
    parked(task)
    assert [spawn(lambda number=number: sleep(0.001) or number).result() for number in range(3)] == [0, 1, 2]
    assert not task.done()
    gate.open()
    assert task.result(PATIENCE) == "value"


def test_many_at_once_in_threads_of_their_own() -> None:
    set_thread_limit(8)
    together = threading.Barrier(8)

    def job() -> int:
        together.wait(PATIENCE)
        return threading.get_ident()

    tasks = [spawn(to_thread, job) for _ in range(8)]
    assert len({task.result(PATIENCE) for task in tasks}) == 8


def test_a_cancelled_caller_leaves_at_once_and_the_call_runs_on(gate: Gate) -> None:
    class Value:
        pass

    made: list[weakref.ref[Value]] = []

    def job() -> Value:
        gate.enter()
        value = Value()
        made.append(weakref.ref(value))
        return value

    task = spawn(to_thread, job)
    until(lambda: gate.entered)
    parked(task)
    task.cancel()
    finish(task)
    assert task.cancelled()
    gate.open()
    until(lambda: made)
    until(lambda: made[0]() is None, "the value that nobody wants being freed")


def test_a_callers_time_limit_holds(gate: Gate) -> None:
    with pytest.raises(TimeoutError), timeout(SHORT):
        to_thread(gate.enter)
    with move_on_after(SHORT) as scope:
        to_thread(gate.enter)
    assert scope.expired


def test_a_call_is_not_begun_for_who_is_asked_to_stop() -> None:
    ran: list[int] = []

    def work() -> None:
        task = current_task()
        assert task is not None
        task.cancel()
        to_thread(ran.append, 1)

    task = spawn(work)
    finish(task)
    assert task.cancelled()
    assert to_thread(lambda: list(ran)) == []


def test_a_callback_may_not_wait_for_a_thread(hub: Hub) -> None:
    got: list[BaseException] = []

    def callback() -> None:
        try:
            to_thread(int)
        except WrongContext as error:
            got.append(error)

    hub.call_soon(callback)
    until(lambda: got)


def test_a_thread_that_cannot_be_started_is_an_error_and_costs_no_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise RuntimeError("no further thread")

    set_thread_limit(1)
    with monkeypatch.context() as patched:
        patched.setattr(threads, "run_in_thread", refuse)
        with pytest.raises(RuntimeError, match="no further thread"):
            to_thread(int)
    assert to_thread(lambda: "fine") == "fine"


# -- in the thread --------------------------------------------------------------------------------


def test_verbs_work_in_the_thread() -> None:
    there, back = Queue[int](), Queue[int]()

    def job() -> str:
        for _ in range(10):
            back.put(2 * there.get(timeout=PATIENCE))
        sleep(0.001)
        with move_on_after(0.01) as scope:
            Event().wait()
        return f"done {scope.expired}"

    task = spawn(to_thread, job)
    for number in range(10):
        there.put(number)
        assert back.get(timeout=PATIENCE) == 2 * number
    assert task.result(PATIENCE) == "done True"


def test_nothing_of_hubkits_reaches_the_next_call_of_a_thread() -> None:
    local = Local()

    def litter() -> Any:
        me = current_task()
        assert me is not None
        local.value = "leaked"
        scopes.append(move_on_after(LONG).__enter__())
        me.cancel()
        return worker_threads._here.thread

    def look() -> Any:
        me = current_task()
        assert me is not None
        sleep(0)
        return hasattr(local, "value"), me.scope, worker_threads._here.thread

    scopes: list[Any] = []
    used = [to_thread(litter) for _ in range(3)]
    for _ in range(3):
        leaked, scope, thread = to_thread(look)
        assert (leaked, scope) == (False, None)
        used.append(thread)
    # By the thread's record, which is held here: its number is given to another one after its end.
    assert len({id(thread) for thread in used}) == 1, "a thread was not used again: this test shows nothing"
    for scope in scopes:
        scope.reschedule(None)  # its timer would be one that may still wake somebody, in all tests to come


@pytest.mark.usefixtures("a_hub_in_each_thread")
def test_a_hub_made_in_a_call_ends_with_it() -> None:
    def job() -> Any:
        spawn(sleep, LONG)
        return current_hub(), len(hubkit.all_tasks())

    first, second = to_thread(job), to_thread(job)
    assert first[0] is not second[0]
    assert first[0] is not current_hub()
    assert (first[1], second[1]) == (1, 1)
    for hub, _ in first, second:
        for task in list(hub.tasks):
            task.cancel()


# -- how many -------------------------------------------------------------------------------------


def test_the_default_limit() -> None:
    assert threads._places.size == min(32, (os.cpu_count() or 1) + 4)


def test_no_more_than_the_limit_run_at_once_and_the_rest_begin_in_order(gate: Gate) -> None:
    set_thread_limit(2)
    first = parked_in_order(2, lambda number: to_thread(gate.enter, number))
    until(lambda: len(gate.entered) == 2)
    order: list[int] = []
    rest = parked_in_order(5, lambda number: to_thread(order.append, number))
    assert order == []
    assert len(gate.entered) == 2
    set_thread_limit(1)
    gate.open()
    finish(*first, *rest)
    assert order == [0, 1, 2, 3, 4]


def test_who_gives_up_in_the_queue_never_begins_and_leaves_no_gap(gate: Gate) -> None:
    set_thread_limit(1)
    order: list[int] = []
    first = spawn(to_thread, gate.enter)
    until(lambda: gate.entered)
    rest = parked_in_order(4, lambda number: to_thread(order.append, number))
    rest[0].cancel()
    rest[2].cancel()
    finish(rest[0], rest[2])
    gate.open()
    finish(first, *rest)
    assert order == [1, 3]
    assert [task.cancelled() for task in rest] == [True, False, True, False]


def test_a_place_is_taken_until_the_call_ends_not_until_its_caller_leaves(gate: Gate) -> None:
    set_thread_limit(1)
    task = spawn(to_thread, gate.enter)
    until(lambda: gate.entered)
    task.cancel()
    finish(task)
    with move_on_after(SHORT) as scope:
        to_thread(int)
    assert scope.expired
    gate.open()
    assert to_thread(lambda: "free again") == "free again"


def test_a_higher_limit_lets_those_in_the_queue_begin(gate: Gate) -> None:
    set_thread_limit(1)
    tasks = parked_in_order(3, lambda number: to_thread(gate.enter, number))
    until(lambda: gate.entered == [0])
    set_thread_limit(2)
    until(lambda: gate.entered == [0, 1])
    set_thread_limit(3)
    until(lambda: len(gate.entered) == 3)
    gate.open()
    finish(*tasks)


def test_a_lower_limit_holds_once_enough_have_ended(gate: Gate) -> None:
    set_thread_limit(3)
    tasks = parked_in_order(3, lambda number: to_thread(gate.enter, number))
    until(lambda: len(gate.entered) == 3)
    set_thread_limit(1)
    gate.open()
    finish(*tasks)
    running, most = [0], [0]
    guard = threading.Lock()

    def job() -> None:
        with guard:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with guard:
            running[0] -= 1

    finish(*[spawn(to_thread, job) for _ in range(20)])
    assert most == [1]


@pytest.mark.parametrize(
    ("limit", "kind"),
    [(0, ValueError), (-1, ValueError), (True, TypeError), (1.5, TypeError), (None, TypeError)],
)
def test_what_is_no_limit_is_an_error(limit: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="limit"):
        set_thread_limit(limit)


def test_no_place_is_lost_in_a_crowd_of_callers_who_give_up() -> None:
    set_thread_limit(2)
    done: list[int] = []

    def caller(number: int) -> None:
        for turn in range(10):
            with move_on_after(0.0005 * (number % 5)):
                to_thread(done.append, turn)

    plain = [threading.Thread(target=caller, args=(number,)) for number in range(3)]
    for thread in plain:
        thread.start()
    finish(*[spawn(caller, number) for number in range(10)])
    until(lambda: not any(thread.is_alive() for thread in plain))
    assert done


# -- the process ----------------------------------------------------------------------------------


@each_hub
def test_a_call_that_never_ends_does_not_keep_the_process(hub_name: str) -> None:
    out = run_script(
        """
        task = hubkit.spawn(hubkit.to_thread, threading.Event().wait)
        hubkit.sleep(0.05)
        task.cancel()
        task.join()
        print("end")
        """,
        hub_name,
    )
    assert out == "end\n"


def test_a_forked_child_has_every_place_again() -> None:
    out = run_script(
        """
        from hubkit.threads import set_thread_limit
        set_thread_limit(1)
        over = threading.Event()
        task = hubkit.spawn(hubkit.to_thread, over.wait)
        hubkit.sleep(0.05)
        pid = os.fork()
        if pid == 0:
            os._exit(hubkit.to_thread(lambda: 5))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        over.set()
        print(task.result(), hubkit.to_thread(lambda: "fine"))
        """,
        "threads",
    )
    assert out == "5\nTrue fine\n"


def test_a_trace_left_on_in_a_call_hits_no_other() -> None:
    to_thread(lambda: sys.settrace(lambda *_: None))
    assert to_thread(sys.gettrace) is threading.gettrace()
