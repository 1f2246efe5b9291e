"""Queue, LifoQueue, PriorityQueue and SimpleQueue."""

from __future__ import annotations

import gc
import queue as standard
import signal
import sys
import weakref
from collections.abc import Callable
from functools import partial
from math import nan
from typing import Any

import pytest
from meetings import Garbage, Meet, Threads, at_each_step, thrown_into_next_wait

import hubkit
from hubkit.contract import Hub
from hubkit.errors import Cancelled, WrongContext
from hubkit.queues import Empty, Full, LifoQueue, PriorityQueue, Queue, ShutDown, SimpleQueue
from hubkit.registry import current_hub
from hubkit.spawning import current_task, spawn
from hubkit.tasks import Task
from hubkit.waiting import CLOSED, INTERRUPT, TIMED_OUT, WOKEN
from hubkit_conformance.tools import (
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

AnyQueue = Queue[Any]
each_queue = pytest.mark.parametrize("kind", [Queue, LifoQueue, PriorityQueue])
each_kind = pytest.mark.parametrize("kind", [Queue, LifoQueue, PriorityQueue, SimpleQueue])
ORDERS = {Queue: [2, 3, 1], SimpleQueue: [2, 3, 1], LifoQueue: [1, 3, 2], PriorityQueue: [1, 2, 3]}


def drained(queue: SimpleQueue[Any]) -> list[Any]:
    items = []
    while not queue.empty():
        items.append(queue.get_nowait())
    return items


def getters(queue: SimpleQueue[Any], count: int) -> list[Task[Any]]:
    return parked_in_order(count, lambda number: queue.get(timeout=PATIENCE))


# -- as in the standard library -------------------------------------------------------------------


def test_the_very_errors() -> None:
    assert (Empty, Full) == (standard.Empty, standard.Full)
    assert (hubkit.Empty, hubkit.Full, hubkit.ShutDown) == (Empty, Full, ShutDown)
    if sys.version_info >= (3, 13):
        assert ShutDown is standard.ShutDown


@each_kind
def test_every_public_name(kind: type[Any]) -> None:
    model = getattr(standard, kind.__name__)
    names = {name for name in dir(model()) if not name.startswith("_")}
    ours = {name for name in dir(kind()) if not name.startswith("_")}
    # The internals of the standard library's own way of doing it.
    assert names - ours <= {"all_tasks_done", "mutex", "not_empty", "not_full", "queue"}


@each_kind
def test_order(kind: type[Any]) -> None:
    queue = kind()
    assert queue.empty()
    assert queue.qsize() == 0
    for item in (2, 3, 1):
        queue.put(item)
    assert not queue.empty()
    assert queue.qsize() == 3
    assert [queue.get(), queue.get_nowait(), queue.get(timeout=SHORT)] == ORDERS[kind]
    assert queue.empty()
    assert weakref.ref(queue)() is queue
    assert "0 items" in repr(queue)


@each_kind
def test_nothing_there(kind: type[Any]) -> None:
    queue = kind()
    for call in (
        queue.get_nowait,
        lambda: queue.get(False),
        lambda: queue.get(False, timeout=10),
        lambda: queue.get(timeout=0),
        lambda: queue.get(timeout=-1),
    ):
        with pytest.raises(Empty):
            call()
    with not_before(SHORT), pytest.raises(Empty):
        queue.get(timeout=SHORT)
    assert len(queue._getters) == 0
    queue.put(1)
    assert queue.get(timeout=-1) == 1


@each_queue
def test_no_room(kind: type[AnyQueue]) -> None:
    queue = kind(2)
    assert queue.maxsize == 2
    queue.put(1)
    assert not queue.full()
    queue.put_nowait(2)
    assert queue.full()
    for call in (
        lambda: queue.put_nowait(3),
        lambda: queue.put(3, False),
        lambda: queue.put(3, False, timeout=10),
        lambda: queue.put(3, timeout=0),
        lambda: queue.put(3, timeout=-1),
    ):
        with pytest.raises(Full):
            call()
    with not_before(SHORT), pytest.raises(Full):
        queue.put(3, timeout=SHORT)
    assert queue.unfinished_tasks == 2
    queue.get()
    queue.put(3, timeout=-1)
    assert sorted(drained(queue)) in ([1, 3], [2, 3])


@each_queue
@pytest.mark.parametrize("size", [0, -1])
def test_without_a_limit(kind: type[AnyQueue], size: int) -> None:
    queue = kind(size)
    for number in range(1000):
        queue.put(number, timeout=0)
    assert queue.qsize() == 1000
    assert not queue.full()


@each_kind
@pytest.mark.parametrize("limit", [nan, "soon", object()])
def test_bad_timeouts(kind: type[Any], limit: Any) -> None:
    queue = kind()
    queue.put(1)
    with pytest.raises((ValueError, TypeError)):
        queue.get(timeout=limit)
    assert queue.qsize() == 1
    if kind is not SimpleQueue:
        with pytest.raises((ValueError, TypeError)):
            queue.put(2, timeout=limit)
        assert queue.qsize() == queue.unfinished_tasks == 1


@each_kind
@pytest.mark.parametrize("item", [None, False, (), (1,), WOKEN, CLOSED, TIMED_OUT, INTERRUPT, Empty])
def test_an_item_may_be_anything(kind: type[Any], item: object) -> None:
    queue = kind()
    queue.put(item)
    assert queue.get() is item
    task = getters(queue, 1)[0]
    queue.put(item)
    assert task.result(PATIENCE) is item


def test_typed() -> None:
    queue: Queue[int] = Queue[int](3)
    queue.put(1)
    assert queue.get() + 1 == 2


def test_tasks_done() -> None:
    queue: Queue[int] = Queue()
    assert queue.join() is True
    with pytest.raises(ValueError, match="too many"):
        queue.task_done()
    for number in range(3):
        queue.put(number)
    assert queue.unfinished_tasks == 3
    assert queue.join(0) is False
    assert queue.join(-1) is False
    with not_before(SHORT):
        assert queue.join(SHORT) is False
    task = spawn(queue.join)
    parked(task)
    for left in (2, 1, 0):
        assert not task.done()
        queue.get()
        queue.task_done()
        assert queue.unfinished_tasks == left
    assert task.result(PATIENCE) is True
    with pytest.raises(ValueError):
        queue.task_done()
    assert queue.join() is True
    queue.put(1)
    assert queue.join(0) is False
    with pytest.raises(ValueError):
        queue.join(nan)


def test_an_item_handed_over_is_not_done() -> None:
    queue: Queue[int] = Queue()
    task = getters(queue, 1)[0]
    queue.put(1)
    finish(task)
    assert queue.unfinished_tasks == 1
    queue.task_done()
    assert queue.join(0) is True


# -- waiting --------------------------------------------------------------------------------------


@each_kind
def test_items_go_to_the_longest_waiting(kind: type[Any]) -> None:
    queue = kind()
    tasks = getters(queue, 3)
    queue.put("a")
    queue.put("b")
    with pytest.raises(Empty):
        queue.get_nowait()  # they belong to those who wait
    assert queue.qsize() == 0
    assert [task.result(PATIENCE) for task in tasks[:2]] == ["a", "b"]
    assert not tasks[2].done()
    queue.put("c")
    assert tasks[2].result(PATIENCE) == "c"


@each_queue
def test_room_goes_to_the_longest_waiting(kind: type[AnyQueue]) -> None:
    queue = kind(1)
    queue.put(0)
    tasks = parked_in_order(3, lambda number: queue.put(number + 1))
    assert queue.get() == 0
    assert queue.full(), "the room is promised"
    with pytest.raises(Full):
        queue.put_nowait(9)
    finish(tasks[0])
    assert [task.done() for task in tasks] == [True, False, False]
    assert [queue.get(timeout=PATIENCE) for _ in range(3)] == [1, 2, 3]
    finish(*tasks)
    assert not queue.full()


@each_kind
def test_a_getter_that_goes_takes_nothing(kind: type[Any]) -> None:
    queue = kind()
    tasks = getters(queue, 2)
    tasks[0].cancel()
    queue.put("item")
    assert tasks[1].result(PATIENCE) == "item"
    finish(tasks[0])
    assert tasks[0].cancelled()
    task = getters(queue, 1)[0]
    task.cancel()
    queue.put("next")
    until(lambda: queue.qsize() == 1)
    assert queue.get_nowait() == "next"


@each_kind
def test_an_item_handed_over_arrives_in_spite_of_a_cancel(kind: type[Any]) -> None:
    queue, got = kind(), []

    def work() -> None:
        got.append(queue.get())

    task = spawn(work)
    parked(task)
    queue.put("item")
    task.cancel()
    finish(task)
    assert got + drained(queue) == ["item"]


@each_queue
def test_a_putter_that_goes_leaves_nothing(kind: type[AnyQueue]) -> None:
    queue = kind(1)
    queue.put(0)
    tasks = parked_in_order(2, lambda number: queue.put(number + 1))
    tasks[0].cancel()
    assert queue.get() == 0
    finish(*tasks)
    assert tasks[0].cancelled()
    assert drained(queue) == [2]
    assert queue.unfinished_tasks == 2
    queue.put(3, timeout=0)


@each_kind
def test_a_throw_into_a_getter_puts_the_item_back(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, kind: type[Any]
) -> None:
    queue = kind()

    def put_both() -> None:
        queue.put(1)
        queue.put(2)

    with thrown_into_next_wait(monkeypatch, hub, put_both):
        queue.get()
    # To where it was: before what came after it.
    expected = [2, 1] if kind is LifoQueue else [1, 2]
    assert sorted(drained(queue)) == [1, 2] if kind is LifoQueue else drained(queue) == expected
    assert len(queue._getters) == 0

    tasks: list[Task[Any]] = []

    def put_one() -> None:
        tasks.append(spawn(queue.get, True, PATIENCE))
        until(lambda: len(queue._getters) == 2)
        queue.put("one")

    with thrown_into_next_wait(monkeypatch, hub, put_one):
        queue.get()
    assert tasks[0].result(PATIENCE) == "one"


@each_queue
def test_a_throw_into_a_getter_leaves_the_room_as_it_was(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, kind: type[AnyQueue]
) -> None:
    queue = kind(1)
    for _ in range(3):
        with thrown_into_next_wait(monkeypatch, hub, lambda: queue.put("item")):
            queue.get()
        assert queue.full()
        with pytest.raises(Full):
            queue.put_nowait("another")
        assert queue.get_nowait() == "item"
        assert not queue.full()


@each_queue
def test_a_throw_into_a_putter_gives_the_room_on(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, kind: type[AnyQueue]
) -> None:
    queue = kind(1)
    queue.put("old")
    with thrown_into_next_wait(monkeypatch, hub, queue.get_nowait):
        queue.put("never")
    assert queue.empty()
    assert not queue.full()
    assert queue.unfinished_tasks == 1
    queue.put("new", timeout=0)
    assert drained(queue) == ["new"]


@each_queue
def test_a_latched_cancel_comes_first(kind: type[AnyQueue]) -> None:
    queue = kind()
    queue.put(1)

    def work() -> None:
        task = current_task()
        assert task is not None
        for call in (queue.get, lambda: queue.put(2), queue.join):
            task.cancel()
            queue.put_nowait(queue.get_nowait())  # cannot wait, so they deliver nothing
            with pytest.raises(Cancelled):
                call()

    spawn(work).result(PATIENCE)
    assert drained(queue) == [1]


@each_kind
def test_in_a_callback(kind: type[Any]) -> None:
    queue, seen = kind(), []

    def callback() -> None:
        queue.put("item")
        seen.append(queue.get())
        try:
            queue.get()
        except WrongContext as error:
            seen.append(type(error))

    current_hub().call_soon(callback)
    until(lambda: len(seen) == 2)
    assert seen == ["item", WrongContext]
    assert len(queue._getters) == 0


# -- shutting down --------------------------------------------------------------------------------


@each_queue
def test_shutdown_lets_what_is_there_out(kind: type[AnyQueue]) -> None:
    queue = kind()
    queue.put(1)
    queue.put(2)
    assert queue.is_shutdown is False
    queue.shutdown()
    queue.shutdown()
    assert queue.is_shutdown is True
    with pytest.raises(ShutDown):
        queue.put(3)
    with pytest.raises(ShutDown):
        queue.put_nowait(3)
    assert sorted([queue.get(), queue.get_nowait()]) == [1, 2]
    for call in (queue.get, queue.get_nowait, lambda: queue.get(timeout=SHORT)):
        with pytest.raises(ShutDown):
            call()
    assert queue.join(0) is False
    queue.task_done()
    queue.task_done()
    assert queue.join(0) is True
    assert "shut down" in repr(queue)


@each_queue
def test_immediate_shutdown_throws_away(kind: type[AnyQueue]) -> None:
    queue = kind(3)
    for number in range(3):
        queue.put(number)
    queue.get()
    joiner = spawn(queue.join)
    putter = spawn(queue.put, 4)
    until(lambda: queue.qsize() == 3)
    parked(joiner)
    finish(putter)
    queue.shutdown(immediate=True)
    assert queue.empty()
    assert queue.unfinished_tasks == 1
    assert not joiner.done()
    queue.task_done()
    assert joiner.result(PATIENCE) is True
    with pytest.raises(ShutDown):
        queue.get()


@each_queue
@pytest.mark.parametrize("immediate", [False, True])
def test_shutdown_ends_every_wait(kind: type[AnyQueue], immediate: bool) -> None:
    empty, full = kind(), kind(1)
    full.put(0)
    waiting = [spawn(empty.get), spawn(empty.get), spawn(full.put, 1), spawn(full.put, 2)]
    parked(*waiting)
    empty.shutdown(immediate)
    full.shutdown(immediate)
    finish(*waiting)
    assert [type(task.exception()) for task in waiting] == [ShutDown] * 4
    assert drained(full) == ([] if immediate else [0])


@each_queue
def test_room_given_in_the_instant_of_shutdown_is_not_used(kind: type[AnyQueue]) -> None:
    queue = kind(1)
    queue.put(0)
    task = spawn(queue.put, 1)
    parked(task)
    assert queue.get() == 0
    queue.shutdown()
    finish(task)
    assert (task.exception() is None) is (drained(queue) == [1])


@each_queue
def test_iteration_ends_at_shutdown(kind: type[AnyQueue]) -> None:
    queue = kind()
    task: Task[list[Any]] = spawn(list, queue)
    parked(task)
    for number in range(3):
        queue.put(number)
    settle(task.hub)
    assert not task.done()
    queue.put(3)
    queue.shutdown()
    assert sorted(task.result(PATIENCE)) == [0, 1, 2, 3]


@each_queue
@pytest.mark.parametrize("size", [0, 5])
@pytest.mark.parametrize("immediate", [False, True])
def test_a_put_that_meets_shutdown_anywhere_is_refused_or_arrives(
    kind: type[AnyQueue], size: int, immediate: bool
) -> None:
    def play(meet: Meet) -> None:
        queue = kind(size)
        queue.put(0)
        got = []

        def intrude() -> None:
            queue.shutdown(immediate)
            got.extend(queue)  # ends when the queue says that nothing more will come

        def act() -> bool:
            try:
                queue.put(1)
            except ShutDown:
                return False
            return True

        accepted = meet(act, intrude)
        if queue.is_shutdown:
            assert got in ([], [1]) if immediate else sorted(got) in ([0], [0, 1])
            if not immediate:
                assert (1 in got) is accepted, "accepted, and nobody will ever get it"
            with pytest.raises(ShutDown):
                queue.get_nowait()
            for _ in got:
                queue.task_done()
            assert queue.join(0) is True
        else:
            assert accepted

    assert at_each_step(play) > 10


@each_queue
def test_a_get_that_meets_shutdown_anywhere_ends(kind: type[AnyQueue]) -> None:
    def play(meet: Meet) -> None:
        queue, down = kind(), []

        def shutdown() -> None:
            down.append(True)
            queue.shutdown()

        def otherwise() -> None:
            until(lambda: queue._getters or down)
            if not down:
                shutdown()

        def act() -> None:
            with pytest.raises(ShutDown):
                queue.get(timeout=PATIENCE)

        task = spawn(otherwise)
        meet(act, lambda: down or shutdown())
        finish(task)

    assert at_each_step(play) > 10


# -- what meets -----------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("waiting", [0, 1, 2])
@pytest.mark.parametrize("intruder", ["put", "get", "both"])
def test_a_put_interrupted_anywhere(kind: type[Any], waiting: int, intruder: str) -> None:
    def play(meet: Meet) -> None:
        queue = kind()
        tasks = getters(queue, waiting)
        put, got = ["old"], []
        if not waiting:
            queue.put("old")
        else:
            put.clear()

        def intrude() -> None:
            if intruder != "get":
                put.append("intruder")
                queue.put_nowait("intruder")
            if intruder != "put":
                try:
                    got.append(queue.get_nowait())
                except Empty:
                    assert waiting, "there was an item"

        put.append("item")
        meet(lambda: queue.put("item"), intrude)
        settled = min(waiting, len(put) - len(got))
        until(lambda: sum(task.done() for task in tasks) == settled, "each item finding a getter")
        for _ in range(waiting - settled):
            queue.put("end")
        got += [item for item in (task.result(PATIENCE) for task in tasks) if item != "end"]
        assert sorted(got + drained(queue)) == sorted(put)
        assert len(queue._getters) == 0

    assert at_each_step(play) > 10


@each_kind
def test_a_get_interrupted_anywhere_by_the_put(kind: type[Any]) -> None:
    def play(meet: Meet) -> None:
        queue, put = kind(), []

        def give() -> None:
            put.append(True)
            queue.put("item")

        def otherwise() -> None:
            until(lambda: queue._getters or put)
            if not put:
                give()

        task = spawn(otherwise)
        assert meet(lambda: queue.get(timeout=PATIENCE), lambda: put or give()) == "item"
        finish(task)
        assert queue.empty()
        assert len(queue._getters) == 0

    assert at_each_step(play) > 10


@each_queue
def test_a_put_for_which_there_is_no_room_interrupted_anywhere_by_the_get(kind: type[AnyQueue]) -> None:
    def play(meet: Meet) -> None:
        queue = kind(1)
        queue.put(0)
        got: list[Any] = []

        def take() -> None:
            got.append(queue.get_nowait())

        def otherwise() -> None:
            assert queue._slots is not None
            slots = queue._slots
            until(lambda: slots._waiters or got)
            if not got:
                take()

        task = spawn(otherwise)
        meet(lambda: queue.put(1, timeout=PATIENCE), lambda: got or take())
        finish(task)
        assert got == [0]
        assert drained(queue) == [1]
        assert not queue.full()

    assert at_each_step(play) > 10


@each_queue
def test_task_done_interrupted_anywhere(kind: type[AnyQueue]) -> None:
    def play(meet: Meet) -> None:
        queue = kind()
        for number in range(3):
            queue.put(number)
        joiner = spawn(queue.join, PATIENCE)
        parked(joiner)
        intruded = []

        def intrude() -> None:
            intruded.append(True)
            queue.task_done()
            queue.task_done()

        meet(queue.task_done, intrude)
        if not intruded:
            intrude()
        assert joiner.result(PATIENCE) is True
        with pytest.raises(ValueError):
            queue.task_done()
        assert queue.join(0) is True

    assert at_each_step(play) > 10


def test_task_done_too_many_times_in_one_instant() -> None:
    def play(meet: Meet) -> None:
        queue: Queue[int] = Queue()
        queue.put(1)
        refused = []

        def done() -> None:
            try:
                queue.task_done()
            except ValueError:
                refused.append(True)

        done_before = []

        def intrude() -> None:
            done_before.append(True)
            done()

        meet(done, intrude)
        if not done_before:
            done()
        assert refused == [True]
        assert queue.unfinished_tasks == 0
        queue.put(2)
        assert queue.join(0) is False
        queue.task_done()
        assert queue.join(0) is True

    assert at_each_step(play) > 10


@each_kind
def test_put_by_a_signal_handler_and_by_a_finalizer(kind: type[Any]) -> None:
    queue = kind()
    tasks = getters(queue, 2)
    before = signal.signal(signal.SIGUSR1, lambda signum, frame: queue.put("item"))
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    Garbage(lambda: queue.put("item"))
    gc.collect()
    assert [task.result(PATIENCE) for task in tasks] == ["item", "item"]


class Puts:
    """An item that, when it is dropped, puts another into the queue."""

    def __init__(self, queue: SimpleQueue[Any], left: int) -> None:
        self.queue = queue
        self.left = left

    def __del__(self) -> None:
        self.queue.put(Puts(self.queue, self.left - 1) if self.left else "last")

    def __lt__(self, other: object) -> bool:
        return False


@each_kind
def test_an_item_whose_finalizer_puts(kind: type[Any]) -> None:
    queue = kind()
    queue.put(Puts(queue, 3))
    for _ in range(4):
        queue.get()
        gc.collect()
    assert drained(queue) == ["last"]


@each_queue
@pytest.mark.parametrize("size", [0, 3])
def test_threads_and_tasks_lose_no_item(kind: type[AnyQueue], size: int) -> None:
    queue, got = kind(size), []

    def produce(number: int) -> None:
        for value in range(100):
            queue.put(number * 100 + value, timeout=PATIENCE)

    def consume() -> None:
        for item in queue:
            got.append(item)
            queue.task_done()

    consumers = [spawn(consume) for _ in range(2)]
    consumer = Threads(consume, consume)
    producers = Threads(*[lambda number=number: produce(number) for number in range(4)])
    tasks = [spawn(produce, number) for number in (4, 5)]
    finish(*tasks)
    until(lambda: not any(thread.is_alive() for thread in producers.threads))
    producers.join()
    assert queue.join(PATIENCE) is True
    queue.shutdown()
    finish(*consumers)
    until(lambda: not any(thread.is_alive() for thread in consumer.threads))
    consumer.join()
    assert sorted(got) == list(range(600))


@each_queue
def test_threads_that_put_while_it_is_shut_down(kind: type[AnyQueue]) -> None:
    for number in range(10):
        queue, got, accepted = kind(), [], []

        def produce(queue: AnyQueue = queue, accepted: list[int] = accepted) -> None:
            try:
                while True:
                    queue.put(1)
                    accepted.append(1)
            except ShutDown:
                pass

        def consume(last: int, queue: AnyQueue = queue, got: list[int] = got) -> None:
            for item in queue:
                got.append(item)
                if len(got) > last:
                    queue.shutdown()

        threads = Threads(produce, produce, partial(consume, number), partial(consume, 20))
        until(lambda threads=threads: not any(t.is_alive() for t in threads.threads))  # type: ignore[misc]
        threads.join()
        assert len(got) == len(accepted)
        assert queue.empty()
        assert queue.unfinished_tasks == len(got)


# -- PriorityQueue --------------------------------------------------------------------------------


def test_what_cannot_be_compared_is_not_put() -> None:
    queue: PriorityQueue[Any] = PriorityQueue(3)
    queue.put(1)
    with pytest.raises(TypeError):
        queue.put("a")
    assert (queue.qsize(), queue.unfinished_tasks) == (1, 1)
    queue.put(2)
    queue.put(3)
    assert drained(queue) == [1, 2, 3]
    for item in (4, 5, 6):
        queue.put_nowait(item)


class Compared:
    """An item that does something while it is compared."""

    def __init__(self, value: int, meanwhile: Callable[[], object] = int) -> None:
        self.value = value
        self.meanwhile = meanwhile

    def __lt__(self, other: Compared) -> bool:
        meanwhile, self.meanwhile = self.meanwhile, int
        meanwhile()
        return self.value < other.value


def test_a_comparison_that_uses_the_queue() -> None:
    queue: PriorityQueue[Compared] = PriorityQueue()
    seen = []
    for value in (5, 3, 8):
        queue.put(Compared(value))
    queue.put(Compared(4, lambda: queue.put(Compared(1))))
    queue.put(Compared(6, lambda: seen.append(queue.get_nowait().value)))
    queue.put(Compared(2, lambda: seen.append(queue.qsize())))
    assert seen == [1, 5]
    assert [item.value for item in drained(queue)] == [2, 3, 4, 5, 6, 8]


def test_a_slow_comparison_keeps_nobody_waiting() -> None:
    queue: PriorityQueue[Compared] = PriorityQueue()
    queue.put(Compared(1))
    queue.put(Compared(2))
    comparing, go_on = hubkit.Event(), hubkit.Event()

    def slow() -> None:
        comparing.set()
        assert go_on.wait(PATIENCE)

    threads = Threads(lambda: queue.put(Compared(0, slow)))
    assert comparing.wait(PATIENCE)
    assert queue.get_nowait().value == 1
    queue.put(Compared(3))
    assert queue.qsize() == 2
    go_on.set()
    until(lambda: not any(thread.is_alive() for thread in threads.threads))
    threads.join()
    assert [item.value for item in drained(queue)] == [0, 2, 3]


def test_equal_priorities_with_what_cannot_be_compared() -> None:
    queue: PriorityQueue[Any] = PriorityQueue()
    queue.put((1, object()))
    with pytest.raises(TypeError):
        queue.put((1, object()))
    queue.put((0, object()))
    assert [priority for priority, _ in drained(queue)] == [0, 1]
