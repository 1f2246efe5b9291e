"""LintedTask: a task that notices how it is run.

What must live here: telling the hub when a task begins. What this file must not know: the clauses.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, Protocol, TypeVar

from ...tasks import Task

T = TypeVar("T")


class Checker(Protocol):
    """Who judges how a task is run."""

    def task_begins(self, task: Task[Any]) -> None: ...


class LintedTask(Task[T]):
    """What a task becomes when it is started; else the very same."""

    __slots__ = ()

    def run(self) -> None:
        """See `Task.run`."""
        hub: Checker = self.hub  # type: ignore[assignment] # LintHub makes it one
        hub.task_begins(self)
        call = [self]
        del self, hub  # the frames of its error refer to this one
        Task.run(call.pop())


def runs_on_this_stack() -> int:
    """How many tasks have begun on the caller's stack, the one that is about to included."""
    frame: FrameType | None = sys._getframe()
    found = 0
    while frame is not None:
        found += frame.f_code is LintedTask.run.__code__
        frame = frame.f_back
    return found
