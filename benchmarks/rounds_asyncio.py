"""The workloads of rounds.py, in asyncio's words; the same operations, the same checks."""

from __future__ import annotations

import asyncio
from time import perf_counter_ns as clock

from .rounds import BATCH, CROWD, MILLISECOND, SLEEPERS, expect


async def sleep(count: int) -> int:
    """sleep(0) among 100 tasks."""
    pause = asyncio.sleep
    times = count // SLEEPERS
    steps = [-1] * SLEEPERS
    done: list[int] = []

    async def sleeper(me: int) -> None:
        await pause(0)
        for steps[me] in range(times):
            await pause(0)
        if not done:
            expect(min(steps) >= times - 2, "the sleepers did not take turns")
        done.append(me)

    tasks = [asyncio.create_task(sleeper(me)) for me in range(SLEEPERS)]
    await pause(0)
    start = clock()
    for task in tasks:
        await task
    elapsed = clock() - start
    expect(len(done) == SLEEPERS, "not every sleeper has ended")
    return elapsed


async def spawn(count: int) -> int:
    """Spawn and join a task that does not block, one after the other."""
    create_task = asyncio.create_task
    ran = 0

    async def work() -> None:
        nonlocal ran
        ran += 1

    start = clock()
    for _ in range(count):
        await create_task(work())
    elapsed = clock() - start
    expect(ran == count, f"{ran} tasks ran instead of {count}")
    return elapsed


async def batch(count: int) -> int:
    """Spawn 100 tasks that do not block, and join them."""
    create_task = asyncio.create_task
    ran = 0

    async def work() -> None:
        nonlocal ran
        ran += 1

    start = clock()
    for _ in range(count // BATCH):
        for task in [create_task(work()) for _ in range(BATCH)]:
            await task
    elapsed = clock() - start
    expect(ran == count, f"{ran} tasks ran instead of {count}")
    return elapsed


async def block(count: int) -> int:
    """Spawn 100 tasks that each block once, and join them."""
    create_task, pause = asyncio.create_task, asyncio.sleep
    started = ended = 0

    async def work() -> None:
        nonlocal started, ended
        started += 1
        await pause(0)
        if ended % BATCH == 0:
            expect(started == ended + BATCH, "the first task ended before all had started")
        ended += 1

    start = clock()
    for _ in range(count // BATCH):
        for task in [create_task(work()) for _ in range(BATCH)]:
            await task
    elapsed = clock() - start
    expect(ended == count, f"{ended} tasks ended instead of {count}")
    return elapsed


async def pingpong(count: int) -> int:
    """A value goes from one task to another and back, through two queues."""
    there: asyncio.Queue[int] = asyncio.Queue()
    back: asyncio.Queue[int] = asyncio.Queue()
    total = 0

    async def ping() -> None:
        nonlocal total
        put, get = there.put, back.get
        for number in range(count):
            await put(number)
            total += await get()

    async def pong() -> None:
        get, put = there.get, back.put
        for _ in range(count):
            await put(await get() + 1)

    tasks = [asyncio.create_task(ping()), asyncio.create_task(pong())]
    start = clock()
    for task in tasks:
        await task
    elapsed = clock() - start
    expect(total == count * (count + 1) // 2, "values were lost or changed on their way")
    return elapsed


async def stream(count: int) -> int:
    """Put into a queue and get from it again, without waiting."""
    queue: asyncio.Queue[int] = asyncio.Queue()
    total = elapsed = 0

    async def work() -> None:
        nonlocal total, elapsed
        put, get = queue.put, queue.get
        start = clock()
        for number in range(count):
            await put(number)
            total += await get()
        elapsed = clock() - start

    await asyncio.create_task(work())
    expect(total == count * (count - 1) // 2, "values were lost or changed on their way")
    return elapsed


async def timer(count: int) -> int:
    """Spawn 1,000 tasks that sleep for a millisecond, and join them."""
    return await _timer(count, CROWD)


async def crowd(count: int) -> int:
    """The same with all tasks at once."""
    return await _timer(count, count)


async def _timer(count: int, size: int) -> int:
    create_task, pause = asyncio.create_task, asyncio.sleep
    woken = 0

    async def work() -> None:
        nonlocal woken
        await pause(MILLISECOND)
        if woken % size == 0:
            expect(clock() - begin >= 1_000_000, "the first sleep was shorter than a millisecond")
        woken += 1

    start = clock()
    for _ in range(count // size):
        begin = clock()
        for task in [create_task(work()) for _ in range(size)]:
            await task
    elapsed = clock() - start
    expect(woken == count, f"{woken} tasks woke up instead of {count}")
    return elapsed


ROUNDS = {fn.__name__: fn for fn in (sleep, spawn, batch, block, pingpong, stream, timer, crowd)}
