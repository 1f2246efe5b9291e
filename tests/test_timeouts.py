"""timeout, timeout_at, move_on_after: what the rules leave to the module. R06 is in the conformance suite."""

from __future__ import annotations

import gc
import threading
import traceback
import weakref
from math import inf, nan

import pytest

from hubkit.contract import ORDERED_YIELD, Hub
from hubkit.errors import Cancelled, WrongContext
from hubkit.futures import Future
from hubkit.registry import current_hub, this_task
from hubkit.running import checkpoint, now, sleep
from hubkit.spawning import spawn
from hubkit.timeouts import move_on_after, timeout, timeout_at
from hubkit_conformance.tools import LONG, PATIENCE, SHORT, not_before, parked

pytestmark = pytest.mark.usefixtures("hub")


def test_t5_no_except_os_error_eats_an_expiry() -> None:
    tries = []
    with pytest.raises(TimeoutError):
        with timeout(SHORT):
            while True:
                try:
                    tries.append("try")
                    sleep(LONG)
                except OSError:
                    pass
    assert tries == ["try"]


def test_the_traceback_shows_where_the_time_ran_out() -> None:
    def stuck() -> None:
        Future().result()

    with pytest.raises(TimeoutError, match=r"the block was not done within 0\.03 s") as caught:
        with timeout(SHORT):
            stuck()
    cause = caught.value.__cause__
    assert type(cause) is Cancelled
    names = [entry.name for entry in traceback.extract_tb(cause.__traceback__)]
    assert "stuck" in names
    assert "result" in names
    assert [entry.name for entry in traceback.extract_tb(caught.value.__traceback__)][-1] == "__exit__"


def test_an_absolute_deadline_has_a_text_of_its_own() -> None:
    with pytest.raises(TimeoutError, match="by its deadline"):
        with timeout_at(now() - 1):
            checkpoint()


def test_the_clock_starts_on_entering() -> None:
    scope = timeout(PATIENCE)
    assert scope.deadline is None
    sleep(SHORT)
    entered = now()
    with scope:
        assert scope.deadline is not None
        assert scope.deadline >= entered + PATIENCE
    assert scope.deadline >= entered + PATIENCE, "it tells afterwards too"


@pytest.mark.parametrize("kind", [timeout, move_on_after])
def test_a_scope_is_entered_once(kind: type[timeout]) -> None:
    with kind(LONG) as scope:
        with pytest.raises(RuntimeError, match="entered before"):
            scope.__enter__()
    with pytest.raises(RuntimeError, match="make a new one"):
        scope.__enter__()
    assert this_task().scope is None


@pytest.mark.parametrize("bad", ["3", "soon", [1], object(), nan])
def test_what_is_no_time_is_refused_at_the_call(bad: object) -> None:
    for kind in (timeout, move_on_after, timeout_at):
        with pytest.raises((TypeError, ValueError)):
            kind(bad)  # type: ignore[arg-type]
    with timeout(LONG) as scope:
        deadline = scope.deadline
        with pytest.raises((TypeError, ValueError), match="a deadline is a time as of"):
            scope.reschedule(bad)  # type: ignore[arg-type]
        assert scope.deadline == deadline


@pytest.mark.parametrize("never", [None, inf])
def test_never(never: float | None) -> None:
    for scope in (timeout(never), timeout_at(never), move_on_after(never)):
        with scope:
            assert scope.deadline is None
            checkpoint()
        assert not scope.expired
    with timeout(LONG) as scope:
        scope.reschedule(never)
        assert scope.deadline is None


def test_a_far_deadline_is_no_trouble() -> None:
    with timeout(1e15):
        sleep(0.001)


def test_reschedule_before_entering_counts() -> None:
    scope = timeout(0)
    scope.reschedule(now() + LONG)
    with scope:
        checkpoint()
    scope = move_on_after(LONG)
    scope.reschedule(now())
    with scope:
        checkpoint()
        pytest.fail("the new deadline has passed")


def test_reschedule_into_the_past_expires_at_once() -> None:
    with move_on_after(LONG) as scope:
        scope.reschedule(now() - 1)
        assert scope.expired
        checkpoint()
        pytest.fail("expired")


