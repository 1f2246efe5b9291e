"""R12 Queues and pools."""

from __future__ import annotations

import queue as standard

import pytest

from hubkit import (
    Channel,
    Event,
    LifoQueue,
    Pool,
    PriorityQueue,
    Queue,
    ShutDown,
    SimpleQueue,
    checkpoint,
    current_hub,
    sleep,
    spawn,
)
from hubkit.errors import Closed

from ..tools import LONG, PATIENCE, SHORT, finish, parked, parked_in_order, returned, settle, stop, until


@pytest.mark.parametrize("make", [Queue, LifoQueue, PriorityQueue])
@pytest.mark.parametrize("size", [0, -1])
def test_r12_a_queue_of_size_zero_or_less_is_unbounded(make, size):
    queue = make(size)
    for number in range(1000):
        queue.put(number, timeout=PATIENCE)
    assert queue.qsize() == 1000
    assert not queue.full()


@pytest.mark.parametrize(
    ("make", "order"),
    [(Queue, [3, 1, 2]), (LifoQueue, [2, 1, 3]), (PriorityQueue, [1, 2, 3])],
    ids=["Queue", "LifoQueue", "PriorityQueue"],
)
def test_r12_each_queue_has_its_order(make, order):
    queue = make()
    for item in (3, 1, 2):
        queue.put(item)
    assert [queue.get_nowait() for _ in range(3)] == order
    with pytest.raises(standard.Empty):
        queue.get_nowait()


@pytest.mark.parametrize("make", [Queue, LifoQueue, PriorityQueue])
def test_r12_a_bounded_queue_never_holds_more_than_its_size(make):
    queue, sizes = make(2), []

    def putter(number):
        queue.put(number)
        sizes.append(queue.qsize())

    tasks = [spawn(putter, number) for number in range(20)]
    until(lambda: len(sizes) == 2)
    settle(current_hub())
    assert sum(task.done() for task in tasks) == queue.qsize() == 2
    got = []
    for _ in range(20):
        assert queue.qsize() <= 2
        got.append(queue.get(timeout=PATIENCE))
    finish(*tasks)
    assert sorted(got) == list(range(20))
    assert max(sizes) <= 2


def test_r12_a_full_queue_says_so():
    queue = Queue(1)
    assert not queue.full()
    queue.put(1)
    assert queue.full()
    with pytest.raises(standard.Full):
        queue.put_nowait(2)
    with pytest.raises(standard.Full):
        queue.put(2, block=False)
    assert queue.get_nowait() == 1


def test_r12_join_waits_until_every_item_is_done():
    queue, trace = Queue(), []
    for number in range(3):
        queue.put(number)

    def worker():
        while True:
            trace.append(queue.get())
            sleep(0.001)
            queue.task_done()

    task = spawn(worker)
    joiner = spawn(queue.join)
    finish(joiner)
    assert trace == [0, 1, 2]
    stop(task)
    with pytest.raises(ValueError):
        queue.task_done()


def test_r12_a_simple_queue_is_unbounded_and_in_order():
    queue = SimpleQueue()
    for number in range(100):
        queue.put(number)
    assert [queue.get_nowait() for _ in range(100)] == list(range(100))
    assert queue.empty()


@pytest.mark.parametrize("make", [Queue, LifoQueue, PriorityQueue])
def test_r12_a_queue_that_was_shut_down_gives_what_is_left_and_ends(make):
    queue = make(2)
    queue.put(1)
    queue.put(2)
    putter = spawn(queue.put, 3)
    parked(putter)
    queue.shutdown()
    assert type(putter.exception(PATIENCE)) is ShutDown
    with pytest.raises(ShutDown):
        queue.put(4, timeout=PATIENCE)
    assert sorted(queue.get(timeout=PATIENCE) for _ in range(2)) == [1, 2]
    with pytest.raises(ShutDown):
        queue.get(timeout=PATIENCE)


