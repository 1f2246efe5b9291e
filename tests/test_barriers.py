"""Barrier."""

from __future__ import annotations

from math import nan
from threading import BrokenBarrierError
from typing import Any

import pytest
from meetings import Meet, Threads, at_each_step, thrown_into_next_wait

from hubkit.barriers import Barrier
from hubkit.contract import Hub
from hubkit.errors import Cancelled
from hubkit.events import Event
from hubkit.spawning import current_task, spawn
from hubkit.tasks import Task
from hubkit.timeouts import move_on_after
from hubkit_conformance.tools import PATIENCE, SHORT, finish, not_before, parked, settle, until

pytestmark = pytest.mark.usefixtures("hub")


def came(barrier: Barrier, count: int, timeout: float | None = PATIENCE) -> list[Task[int]]:
    """Tasks that wait in the barrier."""
    tasks = [spawn(barrier.wait, timeout) for _ in range(count)]
    parked(*tasks)
    until(lambda: barrier.n_waiting == count)
    return tasks


def outcomes(tasks: list[Task[int]]) -> list[Any]:
    """For each task the number it got, or the type of its error."""
    finish(*tasks)
    return ["cancelled" if t.cancelled() else type(e) if (e := t.exception()) else t.result() for t in tasks]


def test_all_pass_when_the_last_has_come() -> None:
    barrier = Barrier(3)
    assert (barrier.parties, barrier.n_waiting, barrier.broken) == (3, 0, False)
    for _ in range(10):
        tasks = came(barrier, 2)
        assert "2 of 3 waiting" in repr(barrier)
        numbers = [barrier.wait(), *outcomes(tasks)]
        assert sorted(numbers) == [0, 1, 2]
        assert barrier.n_waiting == 0
    assert not barrier.broken


def test_one_party_never_waits() -> None:
    barrier = Barrier(1)
    assert [barrier.wait(0) for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize(("parties", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError)])
