"""Scopes: the stack that each task carries, and when a request is deliverable."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hubkit.errors import Cancelled, WrongContext
from hubkit.futures import Future
from hubkit.registry import current_hub, this_task
from hubkit.running import checkpoint, sleep
from hubkit.scopes import Scope, shield
from hubkit.spawning import current_task, spawn
from hubkit.tasks import Task
from hubkit.timeouts import move_on_after, timeout
from hubkit.waiting import latched
from hubkit_conformance.tools import LONG, PATIENCE, finish, parked, until

pytestmark = pytest.mark.usefixtures("hub")


class Block(Scope):
    """The least that is a scope: it swallows its own request."""

    def __enter__(self) -> Block:
        self._enter()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> bool:
        self._exit()
        return self.caused(error)


def stack() -> list[Scope]:
    """The calling task's scopes, innermost first."""
    found = []
    scope = this_task().scope
    while scope is not None:
        found.append(scope)
        scope = scope.outer
    return found


def cancel_oneself() -> None:
    task = current_task()
    assert task is not None
    task.cancel()


def in_task(fn: Any) -> Any:
    return spawn(fn).result(PATIENCE)


def test_entering_and_leaving_keep_the_stack() -> None:
    with Block() as outer:
        assert stack() == [outer]
        with Block() as inner:
            assert stack() == [inner, outer]
            assert in_task(stack) == [], "a child has a stack of its own"
        assert stack() == [outer]
        assert (outer.active, inner.active) == (True, False)
    assert stack() == []


def test_expire_before_and_after_the_block_does_nothing() -> None:
    scope = Block()
    scope.expire()
    with scope:
        checkpoint()
    scope.expire()
    checkpoint()
    assert not scope.expired


def test_expire_ends_the_block_once() -> None:
    trace = []
    with Block() as scope:
        scope.expire()
        scope.expire()
        try:
            checkpoint()
        finally:
            trace.append("clean-up")
            checkpoint()
            sleep(0.001)
            scope.expire()
            checkpoint()
            trace.append("undisturbed")
    assert trace == ["clean-up", "undisturbed"]
    assert scope.expired


def test_expire_from_another_thread_and_from_a_callback() -> None:
    for call in (lambda fn: threading.Thread(target=fn).start(), lambda fn: current_hub().call_soon(fn)):
        with Block() as scope:
            call(scope.expire)
            sleep(LONG)
        assert scope.expired


def test_a_scope_that_a_generator_held_open_is_taken_out_of_the_middle() -> None:
    def generator() -> Iterator[Scope]:
        with Block() as scope:
            yield scope

    with Block() as outer:
        iterator = generator()
        held = next(iterator)
        with Block() as inner:
            assert stack() == [inner, held, outer]
            assert next(iterator, None) is None
            assert stack() == [inner, outer]
            held.expire()
            checkpoint()
        assert stack() == [outer]


def test_leaving_in_another_task_is_an_error() -> None:
    scope = Block()
    in_task(scope.__enter__)
    with pytest.raises(RuntimeError, match="was left in a task that did not enter it"):
        with Block():
            scope.__exit__(None, None, None)
    assert stack() == []


def test_requests_are_taken_task_first_then_from_the_inside_out() -> None:
    def body() -> list[Any]:
        sources: list[Any] = []
        with Block() as outer:
            with Block() as middle:
                with Block() as inner:
                    for scope in (outer, middle, inner):
                        scope.expire()
                    cancel_oneself()
                    for _ in range(4):
                        try:
                            checkpoint()
                        except Cancelled as request:
                            sources.append(request.source)
        names = {id(current_task()): "task", id(outer): "outer", id(middle): "middle", id(inner): "inner"}
        return [names[id(source)] for source in sources]

    assert in_task(body) == ["task", "inner", "middle", "outer"]
    assert not latched


def test_a_request_of_an_inner_scope_does_not_end_the_outer() -> None:
    with Block() as outer:
        with Block() as inner:
            inner.expire()
            checkpoint()
            pytest.fail("expired")
        checkpoint()
    assert not outer.expired


def test_a_shield_defers_what_is_outside_and_not_what_is_inside() -> None:
    trace = []
    with Block() as outer:
        with shield():
            outer.expire()
            checkpoint()
            with Block() as inner:
                inner.expire()
                checkpoint()
                trace.append("inner missed")
            trace.append("inside")
        trace.append("left")
        checkpoint()
        trace.append("outer missed")
    assert trace == ["inside", "left"]


def test_t17_leaving_a_shield_raises_nothing_so_that_no_value_is_lost() -> None:
    future: Future[str] = Future()
    got = []

    def body() -> None:
        with shield():
            value = future.result()
        got.append(value)
        checkpoint()
        got.append("too far")

    task = spawn(body)
    parked(task)
    task.cancel()
    checkpoint()
    assert not task.done()
    future.set_result("value")
    finish(task)
    assert got == ["value"]
    assert task.cancelled()


def test_a_cancel_in_a_shielded_wait_does_not_wake_it() -> None:
    def body() -> Any:
        with shield():
            ticket_before = this_task().ticket
            future.result()
        return ticket_before

    future: Future[None] = Future()
    task = spawn(body)
    parked(task)
    ticket = task.ticket
    for _ in range(3):
        task.cancel()
    assert task.ticket is ticket
    assert ticket is not None
    assert ticket.armed
    future.set_result(None)
    finish(task)


def test_a_shield_may_be_entered_once_and_not_in_hub_context() -> None:
    with shield() as scope:
        with pytest.raises(RuntimeError, match=r"shield\(\) was entered before"):
            scope.__enter__()
    errors: list[BaseException] = []

    def callback() -> None:
        try:
            shield().__enter__()
        except BaseException as error:
            errors.append(error)

    current_hub().call_soon(callback)
    until(lambda: errors)
    assert type(errors[0]) is WrongContext


def test_a_deferred_expiry_is_revoked_if_its_scope_is_left_with_the_shield() -> None:
    with timeout(0.001) as scope:
        with shield():
            sleep(0.01)
    assert scope.expired
    checkpoint()
    assert this_task() not in latched


def test_requests_meet_scopes_that_come_and_go() -> None:
    """Expiries from another thread, aimed at scopes that are entered and left all the time."""
    scopes: list[Block] = []
    over = threading.Event()

    def expire() -> None:
        while not over.is_set():
            for scope in scopes[-2:]:
                scope.expire()

    def body() -> int:
        hits = 0
        for _ in range(300):
            with Block() as scope:
                scopes.append(scope)
                checkpoint()
                sleep(0)
            hits += scope.delivered
            sleep(0)  # what is raised here belongs to nobody
        return hits

    thread = threading.Thread(target=expire)
    thread.start()
    try:
        task: Task[int] = spawn(body)
        assert task.result(PATIENCE * 2) >= 0
    finally:
        over.set()
        thread.join()


def test_move_on_inside_a_cancelled_task_lets_the_cancel_through() -> None:
    def body() -> None:
        with move_on_after(LONG):
            sleep(LONG)

    task = spawn(body)
    parked(task)
    task.cancel()
    finish(task)
    assert task.cancelled()