@pytest.mark.parametrize("make", [Queue, LifoQueue, PriorityQueue])
def test_r12_shutdown_ends_every_wait(make):
    queue = make()
    getters = [spawn(queue.get) for _ in range(3)]
    parked(*getters)
    queue.shutdown()
    assert [type(task.exception(PATIENCE)) for task in getters] == [ShutDown] * 3


def test_r12_an_immediate_shutdown_throws_away_what_is_left():
    queue = Queue()
    queue.put(1)
    joiner = spawn(queue.join)
    parked(joiner)
    queue.shutdown(immediate=True)
    finish(joiner)
    with pytest.raises(ShutDown):
        queue.get_nowait()


def test_r12_iterating_over_a_queue_ends_with_its_shutdown():
    queue = Queue()
    reader = spawn(list, queue)
    for number in range(3):
        queue.put(number)
    queue.shutdown()
    assert reader.result(PATIENCE) == [0, 1, 2]


def test_r12_a_channel_has_no_room():
    channel, trace = Channel(), []
    with pytest.raises(standard.Full):
        channel.put_nowait(1)

    def putter():
        channel.put("item")
        trace.append("put")

    task = spawn(putter)
    parked(task)
    settle(current_hub())
    assert trace == []
    assert channel.get() == "item"
    finish(task)
    assert trace == ["put"]
    with pytest.raises(standard.Empty):
        channel.get_nowait()


def test_r12_closing_a_channel_ends_every_wait():
    for wait in (Channel.get, lambda channel: channel.put(1)):
        channel = Channel()
        tasks = [spawn(wait, channel) for _ in range(3)]
        parked(*tasks)
        channel.close()
        assert [type(task.exception(PATIENCE)) for task in tasks] == [Closed] * 3
        with pytest.raises(Closed):
            wait(channel)


def test_r12_iterating_over_a_channel_ends_when_it_is_closed():
    channel = Channel()
    reader = spawn(list, channel)
    for number in range(3):
        channel.put(number)
    channel.close()
    assert reader.result(PATIENCE) == [0, 1, 2]


def test_r12_a_pool_runs_no_more_tasks_than_its_size():
    pool, running, peaks = Pool(3), [], []

    def work(number):
        running.append(number)
        peaks.append(len(running))
        sleep(0.001)
        running.remove(number)
        return number

    tasks = [pool.spawn(work, number) for number in range(20)]
    assert returned(*tasks) == list(range(20))
    assert max(peaks) <= 3


def test_r12_spawn_waits_while_the_pool_is_full():
    pool, gate = Pool(1), Event()
    first = pool.spawn(gate.wait)
    spawner = spawn(pool.spawn, int)
    parked(first, spawner)
    settle(current_hub())
    assert not spawner.done()
    gate.set()
    assert spawner.result(PATIENCE).result(PATIENCE) == 0


def test_r12_try_spawn_does_not_wait():
    pool, gate = Pool(1), Event()
    first = pool.try_spawn(gate.wait)
    assert first is not None
    assert pool.try_spawn(int) is None
    gate.set()
    finish(first)
    pool.join(PATIENCE)
    again = pool.try_spawn(int)
    assert again is not None
    assert again.result(PATIENCE) == 0


def ends_well(gate):
    gate.wait(PATIENCE)


def ends_by_an_error(gate):
    gate.wait(PATIENCE)
    raise KeyError("on purpose")


def ends_by_a_cancel(gate):
    gate.wait(PATIENCE)
    sleep(LONG)


@pytest.mark.parametrize("work", [ends_well, ends_by_an_error, ends_by_a_cancel])
def test_r12_a_slot_lives_as_long_as_its_task(work):
    pool, gate = Pool(1), Event()
    for _ in range(3):
        gate.clear()
        task = pool.spawn(work, gate)
        joiner = spawn(task.join)
        parked(task, joiner)
        assert pool.try_spawn(int) is None, "the slot was free before the task had ended"
        gate.set()
        if work is ends_by_a_cancel:
            task.cancel()
        finish(joiner)
        assert pool.join(PATIENCE) is True


def test_r12_a_task_cancelled_before_its_start_gives_its_slot_back():
    pool = Pool(1)
    for _ in range(3):
        pool.spawn(sleep, LONG).cancel()
        assert pool.join(PATIENCE) is True
    assert pool.try_spawn(int) is not None


