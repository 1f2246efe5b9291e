"""TaskGroup: what the rules leave to the module. R09 is in the conformance suite."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import weakref
from typing import Any, NoReturn

import pytest
from hubs import skip_without

from hubkit.contract import DEADLOCK, Adapter, Hub
from hubkit.errors import Cancelled, Deadlock
from hubkit.events import Event
from hubkit.futures import Future
from hubkit.registry import current_hub, this_task
from hubkit.running import checkpoint, run, sleep
from hubkit.scopes import shield
from hubkit.spawning import current_task, spawn
from hubkit.task_group import TaskGroup
from hubkit.tasks import Task
from hubkit.timeouts import move_on_after, timeout
from hubkit_conformance.tools import LONG, PATIENCE, SHORT, finish, parked, until

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup

pytestmark = pytest.mark.usefixtures("hub")


def fail(error: BaseException) -> NoReturn:
    raise error


def test_spawn_refuses_what_is_no_function() -> None:
    with TaskGroup() as group:
        with pytest.raises(TypeError, match="takes a function"):
            group.spawn(3)  # type: ignore[arg-type]


def test_spawn_before_entering_says_what_to_type() -> None:
    with pytest.raises(RuntimeError, match="with TaskGroup"):
        TaskGroup().spawn(int)


def test_spawn_after_the_end_starts_nothing() -> None:
    with TaskGroup() as group:
        pass
    ran: list[int] = []
    with pytest.raises(RuntimeError, match="is closed"):
        group.spawn(ran.append, 1)
    checkpoint()
    assert not ran
    assert repr(group) == "<TaskGroup closed>"


def test_a_group_is_entered_once() -> None:
    with TaskGroup() as group:
        with pytest.raises(RuntimeError, match="entered before"):
            group.__enter__()


def test_children_may_spawn_children_and_all_are_joined() -> None:
    ended = []

    def work(depth: int) -> None:
        checkpoint()
        if depth:
            group.spawn(work, depth - 1)
            group.spawn(work, depth - 1)
        ended.append(depth)

    with TaskGroup() as group:
        group.spawn(work, 5)
    assert len(ended) == 2**6 - 1


def test_keyword_arguments_and_the_context_reach_the_child() -> None:
    with TaskGroup() as group:
        task = group.spawn(dict, fn=1, self=2)
    assert task.result() == {"fn": 1, "self": 2}


def test_an_error_in_the_body_only() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        with TaskGroup():
            raise KeyError("body")
    assert [type(error) for error in caught.value.exceptions] == [KeyError]
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_errors_come_in_the_order_of_their_raising() -> None:
    def late() -> None:
        try:
            sleep(LONG)
        finally:
            raise ValueError("third")

    with pytest.raises(ExceptionGroup) as caught:
        with TaskGroup() as group:
            parked(group.spawn(late))
            group.spawn(fail, KeyError("first"))
            try:
                sleep(LONG)
            finally:
                raise IndexError("second or third")
    kinds = [type(error) for error in caught.value.exceptions]
    assert kinds[0] is KeyError
    assert set(kinds[1:]) == {ValueError, IndexError}


def test_an_odd_base_exception_of_a_child_comes_in_a_base_group() -> None:
    class Odd(BaseException):
        pass

    with pytest.raises(BaseExceptionGroup) as caught:
        with TaskGroup() as group:
            group.spawn(fail, Odd())
            group.spawn(sleep, LONG)
    assert [type(error) for error in caught.value.exceptions] == [Odd]
    assert not isinstance(caught.value, ExceptionGroup)


def test_a_keyboard_interrupt_of_a_child_goes_to_main_and_stops_the_group() -> None:
    sibling: list[Task[Any]] = []

    def body() -> None:
        with TaskGroup() as group:
            sibling.append(group.spawn(sleep, LONG))
            parked(*sibling)
            group.spawn(fail, KeyboardInterrupt("of a child"))

    task = spawn(body)
    with pytest.raises(KeyboardInterrupt, match="of a child"):
        task.join(PATIENCE)
        checkpoint()
    finish(task)
    assert sibling[0].cancelled()
    assert task.exception() is None, "raised in the main task, and so not in the group too"


def test_a_child_that_is_cancelled_or_cancels_itself_is_no_error() -> None:
    def suicide() -> None:
        task = current_task()
        assert task is not None
        task.cancel()
        checkpoint()

    with TaskGroup() as group:
        tasks = [group.spawn(suicide), group.spawn(sleep, LONG), group.spawn(int)]
        parked(tasks[1])
        tasks[1].cancel()
    assert [task.cancelled() for task in tasks] == [True, True, False]


def test_a_child_is_cancelled_once_and_may_clean_up() -> None:
    trace = []

    def careful() -> None:
        try:
            sleep(LONG)
        finally:
            sleep(SHORT)
            checkpoint()
            trace.append("cleaned up")

    with pytest.raises(ExceptionGroup):
        with TaskGroup() as group:
            parked(group.spawn(careful), group.spawn(careful))
            group.spawn(fail, KeyError(1))
            group.spawn(fail, KeyError(2))
            raise KeyError(3)
    assert trace == ["cleaned up"] * 2


def interrupt_a_group(stack: list[Any], child: Any, body: Any = lambda: sleep(LONG)) -> Task[Any]:
    """A task in a group with one child that waits; both wait when this returns."""

    def outer() -> None:
        with TaskGroup() as group:
            stack.append(group.spawn(child))
            body()

    task = spawn(outer)
    until(lambda: stack)
    parked(task, *stack)
    return task


@pytest.mark.parametrize("where", ["body", "end"])
def test_errors_of_children_in_an_interrupted_group_are_logged(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    def child() -> None:
        try:
            sleep(LONG)
        finally:
            raise KeyError("in clean-up")

    children: list[Task[Any]] = []
    task = interrupt_a_group(children, child, body=(lambda: sleep(LONG)) if where == "body" else int)
    with caplog.at_level(logging.ERROR, "hubkit"):
        task.cancel()
        finish(task)
    assert task.cancelled(), "the interruption goes on, not the error"
    logged = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert [repr(error) for error in logged] == ["KeyError('in clean-up')"]


def test_no_error_is_logged_that_comes_out_of_a_group(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "hubkit"):
        with pytest.raises(ExceptionGroup):
            with TaskGroup() as group:
                group.spawn(fail, KeyError(1))
    assert not caplog.records


def test_an_interrupted_group_waits_for_slow_clean_up_even_if_interrupted_again() -> None:
    trace, gate = [], Future[None]()

    def slow() -> None:
        try:
            sleep(LONG)
        finally:
            with shield():
                trace.append("cleaning")
                gate.result()
            trace.append("cleaned up")

    children: list[Task[Any]] = []
    task = interrupt_a_group(children, slow)
    task.cancel()
    until(lambda: trace)
    task.cancel()
    checkpoint()
    assert not task.done()
    gate.set_result(None)
    finish(task)
    assert trace == ["cleaning", "cleaned up"]


class Kill(BaseException):
    """What a host may throw."""


def test_what_a_host_throws_into_the_joining_group_ends_it_after_the_join() -> None:
    children: list[Task[Any]] = []
    task = interrupt_a_group(children, lambda: sleep(LONG), body=int)
    task.interrupt(Kill("thrown"))
    finish(task)
    assert repr(task.exception()) == "Kill('thrown')"
    assert children[0].cancelled()


def test_an_error_thrown_into_the_join_is_not_taken_for_the_bodys() -> None:
    children: list[Task[Any]] = []
    task = interrupt_a_group(children, lambda: sleep(LONG), body=int)
    task.interrupt(ValueError("thrown"))
    finish(task)
    assert repr(task.exception()) == "ValueError('thrown')"
    assert children[0].cancelled()


def test_a_system_exit_of_the_body_goes_out_as_it_is() -> None:
    with pytest.raises(SystemExit):
        with TaskGroup() as group:
            task = group.spawn(sleep, LONG)
            raise SystemExit(3)
    assert task.cancelled()


def test_a_timeout_around_the_join() -> None:
    with pytest.raises(TimeoutError):
        with timeout(SHORT):
            with TaskGroup() as group:
                tasks = [group.spawn(sleep, LONG) for _ in range(3)]
    assert all(task.cancelled() for task in tasks)


def test_a_timeout_expired_before_the_end_is_left_to_the_next_verb_if_no_child_is_left() -> None:
    with pytest.raises(TimeoutError):
        with timeout(0):
            with TaskGroup():
                pass
            left = True
            checkpoint()
    assert left


def test_an_outer_groups_error_unwinds_the_inner_one() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        with TaskGroup() as outer:
            outer.spawn(fail, KeyError("outer"))
            with TaskGroup() as inner:
                task = inner.spawn(sleep, LONG)
    assert task.cancelled()
    assert [repr(error) for error in caught.value.exceptions] == ["KeyError('outer')"]


def test_a_request_of_the_group_that_the_body_never_met_is_revoked() -> None:
    with pytest.raises(ExceptionGroup):
        with TaskGroup() as group:
            group.spawn(fail, KeyError())
            until_expired(group)
    checkpoint()
    assert this_task().scope is None


def until_expired(group: TaskGroup) -> None:
    """Wait for the group's error without meeting its request."""
    with shield():
        until(lambda: group.expired)


