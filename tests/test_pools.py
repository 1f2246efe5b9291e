"""Pool."""

from __future__ import annotations

import logging
import signal
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from math import nan
from typing import Any

import pytest
from meetings import Meet, Threads, at_each_step, thrown_into_next_wait

from hubkit.contract import FIFO_LOCKS, Hub
from hubkit.errors import Cancelled, Closed, TaskCancelled, WrongContext
from hubkit.events import Event
from hubkit.pools import Pool
from hubkit.registry import current_hub
from hubkit.running import checkpoint, now, sleep
from hubkit.semaphores import Semaphore
from hubkit.spawning import all_tasks, current_task, spawn
from hubkit.tasks import Task
from hubkit.timeouts import move_on_after
from hubkit_conformance.tools import (
    LONG,
    PATIENCE,
    SHORT,
    finish,
    not_before,
    parked,
    parked_in_order,
    settle,
    until,
)

pytestmark = pytest.mark.usefixtures("hub")


def assert_idle(pool: Pool, size: int) -> None:
    """No task, no place lost, none too many."""
    assert pool.join(PATIENCE) is True
    assert (len(pool), pool.size) == (0, size)
    gate = Event()
    tasks = [pool.try_spawn(gate.wait) for _ in range(size)]
    assert None not in tasks, f"{tasks.count(None)} places were lost"
    assert pool.try_spawn(int) is None, "there is a place too many"
    assert pool.free == 0
    gate.set()
    assert pool.join(PATIENCE) is True
    until(lambda: pool.free == size)


class Busy:
    """A full pool whose tasks wait to be let go."""

    def __init__(self, size: int) -> None:
        self.pool = Pool(size)
        self.gate = Event()
        self.tasks = [self.pool.spawn(self.gate.wait) for _ in range(size)]
        parked(*self.tasks)


# -- spawning -------------------------------------------------------------------------------------


def test_spawn() -> None:
    pool = Pool(2)

    def work(number: int, *, power: int) -> int:
        return number**power

    tasks = [pool.spawn(work, number, power=2) for number in range(5)]
    assert [task.result(PATIENCE) for task in tasks] == [0, 1, 4, 9, 16]
    assert isinstance(tasks[0], Task)
    assert weakref.ref(pool)() is pool
    assert bool(pool) is True
    assert_idle(pool, 2)


def test_never_inline() -> None:
    me = current_task()
    pool = Pool(1)
    assert pool.spawn(current_task).result(PATIENCE) is not me
    assert pool.map(lambda _: current_task() is me, range(3)) == [False] * 3


def test_what_is_not_callable() -> None:
    pool = Pool(1)
    bad: Any = "nonsense"
    for call in (
        lambda: pool.spawn(bad),
        lambda: pool.try_spawn(bad),
        lambda: pool.map(bad, [1]),
        lambda: pool.imap(bad, [1]),
        lambda: pool.imap_unordered(bad, [1]),
        lambda: pool.map(int),
        lambda: pool.imap(int),
    ):
        with pytest.raises(TypeError, match="takes a function"):
            call()
    assert_idle(pool, 1)


