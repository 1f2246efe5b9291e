"""wait and as_completed."""

from __future__ import annotations

import threading
from math import nan
from typing import Any, NoReturn

import pytest

from hubkit.errors import Cancelled
from hubkit.futures import Future
from hubkit.running import checkpoint, sleep
from hubkit.spawning import current_task, spawn
from hubkit.tasks import Task
from hubkit.timeouts import move_on_after
from hubkit.waits import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, as_completed, wait
from hubkit_conformance.tools import LONG, PATIENCE, SHORT, finish, not_before, parked, stop

pytestmark = pytest.mark.usefixtures("hub")


def fail() -> NoReturn:
    raise KeyError("of the task")


def waiting(future: Future[Any]) -> Task[Any]:
    task = spawn(future.result)
    parked(task)
    return task


@pytest.mark.parametrize("call", [wait, lambda tasks: list(as_completed(tasks))])
def test_what_is_no_task_is_refused_at_the_call(call: Any) -> None:
    with pytest.raises(TypeError, match="only tasks and futures"):
        call([spawn(int), 3])
    for one in (3, spawn(int)):
        with pytest.raises(TypeError, match=r"write \[task\], not"):
            call(one)


def test_times_are_checked_at_the_call() -> None:
    for call in (wait, as_completed):
        with pytest.raises(ValueError):
            call([], nan)
        with pytest.raises(TypeError):
            call([], "soon")
    with pytest.raises(ValueError, match="return_when"):
        wait([], return_when="SOMETIME")


def test_nothing_to_wait_for() -> None:
    for return_when in (ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION):
        assert wait([], return_when=return_when) == (set(), set())
    assert list(as_completed([])) == []


def test_wait_for_all() -> None:
    tasks = [spawn(sleep, 0.001 * number) for number in (3, 1, 2)]
    done, pending = wait(tasks)
    assert list(done) == tasks, "in the order given"
    assert not pending


def test_wait_for_all_hears_of_no_error(caplog: pytest.LogCaptureFixture) -> None:
    gate: Future[int] = Future()
    slow, failing = waiting(gate), spawn(lambda: gate.result() and fail())
    parked(failing)
    gate_keeper = spawn(gate.set_result, 1)
    done, pending = wait([slow, failing, gate_keeper])
    assert list(done) == [slow, failing, gate_keeper]
    assert not pending
    assert not caplog.records, "somebody waited for it"


def test_a_time_limit_leaves_the_rest_pending() -> None:
    ended, left = spawn(int), spawn(sleep, LONG)
    finish(ended)
    with not_before(SHORT):
        result = wait([left, ended, left], timeout=SHORT)
    assert result == ({ended}, {left})
    assert (list(result.done), list(result.pending)) == ([ended], [left])
    assert not left._watchers, "nothing is left behind"
    for limit in (0, -1):
        assert wait([left, ended], timeout=limit) == ({ended}, {left})
    stop(left)


def test_the_first_completed() -> None:
    gate: Future[int] = Future()
    first, second = waiting(Future()), waiting(gate)
    spawn(gate.set_result, 1)
    assert wait([first, second], return_when=FIRST_COMPLETED) == ({second}, {first})
    assert wait([first, second], return_when=FIRST_COMPLETED) == ({second}, {first}), "and at once"
    assert not first._watchers
    stop(first)


def test_the_first_exception() -> None:
    gate: Future[int] = Future()
    left, fine, cancelled = waiting(Future()), spawn(int), waiting(Future())
    failing = spawn(lambda: gate.result() and fail())
    parked(failing)
    cancelled.cancel()
    finish(fine, cancelled)
    spawn(gate.set_result, 1)
    done, pending = wait([left, fine, cancelled, failing], return_when=FIRST_EXCEPTION)
    assert (list(done), list(pending)) == ([fine, cancelled, failing], [left])
    stop(left)


def test_the_first_exception_that_never_comes() -> None:
    tasks = [spawn(sleep, 0.001 * number) for number in range(3)]
    assert wait(tasks, return_when=FIRST_EXCEPTION) == (set(tasks), set())


