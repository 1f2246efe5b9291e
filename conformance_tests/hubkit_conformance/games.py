"""Small worlds around what passes values on, for the stress test of R05.

What must live here: a `Game` a primitive: what its waiters do, what else may happen to it, and what must
hold afterwards. What this file must not know: who interrupts whom, and when.
"""

from __future__ import annotations

import queue as standard
import select
from collections.abc import Callable
from functools import partial
from itertools import count
from random import Random
from typing import Any

from hubkit import (
    Cancelled,
    Channel,
    Event,
    Future,
    LifoQueue,
    Pool,
    PriorityQueue,
    Queue,
    ShutDown,
    SimpleQueue,
    spawn,
)
from hubkit.errors import Busy, Closed
from hubkit.green import socket

from .tools import PATIENCE, finish

GAMES: dict[str, Callable[[Random], Game]] = {}


class Game:
    """One primitive, a few tasks that each wait on it once, and a main task that acts on it."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.timed = False  # whether the last `work` has a time limit of its own

    def __init_subclass__(cls) -> None:
        if not cls.__name__.startswith("_"):
            GAMES[cls.__name__] = cls

    def limits(self) -> dict[str, float]:
        """Now and then a time limit for a verb that takes one, so short that it meets the wake-up."""
        limits: dict[str, float] = self.random.choice(({}, {}, {"timeout": 0.0}, {"timeout": 0.0002}))
        self.timed = bool(limits)
        return limits

    def work(self) -> Callable[[], object]:
        """What the next waiting task does. Chosen by the main task: threads would draw in any order."""
        raise NotImplementedError

    def act(self) -> None:
        """Something the main task does that may wake a waiter; it never waits."""
        raise NotImplementedError

    def at_rest(self, waiting: int) -> bool:
        """Whether it is right that `waiting` uninterrupted tasks still wait when all has settled."""
        raise NotImplementedError

    def let_go(self) -> None:
        """Something that lets at least one more of those who still wait go on."""
        self.act()

    def check(self) -> None:
        """Nothing is lost, nothing doubled: all tasks have ended."""

    def close(self) -> None:
        """Give back what the game holds."""


class QueueGame(Game):
    """Getters on an unbounded queue."""

    kinds: tuple[Callable[[], Any], ...] = (Queue, LifoQueue, PriorityQueue, SimpleQueue)

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.queue = random.choice(self.kinds)()
        self.numbers = count()
        self.put: list[int] = []
        self.got: list[int] = []

    def get(self, *how: Any, **limits: float) -> None:
        try:
            self.got.append(self.queue.get(*how, **limits))
        except standard.Empty:
            pass

    def give(self, item: int, *how: Any, **limits: float) -> None:
        try:
            self.queue.put(item, *how, **limits)
        except standard.Full:
            return
        self.put.append(item)

    def work(self) -> Callable[[], object]:
        return partial(self.get, **self.limits())

    def act(self) -> None:
        self.give(next(self.numbers), False)

    def at_rest(self, waiting: int) -> bool:
        return self.queue.empty() or not waiting

    def left(self) -> list[int]:
        left = []
        try:
            while True:
                left.append(self.queue.get_nowait())
        except (standard.Empty, ShutDown):
            return left

    def check(self) -> None:
        left = self.left()
        assert sorted(self.got + left) == sorted(self.put), f"put {self.put}, got {self.got}, left {left}"


class BoundedQueueGame(QueueGame):
    """Getters or putters on a bounded queue."""

    kinds = tuple(partial(make, size) for make in (Queue, LifoQueue, PriorityQueue) for size in (1, 2))

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.getters = random.random() < 0.5

    def work(self) -> Callable[[], object]:
        if self.getters:
            return super().work()
        return partial(self.give, next(self.numbers), **self.limits())

    def act(self) -> None:
        if self.getters or self.random.random() < 0.3:
            self.give(next(self.numbers), False)
        else:
            self.get(False)

    def let_go(self) -> None:
        if self.getters:
            self.give(next(self.numbers), False)
        else:
            self.get(False)

    def at_rest(self, waiting: int) -> bool:
        return not waiting or (self.queue.empty() if self.getters else self.queue.full())

    def check(self) -> None:
        assert self.queue.qsize() <= self.queue.maxsize
        super().check()


class ShutdownGame(BoundedQueueGame):
    """The same, and the queue is shut down under them; at once, or when it is empty."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.immediate = random.random() < 0.3

    def work(self) -> Callable[[], object]:
        return partial(self.until_shutdown, super().work())

    def until_shutdown(self, work: Callable[[], object]) -> None:
        try:
            work()
        except ShutDown:
            assert self.queue.is_shutdown

    def act(self) -> None:
        if self.random.random() < 0.2:
            self.let_go()
        self.until_shutdown(super().act)

    def let_go(self) -> None:
        self.queue.shutdown(self.immediate)

    def at_rest(self, waiting: int) -> bool:
        return not waiting if self.queue.is_shutdown else super().at_rest(waiting)

    def check(self) -> None:
        if not self.immediate:
            super().check()
        else:
            assert len(set(self.got)) == len(self.got), f"got {self.got}"
            assert set(self.got) <= set(self.put), f"put {self.put}, got {self.got}"


