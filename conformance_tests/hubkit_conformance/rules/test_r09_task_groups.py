"""R09 Task groups."""

from __future__ import annotations

import sys

import pytest

from hubkit import (
    Cancelled,
    Event,
    TaskGroup,
    checkpoint,
    current_hub,
    current_task,
    move_on_after,
    shield,
    sleep,
    spawn,
    timeout,
)

from ..tools import LONG, PATIENCE, SHORT, finish, parked, settle, until

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup


def fail(error):
    raise error


def test_r09_a_group_is_left_when_all_its_children_have_ended():
    gates, children, left = [Event() for _ in range(5)], [], []

    def body():
        with TaskGroup() as group:
            children.extend(group.spawn(gate.wait, PATIENCE) for gate in gates)
        left.append(all(child.done() for child in children))

    task = spawn(body)
    until(lambda: len(children) == 5)
    parked(task, *children)
    for gate, child in zip(gates, children, strict=True):
        settle(current_hub())
        assert left == [], "it was left, and a child had not ended"
        gate.set()
        finish(child)
    finish(task)
    assert left == [True]


def test_r09_an_empty_group_is_left_at_once():
    with TaskGroup():
        pass


def test_r09_children_return_values():
    with TaskGroup() as group:
        tasks = [group.spawn(pow, number, 2) for number in range(4)]
    assert [task.result() for task in tasks] == [0, 1, 4, 9]


def test_r09_a_child_may_spawn_into_its_group_after_the_body_has_ended():
    ended, body_over = [], Event()

    def elder():
        body_over.wait(PATIENCE)
        sleep(SHORT)
        group.spawn(younger)

    def younger():
        sleep(0.002)
        ended.append("younger")

    with TaskGroup() as group:
        group.spawn(elder)
        body_over.set()
    assert ended == ["younger"]


def test_r09_the_first_error_cancels_the_other_children_and_the_body():
    trace = []

    def sibling():
        try:
            sleep(LONG)
        except Cancelled:
            trace.append("sibling")
            raise

    with pytest.raises(ExceptionGroup) as caught:
        with TaskGroup() as group:
            task = group.spawn(sibling)
            parked(task)
            group.spawn(fail, KeyError("first"))
            try:
                sleep(LONG)
            except Cancelled as request:
                trace.append("body" if request.source is group else "stranger")
                raise
    assert sorted(trace) == ["body", "sibling"]
    assert [repr(error) for error in caught.value.exceptions] == ["KeyError('first')"]
    assert task.cancelled()


def test_r09_all_errors_come_out_together():
    def fail_in_clean_up():
        try:
            sleep(LONG)
        finally:
            raise ValueError("clean-up")

    with pytest.raises(ExceptionGroup) as caught:
        with TaskGroup() as group:
            parked(group.spawn(fail_in_clean_up))
            group.spawn(fail, KeyError("child"))
            try:
                sleep(LONG)
            finally:
                raise IndexError("body")
    assert {type(error) for error in caught.value.exceptions} == {ValueError, KeyError, IndexError}


def test_r09_an_error_of_the_body_cancels_the_children_and_comes_in_a_group():
    with pytest.raises(ExceptionGroup) as caught:
        with TaskGroup() as group:
            task = group.spawn(sleep, LONG)
            parked(task)
            raise KeyError("body")
    assert [repr(error) for error in caught.value.exceptions] == ["KeyError('body')"]
    assert task.cancelled()


def test_r09_an_error_that_is_no_exception_comes_in_a_base_group():
    class Odd(BaseException):
        pass

    with pytest.raises(BaseExceptionGroup) as caught:
        with TaskGroup() as group:
            group.spawn(fail, Odd())
    assert type(caught.value.exceptions[0]) is Odd


def test_r09_a_cancelled_child_is_no_error():
    with TaskGroup() as group:
        first, second = group.spawn(sleep, LONG), group.spawn(lambda: sleep(SHORT) or "fine")
        parked(first)
        first.cancel()
    assert first.cancelled()
    assert second.result() == "fine"


def test_r09_the_groups_own_request_does_not_outlive_it():
    with pytest.raises(ExceptionGroup):
        with TaskGroup() as group:
            group.spawn(fail, KeyError())
            until(lambda: group.expired)
    checkpoint()
    with pytest.raises(ExceptionGroup):
        with TaskGroup() as group:
            with shield():  # so that nothing in the block raises it
                finish(group.spawn(fail, KeyError()))
    checkpoint()
    sleep(SHORT)


def test_r09_an_interrupt_from_outside_cancels_and_joins_the_children_and_goes_on():
    trace = []

    def stubborn():
        try:
            sleep(LONG)
        finally:
            sleep(SHORT)
            trace.append("cleaned up")

    def body():
        try:
            with TaskGroup() as group:
                children.append(group.spawn(stubborn))
                sleep(LONG)
        except Cancelled as request:
            trace.append("mine" if request.source is current_task() else "stranger")
            raise

    children = []
    task = spawn(body)
    until(lambda: children)
    parked(task, *children)
    task.cancel()
    finish(task)
    assert trace == ["cleaned up", "mine"]
    assert task.cancelled()
    assert children[0].cancelled()


def test_r09_a_cancel_while_the_group_joins_is_delivered_too():
    children = []

    def body():
        with TaskGroup() as group:
            children.append(group.spawn(sleep, LONG))

    task = spawn(body)
    until(lambda: children)
    parked(task, *children)
    task.cancel()
    finish(task)
    assert task.cancelled()
    assert children[0].cancelled()


def test_r09_a_timeout_around_a_group_ends_it():
    with pytest.raises(TimeoutError):
        with timeout(SHORT):
            with TaskGroup() as group:
                tasks = [group.spawn(sleep, LONG) for _ in range(3)]
    assert all(task.cancelled() for task in tasks)


def test_r09_a_timeout_inside_the_body_is_not_the_groups_affair():
    with TaskGroup() as group:
        task = group.spawn(lambda: sleep(SHORT) or "fine")
        with move_on_after(0.001):
            sleep(LONG)
    assert task.result() == "fine"


def test_r09_an_error_in_a_nested_group_unwinds_both():
    with pytest.raises(ExceptionGroup) as caught:
        with TaskGroup() as outer:
            task = outer.spawn(sleep, LONG)
            parked(task)
            with TaskGroup() as inner:
                inner.spawn(fail, KeyError("deep"))
                sleep(LONG)
    assert task.cancelled()
    assert caught.value.subgroup(KeyError) is not None


def test_r09_a_group_that_was_left_spawns_no_more():
    with TaskGroup() as group:
        pass
    seen = []
    with pytest.raises(RuntimeError):
        group.spawn(seen.append, "ran")
    sleep(SHORT)
    assert seen == []


def test_r09_a_group_that_stops_does_not_start_more_children():
    ran = []

    def late_spawner():
        try:
            sleep(LONG)
        finally:
            late.append(group.spawn(ran.append, "ran"))

    late = []
    with pytest.raises(ExceptionGroup):
        with TaskGroup() as group:
            parked(group.spawn(late_spawner))
            raise KeyError
    assert ran == []
    assert late[0].done()
    assert late[0].cancelled()