def test_a_group_that_is_expired_from_outside_ends_without_error() -> None:
    groups: list[TaskGroup] = []

    def body() -> list[bool]:
        with TaskGroup() as group:
            tasks = [group.spawn(sleep, LONG) for _ in range(3)]
            groups.append(group)
            sleep(LONG)
        return [task.cancelled() for task in tasks]

    task = spawn(body)
    until(lambda: groups)
    parked(task)
    groups[0].expire()
    assert task.result(PATIENCE) == [True] * 3


def test_a_child_spawned_while_the_group_stops_never_runs() -> None:
    ran: list[str] = []
    late: list[Task[Any]] = []

    def spawner() -> None:
        try:
            sleep(LONG)
        finally:
            late.append(group.spawn(ran.append, "late"))

    with pytest.raises(ExceptionGroup):
        with TaskGroup() as group:
            parked(group.spawn(spawner))
            raise KeyError
    assert not ran
    assert late[0].cancelled()


def test_a_spawn_into_a_closed_hub_leaves_no_ghost(hub: Hub) -> None:
    def refuse(task: Task[Any]) -> NoReturn:
        raise OSError("no more threads")

    with TaskGroup() as group:
        hub.start = refuse  # type: ignore[method-assign,assignment]
        try:
            with pytest.raises(OSError, match="no more threads"):
                group.spawn(int)
        finally:
            del hub.start
    assert repr(group) == "<TaskGroup closed>"


