"""What the tests of the rules share: waiting for a state without guessing a time.

What must live here: helpers without a rule of their own, on the public API alone. What this file must
not know: any rule, any hub.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any

from hubkit import (
    BoundedSemaphore,
    Condition,
    Lock,
    RLock,
    Semaphore,
    Task,
    checkpoint,
    current_hub,
    sleep,
    spawn,
)
from hubkit.contract import ORDERED_YIELD, VIRTUAL_TIME, Hub

PATIENCE = 20.0  # seconds after which something that must come has not come
LONG = 3600.0  # seconds that no test lives to see
SHORT = 0.03  # seconds: the time limit where one must be seen to pass

#: Everything that one task at a time can hold.
LOCKS: dict[str, Callable[[], Any]] = {
    "Lock": Lock,
    "RLock": RLock,
    "Semaphore": lambda: Semaphore(1),
    "BoundedSemaphore": lambda: BoundedSemaphore(1),
    "Condition": Condition,
}


def until(come_true: Callable[[], object], what: str = "the condition") -> None:
    """Let others run until `come_true()`."""
    start = monotonic()
    turns = 0
    while not come_true():
        assert monotonic() - start < PATIENCE, f"{what} has not come true within {PATIENCE:g} s"
        turns += 1
        if turns < 20:
            checkpoint()
        else:
            sleep(0.001)


def parked(*tasks: Task[Any]) -> None:
    """Let others run until each of `tasks` is in a wait that a wake-up can reach."""
    for task in tasks:
        until(partial(_waits, task), f"{task!r} waiting")


def _waits(task: Task[Any]) -> bool:
    assert not task.done(), f"{task!r} has ended instead of waiting"
    return getattr(task.ticket, "armed", False)  # not so while it merely yields


def parked_in_order(count: int, fn: Callable[[int], Any]) -> list[Task[Any]]:
    """Tasks that run `fn(0)`, `fn(1)`, …, each of which waits before the next is spawned."""
    tasks = []
    for number in range(count):
        tasks.append(spawn(fn, number))
        parked(tasks[-1])
    return tasks


def settle(hub: Hub) -> None:
    """Let everything that is ready run: for claims that something does not happen."""
    for _ in range(5):
        checkpoint()
    if not hub.supports(ORDERED_YIELD):
        sleep(0.05)


def finish(*tasks: Task[Any]) -> None:
    """Wait until each of `tasks` has ended, however."""
    for task in tasks:
        assert task.join(PATIENCE), f"{task!r} has not ended within {PATIENCE:g} s"


def stop(*tasks: Task[Any]) -> None:
    """Cancel what has not ended, and wait for the end."""
    for task in tasks:
        task.cancel()
    finish(*tasks)


def returned(*tasks: Task[Any]) -> list[Any]:
    """What each of `tasks` returned."""
    return [task.result(PATIENCE) for task in tasks]


@contextmanager
def not_before(seconds: float, now: Callable[[], float] | None = None) -> Iterator[None]:
    """Fails if the block takes less than `seconds`: nothing that waits may be early.

    By the real clock, unless the hub has one of its own. The allowance is the resolution of clocks that are
    read by different routes.
    """
    if now is None:
        hub = current_hub()
        now = hub.now if hub.supports(VIRTUAL_TIME) else monotonic
    start = now()
    yield
    took = now() - start
    assert took >= seconds - 0.002, f"{seconds:g} s were over after {took:.6f} s"
