"""R05 Nothing lost, nothing doubled: everything that can end a wait meets in one instant, many times.

Each play is drawn from a seed. A failure names it: HUBKIT_SEED=… plays that one first.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random
from time import monotonic
from typing import Any

import pytest

from hubkit import Task, checkpoint, move_on_after, now, sleep, spawn

from ..games import GAMES, Game
from ..hosts import Host, find_host
from ..lock_games import ConditionGame
from ..tools import finish, until

SECONDS = 0.8  # of plays for each game
AT_LEAST, AT_MOST = 10, 5000  # plays, on a machine however slow or fast
SEED = int(os.environ.get("HUBKIT_SEED", "1"))


class Play:
    """One game, played once: who waits, who is interrupted how, in an order drawn from the seed."""

    def __init__(self, make: Callable[[Random], Game], seed: int, host: Host | None) -> None:
        self.random = random = Random(seed)
        self.host = host
        self.game = make(random)
        self.scopes: dict[int, Any] = {}
        self.tasks: list[Task[None]] = []
        self.interrupted: set[Task[None]] = set()
        if isinstance(self.game, ConditionGame):
            self.game.uninterrupted = lambda: sum(task not in self.interrupted for task in self.tasks)

    def run(self) -> None:
        for number in range(self.random.randint(1, 4)):
            self.add(number)
            if self.random.random() < 0.6:
                checkpoint()
        if isinstance(self.game, ConditionGame):
            # Only who waits can be notified, so all do before anything happens.
            until(lambda: all(task.ticket is not None or task.done() for task in self.tasks))
        moves = (
            [self.game.act] * 4 + [self.cancel, self.expire, self.kill] * 2 + [checkpoint] * 3 + [self.nap]
        )
        for _ in range(self.random.randint(2, 8)):
            self.random.choice(moves)()
        self.end()

    def add(self, number: int) -> None:
        work = self.game.work()
        limit = self.random.choice((None, None, None, 0.0002))
        task = spawn(self.wait, number, work, limit)
        self.tasks.append(task)
        if limit is not None or self.game.timed:
            self.interrupted.add(task)

    def wait(self, number: int, work: Callable[[], object], limit: float | None) -> None:
        with move_on_after(limit) as scope:
            self.scopes[number] = scope
            try:
                work()
            finally:
                del self.scopes[number]

    # -- what may meet ------------------------------------------------------------------------------

    def cancel(self) -> None:
        task = self.random.choice(self.tasks)
        self.interrupted.add(task)
        task.cancel()

    def expire(self) -> None:
        number = self.random.randrange(len(self.tasks))
        scope = self.scopes.get(number)
        if scope is not None:
            self.interrupted.add(self.tasks[number])
            try:
                scope.reschedule(now())
            except RuntimeError:  # left in this very instant, by a task on another thread
                pass

    def kill(self) -> None:
        task = self.random.choice(self.tasks)
        if self.host is not None and task.carrier is not None:
            self.interrupted.add(task)
            self.host.kill(task)

    def nap(self) -> None:
        sleep(self.random.choice((0.0, 0.0001, 0.0003)))

    # -- the end ------------------------------------------------------------------------------------

    def waiting(self) -> int:
        return sum(not task.done() for task in self.tasks if task not in self.interrupted)

    def end(self) -> None:
        until(lambda: self.game.at_rest(self.waiting()), "all that can go on going on")
        for task in self.interrupted:
            task.cancel()
        finish(*self.interrupted)
        until(lambda: self.game.at_rest(self.waiting()), "all that can go on going on")
        while self.waiting():
            before = self.waiting()
            self.game.let_go()
            checkpoint()
            until(lambda before=before: self.waiting() < before or self.game.at_rest(self.waiting()))  # type: ignore[misc]
        for task in self.tasks:
            finish(task)
            if not task.cancelled():
                task.result()
        self.game.check()


@pytest.mark.parametrize("game", GAMES)
def test_r05_stress_nothing_is_lost_or_doubled_whatever_meets(game, hub_class):
    host = find_host(hub_class)
    end = monotonic() + SECONDS
    plays = 0
    while plays < AT_LEAST or (monotonic() < end and plays < AT_MOST):
        play = None
        try:
            play = Play(GAMES[game], SEED + plays, host)
            play.run()
        except BaseException as error:
            raise AssertionError(f"{game}: play it again by HUBKIT_SEED={SEED + plays}: {error!r}") from error
        finally:
            if play is not None:
                play.game.close()
        plays += 1
    print(f"{game}: {plays} plays")