def test_bad_parties(parties: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Barrier(parties)


def test_bad_arguments() -> None:
    bad: Any = "soon"
    with pytest.raises(TypeError):
        Barrier(2, bad)
    with pytest.raises(TypeError):
        Barrier(2, timeout=bad)
    barrier = Barrier(2)
    with pytest.raises(ValueError):
        barrier.wait(nan)
    assert barrier.n_waiting == 0
    assert not barrier.broken


def test_the_action_runs_once_before_anybody_goes_on() -> None:
    ran: list[int] = []
    barrier = Barrier(3, lambda: ran.append(len(ran)))

    def work() -> int:
        barrier.wait(PATIENCE)
        return len(ran)

    for number in range(1, 4):
        tasks = [spawn(work) for _ in range(3)]
        assert [task.result(PATIENCE) for task in tasks] == [number] * 3


def test_an_error_of_the_action_breaks_it() -> None:
    barrier = Barrier(2, lambda: 1 / 0)
    tasks = came(barrier, 1)
    with pytest.raises(ZeroDivisionError):
        barrier.wait()
    assert outcomes(tasks) == [BrokenBarrierError]
    assert barrier.broken
    assert "broken" in repr(barrier)
    with pytest.raises(BrokenBarrierError):
        barrier.wait()


def test_a_timeout_breaks_it() -> None:
    barrier = Barrier(3)
    tasks = came(barrier, 1)
    with not_before(SHORT), pytest.raises(BrokenBarrierError):
        barrier.wait(SHORT)
    assert outcomes(tasks) == [BrokenBarrierError]
    assert barrier.broken


@pytest.mark.parametrize("limit", [0, -1])
def test_no_time_at_all_breaks_it(limit: float) -> None:
    barrier = Barrier(2)
    with pytest.raises(BrokenBarrierError):
        barrier.wait(limit)
    assert barrier.broken


def test_a_timeout_for_all() -> None:
    barrier = Barrier(2, timeout=SHORT)
    with not_before(SHORT), pytest.raises(BrokenBarrierError):
        barrier.wait()
    barrier.reset()
    task = spawn(barrier.wait, PATIENCE)
    parked(task)
    assert barrier.wait(PATIENCE) + task.result(PATIENCE) == 1


def test_a_cancel_breaks_it() -> None:
    barrier = Barrier(3)
    tasks = came(barrier, 2)
    tasks[0].cancel()
    assert outcomes(tasks) == ["cancelled", BrokenBarrierError]
    assert barrier.broken


def test_an_expired_scope_breaks_it() -> None:
    barrier = Barrier(2)
    with move_on_after(SHORT):
        barrier.wait()
    assert barrier.broken
    assert barrier.n_waiting == 0


def test_a_throw_breaks_it(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = Barrier(3)
    tasks = came(barrier, 1)
    with thrown_into_next_wait(monkeypatch, hub):
        barrier.wait()
    assert outcomes(tasks) == [BrokenBarrierError]


def test_a_throw_after_all_have_come_breaks_nothing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = Barrier(2)
    with thrown_into_next_wait(monkeypatch, hub, lambda: spawn(barrier.wait).result(PATIENCE)):
        barrier.wait()
    assert not barrier.broken


def test_a_latched_cancel_comes_first() -> None:
    barrier = Barrier(1)

    def work() -> None:
        task = current_task()
        assert task is not None
        task.cancel()
        with pytest.raises(Cancelled):
            barrier.wait()

    spawn(work).result(PATIENCE)
    assert not barrier.broken


def test_abort() -> None:
    barrier = Barrier(3)
    tasks = came(barrier, 2)
    barrier.abort()
    barrier.abort()
    assert outcomes(tasks) == [BrokenBarrierError] * 2
    with pytest.raises(BrokenBarrierError):
        barrier.wait()
    barrier.reset()
    assert not barrier.broken
    assert sorted(outcomes([spawn(barrier.wait, PATIENCE) for _ in range(3)])) == [0, 1, 2]


def test_reset() -> None:
    barrier = Barrier(3)
    barrier.reset()
    tasks = came(barrier, 2)
    barrier.reset()
    assert outcomes(tasks) == [BrokenBarrierError] * 2
    assert not barrier.broken
    assert barrier.n_waiting == 0
    assert sorted(outcomes([spawn(barrier.wait, PATIENCE) for _ in range(3)])) == [0, 1, 2]


class Acting:
    """A barrier of two whose action waits until it is let go."""

    def __init__(self) -> None:
        self.acts, self.go_on = Event(), Event()
        self.barrier = Barrier(2, self.act)
        self.tasks = [spawn(self.barrier.wait, PATIENCE) for _ in range(2)]
        assert self.acts.wait(PATIENCE)

    def act(self) -> None:
        self.acts.set()
        assert self.go_on.wait(PATIENCE)


def test_who_comes_while_the_action_runs_is_of_the_next_round() -> None:
    acting = Acting()
    late = spawn(acting.barrier.wait, PATIENCE)
    settle(late.hub)
    acting.go_on.set()
    assert sorted(outcomes(acting.tasks)) == [0, 1]
    until(lambda: acting.barrier.n_waiting == 1)
    assert sorted([acting.barrier.wait(PATIENCE), *outcomes([late])]) == [0, 1]


def test_no_time_is_over_while_the_action_runs() -> None:
    acting = Acting()
    first = next(task for task in acting.tasks if task.ticket in acting.barrier._round.waiters.tickets)
    ticket = first.ticket
    assert ticket is not None
    ticket()  # as its timer would
    settle(first.hub)
    assert not first.done()
    acting.go_on.set()
    assert sorted(outcomes(acting.tasks)) == [0, 1]


def test_abort_while_the_action_runs_breaks_what_comes_next() -> None:
    acting = Acting()
    acting.barrier.abort()
    acting.go_on.set()
    assert sorted(outcomes(acting.tasks)) == [0, 1]
    assert acting.barrier.broken
    acting.barrier.reset()
    assert not acting.barrier.broken


def test_reset_while_the_action_runs_lets_the_next_round_begin() -> None:
    acting = Acting()
    acting.barrier.reset()
    late = spawn(acting.barrier.wait, PATIENCE)
    until(lambda: acting.barrier.n_waiting == 1)
    acting.go_on.set()
    assert sorted(outcomes(acting.tasks)) == [0, 1]
    until(lambda: acting.barrier.n_waiting == 1)
    acting.go_on.set()
    assert sorted([acting.barrier.wait(PATIENCE), *outcomes([late])]) == [0, 1]


@pytest.mark.parametrize("intruder", ["abort", "reset", "reset after abort"])
def test_the_last_interrupted_anywhere(intruder: str) -> None:
    def play(meet: Meet) -> None:
        barrier = Barrier(2)
        tasks = came(barrier, 1)

        def intrude() -> None:
            if "abort" in intruder:
                barrier.abort()
            if "reset" in intruder:
                barrier.reset()

        def act() -> Any:
            try:
                return barrier.wait(SHORT)
            except BrokenBarrierError:
                return BrokenBarrierError

        ends = [meet(act, intrude), *outcomes(tasks)]
        assert ends in ([1, 0], [BrokenBarrierError] * 2), "one has passed and the other not"
        barrier.reset()
        barrier.reset()
        assert sorted(outcomes([spawn(barrier.wait, PATIENCE) for _ in range(2)])) == [0, 1]

    assert at_each_step(play) > 20


def test_threads_and_tasks_in_step() -> None:
    barrier, rounds = Barrier(4), [0] * 4

    def work(number: int) -> None:
        for step in range(50):
            assert rounds[number] == step
            rounds[number] += 1
            barrier.wait(PATIENCE)
            assert min(rounds) >= step + 1, "somebody was left behind"
            barrier.wait(PATIENCE)

    threads = Threads(lambda: work(0), lambda: work(1))
    finish(*(tasks := [spawn(work, 2), spawn(work, 3)]))
    assert [task.exception() for task in tasks] == [None, None]
    until(lambda: not any(thread.is_alive() for thread in threads.threads))
    threads.join()
