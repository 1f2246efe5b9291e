"""R10 Return values and time limits."""

from __future__ import annotations

import queue as standard
from contextlib import ExitStack
from threading import BrokenBarrierError

import pytest

from hubkit import (
    Barrier,
    BoundedSemaphore,
    Channel,
    Condition,
    Event,
    Future,
    LifoQueue,
    Lock,
    Pool,
    PriorityQueue,
    Queue,
    RLock,
    Semaphore,
    SimpleQueue,
    sleep,
    spawn,
    wait,
    wait_readable,
    wait_writable,
)
from hubkit import errors as hubkit_errors

from ..tools import LONG, PATIENCE, SHORT, finish, not_before, parked, returned, stop
from ..verbs import fill, pair, parked_task, plain_pair


def condition_wait(timeout):
    condition = Condition()
    with condition:
        return condition.wait(timeout)


def condition_wait_for(timeout):
    condition = Condition()
    with condition:
        return condition.wait_for(lambda: 0, timeout)


def full():
    queue = Queue(1)
    queue.put(1)
    return queue


def held(make):
    lock = make()
    lock.acquire()
    return lock


def busy_pool(stack):
    pool = Pool(1)
    task = pool.spawn(sleep, LONG)
    stack.callback(finish, task)
    stack.callback(task.cancel)
    return pool


def unreadable(stack):
    return plain_pair(stack)[0].fileno()


def unwritable(stack):
    ours = plain_pair(stack)[0]
    fill(ours)
    return ours.fileno()


#: Each makes a call that takes the time limit and has nothing to wait for; it returns False.
BOOLEAN = {
    "Event.wait": lambda stack: Event().wait,
    "Condition.wait": lambda stack: condition_wait,
    "Condition.wait_for": lambda stack: lambda limit: bool(condition_wait_for(limit)),
    "Task.join": lambda stack: parked_task(stack).join,
    "Pool.join": lambda stack: busy_pool(stack).join,
    "Queue.join": lambda stack: full().join,
    "Semaphore.acquire": lambda stack: lambda limit: Semaphore(0).acquire(timeout=limit),
    "BoundedSemaphore.acquire": lambda stack: lambda limit: held(BoundedSemaphore).acquire(timeout=limit),
}
#: The same for locks, whose -1 means for ever.
LOCKS = {
    "Lock.acquire": lambda stack: lambda limit: held(Lock).acquire(timeout=limit),
    "RLock.acquire": lambda stack: lambda limit: spawn(held(RLock).acquire, timeout=limit).result(),
    "Condition.acquire": lambda stack: lambda limit: spawn(held(Condition).acquire, timeout=limit).result(),
}
EMPTY = {
    "Queue.get": lambda stack: lambda limit: Queue().get(timeout=limit),
    "SimpleQueue.get": lambda stack: lambda limit: SimpleQueue().get(timeout=limit),
    "Channel.get": lambda stack: lambda limit: Channel().get(timeout=limit),
    "LifoQueue.get": lambda stack: lambda limit: LifoQueue().get(timeout=limit),
    "PriorityQueue.get": lambda stack: lambda limit: PriorityQueue().get(timeout=limit),
}
FULL = {
    "Queue.put": lambda stack: lambda limit: full().put(2, timeout=limit),
    "Channel.put": lambda stack: lambda limit: Channel().put(2, timeout=limit),
}
TIMEOUT_ERROR = {
    "Task.result": lambda stack: parked_task(stack).result,
    "Task.exception": lambda stack: parked_task(stack).exception,
    "Future.result": lambda stack: Future().result,
    "Future.exception": lambda stack: Future().exception,
    "wait_readable": lambda stack: lambda limit: wait_readable(unreadable(stack), limit),
    "wait_writable": lambda stack: lambda limit: wait_writable(unwritable(stack), limit),
}
BROKEN = {"Barrier.wait": lambda stack: Barrier(2).wait}
ALL = {**BOOLEAN, **LOCKS, **EMPTY, **FULL, **TIMEOUT_ERROR, **BROKEN}


@pytest.mark.parametrize("verb", [*BOOLEAN, *LOCKS])
def test_r10_what_waits_for_a_state_returns_false_when_time_is_over(verb):
    with ExitStack() as stack:
        call = ALL[verb](stack)
        with not_before(SHORT):
            assert call(SHORT) is False


@pytest.mark.parametrize("verb", EMPTY)
def test_r10_get_raises_the_very_empty_of_the_standard_library(verb):
    with ExitStack() as stack:
        call = ALL[verb](stack)
        with not_before(SHORT), pytest.raises(standard.Empty):
            call(SHORT)


@pytest.mark.parametrize("verb", FULL)
def test_r10_put_raises_the_very_full_of_the_standard_library(verb):
    with ExitStack() as stack:
        call = ALL[verb](stack)
        with not_before(SHORT), pytest.raises(standard.Full):
            call(SHORT)


def test_r10_a_barrier_raises_broken_barrier_error_for_all_who_wait():
    barrier = Barrier(3)
    other = spawn(barrier.wait)
    parked(other)
    with not_before(SHORT), pytest.raises(BrokenBarrierError):
        barrier.wait(SHORT)
    assert type(other.exception(PATIENCE)) is BrokenBarrierError
    assert barrier.broken
    with pytest.raises(BrokenBarrierError):
        barrier.wait(PATIENCE)


def test_r10_a_barrier_lets_all_go_and_numbers_them():
    barrier = Barrier(3)
    for _ in range(3):
        assert sorted(returned(*[spawn(barrier.wait, PATIENCE) for _ in range(3)])) == [0, 1, 2]


