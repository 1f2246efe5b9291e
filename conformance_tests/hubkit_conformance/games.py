"""Small worlds around one primitive each, for the stress test of R05.

What must live here: a `Game` a primitive: what its waiters do, what else may happen to it, and what must
hold afterwards. What this file must not know: who interrupts whom, and when.
"""

from __future__ import annotations

import queue as standard
import select
from collections.abc import Callable
from random import Random
from typing import Any

from hubkit import (
    BoundedSemaphore,
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
    checkpoint,
    spawn,
)
from hubkit.errors import Busy
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

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.queue = random.choice((Queue, LifoQueue, PriorityQueue))()
        self.put: list[int] = []
        self.got: list[int] = []

    def work(self) -> Callable[[], object]:
        limits = self.limits()

        def get() -> None:
            try:
                self.got.append(self.queue.get(**limits))
            except standard.Empty:
                pass

        return get

    def act(self) -> None:
        self.put.append(len(self.put))
        self.queue.put(self.put[-1])

    def at_rest(self, waiting: int) -> bool:
        return self.queue.empty() or not waiting

    def check(self) -> None:
        left = []
        while not self.queue.empty():
            left.append(self.queue.get_nowait())
        assert sorted(self.got + left) == sorted(self.put), f"put {self.put}, got {self.got}, left {left}"


class BoundedQueueGame(QueueGame):
    """Getters and putters on a bounded queue."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.size = random.choice((1, 2))
        self.queue = random.choice((Queue, LifoQueue, PriorityQueue))(self.size)
        self.number = 0
        self.getters = random.random() < 0.5  # who waits in the end: only one of the two can

    def _next(self) -> int:
        self.number += 1
        return self.number

    def work(self) -> Callable[[], object]:
        if self.getters:
            return super().work()
        limits, item = self.limits(), self._next()

        def put() -> None:
            try:
                self.queue.put(item, **limits)
            except standard.Full:
                return
            self.put.append(item)

        return put

    def act(self) -> None:
        try:
            if self.getters or (self.random.random() < 0.3 and not self.at_end):
                item = self._next()
                self.queue.put_nowait(item)
                self.put.append(item)
            else:
                self.got.append(self.queue.get_nowait())
        except (standard.Full, standard.Empty):
            pass

    at_end = False

    def let_go(self) -> None:
        self.at_end = True
        self.act()

    def at_rest(self, waiting: int) -> bool:
        return not waiting or (self.queue.empty() if self.getters else self.queue.full())

    def check(self) -> None:
        assert self.queue.qsize() <= self.size
        super().check()


class SemaphoreGame(Game):
    """Takers of a few permits, who may hold them across a switch."""

    make: tuple[Callable[[int], Any], ...] = (Semaphore, BoundedSemaphore)

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.permits = random.choice((1, 2))
        self.lock: Any = random.choice(self.make)(self.permits)
        self.inside = 0
        self.mine = 0
        while random.random() < 0.8 and self.lock.acquire(blocking=False):
            self.mine += 1

    def work(self) -> Callable[[], object]:
        limits, stay = self.limits(), self.random.random() < 0.5

        def hold() -> None:
            if not self.lock.acquire(**limits):
                return
            try:
                self.enter(stay)
            finally:
                self.lock.release()

        return hold

    def enter(self, stay: bool) -> None:
        self.inside += 1
        try:
            assert self.inside <= self.permits, f"{self.inside} are inside with {self.permits} permits"
            if stay:
                checkpoint()
        finally:
            self.inside -= 1

    def act(self) -> None:
        if self.mine and self.random.random() < 0.7:
            self.let_go()
        elif self.lock.acquire(blocking=False):
            self.mine += 1

    def let_go(self) -> None:
        if self.mine:
            self.mine -= 1
            self.lock.release()

    def at_rest(self, waiting: int) -> bool:
        return self.mine == self.permits or not waiting

    def check(self) -> None:
        while self.mine:
            self.let_go()
        free = [spawn(self.lock.acquire, blocking=False).result(PATIENCE) for _ in range(self.permits)]
        assert free == [True] * self.permits, f"of {self.permits} permits {free.count(True)} are left"
        if not isinstance(self.lock, RLock):
            assert self.lock.acquire(blocking=False) is False, "a permit was doubled"


class LockGame(SemaphoreGame):
    """Takers of a lock."""

    make = (lambda permits: Lock(), lambda permits: RLock(), lambda permits: Condition())

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        while self.mine > 1:  # a lock that can be taken several times
            self.let_go()
        self.permits = 1

    def act(self) -> None:
        if self.mine:
            self.let_go()
        elif self.lock.acquire(blocking=False):
            self.mine += 1


class ConditionGame(Game):
    """Waiters on a condition; the number of notifications and of those who were woken must agree."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.condition = Condition(random.choice((Lock, RLock))())
        self.waiting = self.woken = self.notified = 0
        self.uninterrupted: Callable[[], int] = lambda: 0  # set by who interrupts

    def work(self) -> Callable[[], object]:
        limits = self.limits()

        def wait() -> None:
            with self.condition:
                self.waiting += 1
                if self.condition.wait(**limits):
                    self.woken += 1
                # Without the lock these raise.
                self.condition.notify(0)

        return wait

    def act(self) -> None:
        if not self.condition.acquire(blocking=False):
            return
        number = self.random.choice((1, 1, 2))
        # What is more than waits now is not remembered; who has just been interrupted may count or not.
        self.notified += min(number, self.waiting - self.woken)
        self.condition.notify(number)
        self.condition.release()

    def let_go(self) -> None:
        with self.condition:
            self.notified += self.waiting - self.woken
            self.condition.notify_all()

    def at_rest(self, waiting: int) -> bool:
        return not waiting or self.woken >= min(self.notified, self.uninterrupted())

    def check(self) -> None:
        assert self.woken <= self.notified, f"{self.woken} were woken by {self.notified} notifications"
        assert spawn(self.condition.acquire, blocking=False).result(PATIENCE), "the lock is still held"


class EventGame(Game):
    """Waiters on an event that is set and cleared."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.event = Event()
        self.sets = 0

    def work(self) -> Callable[[], object]:
        limits = self.limits()

        def wait() -> None:
            if self.event.wait(**limits):
                assert self.sets, "woken before it was set"

        return wait

    def act(self) -> None:
        if self.event.is_set():
            self.event.clear()
        else:
            self.let_go()
            if self.random.random() < 0.3:
                self.event.clear()

    def let_go(self) -> None:
        self.sets += 1
        self.event.set()

    def at_rest(self, waiting: int) -> bool:
        return not self.event.is_set() or not waiting


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