class ChannelGame(QueueGame):
    """Getters and putters that meet; now and then the channel is closed under them."""

    kinds = (Channel,)

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.closing = random.random() < 0.2
        self.putting = self.getting = 0  # how many wait
        self.unsure: list[int] = []

    def work(self) -> Callable[[], object]:
        limits, item = self.limits(), next(self.numbers)
        return partial(self.putter if self.random.random() < 0.5 else self.getter, item, limits)

    def putter(self, item: int, limits: dict[str, float]) -> None:
        self.putting += 1
        try:
            self.give(item, **limits)
        except Closed:
            assert self.queue.closed
        except Cancelled:
            raise
        except BaseException:
            self.unsure.append(item)  # thrown in by the host, maybe when a getter had taken the item
            raise
        finally:
            self.putting -= 1

    def getter(self, item: int, limits: dict[str, float]) -> None:
        self.getting += 1
        try:
            self.get(**limits)
        except Closed:
            assert self.queue.closed
        finally:
            self.getting -= 1

    def act(self) -> None:
        if self.queue.closed:
            return
        if self.closing and self.random.random() < 0.2:
            self.queue.close()
        elif self.random.random() < 0.5:
            self.get(False)
        else:
            self.give(next(self.numbers), False)

    def let_go(self) -> None:
        if self.putting:
            self.get(False)
        else:
            self.give(next(self.numbers), False)

    def at_rest(self, waiting: int) -> bool:
        return not waiting or not (self.queue.closed or (self.putting and self.getting))

    def left(self) -> list[int]:
        left = []
        try:
            while True:
                left.append(self.queue.get_nowait())
        except (standard.Empty, Closed):
            pass
        self.put.extend(item for item in self.unsure if item in self.got + left)
        return left


class FutureGame(Game):
    """Waiters for a value, or for the end of a task."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.future: Future[str] = Future()
        self.task = spawn(self.future.result)
        self.got: list[str] = []

    def work(self) -> Callable[[], object]:
        limits, waited = self.limits(), self.random.choice((self.future, self.task))

        def wait() -> None:
            try:
                self.got.append(waited.result(**limits))
            except TimeoutError:
                pass

        return wait

    def act(self) -> None:
        if not self.future.done():
            self.future.set_result("value")

    def at_rest(self, waiting: int) -> bool:
        return not self.future.done() or not waiting

    def check(self) -> None:
        self.act()
        finish(self.task)
        assert set(self.got) <= {"value"}


class PoolGame(Game):
    """Spawners that wait for a slot of a pool."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.size = random.choice((1, 2))
        self.pool = Pool(self.size)
        self.gates: list[Event] = []
        self.ran = 0
        self.spawned = 0
        for _ in range(self.size):
            self._fill()

    def _fill(self) -> None:
        gate = Event()
        if self.pool.try_spawn(gate.wait):
            self.gates.append(gate)

    def _run(self) -> None:
        self.ran += 1
        assert self.ran <= self.size, f"{self.ran} run in a pool of {self.size}"
        self.ran -= 1

    def work(self) -> Callable[[], object]:
        def spawner() -> None:
            self.pool.spawn(self._run)
            self.spawned += 1

        return spawner

    def act(self) -> None:
        if self.random.random() < 0.3:
            self._fill()
        else:
            self.let_go()

    def let_go(self) -> None:
        if self.gates:
            self.gates.pop().set()

    def at_rest(self, waiting: int) -> bool:
        return len(self.gates) == self.size or not waiting

    def check(self) -> None:
        while self.gates:
            self.let_go()
        assert self.pool.join(PATIENCE), "a task of the pool has not ended"
        gate = Event()
        tasks = [self.pool.try_spawn(gate.wait) for _ in range(self.size)]
        assert None not in tasks, "a slot was lost"
        assert self.pool.try_spawn(int) is None, "a slot was doubled"
        gate.set()
        assert self.pool.join(PATIENCE)


class SocketGame(Game):
    """A reader of a stream; now and then the stream is closed under it."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.ours, self.theirs = socket.socketpair()
        self.closing = random.random() < 0.2
        self.sent: list[int] = []
        self.received: list[int] = []
        self.closed = False

    def work(self) -> Callable[[], object]:
        def read() -> None:
            try:
                self.received.extend(self.ours.recv(2))
            except Busy:  # one at a time; the other goes on
                pass
            except OSError:
                if not self.closed:
                    raise

        return read

    def act(self) -> None:
        if self.closed:
            return
        if self.closing and self.random.random() < 0.3:
            self.closed = True
            self.ours.close()
        else:
            self.sent.append(len(self.sent))
            self.theirs.sendall(bytes(self.sent[-1:]))

    def at_rest(self, waiting: int) -> bool:
        if not waiting:
            return True
        return not self.closed and not select.select([self.ours.fileno()], [], [], 0)[0]

    def check(self) -> None:
        if not self.closed:
            self.ours.settimeout(PATIENCE)
            self.theirs.close()
            while data := self.ours.recv(100):
                self.received.extend(data)
            assert sorted(self.received) == self.sent, f"sent {self.sent}, received {self.received}"

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()
