"""Small worlds around what tasks wait for without a value, for the stress test of R05; see games.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from threading import BrokenBarrierError
from typing import Any

from hubkit import (
    Barrier,
    BoundedSemaphore,
    Condition,
    Event,
    Lock,
    RLock,
    Semaphore,
    checkpoint,
    spawn,
)

from .games import Game
from .tools import PATIENCE


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


class BarrierGame(Game):
    """Parties that meet, until somebody breaks the barrier."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.barrier = Barrier(random.choice((2, 3)))
        self.numbers: Counter[int] = Counter()

    def work(self) -> Callable[[], object]:
        limits = self.limits()

        def wait() -> None:
            try:
                self.numbers[self.barrier.wait(**limits)] += 1
            except BrokenBarrierError:
                pass

        return wait

    def act(self) -> None:
        self.random.choice((self.barrier.reset, self.barrier.abort, checkpoint))()

    def let_go(self) -> None:
        self.barrier.abort()

    def at_rest(self, waiting: int) -> bool:
        return waiting < (1 if self.barrier.broken else self.barrier.parties)

    def check(self) -> None:
        # Who comes last does not wait, so nothing can have hit it: there are as many rounds as last ones.
        rounds = self.numbers[self.barrier.parties - 1]
        assert all(passed <= rounds for passed in self.numbers.values()), f"passed by number: {self.numbers}"
