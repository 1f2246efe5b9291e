"""R06 Timeouts."""

from __future__ import annotations

from contextlib import ExitStack
from time import monotonic

import pytest

from hubkit import (
    Cancelled,
    Event,
    Queue,
    checkpoint,
    current_hub,
    current_task,
    move_on_after,
    now,
    sleep,
    spawn,
    timeout,
    timeout_at,
)
from hubkit.contract import VIRTUAL_TIME

from ..plugin import lacks
from ..tools import LONG, PATIENCE, SHORT, finish, not_before, parked
from ..verbs import BLOCKED, READY


def waste(seconds):
    """Keep the processor until time has passed: no verb sees it pass. Virtual time does not pass that way."""
    end = monotonic() + seconds
    while monotonic() < end:
        pass


@pytest.mark.parametrize("verb", BLOCKED)
def test_r06_a_timeout_ends_every_wait(verb):
    with ExitStack() as stack:
        call = BLOCKED[verb](stack)

        def waiter():
            with pytest.raises(TimeoutError):
                with timeout(SHORT) as scope:
                    call()
            return scope.expired

        with not_before(SHORT):
            assert spawn(waiter).result(PATIENCE) is True


@pytest.mark.parametrize("verb", READY)
def test_r06_an_expired_timeout_is_raised_by_a_verb_that_would_not_wait(verb):
    with ExitStack() as stack:
        call, untouched = READY[verb](stack)
        with pytest.raises(TimeoutError):
            with timeout(0):
                call()
        assert untouched(), f"{verb} raised at its entry and had an effect all the same"


def test_r06_expiry_is_a_cancelled_of_the_scope_inside_and_a_timeout_error_outside():
    with pytest.raises(TimeoutError) as outside:
        with timeout(SHORT) as scope:
            with pytest.raises(Cancelled) as inside:
                sleep(LONG)
            raise inside.value
    assert inside.value.source is scope
    assert type(outside.value) is TimeoutError
    assert scope.expired


def test_r06_no_library_eats_an_expiry():
    tries = []

    def fetch_with_retries():
        while True:
            try:
                tries.append("try")
                sleep(LONG)
            except OSError:  # a TimeoutError is one
                pass
            except Exception:
                pass

    with pytest.raises(TimeoutError):
        with timeout(SHORT):
            fetch_with_retries()
    assert tries == ["try"]


def test_r06_an_expiry_is_raised_once():
    with pytest.raises(TimeoutError):
        with timeout(SHORT):
            try:
                sleep(LONG)
            finally:
                sleep(SHORT)
                checkpoint()
    checkpoint()


def test_r06_timeout_at_takes_a_point_in_time():
    deadline = now() + SHORT
    with pytest.raises(TimeoutError):
        with timeout_at(deadline) as scope:
            assert scope.deadline == pytest.approx(deadline)
            sleep(LONG)
    assert now() >= deadline


def test_r06_move_on_after_moves_on():
    with not_before(SHORT):
        with move_on_after(SHORT) as scope:
            sleep(LONG)
    assert scope.expired
    with move_on_after(LONG) as scope:
        checkpoint()
    assert not scope.expired


def test_r06_a_block_in_time_is_left_alone():
    with timeout(LONG) as scope:
        sleep(SHORT)
        assert scope.deadline > now()
    assert not scope.expired
    checkpoint()


def test_r06_none_never_expires():
    for scope in (timeout(None), timeout_at(None), move_on_after(None)):
        with scope:
            sleep(0.001)
            assert scope.deadline is None
        assert not scope.expired


@pytest.mark.parametrize("seconds", [0, -1, -LONG])
def test_r06_zero_or_less_expires_at_the_first_verb_that_can_wait(seconds):
    reached = []
    with pytest.raises(TimeoutError):
        with timeout(seconds):
            reached.append("body")
            Queue().put_nowait("no verb that can wait")
            reached.append("still")
            checkpoint()
            reached.append("too far")
    assert reached == ["body", "still"]


@lacks(VIRTUAL_TIME)
def test_r06_a_body_that_finished_in_spite_of_expiry_raises_nothing():
    with timeout(0.001) as scope:
        waste(0.01)
    assert scope.expired
    with timeout(0) as scope:
        pass
    assert scope.expired
    checkpoint()
    sleep(SHORT)


@lacks(VIRTUAL_TIME)
def test_r06_a_scope_revokes_what_it_has_not_delivered():
    def body():
        with move_on_after(0.001):
            waste(0.01)
        checkpoint()
        sleep(SHORT)
        Event().wait(SHORT)
        return "undisturbed"

    assert spawn(body).result(PATIENCE) == "undisturbed"


