"""Queues, channels, pools, groups, scopes under many schedules: nothing is lost in one instant.

Each program lets a hand-over, a time limit, a cancel and a close fall into the same instant of the virtual
clock; `explore` puts them into every order, and lets the clock run on while tasks are ready.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from test_explored_locks import INSTANT, SCHEDULES, Room, at_the_instant, finish

from hubkit import (
    Channel,
    Closed,
    Empty,
    Event,
    Full,
    LifoQueue,
    Pool,
    PriorityQueue,
    Queue,
    ShutDown,
    SimpleQueue,
    Task,
    TaskGroup,
    all_tasks,
    as_completed,
    checkpoint,
    move_on_after,
    shield,
    sleep,
    spawn,
    spawn_later,
    timeout,
    wait,
)
from hubkit.testing import explore

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup


class Traffic:
    """What was put and what was got; neither may be lost or doubled."""

    def __init__(self, queue: Any) -> None:
        self.queue = queue
        self.put: list[int] = []
        self.got: list[int] = []

    def send(self, item: int, limit: float | None) -> None:
        try:
            self.queue.put(item, timeout=limit)
        except (Full, ShutDown, Closed):
            return
        self.put.append(item)

    def receive(self, limit: float | None) -> None:
        try:
            item = self.queue.get(timeout=limit)
        except (Empty, ShutDown, Closed):
            return
        self.got.append(item)

    def drain(self) -> None:
        try:
            while True:
                self.got.append(self.queue.get(False))
        except (Empty, ShutDown, Closed):
            pass

    def check(self) -> None:
        assert sorted(self.got) == sorted(self.put), f"put {self.put}, got {self.got}"


def queue_with_everything(make: Callable[[], Any], close: str | None) -> None:
    queue = make()
    traffic = Traffic(queue)
    senders = [spawn(traffic.send, item, limit) for item, limit in ((1, None), (2, INSTANT), (3, INSTANT))]
    receivers = [at_the_instant(traffic.receive, INSTANT) for _ in range(2)]
    meddling = [at_the_instant(senders[0].cancel)]
    if close is not None:
        meddling.append(at_the_instant(getattr(queue, close)))
    finish(*receivers, *meddling)
    if not senders[0].done():
        traffic.receive(5 * INSTANT)
    finish(*senders)
    traffic.drain()
    traffic.check()


def getters_with_everything(make: Callable[[], Any], close: str | None) -> None:
    queue = make()
    traffic = Traffic(queue)
    receivers = [spawn(traffic.receive, limit) for limit in (None, INSTANT, INSTANT)]
    senders = [at_the_instant(traffic.send, item, INSTANT) for item in range(2)]
    meddling = [at_the_instant(receivers[0].cancel)]
    if close is not None:
        meddling.append(at_the_instant(getattr(queue, close)))
    finish(*senders, *meddling)
    if not receivers[0].done():
        traffic.send(9, 5 * INSTANT)
    finish(*receivers)
    traffic.drain()
    traffic.check()


def queue_is_joined() -> None:
    queue: Queue[int] = Queue(2)
    done = []

    def work() -> None:
        for item in queue:
            checkpoint()
            done.append(item)
            queue.task_done()

    workers = [spawn(work) for _ in range(2)]
    for item in range(4):
        queue.put(item)
    queue.join()
    assert sorted(done) == [0, 1, 2, 3]
    queue.shutdown()
    finish(*workers)


def cancel_all(tasks: list[Task[Any]]) -> None:
    for task in list(tasks):
        task.cancel()


def pool_keeps_its_size() -> None:
    pool, room, started = Pool(2), Room(2), []

    def work() -> None:
        with room.visit():
            sleep(INSTANT)

    def feed(count: int) -> None:
        for _ in range(count):
            started.append(pool.spawn(work))

    feeders = [spawn(feed, 2), spawn(feed, 2)]
    cancelling = [at_the_instant(feeders[0].cancel), at_the_instant(cancel_all, started)]
    finish(*feeders, *cancelling)
    assert pool.join() is True
    assert all(task.done() for task in started)
    assert room.inside == 0
    gate = Event()
    assert [pool.try_spawn(gate.wait) is not None for _ in range(3)] == [True, True, False]
    gate.set()


def pool_is_closed_and_resized() -> None:
    pool, room, started = Pool(1), Room(2), []

    def work() -> None:
        with room.visit():
            sleep(INSTANT)

    def feed() -> None:
        try:
            for _ in range(3):
                started.append(pool.spawn(work))
        except Closed:
            pass

    feeders = [spawn(feed), spawn(feed)]
    meddling = [at_the_instant(pool.resize, 2), at_the_instant(pool.close), at_the_instant(feeders[1].cancel)]
    finish(*feeders, *meddling)
    assert pool.join() is True
    assert all(task.done() for task in started)


def group_leaves_no_child() -> None:
    children = []

    def child(seconds: float) -> None:
        sleep(seconds)
        if seconds == INSTANT:
            raise KeyError("planned")

    def body() -> None:
        with TaskGroup() as group:
            for seconds in (0.0, INSTANT, 2 * INSTANT):
                children.append(group.spawn(child, seconds))
            sleep(INSTANT)
            children.append(group.spawn(child, 5 * INSTANT))

    def guarded() -> str:
        try:
            with timeout(INSTANT):
                body()
        except TimeoutError:
            return "late"
        except ExceptionGroup as errors:
            return "failed" if {type(error) for error in errors.exceptions} == {KeyError} else repr(errors)
        return "fine"

    task = spawn(guarded)
    stopping = at_the_instant(task.cancel)
    task.join()
    assert task.cancelled() or task.result() in ("late", "failed")
    assert all(one.done() for one in children)
    finish(stopping)


def groups_in_groups() -> None:
    trace = []

    def inner(seconds: float) -> None:
        with TaskGroup() as group:
            group.spawn(sleep, seconds)
            group.spawn(sleep, 2 * seconds)
        trace.append(seconds)

    with TaskGroup() as outer:
        stopped = outer.spawn(inner, 3 * INSTANT)
        outer.spawn(inner, INSTANT)
        outer.spawn(lambda: (sleep(INSTANT), stopped.cancel()))
    assert [task for task in all_tasks() if task is not stopped] == []
    assert INSTANT in trace


def scopes_in_scopes() -> None:
    def body() -> tuple[bool, bool, bool]:
        with move_on_after(3 * INSTANT) as outer:
            with move_on_after(2 * INSTANT) as middle:
                with shield():
                    with move_on_after(INSTANT) as inner:
                        sleep(5 * INSTANT)
                    assert inner.expired
                sleep(5 * INSTANT)
            sleep(5 * INSTANT)
        checkpoint()
        return inner.expired, middle.expired, outer.expired

    inner, middle, outer = spawn(body).result()
    assert inner
    assert middle or outer, "on a slow machine the outer one may be first"


def timeout_and_cancel_and_wake_up() -> None:
    event, ends = Event(), []

    def body() -> None:
        try:
            with timeout(INSTANT):
                event.wait()
            ends.append("woken")
        except TimeoutError:
            ends.append("late")
        finally:
            sleep(INSTANT)  # nothing is left that could hit the clean-up
            ends.append("cleaned up")

    task = spawn(body)
    meddling = [at_the_instant(event.set), at_the_instant(task.cancel)]
    finish(*meddling)
    task.join()
    assert task.cancelled() or ends[0] in ("woken", "late")


def started_later_or_cancelled() -> None:
    ran = []
    task = spawn_later(INSTANT, ran.append, 1)
    stopping = at_the_instant(task.cancel)
    finish(stopping)
    task.join()
    assert bool(ran) != task.cancelled()


def waits_for_several() -> None:
    tasks = [at_the_instant(int) for _ in range(3)]
    at_the_instant(tasks[1].cancel)
    done, pending = wait(tasks, timeout=INSTANT)
    assert set(done) | set(pending) == set(tasks)
    assert all(task.done() for task in done)
    assert set(as_completed(tasks)) == set(tasks)


def join_says_what_is_so(kind: str) -> None:
    """What ended in the very instant in which the time was over has ended."""
    ended: list[bool] = []
    pool, queue = Pool(1), Queue[int]()
    queue.put(1)

    def work() -> None:
        sleep(INSTANT)
        queue.task_done()
        ended.append(True)

    task = pool.spawn(work)
    join = {"Task": task.join, "Pool": pool.join, "Queue": queue.join}[kind]
    assert join(INSTANT) == bool(ended)
    finish(task)


QUEUES: dict[str, tuple[Callable[[], Any], str]] = {
    "Queue": (Queue, "shutdown"),
    "Queue(1)": (lambda: Queue(1), "shutdown"),
    "LifoQueue(1)": (lambda: LifoQueue(1), "shutdown"),
    "PriorityQueue(1)": (lambda: PriorityQueue(1), "shutdown"),
    "Channel": (Channel, "close"),
}

PROGRAMS: dict[str, Callable[[], object]] = {
    "SimpleQueue": lambda: getters_with_everything(SimpleQueue, None),
    **{
        f"{name} {side.__name__[:7]}{' ' + close if closes else ''}": (
            lambda make=make, side=side, close=close if closes else None: side(make, close)
        )
        for name, (make, close) in QUEUES.items()
        for side in (queue_with_everything, getters_with_everything)
        for closes in (False, True)
        if name.endswith(")") or name == "Channel" or side is getters_with_everything
    },
    "Queue.join": queue_is_joined,
    "Pool": pool_keeps_its_size,
    "Pool.close": pool_is_closed_and_resized,
    "TaskGroup": group_leaves_no_child,
    "TaskGroup in TaskGroup": groups_in_groups,
    "scopes": scopes_in_scopes,
    "timeout, cancel, wake-up": timeout_and_cancel_and_wake_up,
    "spawn_later": started_later_or_cancelled,
    "wait": waits_for_several,
    "Task.join": lambda: join_says_what_is_so("Task"),
    "Pool.join": lambda: join_says_what_is_so("Pool"),
    "Queue.join in time": lambda: join_says_what_is_so("Queue"),
}


@pytest.mark.parametrize("time_passes", [False, True], ids=["", "time passes"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_is_lost(name: str, time_passes: bool) -> None:
    # A group that is interrupted logs the errors of its children.
    heard = name != "TaskGroup"
    explore(PROGRAMS[name], schedules=SCHEDULES, time_passes=time_passes, unheard_errors=heard)