@pytest.mark.parametrize(
    ("size", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("1", TypeError)]
)
def test_bad_sizes(size: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Pool(size)
    pool = Pool(2)
    with pytest.raises(error):
        pool.resize(size)
    assert_idle(pool, 2)


def test_a_full_pool() -> None:
    busy = Busy(2)
    assert (len(busy.pool), busy.pool.free) == (2, 0)
    assert busy.pool.try_spawn(int) is None
    spawner = spawn(busy.pool.spawn, int)
    parked(spawner)
    assert "2 of 2 tasks, 1 waiting" in repr(busy.pool)
    busy.gate.set()
    assert spawner.result(PATIENCE).result(PATIENCE) == 0
    assert_idle(busy.pool, 2)


def test_spawners_are_served_in_order(hub: Hub) -> None:
    if not hub.supports(FIFO_LOCKS):
        pytest.skip("a hub without FIFO_LOCKS")
    busy, order = Busy(1), []
    spawners = parked_in_order(4, lambda number: busy.pool.spawn(order.append, number).join())
    busy.gate.set()
    finish(*spawners)
    assert order == [0, 1, 2, 3]


@pytest.mark.parametrize("end", ["well", "by an error", "by a cancel", "before its start"])
def test_a_place_lives_as_long_as_its_task(end: str, caplog: pytest.LogCaptureFixture) -> None:
    pool = Pool(1)
    for _ in range(3):
        if end == "before its start":
            pool.spawn(sleep, LONG).cancel()
            assert pool.join(PATIENCE) is True
            continue
        gate = Event()

        def work(gate: Event = gate) -> None:
            gate.wait(PATIENCE)
            if end != "well":
                raise KeyError("on purpose") if end == "by an error" else Cancelled

        task = pool.spawn(work)
        parked(task)
        assert pool.try_spawn(int) is None
        gate.set()
        finish(task)
    assert_idle(pool, 1)


def test_an_error_that_nobody_waits_for_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    pool = Pool(1)
    with caplog.at_level(logging.ERROR, "hubkit"):
        pool.spawn(lambda: 1 / 0)
        assert pool.join(PATIENCE)
        until(lambda: caplog.records)
    assert [type(record.exc_info[1]) for record in caplog.records if record.exc_info] == [ZeroDivisionError]


def test_context_is_the_spawners() -> None:
    variable: ContextVar[str] = ContextVar("variable")
    pool = Pool(1)
    variable.set("mine")
    assert pool.spawn(variable.get).result(PATIENCE) == "mine"
    assert pool.map(lambda _: variable.get(), [1]) == ["mine"]


def test_a_cancelled_spawner_takes_no_place() -> None:
    busy = Busy(1)
    first, second = (spawn(busy.pool.spawn, int) for _ in range(2))
    parked(first, second)
    first.cancel()
    busy.gate.set()
    finish(first, second)
    assert first.cancelled()
    assert_idle(busy.pool, 1)


def test_a_throw_gives_the_place_on(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = Busy(1)

    def let_go() -> None:
        busy.gate.set()
        finish(*busy.tasks)

    with thrown_into_next_wait(monkeypatch, hub, let_go):
        busy.pool.spawn(int)
    assert_idle(busy.pool, 1)


def test_a_latched_cancel_comes_first() -> None:
    pool, ran = Pool(1), []

    def work() -> None:
        task = current_task()
        assert task is not None
        for call in (
            lambda: pool.spawn(ran.append, 1),
            pool.join,
            lambda: pool.map(ran.append, [1]),
            lambda: next(pool.imap(ran.append, [1])),
        ):
            task.cancel()
            with pytest.raises(Cancelled):
                call()

    spawn(work).result(PATIENCE)
    assert ran == []
    assert_idle(pool, 1)


def test_in_a_callback() -> None:
    pool, seen = Pool(1), []

    def callback() -> None:
        seen.append(pool.spawn(sleep, SHORT))
        seen.append(pool.try_spawn(int))
        try:
            pool.spawn(int)
        except WrongContext as error:
            seen.append(type(error))
        seen.append(pool.join(0))

    current_hub().call_soon(callback)
    until(lambda: len(seen) == 4)
    assert seen[1:] == [None, WrongContext, False]
    assert_idle(pool, 1)


def test_try_spawn_by_a_signal_handler() -> None:
    pool = Pool(1)
    seen: list[Task[int] | None] = []
    before = signal.signal(signal.SIGUSR1, lambda signum, frame: seen.append(pool.try_spawn(int)))
    try:
        signal.raise_signal(signal.SIGUSR1)
        until(lambda: seen)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen[0] is not None
    assert seen[0].result(PATIENCE) == 0


# -- size -----------------------------------------------------------------------------------------


def test_it_grows() -> None:
    busy = Busy(1)
    spawners = [spawn(busy.pool.spawn, busy.gate.wait) for _ in range(3)]
    parked(*spawners)
    busy.pool.resize(3)
    until(lambda: sum(task.done() for task in spawners) == 2)
    settle(current_hub())
    assert sum(task.done() for task in spawners) == 2
    busy.gate.set()
    finish(*spawners)
    assert_idle(busy.pool, 3)


def test_it_shrinks() -> None:
    busy = Busy(3)
    spawner = spawn(busy.pool.spawn, int)
    parked(spawner)
    busy.pool.resize(1)
    assert (busy.pool.size, len(busy.pool)) == (1, 3)
    for task in busy.tasks[:2]:
        task.cancel()
        finish(task)
    settle(spawner.hub)
    assert not spawner.done()
    busy.gate.set()
    finish(spawner)
    assert_idle(busy.pool, 1)
    busy.pool.resize(4)
    assert_idle(busy.pool, 4)
    busy.pool.resize(2)
    assert_idle(busy.pool, 2)


def test_it_shrinks_and_grows_again() -> None:
    busy = Busy(3)
    busy.pool.resize(1)
    busy.pool.resize(2)
    busy.pool.resize(3)
    assert busy.pool.try_spawn(int) is None
    busy.gate.set()
    assert_idle(busy.pool, 3)


@pytest.mark.parametrize("intruder", ["end", "spawn", "resize"])
@pytest.mark.parametrize("size", [1, 3])
def test_resize_interrupted_anywhere(size: int, intruder: str) -> None:
    def play(meet: Meet) -> None:
        pool = Pool(2)
        # Places that are taken and given as tasks would, but in this very instant.
        pool._slots.take(0)
        taken = [True]

        def intrude() -> None:
            if intruder == "end":
                taken.clear()
                pool._slots.release()
            elif intruder == "spawn":
                if pool._slots.take(0).name == "WOKEN":
                    taken.append(True)
            else:
                pool.resize(4)
                pool.resize(2)

        meet(lambda: pool.resize(size), intrude)
        for _ in taken:
            pool._slots.release()
        assert_idle(pool, pool.size)

    assert at_each_step(play) > 10


# -- many at once ---------------------------------------------------------------------------------


def maps(pool: Pool) -> dict[str, Callable[..., Any]]:
    return {"map": pool.map, "imap": pool.imap, "imap_unordered": pool.imap_unordered}


each_map = pytest.mark.parametrize("name", ["map", "imap", "imap_unordered"])


@each_map
@pytest.mark.parametrize("size", [1, 3, 20])
def test_map(name: str, size: int) -> None:
    pool = Pool(size)
    running, peaks = [], []

    def work(number: int, factor: int) -> int:
        running.append(number)
        peaks.append(len(running))
        checkpoint()
        running.remove(number)
        return number * factor

    results = list(maps(pool)[name](work, range(20), iter([2] * 30)))
    assert (sorted(results) if name == "imap_unordered" else results) == list(range(0, 40, 2))
    assert max(peaks) <= size
    assert list(maps(pool)[name](work, [], [])) == []
    assert_idle(pool, size)


def test_map_gives_a_list_in_order_whatever_ends_first() -> None:
    gates = [Event() for _ in range(3)]

    def work(number: int) -> int:
        assert gates[number].wait(PATIENCE)
        if number:
            gates[number - 1].set()
        return number

    gates[2].set()
    assert Pool(3).map(work, range(3)) == [0, 1, 2]
    gates = [Event() for _ in range(3)]
    gates[2].set()
    assert list(Pool(3).imap(work, range(3))) == [0, 1, 2]


def test_imap_unordered_gives_what_comes_first() -> None:
    gates = [Event() for _ in range(3)]

    def work(number: int) -> int:
        assert gates[number].wait(PATIENCE)
        return number

    results = Pool(3).imap_unordered(work, range(3))
    got = []
    for number in (1, 2, 0):
        gates[number].set()
        got.append(next(results))
    assert got == [1, 2, 0]
    with pytest.raises(StopIteration):
        next(results)


@pytest.mark.parametrize("name", ["imap", "imap_unordered"])
def test_an_iterable_without_end(name: str) -> None:
    pool, taken = Pool(2), []

    def numbers() -> Iterator[int]:
        while True:
            taken.append(len(taken))
            yield taken[-1]

    results = maps(pool)[name](lambda number: number, numbers())
    assert taken == []
    got = [next(results) for _ in range(10)]
    assert len(set(got)) == 10
    assert set(got) <= set(taken)  # a task that comes late, where threads are, is overtaken by more than one
    assert len(taken) <= 10 + 2 * pool.size + 1
    results.close()
    assert_idle(pool, 2)


@each_map
def test_an_error_is_raised_in_its_place(name: str, caplog: pytest.LogCaptureFixture) -> None:
    pool, hang = Pool(3), Event()

    def work(number: int) -> int:
        if number == 2:
            raise KeyError(number)
        if number > 2:
            hang.wait()
        return number

    got = []
    with caplog.at_level(logging.ERROR, "hubkit"), pytest.raises(KeyError) as caught:
        got.extend(maps(pool)[name](work, range(100)))
    assert caught.value.args == (2,)
    assert len(pool) == 0 or name != "map", "map has left tasks running"
    assert pool.join(PATIENCE) is True
    assert caplog.records == [], "the error was raised and logged"
    assert_idle(pool, 3)


@each_map
def test_what_is_no_iterable_is_refused(name: str) -> None:
    pool = Pool(2)
    with pytest.raises(TypeError, match="takes an iterable for each argument of its function, not 5"):
        list(maps(pool)[name](int, 5))
    assert_idle(pool, 2)


@each_map
def test_an_error_of_the_iterable(name: str) -> None:
    pool = Pool(2)

    def numbers() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(maps(pool)[name](lambda number: Event().wait(), numbers()))
    assert_idle(pool, 2)


@each_map
def test_a_task_that_somebody_cancels(name: str) -> None:
    pool = Pool(2)

    def work(number: int) -> None:
        task = current_task()
        assert task is not None
        task.cancel()
        checkpoint()

    with pytest.raises(TaskCancelled):
        list(maps(pool)[name](work, range(3)))
    assert_idle(pool, 2)


@each_map
@pytest.mark.parametrize("way", ["cancel", "timeout"])
def test_an_interrupted_map_cancels_its_tasks(name: str, way: str) -> None:
    pool, scopes, begun, cleaned = Pool(2), [], [], []

    def work(number: int) -> None:
        try:
            begun.append(number)
            sleep(LONG)
        finally:
            cleaned.append(number)

    def work_on() -> None:
        with move_on_after(LONG) as scope:
            scopes.append(scope)
            list(maps(pool)[name](work, range(5)))
        assert way == "timeout"
        if name == "map":
            assert len(cleaned) == 2, "it has not waited for its tasks"

    task = spawn(work_on)
    until(lambda: len(begun) == 2)
    parked(task)
    if way == "cancel":
        task.cancel()
    else:
        scopes[0].reschedule(now())
    finish(task)
    assert task.cancelled() is (way == "cancel")
    assert pool.join(PATIENCE) is True
    assert sorted(cleaned) == [0, 1]
    assert_idle(pool, 2)


@pytest.mark.parametrize("name", ["imap", "imap_unordered"])
def test_dropping_the_iterator_cancels_its_tasks(name: str) -> None:
    pool, gate = Pool(2), Event()
    for _ in maps(pool)[name](lambda number: number or gate.wait(), range(1, -10, -1)):
        break
    assert pool.join(PATIENCE) is True
    assert_idle(pool, 2)


def test_maps_share_a_pool() -> None:
    pool = Pool(3)
    tasks = [spawn(pool.map, partial(pow, number), range(10)) for number in range(4)]
    expected = [[number**power for power in range(10)] for number in range(4)]
    assert [task.result(PATIENCE) for task in tasks] == expected
    assert_idle(pool, 3)


# -- the end --------------------------------------------------------------------------------------


def test_join() -> None:
    pool = Pool(2)
    assert pool.join() is True
    busy = Busy(2)
    assert busy.pool.join(0) is False
    assert busy.pool.join(-1) is False
    with not_before(SHORT):
        assert busy.pool.join(SHORT) is False
    joiners = [spawn(busy.pool.join) for _ in range(2)]
    parked(*joiners)
    busy.tasks[0].cancel()
    finish(busy.tasks[0])
    assert not any(task.done() for task in joiners)
    busy.gate.set()
    assert [task.result(PATIENCE) for task in joiners] == [True, True]
    bad: Any = "soon"
    with pytest.raises(ValueError):
        pool.join(nan)
    with pytest.raises(TypeError):
        pool.join(bad)


def test_join_waits_also_for_those_who_wait_for_a_place() -> None:
    busy, ran = Busy(1), []
    spawners = [spawn(busy.pool.spawn, ran.append, number) for number in range(3)]
    parked(*spawners)
    joiner = spawn(busy.pool.join)
    parked(joiner)
    busy.gate.set()
    assert joiner.result(PATIENCE) is True
    assert sorted(ran) == [0, 1, 2]


@pytest.mark.parametrize("limit", [None, LONG, 0])
def test_joining_ones_own_pool(limit: float | None) -> None:
    pool = Pool(2)
    for task in (pool.spawn(pool.join, limit), pool.spawn(lambda: pool.map(lambda _: pool.join(limit), [1]))):
        with pytest.raises(RuntimeError, match="joins its own pool"):
            task.result(PATIENCE)
    assert_idle(pool, 2)


def test_close() -> None:
    busy = Busy(2)
    spawner = spawn(busy.pool.spawn, int)
    mapper = spawn(busy.pool.map, int, ["1"])
    parked(spawner, mapper)
    busy.pool.close()
    busy.pool.close()
    assert isinstance(spawner.exception(PATIENCE), Closed)
    assert isinstance(mapper.exception(PATIENCE), Closed)
    for call in (
        lambda: busy.pool.spawn(int),
        lambda: busy.pool.try_spawn(int),
        lambda: busy.pool.map(int, ["1"]),
    ):
        with pytest.raises(Closed, match="closed"):
            call()
    assert len(busy.pool) == 2
    assert busy.pool.join(0) is False
    busy.gate.set()
    assert busy.pool.join(PATIENCE) is True
    assert [task.result(PATIENCE) for task in busy.tasks] == [True, True]


def test_cancel() -> None:
    busy = Busy(2)
    spawner = spawn(busy.pool.spawn, int)
    parked(spawner)
    busy.pool.cancel()
    busy.pool.cancel()
    finish(*busy.tasks)
    assert [task.cancelled() for task in busy.tasks] == [True, True]
    assert isinstance(spawner.exception(PATIENCE), Closed)
    assert busy.pool.join(PATIENCE) is True


def test_a_spawn_interrupted_anywhere_by_cancel_leaves_no_task() -> None:
    def play(meet: Meet) -> None:
        pool, ran = Pool(1), []

        def act() -> None:
            try:
                pool.spawn(ran.append, 1)
            except Closed:
                pass

        meet(act, pool.cancel)
        if pool._slots.closed:
            assert pool.join(PATIENCE) is True
            assert ran == [] or not current_hub().supports("ORDERED_YIELD")
            assert len(pool) == 0
        else:
            assert_idle(pool, 1)

    assert at_each_step(play) > 20


def test_with() -> None:
    done = []

    def crawl(depth: int) -> None:
        checkpoint()
        done.append(depth)
        if depth:
            pool.spawn(crawl, depth - 1)

    with Pool(2) as pool:
        pool.spawn(crawl, 3)
    assert done == [3, 2, 1, 0]
    with pytest.raises(Closed):
        pool.spawn(int)


def test_with_an_error() -> None:
    with pytest.raises(KeyError), Pool(2) as pool:
        tasks = [pool.spawn(sleep, LONG) for _ in range(2)]
        raise KeyError
    assert all(task.cancelled() for task in tasks)


def test_with_interrupted_at_the_end() -> None:
    tasks = []

    def work() -> None:
        with Pool(2) as pool:
            tasks.extend(pool.spawn(sleep, LONG) for _ in range(2))

    task = spawn(work)
    until(lambda: len(tasks) == 2)
    parked(task, *tasks)
    task.cancel()
    finish(task)
    assert task.cancelled()
    assert all(task.done() and task.cancelled() for task in tasks)


def test_a_hub_that_starts_nothing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(1)

    def start(self: Hub, task: Task[Any]) -> None:
        raise Closed("on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(type(hub), "start", start)
        for spawner in (pool.spawn, pool.try_spawn):
            with pytest.raises(Closed, match="on purpose"):
                spawner(int)
    assert_idle(pool, 1)


def test_no_task_is_kept() -> None:
    pool = Pool(2)
    pool.map(int, ["1"] * 10)
    assert pool.join(PATIENCE)
    until(lambda: not all_tasks())
    assert len(pool._tasks) == 0
    assert len(pool._slots._freed) <= pool.size


def test_many_spawners() -> None:
    pool, running, peaks, ran = Pool(3), [], [], []

    def work() -> None:
        running.append(1)
        peaks.append(len(running))
        checkpoint()
        ran.append(running.pop())

    allowed = Semaphore(0)

    def spawner() -> None:
        for _ in range(30):
            if pool.try_spawn(work) is None:
                pool.spawn(work)
        allowed.release()

    spawners = [spawn(spawner) for _ in range(4)]
    for _ in spawners:
        assert allowed.acquire(timeout=PATIENCE)
    assert pool.join(PATIENCE) is True
    assert len(ran) == 120
    assert max(peaks) <= 3
    assert_idle(pool, 3)


def test_places_are_given_by_threads() -> None:
    pool = Pool(2)

    def hammer() -> None:
        for _ in range(200):
            if pool._slots.take(0).name == "WOKEN":
                pool._slots.release()

    threads = Threads(hammer, hammer, hammer)
    for number in range(50):
        pool.resize(1 + number % 4)
        pool.spawn(int).result(PATIENCE)
    until(lambda: not any(thread.is_alive() for thread in threads.threads))
    threads.join()
    pool.resize(2)
    assert_idle(pool, 2)
