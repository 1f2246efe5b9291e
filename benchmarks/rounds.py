"""The workloads, written once for every library whose verbs are plain calls.

What must live here: what is measured, and the check that it really happened. What this file must not
know: which library runs it; how often, and against what.

A round does `count` operations and returns the nanoseconds they took. It counts what its tasks did and
looks at the order in which they did it, so that a verb that does nothing fails instead of being fast.
Nothing but the operation stands between the two looks at the clock: tasks that are to run for long are
started before, and the garbage of the round before has been collected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns as clock
from typing import Any

SLEEPERS = 100
BATCH = 100
CROWD = 1000
MILLISECOND = 0.001


@dataclass(frozen=True)
class Verbs:
    """What a library calls the things that the workloads need."""

    spawn: Callable[..., Any]
    join: Callable[[Any], object]
    sleep: Callable[[float], object]
    Queue: Callable[[], Any]


class NotMeasured(Exception):
    """A round did not do what it was to measure."""


def expect(fact: object, what: str) -> None:
    """Raise NotMeasured unless `fact` is true."""
    if not fact:
        raise NotMeasured(what)


def sleep(verbs: Verbs, count: int) -> int:
    """sleep(0) among 100 tasks."""
    pause = verbs.sleep
    times = count // SLEEPERS
    steps = [-1] * SLEEPERS
    done: list[int] = []

    def sleeper(me: int) -> None:
        pause(0)
        for steps[me] in range(times):  # the cheapest way to show how far it is
            pause(0)
        if not done:
            expect(min(steps) >= times - 2, "the sleepers did not take turns")
        done.append(me)

    tasks = [verbs.spawn(sleeper, me) for me in range(SLEEPERS)]
    pause(0)
    start = clock()
    for task in tasks:
        verbs.join(task)
    elapsed = clock() - start
    expect(len(done) == SLEEPERS, "not every sleeper has ended")
    return elapsed


def spawn(verbs: Verbs, count: int) -> int:
    """Spawn and join a task that does not block, one after the other."""
    start_task, join = verbs.spawn, verbs.join
    ran = 0

    def work() -> None:
        nonlocal ran
        ran += 1

    start = clock()
    for _ in range(count):
        join(start_task(work))
    elapsed = clock() - start
    expect(ran == count, f"{ran} tasks ran instead of {count}")
    return elapsed


def batch(verbs: Verbs, count: int) -> int:
    """Spawn 100 tasks that do not block, and join them."""
    start_task, join = verbs.spawn, verbs.join
    ran = 0

    def work() -> None:
        nonlocal ran
        ran += 1

    start = clock()
    for _ in range(count // BATCH):
        for task in [start_task(work) for _ in range(BATCH)]:
            join(task)
    elapsed = clock() - start
    expect(ran == count, f"{ran} tasks ran instead of {count}")
    return elapsed


def block(verbs: Verbs, count: int) -> int:
    """Spawn 100 tasks that each block once, and join them."""
    start_task, join, pause = verbs.spawn, verbs.join, verbs.sleep
    started = ended = 0

    def work() -> None:
        nonlocal started, ended
        started += 1
        pause(0)
        if ended % BATCH == 0:
            expect(started == ended + BATCH, "the first task ended before all had started")
        ended += 1

    start = clock()
    for _ in range(count // BATCH):
        for task in [start_task(work) for _ in range(BATCH)]:
            join(task)
    elapsed = clock() - start
    expect(ended == count, f"{ended} tasks ended instead of {count}")
    return elapsed


def pingpong(verbs: Verbs, count: int) -> int:
    """A value goes from one task to another and back, through two queues."""
    there, back = verbs.Queue(), verbs.Queue()
    total = 0

    def ping() -> None:
        nonlocal total
        put, get = there.put, back.get
        for number in range(count):
            put(number)
            total += get()

    def pong() -> None:
        get, put = there.get, back.put
        for _ in range(count):
            put(get() + 1)

    tasks = [verbs.spawn(ping), verbs.spawn(pong)]
    start = clock()
    for task in tasks:
        verbs.join(task)
    elapsed = clock() - start
    expect(total == count * (count + 1) // 2, "values were lost or changed on their way")
    return elapsed


def stream(verbs: Verbs, count: int) -> int:
    """Put into a queue and get from it again, without waiting."""
    queue = verbs.Queue()
    total = elapsed = 0

    def work() -> None:
        nonlocal total, elapsed
        put, get = queue.put, queue.get
        start = clock()
        for number in range(count):
            put(number)
            total += get()
        elapsed = clock() - start

    verbs.join(verbs.spawn(work))
    expect(total == count * (count - 1) // 2, "values were lost or changed on their way")
    return elapsed


def timer(verbs: Verbs, count: int) -> int:
    """Spawn 1,000 tasks that sleep for a millisecond, and join them."""
    return _timer(verbs, count, CROWD)


def crowd(verbs: Verbs, count: int) -> int:
    """The same with all tasks at once."""
    return _timer(verbs, count, count)


def _timer(verbs: Verbs, count: int, size: int) -> int:
    start_task, join, pause = verbs.spawn, verbs.join, verbs.sleep
    woken = 0

    def work() -> None:
        nonlocal woken
        pause(MILLISECOND)
        if woken % size == 0:
            expect(clock() - begin >= 1_000_000, "the first sleep was shorter than a millisecond")
        woken += 1

    start = clock()
    for _ in range(count // size):
        begin = clock()
        for task in [start_task(work) for _ in range(size)]:
            join(task)
    elapsed = clock() - start
    expect(woken == count, f"{woken} tasks woke up instead of {count}")
    return elapsed


ROUNDS = {fn.__name__: fn for fn in (sleep, spawn, batch, block, pingpong, stream, timer, crowd)}