def test_another_thread_may_spawn_while_the_group_is_open() -> None:
    results: list[Task[int]] = []
    with TaskGroup() as group:
        threads = [
            threading.Thread(target=lambda: results.extend(group.spawn(pow, 2, 3) for _ in range(20)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        until(lambda: not any(thread.is_alive() for thread in threads))
    assert [task.result() for task in results] == [8] * 80


def test_a_strangers_spawn_meets_the_end_of_the_group_in_order() -> None:
    """Either its task is joined, or it hears that the group is closed."""
    for _ in range(100):
        spawned: list[Task[Any]] = []
        refused: list[RuntimeError] = []
        go = threading.Event()

        def stranger(
            group: TaskGroup, spawned: list[Task[Any]], refused: list[RuntimeError], go: threading.Event
        ) -> None:
            go.wait()
            try:
                while True:
                    spawned.append(group.spawn(int))
            except RuntimeError as error:
                refused.append(error)

        with TaskGroup() as group:
            thread = threading.Thread(target=stranger, args=(group, spawned, refused, go))
            thread.start()
            go.set()
        assert not group._children
        thread.join(PATIENCE)
        assert refused
        assert all(task.done() for task in spawned)


def test_a_group_is_freed_with_its_errors() -> None:
    class Fault(Exception):
        pass

    def fault() -> NoReturn:
        raise Fault  # kept in no variable of this frame, which its traceback refers to

    def body() -> weakref.ref[BaseException]:
        try:
            with TaskGroup() as group:
                group.spawn(fault)
        except ExceptionGroup as errors:
            assert group is not None
            return weakref.ref(errors.exceptions[0])
        pytest.fail("no error")

    gc.collect()
    gc.disable()
    try:
        ref = body()
        checkpoint()
        until(lambda: ref() is None, "the error being freed without the collector")
    finally:
        gc.enable()


def test_a_move_on_inside_the_body_does_not_stop_the_children() -> None:
    with TaskGroup() as group:
        task = group.spawn(lambda: sleep(SHORT) or "fine")  # type: ignore[func-returns-value]
        with move_on_after(0.001):
            sleep(LONG)
    assert task.result() == "fine"


def test_the_groups_request_carries_the_group_as_source() -> None:
    with pytest.raises(ExceptionGroup):
        with TaskGroup() as group:
            group.spawn(fail, KeyError())
            with pytest.raises(Cancelled) as caught:
                sleep(LONG)
            raise caught.value
    assert caught.value.source is group


def test_repr_tells_how_many_are_left() -> None:
    group = TaskGroup()
    assert repr(group) == "<TaskGroup new>"
    gate: Future[int] = Future()
    with group:
        group.spawn(gate.result)
        assert repr(group) == "<TaskGroup 1 tasks>"
        gate.set_result(1)


@pytest.mark.usefixtures("a_hub_in_each_thread")
def test_a_group_may_be_used_in_a_thread_without_a_hub() -> None:
    results = []

    def program() -> None:
        with TaskGroup() as group:
            tasks = [group.spawn(pow, number, 2) for number in range(3)]
        results.append([task.result() for task in tasks])
        current_hub().close()

    thread = threading.Thread(target=program)
    thread.start()
    until(lambda: not thread.is_alive())
    assert results == [[0, 1, 4]]


def test_a_deadlock_of_children_that_cannot_be_cancelled_is_told_once(adapter: Adapter) -> None:
    skip_without(DEADLOCK, adapter.hub)

    def child() -> None:
        with shield():
            Event().wait()

    def main() -> None:
        with TaskGroup() as group:
            group.spawn(child)

    with pytest.raises(Deadlock) as caught:
        run(main, grace=0)
    again = caught.value.__context__
    assert again is None or again.__context__ is None, "one when they were cancelled, and one more"