def test_an_expired_scope_is_not_rescued_by_reschedule() -> None:
    with pytest.raises(TimeoutError):
        with timeout(0) as scope:
            scope.reschedule(now() + LONG)
            assert scope.deadline < now() + LONG / 2
            checkpoint()


def test_reschedule_after_leaving_changes_nothing() -> None:
    with timeout(LONG) as scope:
        deadline = scope.deadline
    scope.reschedule(now() - 1)
    assert scope.deadline == deadline
    assert not scope.expired
    checkpoint()


def test_reschedule_to_earlier_and_later_again_and_again() -> None:
    with move_on_after(SHORT) as scope:
        for _ in range(20):
            scope.reschedule(now() + LONG)
            scope.reschedule(now() + SHORT)
        start = now()
        sleep(LONG)
    assert scope.expired
    assert now() - start < PATIENCE


def test_reschedule_from_another_thread_ends_the_wait() -> None:
    with move_on_after(LONG) as scope:
        thread = threading.Thread(target=lambda: scope.reschedule(0))
        thread.start()
        sleep(LONG)
    thread.join()
    assert scope.expired


def test_a_left_scope_leaves_nothing_behind(hub: Hub) -> None:
    class Mark:
        pass

    def body() -> weakref.ref[Mark]:
        with timeout(LONG) as scope:
            mark = Mark()
            scope.mark = mark  # type: ignore[attr-defined]
        return weakref.ref(mark)

    class timeout(globals()["timeout"]):  # type: ignore[misc]  # noqa: N801
        """One that can carry a mark."""

    ref = body()
    gc.collect()
    assert ref() is None, "a timer still refers to the scope"
    assert this_task().scope is None


def test_an_expiry_that_was_not_delivered_is_gone_with_the_block() -> None:
    def body() -> str:
        with move_on_after(0) as scope:
            pass
        assert scope.expired
        checkpoint()
        sleep(0.001)
        return "undisturbed"

    assert spawn(body).result(PATIENCE) == "undisturbed"


def test_a_timeout_cannot_be_entered_in_hub_context() -> None:
    seen: Future[BaseException] = Future()

    def callback() -> None:
        try:
            with timeout(1):
                pass
        except BaseException as error:
            seen.set_result(error)

    current_hub().call_soon(callback)
    error = seen.result(PATIENCE)
    assert isinstance(error, WrongContext)
    assert "hubkit.spawn" in str(error)


def test_many_timeouts_expire_in_order() -> None:
    order = []
    start = now() + SHORT  # all of them wait by then

    def body(number: int) -> None:
        with move_on_after(None) as scope:
            scope.reschedule(start + 0.005 * number)
            sleep(LONG)
        order.append(number)

    tasks = [spawn(body, number) for number in (3, 1, 2, 0)]
    for task in tasks:
        task.result(PATIENCE)
    if current_hub().supports(ORDERED_YIELD):
        assert order == [0, 1, 2, 3]
    else:
        assert sorted(order) == [0, 1, 2, 3]


def test_nested_with_the_same_deadline() -> None:
    trace = []
    deadline = now() + SHORT
    with not_before(SHORT):
        with pytest.raises(TimeoutError):
            with timeout_at(deadline):
                try:
                    with timeout_at(deadline):
                        sleep(LONG)
                except TimeoutError:
                    trace.append("inner")
                checkpoint()
                trace.append("outer missed")
    assert trace == ["inner"]


def test_repr() -> None:
    scope = timeout(1.5)
    assert repr(scope) == "timeout(1.5)"
    assert repr(move_on_after(None)) == "move_on_after(None)"
    scope.reschedule(12.25)
    assert repr(scope) == "timeout(deadline=12.250)"
    assert repr(timeout_at(3)) == "timeout(deadline=3.000)"


def test_a_cancel_of_the_waiting_task_passes_through() -> None:
    def body() -> None:
        with timeout(LONG):
            sleep(LONG)

    task = spawn(body)
    parked(task)
    task.cancel()
    assert task.join(PATIENCE)
    assert task.cancelled()