def test_r06_a_late_timer_does_not_hit_the_wait_after_the_block():
    def body():
        for _ in range(50):
            with move_on_after(0.001):
                Event().wait(0.001)
            checkpoint()
        return "undisturbed"

    assert spawn(body).result(PATIENCE) == "undisturbed"


@lacks(VIRTUAL_TIME)
def test_r06_an_error_of_the_body_goes_out_as_it_is():
    with pytest.raises(KeyError):
        with timeout(LONG):
            raise KeyError
    with pytest.raises(KeyError):
        with timeout(SHORT):
            try:
                sleep(LONG)
            except Cancelled:
                raise KeyError from None
    with pytest.raises(KeyError):
        with move_on_after(0.001):
            waste(0.01)
            raise KeyError


def test_r06_the_outer_expiry_passes_through_the_inner_scope():
    trace = []
    with pytest.raises(TimeoutError):
        with timeout(SHORT) as outer:
            try:
                with timeout(LONG) as inner:
                    sleep(LONG)
            except TimeoutError:
                trace.append("inner")
            except Cancelled as request:
                trace.append("outer" if request.source is outer else "stranger")
                raise
    assert trace == ["outer"]
    assert outer.expired
    assert not inner.expired


def test_r06_the_inner_expiry_stops_at_the_inner_scope():
    trace = []
    with timeout(LONG) as outer:
        with pytest.raises(TimeoutError):
            with timeout(SHORT):
                sleep(LONG)
        checkpoint()
        trace.append("outer goes on")
    assert trace == ["outer goes on"]
    assert not outer.expired


def test_r06_of_two_expired_scopes_the_inner_comes_first_then_the_outer():
    trace = []
    with move_on_after(0):
        with move_on_after(0):
            checkpoint()
            trace.append("inner missed")
        trace.append("between")
        checkpoint()
        trace.append("outer missed")
    assert trace == ["between"]


def test_r06_a_cancel_of_the_task_comes_before_an_expiry():
    sources = []

    def body():
        with move_on_after(0) as scope:
            current_task().cancel()
            try:
                checkpoint()
            except Cancelled as request:
                sources.append("task" if request.source is current_task() else "scope")
            try:
                checkpoint()
            except Cancelled as request:
                sources.append("scope" if request.source is scope else "task")
                raise
        return "went on"

    assert spawn(body).result(PATIENCE) == "went on"
    assert sources == ["task", "scope"]


def test_r06_a_cancel_is_no_timeout():
    def body():
        with timeout(LONG):
            sleep(LONG)

    task = spawn(body)
    parked(task)
    task.cancel()
    finish(task)
    assert task.cancelled()


def test_r06_reschedule_moves_the_deadline():
    with timeout(SHORT) as scope:
        scope.reschedule(now() + LONG)
        sleep(2 * SHORT)
    assert not scope.expired
    with pytest.raises(TimeoutError):
        with timeout(LONG) as scope:
            deadline = now() + SHORT
            scope.reschedule(deadline)
            assert scope.deadline == pytest.approx(deadline)
            sleep(LONG)
    with timeout(SHORT) as scope:
        scope.reschedule(None)
        assert scope.deadline is None
        sleep(2 * SHORT)
    assert not scope.expired


def test_r06_a_deadline_put_off_at_the_very_time_of_its_coming_does_not_come():
    deadline = now() + SHORT
    scope = timeout_at(deadline)
    current_hub().call_at(deadline, lambda: scope.reschedule(deadline + LONG))
    with scope:
        sleep(2 * SHORT)
    assert not scope.expired


def test_r06_rescheduling_from_another_task_reaches_a_waiting_block():
    scopes = Queue()

    def body():
        with move_on_after(LONG) as scope:
            scopes.put(scope)
            sleep(LONG)
        return scope.expired

    task = spawn(body)
    scope = scopes.get(timeout=PATIENCE)
    parked(task)
    scope.reschedule(now())
    assert task.result(PATIENCE) is True


def test_r06_a_timeout_is_not_early():
    for seconds in (0.001, 0.005, SHORT):
        with not_before(seconds):
            with move_on_after(seconds):
                sleep(LONG)


@pytest.mark.parametrize("scope", [timeout, timeout_at, move_on_after])
def test_r06_a_time_that_is_no_number_is_refused_at_the_call(scope):
    with pytest.raises(ValueError):
        scope(float("nan"))
    with pytest.raises(TypeError):
        scope("soon")
    with pytest.raises(TypeError):
        scope([1])


def test_r06_a_timeout_belongs_to_its_own_task():
    event = Event()
    with move_on_after(SHORT):
        other = spawn(event.wait, PATIENCE)
        sleep(LONG)
    parked(other)
    event.set()
    assert other.result(PATIENCE) is True
