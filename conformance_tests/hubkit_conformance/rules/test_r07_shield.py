"""R07 Shield."""

from __future__ import annotations

import pytest

from hubkit import (
    Cancelled,
    Queue,
    checkpoint,
    current_hub,
    current_task,
    move_on_after,
    shield,
    sleep,
    spawn,
    timeout,
)

from ..tools import LONG, PATIENCE, SHORT, finish, not_before, parked, settle


def test_r07_a_cancel_waits_until_the_shield_is_left():
    queue, trace = Queue(), []

    def body():
        with shield():
            trace.append(queue.get())
            checkpoint()
        trace.append("left")
        checkpoint()
        trace.append("too far")

    task = spawn(body)
    parked(task)
    assert task.cancel() is True
    settle(current_hub())
    assert not task.done(), "the cancel ended a shielded wait"
    queue.put("item")
    finish(task)
    assert trace == ["item", "left"]
    assert task.cancelled()


def test_r07_a_cancel_before_the_shield_does_not_enter_it():
    trace = []

    def body():
        current_task().cancel()
        with shield():
            checkpoint()
            sleep(0.001)
            trace.append("inside")
        trace.append("left")
        with pytest.raises(Cancelled):
            checkpoint()
        return "ended"

    assert spawn(body).result(PATIENCE) == "ended"
    assert trace == ["inside", "left"]


def test_r07_an_outer_timeout_waits_until_the_shield_is_left():
    trace = []
    with pytest.raises(TimeoutError):
        with timeout(SHORT):
            with not_before(2 * SHORT):
                with shield():
                    sleep(2 * SHORT)
                    trace.append("inside")
            trace.append("left")
            checkpoint()
            trace.append("too far")
    assert trace == ["inside", "left"]


def test_r07_leaving_a_shield_loses_no_value():
    queue = Queue()
    queue.put("item")

    def body():
        current_task().cancel()
        with shield():
            item = queue.get()
        return item

    assert spawn(body).result(PATIENCE) == "item"


def test_r07_scopes_inside_a_shield_fire():
    with shield():
        with not_before(SHORT):
            with move_on_after(SHORT) as scope:
                sleep(LONG)
    assert scope.expired


def test_r07_a_scope_inside_fires_although_an_outer_one_is_deferred():
    trace = []
    with move_on_after(0):
        with shield():
            with move_on_after(SHORT) as inner:
                sleep(LONG)
            trace.append(inner.expired)
            checkpoint()
        trace.append("left")
        checkpoint()
        trace.append("too far")
    assert trace == [True, "left"]


def test_r07_shields_nest():
    trace = []

    def body():
        current_task().cancel()
        with shield():
            with shield():
                checkpoint()
            checkpoint()
            trace.append("still inside")
        checkpoint()
        trace.append("too far")

    task = spawn(body)
    finish(task)
    assert trace == ["still inside"]
    assert task.cancelled()


def test_r07_an_error_goes_out_of_a_shield_as_it_is():
    def body():
        current_task().cancel()
        with pytest.raises(KeyError):
            with shield():
                raise KeyError
        with pytest.raises(Cancelled):
            checkpoint()

    assert spawn(body).result(PATIENCE) is None


def test_r07_a_deferred_timeout_that_is_left_before_a_verb_is_revoked():
    with timeout(0.001) as scope:
        with shield():
            sleep(SHORT)
    assert scope.expired
    checkpoint()