def test_a_future_is_as_good_as_a_task() -> None:
    future: Future[int] = Future()
    task = spawn(future.set_result, 1)
    assert wait([future, task]) == ({future, task}, set())
    failed: Future[int] = Future()
    failed.set_exception(KeyError())
    assert wait([failed, Future()], return_when=FIRST_EXCEPTION).done == {failed}


def test_waiting_for_oneself_is_an_error() -> None:
    def selfish() -> None:
        with pytest.raises(RuntimeError, match="waits for itself"):
            wait([current_task()])  # type: ignore[list-item]
        with pytest.raises(RuntimeError, match="waits for itself"):
            next(as_completed([current_task()]))  # type: ignore[type-var]

    spawn(selfish).result(PATIENCE)


def test_a_cancelled_waiter_leaves_nothing_behind() -> None:
    left = spawn(sleep, LONG)
    waiter = spawn(wait, [left])
    parked(waiter)
    waiter.cancel()
    finish(waiter)
    assert waiter.cancelled()
    assert not left._watchers
    stop(left)


def test_a_latched_cancel_is_raised_although_nothing_need_be_waited_for() -> None:
    ended = spawn(int)
    finish(ended)

    def body(call: Any) -> None:
        task = current_task()
        assert task is not None
        task.cancel()
        with pytest.raises(Cancelled):
            call()

    for call in (lambda: wait([ended]), lambda: next(as_completed([ended]))):
        spawn(body, call).result(PATIENCE)


def test_as_completed_yields_in_the_order_of_the_ends() -> None:
    gates: list[Future[int]] = [Future() for _ in range(4)]
    tasks = [waiting(gate) for gate in gates]
    order = []
    gates[2].set_result(2)
    for task in as_completed(tasks):
        order.append(task.result())
        if len(order) < 4:
            number = (1, 3, 0)[len(order) - 1]
            gates[number].set_result(number)
    assert order == [2, 1, 3, 0]


def test_as_completed_begins_with_what_has_ended_in_the_order_given() -> None:
    tasks = [spawn(int) for _ in range(4)]
    finish(*tasks)
    left = spawn(sleep, LONG)
    tasks.reverse()
    iterator = as_completed([left, *tasks, tasks[0]])
    assert [next(iterator) for _ in tasks] == tasks
    left.cancel()
    assert next(iterator) is left
    assert next(iterator, None) is None


def test_as_completed_counts_the_time_from_the_call() -> None:
    left, ended = spawn(sleep, LONG), spawn(int)
    finish(ended)
    iterator = as_completed([left, ended], timeout=SHORT)
    with not_before(SHORT):
        assert next(iterator) is ended
        with pytest.raises(TimeoutError, match=r"1 of 2 have not ended within 0\.03 s"):
            next(iterator)
    assert not left._watchers
    iterator = as_completed([left], timeout=0.001)
    sleep(0.01)
    with pytest.raises(TimeoutError):
        next(iterator)
    stop(left)


def test_leaving_an_as_completed_loop_early_leaves_nothing_behind() -> None:
    left, ended = spawn(sleep, LONG), spawn(int)
    for task in as_completed([left, ended]):
        assert task is ended
        break
    assert not left._watchers
    stop(left)


def test_as_completed_under_a_timeout() -> None:
    left = spawn(sleep, LONG)
    with move_on_after(SHORT) as scope:
        for _ in as_completed([left]):
            pytest.fail("it has not ended")
    assert scope.expired
    assert not left._watchers
    stop(left)


def test_ends_in_many_threads_at_once() -> None:
    for return_when in (ALL_COMPLETED, FIRST_EXCEPTION):
        futures: list[Future[int]] = [Future() for _ in range(200)]
        threads = [
            threading.Thread(
                target=lambda part: [future.set_result(1) for future in part], args=(futures[n::4],)
            )
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        done, pending = wait(futures, PATIENCE, return_when)
        assert list(done) == futures
        assert not pending
    assert len(list(as_completed(futures))) == 200


def test_many() -> None:
    gate: Future[int] = Future()
    tasks = [spawn(gate.result) for _ in range(300)]
    checkpoint()
    spawn(gate.set_result, 1)
    assert len(list(as_completed(tasks, PATIENCE))) == 300