@pytest.mark.parametrize("verb", TIMEOUT_ERROR)
def test_r10_what_waits_for_a_value_or_a_descriptor_raises_timeout_error(verb):
    with ExitStack() as stack:
        call = ALL[verb](stack)
        with not_before(SHORT), pytest.raises(TimeoutError) as caught:
            call(SHORT)
        assert type(caught.value) is TimeoutError


def test_r10_a_socket_raises_timeout_error():
    with ExitStack() as stack:
        ours, _ = pair(stack)
        ours.settimeout(SHORT)
        with not_before(SHORT), pytest.raises(TimeoutError):
            ours.recv(1)
        with not_before(SHORT), pytest.raises(TimeoutError):
            ours.sendall(bytes(16_000_000))


def test_r10_what_comes_in_time_returns_true():
    event, condition, lock, task = Event(), Condition(), Lock(), spawn(int)
    event.set()
    assert event.wait(PATIENCE) is True
    assert lock.acquire(timeout=PATIENCE) is True
    assert Semaphore().acquire(timeout=PATIENCE) is True
    assert task.join(PATIENCE) is True
    assert Pool(1).join(PATIENCE) is True
    with condition:
        assert condition.wait_for(lambda: True, PATIENCE) is True

    def waiter():
        with condition:
            return condition.wait(PATIENCE)

    task = spawn(waiter)
    parked(task)
    with condition:
        condition.notify()
    assert task.result(PATIENCE) is True


def test_r10_wait_for_returns_the_last_value_of_the_predicate():
    condition = Condition()
    with condition:
        assert condition.wait_for(lambda: "truthy", PATIENCE) == "truthy"
        assert condition.wait_for(list, 0) == []


@pytest.mark.parametrize("verb", [*BOOLEAN, *TIMEOUT_ERROR])
@pytest.mark.parametrize("limit", [0, -1, -0.5])
def test_r10_zero_or_negative_means_do_not_wait(verb, limit):
    with ExitStack() as stack:
        call = ALL[verb](stack)
        if verb in BOOLEAN:
            assert call(limit) is False
        else:
            with pytest.raises(TimeoutError):
                call(limit)


@pytest.mark.parametrize("verb", LOCKS)
def test_r10_minus_one_means_for_ever_for_locks(verb):
    with ExitStack() as stack:
        task = spawn(ALL[verb](stack), -1)
        parked(task)
        sleep(SHORT)
        assert not task.done()
        stop(task)


@pytest.mark.parametrize("verb", LOCKS)
def test_r10_any_other_negative_is_refused_by_locks(verb):
    with ExitStack() as stack, pytest.raises(ValueError):
        ALL[verb](stack)(-2)


@pytest.mark.parametrize("verb", [*EMPTY, *FULL])
def test_r10_zero_or_negative_means_do_not_wait_for_queues(verb):
    with ExitStack() as stack:
        for limit in (0, -1, -0.5):
            with pytest.raises(standard.Empty if verb in EMPTY else standard.Full):
                ALL[verb](stack)(limit)


@pytest.mark.parametrize("verb", ALL)
def test_r10_a_limit_that_is_no_number_is_refused(verb):
    with ExitStack() as stack:
        call = ALL[verb](stack)
        with pytest.raises(ValueError):
            call(float("nan"))
        with pytest.raises(TypeError):
            call("soon")
        with pytest.raises(TypeError):
            call(object())


def test_r10_a_bad_limit_is_refused_also_where_nothing_is_to_be_waited_for():
    event, queue = Event(), Queue()
    event.set()
    queue.put(1)
    for call in (event.wait, lambda limit: queue.get(timeout=limit), spawn(int).join):
        with pytest.raises(ValueError):
            call(float("nan"))
        with pytest.raises(TypeError):
            call("soon")
    assert queue.qsize() == 1


def test_r10_wait_returns_what_is_done_and_what_is_not():
    with ExitStack() as stack:
        ended, waiting = spawn(int), parked_task(stack)
        finish(ended)
        with not_before(SHORT):
            assert wait([ended, waiting], timeout=SHORT) == ({ended}, {waiting})
        assert wait([ended]) == ({ended}, set())


@pytest.mark.parametrize("make", [Lock, RLock, Condition])
def test_r10_releasing_what_is_not_held_is_an_error(make):
    lock = make()
    with pytest.raises(RuntimeError):
        lock.release()
    with lock:
        pass
    with pytest.raises(RuntimeError):
        lock.release()
    assert lock.acquire(blocking=False) is True


def test_r10_releasing_an_rlock_of_another_task_is_an_error():
    lock = RLock()
    lock.acquire()
    with pytest.raises(RuntimeError):
        spawn(lock.release).result(PATIENCE)
    lock.release()


def test_r10_a_bounded_semaphore_refuses_more_than_it_had():
    semaphore = BoundedSemaphore(2)
    with pytest.raises(ValueError):
        semaphore.release()
    assert [semaphore.acquire(blocking=False) for _ in range(3)] == [True, True, False]


def test_r10_a_future_has_one_outcome():
    future = Future()
    future.set_result(1)
    with pytest.raises(hubkit_errors.InvalidState):
        future.set_result(2)
    with pytest.raises(hubkit_errors.InvalidState):
        future.set_exception(KeyError())
    assert future.result() == 1


def test_r10_a_futures_error_is_raised_by_result_and_returned_by_exception():
    future, error = Future(), KeyError("x")
    future.set_exception(error)
    assert future.exception(PATIENCE) is error
    with pytest.raises(KeyError) as caught:
        future.result(PATIENCE)
    assert caught.value is error
