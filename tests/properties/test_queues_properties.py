"""Queues and channels: nothing is lost, nothing is doubled, and all of it comes in order."""

from __future__ import annotations

import heapq
import queue as standard
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from machines import HubMachine, Op, cases, limits, numbers

from hubkit import Channel, Closed, LifoQueue, PriorityQueue, Queue, ShutDown, SimpleQueue

pytestmark = pytest.mark.watchdog(300)

KINDS = {"Queue": Queue, "LifoQueue": LifoQueue, "PriorityQueue": PriorityQueue, "SimpleQueue": SimpleQueue}


class QueueMachine(HubMachine):
    """Each kind of queue, with and without a limit."""

    @initialize(kind=st.sampled_from(sorted(KINDS)), size=st.integers(0, 3))
    def make(self, kind: str, size: int) -> None:
        self.kind = kind
        self.size = 0 if kind == "SimpleQueue" else size
        self.queue: Any = SimpleQueue() if kind == "SimpleQueue" else KINDS[kind](size)
        self.items: list[int] = []
        self.places = 0  # given to putters who have not put yet
        self.getters: list[Op] = []
        self.putters: list[Op] = []
        self.unfinished = 0
        self.shut = False

    # -- the model --------------------------------------------------------------------------------

    def has_room(self) -> bool:
        return not self.size or len(self.items) + self.places < self.size

    def add(self, item: int) -> None:
        self.unfinished += 1
        if self.getters:
            self.places += bool(self.size)  # until the getter has run
            getter = self.getters[0]
            self.wake(getter, lambda: self.take_over(getter, item))
        elif self.kind == "PriorityQueue":
            heapq.heappush(self.items, item)
        else:
            self.items.append(item)

    def take_over(self, getter: Op, item: int) -> None:
        self.places -= bool(self.size)
        self.end(getter, item)
        self.admit()

    def take(self) -> int:
        if self.kind == "PriorityQueue":
            item = heapq.heappop(self.items)
        else:
            item = self.items.pop(-1 if self.kind == "LifoQueue" else 0)
        self.admit()
        return item

    def admit(self) -> None:
        while self.putters and self.has_room():
            putter = self.putters[0]
            self.places += 1
            self.wake(putter, lambda putter=putter: self.put_late(putter))

    def put_late(self, putter: Op) -> None:
        self.places -= 1
        if self.shut:
            self.end(putter, ShutDown.__name__)
            return
        self.add(putter.item)
        self.end(putter, None)

    def model_put(self, op: Op, item: int, limit: float | None) -> None:
        if self.shut:
            self.end(op, ShutDown.__name__)
        elif self.has_room() and not self.putters:
            self.add(item)
            self.end(op, None)
        else:
            op.item = item
            self.wait_in(self.putters, op, limit, "Full")

    def model_get(self, op: Op, limit: float | None) -> None:
        if self.items and not self.getters:
            self.end(op, self.take())
        elif self.is_over():
            self.end(op, ShutDown.__name__)
        else:
            self.wait_in(self.getters, op, limit, "Empty")

    def is_over(self) -> bool:
        return self.shut and not self.items

    # -- what happens -----------------------------------------------------------------------------

    @rule(item=numbers, limit=limits)
    def put(self, item: int, limit: float | None) -> None:
        limit = self.limit(limit)
        self.begin(lambda: self.queue.put(item, timeout=limit), lambda op: self.model_put(op, item, limit))

    @rule(limit=limits)
    def get(self, limit: float | None) -> None:
        limit = self.limit(limit)
        self.begin(lambda: self.queue.get(timeout=limit), lambda op: self.model_get(op, limit))

    @rule(item=numbers)
    def put_nowait(self, item: int) -> None:
        try:
            self.queue.put_nowait(item)
        except standard.Full:
            assert not self.has_room() or self.putters
        except ShutDown:
            assert self.shut
        else:
            assert self.has_room()
            assert not self.shut
            self.add(item)

    @rule()
    def get_nowait(self) -> None:
        try:
            item = self.queue.get_nowait()
        except standard.Empty:
            assert not self.items
        except ShutDown:
            assert self.is_over()
        else:
            assert not self.getters
            assert item == self.take()

    @rule()
    @precondition(lambda self: self.kind != "SimpleQueue")
    def task_done(self) -> None:
        if self.unfinished:
            self.queue.task_done()
            self.unfinished -= 1
        else:
            with pytest.raises(ValueError):
                self.queue.task_done()

    @invariant()
    def it_holds_what_the_model_holds(self) -> None:
        assert self.queue.qsize() == len(self.items)
        if self.kind != "SimpleQueue":
            assert self.queue.unfinished_tasks == self.unfinished
        if self.size:
            assert len(self.items) <= self.size


