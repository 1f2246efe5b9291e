"""Trace: a schedule as people read it: which task ran, up to which verb, and why the next one was next.

What must live here: looking at stacks, and words. What this file must not know: how schedules are found.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

from ..contract import Hub
from ..spawning import current_task
from ..tasks import Task
from .points import POINT
from .tasks import is_base

CALLBACKS = "callbacks"

#: Turns shown of a long schedule: from its beginning, and from its end.
HEAD, TAIL = 40, 40


class Trace:
    """Notes each turn of one run: an `Observer` of its schedule."""

    def __init__(self, hub_class: type[Hub]) -> None:
        self._packages = {cls.__module__.partition(".")[0] for cls in hub_class.__mro__} - {"builtins"}
        self._turns: list[tuple[str, str, str]] = []  # mark, who, what
        self._who = "main"
        self._mark = self._note = ""
        self._over = False

    def runs(self, ready: Sequence[Any], chosen: int) -> None:
        """Whoever ran until now waits or has ended; `ready[chosen]` is next."""
        if not self._over:
            self._end_turn("waits in")
            self._who = _name(ready[chosen])
            if chosen:
                self._mark, self._note = "*", f", before {_name(ready[0])} whose turn it was"

    def preempted(self, task: Task[Any], ready: Sequence[Any], chosen: int) -> None:
        """`task` is stopped at a verb, for `ready[chosen]`."""
        if not self._over:
            self._end_turn("is stopped before", "*")
            self._who = _name(ready[chosen])

    def time_passes(self) -> None:
        """The next timer is due although tasks are ready."""
        if not self._over:
            self._turns.append(("*", "the clock", "runs on to the next timer"))

    def end(self, error: BaseException | None) -> None:
        """The program is over."""
        self._main_runs()
        self._turns.append((self._mark, self._who, f"ends by {type(error).__name__}" if error else "ends"))
        self._over = True

    def text(self) -> str:
        """One line a turn; equal ones in a row are one."""
        lines: list[tuple[str, str, str]] = []
        for (mark, who, what), same in groupby(self._turns):
            times = len(list(same))
            lines.append((mark, who, what if times == 1 else f"{what}, {times} times"))
        if len(lines) > HEAD + TAIL + 1:
            left_out = len(lines) - HEAD - TAIL
            lines = [*lines[:HEAD], ("", "…", f"{left_out} more turns"), *lines[-TAIL:]]
        width = max((len(who) for _, who, _ in lines), default=0)
        return "\n".join(f"  {mark:1} {who:{width}} {what}" for mark, who, what in lines)

    def _main_runs(self) -> None:
        """If that was not known, an error was thrown into its wait while the last one waited."""
        if self._who != "main":
            self._turns.append((self._mark, self._who, "waits" + self._note))
            self._mark, self._note, self._who = "", "", "main"

    def _end_turn(self, how: str, mark: str = "") -> None:
        task = current_task()
        if task is not None:
            if task is task.hub.main:
                self._main_runs()
            what = f"{how} {self._place()}"
        else:
            what = "are done" if self._who == CALLBACKS else "ends"
        self._turns.append((mark or self._mark, self._who, what + self._note))
        self._mark = self._note = ""

    def _place(self) -> str:
        """The verb that was called from outside of hubkit, and where."""
        verb = None
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if is_base(frame):  # of a task whose function is one of hubkit's own
                return _verb(verb) if verb is not None else "hubkit"
            if not self._is_inside(frame):
                break
            verb, frame = frame, frame.f_back
        if verb is None or frame is None:
            return "hubkit"
        return f"{_verb(verb)} {Path(frame.f_code.co_filename).name}:{frame.f_lineno}"

    def _is_inside(self, frame: FrameType) -> bool:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        return package in self._packages or package == "contextlib"


def _name(task: Any) -> str:
    if not isinstance(task, Task):
        return CALLBACKS
    return "main" if task is task.hub.main else task.name.rpartition(".<locals>.")[2]


def _verb(frame: FrameType) -> str:
    if frame.f_code is POINT:
        name: str = frame.f_locals["verb"]
        owner = frame.f_locals["args"][0]
    else:
        name, owner = frame.f_code.co_name, frame.f_locals.get("self")
    return f"{name}()" if owner is None else f"{type(owner).__name__}.{name}()"