def test_r12_a_spawn_that_was_cancelled_takes_no_slot():
    pool, gate = Pool(1), Event()
    first = pool.spawn(gate.wait)
    spawner = spawn(pool.spawn, sleep, LONG)
    parked(first, spawner)
    spawner.cancel()
    finish(spawner)
    gate.set()
    assert pool.join(PATIENCE) is True
    assert pool.try_spawn(int) is not None


def test_r12_a_slot_that_meets_a_cancel_is_not_lost():
    pool, gate = Pool(1), Event()
    first = pool.spawn(gate.wait)
    spawners = [spawn(pool.spawn, int) for _ in range(2)]
    parked(first, *spawners)
    gate.set()
    spawners[0].cancel()
    finish(*spawners)
    assert not spawners[1].cancelled()
    assert pool.join(PATIENCE) is True
    assert pool.try_spawn(int) is not None


@pytest.mark.parametrize("order", ["slot first", "cancel first"])
def test_r12_a_slot_handed_to_a_spawner_who_is_cancelled_is_not_lost(order):
    pool, gate = Pool(1), Event()
    first = pool.spawn(gate.wait)
    spawners = parked_in_order(2, lambda number: pool.spawn(int))
    if order == "slot first":
        pool.resize(2)
    spawners[0].cancel()
    if order == "cancel first":
        pool.resize(2)
    finish(*spawners)
    assert not spawners[1].cancelled()
    gate.set()
    finish(first)
    assert pool.join(PATIENCE) is True
    gate.clear()
    tasks = [pool.try_spawn(gate.wait) for _ in range(3)]
    assert [task is not None for task in tasks] == [True, True, False]
    gate.set()
    finish(*tasks[:2])


def test_r12_a_pool_maps_in_order_and_unordered():
    pool = Pool(3)

    def work(number):
        sleep(0.001 * (5 - number))
        return number * number

    assert list(pool.map(work, range(6))) == [0, 1, 4, 9, 16, 25]
    assert sorted(pool.imap_unordered(work, range(6))) == [0, 1, 4, 9, 16, 25]
    assert pool.join(PATIENCE) is True


def test_r12_a_pool_that_grows_admits_who_waits():
    pool, gate = Pool(1), Event()
    first = pool.spawn(gate.wait)
    spawner = spawn(pool.spawn, int)
    parked(first, spawner)
    pool.resize(2)
    assert spawner.result(PATIENCE).result(PATIENCE) == 0
    gate.set()
    finish(first)


def test_r12_join_of_a_pool_waits_for_all_its_tasks():
    pool, ended = Pool(5), []

    def work(number):
        sleep(0.001 * number)
        checkpoint()
        ended.append(number)

    for number in range(5):
        pool.spawn(work, number)
    assert pool.join(PATIENCE) is True
    assert sorted(ended) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("size", [0, -1])
def test_r12_a_pool_needs_room(size):
    with pytest.raises(ValueError):
        Pool(size)


def test_r12_a_pool_spawns_what_is_callable():
    pool = Pool(1)
    for spawner in (pool.spawn, pool.try_spawn):
        with pytest.raises(TypeError):
            spawner("nonsense")
    assert pool.try_spawn(sleep, SHORT) is not None, "the failed spawns took the slot"
    assert pool.join(PATIENCE) is True


def test_r12_a_block_of_a_pool_is_left_when_its_tasks_have_ended():
    ended = []

    def work(number):
        sleep(0.001)
        ended.append(number)

    with Pool(2) as pool:
        for number in range(5):
            pool.spawn(work, number)
    assert sorted(ended) == [0, 1, 2, 3, 4]
    with pytest.raises(Closed):
        pool.spawn(work, 5)


def test_r12_a_block_of_a_pool_that_ends_by_an_error_cancels_its_tasks():
    with pytest.raises(KeyError):
        with Pool(2) as pool:
            task = pool.spawn(sleep, LONG)
            parked(task)
            raise KeyError
    assert task.cancelled()