class ShutdownMachine(QueueMachine):
    """The same, and the queue may be shut down at a moment of rest."""

    @rule(immediate=st.booleans())
    @precondition(lambda self: self.kind != "SimpleQueue")
    def shutdown(self, immediate: bool) -> None:
        self.settle()
        self.queue.shutdown(immediate)
        self.shut = True
        if immediate:
            self.unfinished = max(0, self.unfinished - len(self.items))  # some were called done too early
            self.items.clear()
        for putter in list(self.putters):
            self.wake_with(putter, ShutDown.__name__)
        if not self.items:
            for getter in list(self.getters):
                self.wake_with(getter, ShutDown.__name__)
        self.settle()


class ChannelMachine(HubMachine):
    """Who puts waits until somebody has taken it."""

    @initialize()
    def make(self) -> None:
        self.channel: Channel[int] = Channel()
        self.getters: list[Op] = []
        self.putters: list[Op] = []
        self.closed = False

    def model_put(self, op: Op, item: int, limit: float | None) -> None:
        if self.closed:
            self.end(op, Closed.__name__)
        elif self.getters:
            self.wake_with(self.getters[0], item)
            self.end(op, None)
        else:
            op.item = item
            self.wait_in(self.putters, op, limit, "Full")

    def model_get(self, op: Op, limit: float | None) -> None:
        if self.putters:
            putter = self.putters[0]
            self.wake_with(putter, None)
            self.end(op, putter.item)
        elif self.closed:
            self.end(op, Closed.__name__)
        else:
            self.wait_in(self.getters, op, limit, "Empty")

    @rule(item=numbers, limit=limits)
    def put(self, item: int, limit: float | None) -> None:
        limit = self.limit(limit)
        self.begin(lambda: self.channel.put(item, timeout=limit), lambda op: self.model_put(op, item, limit))

    @rule(limit=limits)
    def get(self, limit: float | None) -> None:
        limit = self.limit(limit)
        self.begin(lambda: self.channel.get(timeout=limit), lambda op: self.model_get(op, limit))

    @rule(item=numbers)
    def put_nowait(self, item: int) -> None:
        try:
            self.channel.put_nowait(item)
        except standard.Full:
            assert not self.getters
        except Closed:
            assert self.closed
        else:
            self.wake_with(self.getters[0], item)

    @rule()
    def get_nowait(self) -> None:
        try:
            item = self.channel.get_nowait()
        except standard.Empty:
            assert not self.putters
        except Closed:
            assert self.closed
        else:
            putter = self.putters[0]
            assert item == putter.item
            self.wake_with(putter, None)

    @rule()
    @precondition(lambda self: len(self.ops) > 5)
    def close(self) -> None:
        self.channel.close()
        self.closed = True
        for op in [*self.putters, *self.getters]:
            self.wake_with(op, Closed.__name__)


TestQueueOnNative, TestQueueOnVirtual = cases(QueueMachine)
TestShutdownOnNative, TestShutdownOnVirtual = cases(ShutdownMachine)
TestChannelOnNative, TestChannelOnVirtual = cases(ChannelMachine)
