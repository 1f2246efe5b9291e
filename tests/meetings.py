"""Things that meet in one instant, brought about on purpose instead of waited for.

`at_each_step` lets something happen between any two instructions of a call, as a thread, a signal handler or
a finalizer may. `thrown_into_next_wait` throws into a wait in the instant in which it was given something.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from hubkit.contract import Hub
from hubkit.waiting import Ticket
from hubkit_conformance.tools import PATIENCE

#: The modules in which `at_each_step` intrudes.
PRIMITIVES = frozenset(
    [
        "hubkit.barriers",
        "hubkit.channels",
        "hubkit.conditions",
        "hubkit.events",
        "hubkit.handover",
        "hubkit.heap",
        "hubkit.locks",
        "hubkit.pools",
        "hubkit.queues",
        "hubkit.semaphores",
        "hubkit.simple_queue",
        "hubkit.slots",
        "hubkit.tally",
    ]
)


class Thrown(BaseException):
    """What a host might throw."""


#: `meet(act, intrude)`
Meet = Callable[[Callable[[], Any], Callable[[], object]], Any]


def at_each_step(play: Callable[[Meet], None]) -> int:
    """Call `play(meet)` once for each instruction that `meet(act, intrude)` finds inside `act()`.

    `meet` runs `act()` and, before that instruction, `intrude()`; it returns what `act` returns. The last
    play is one without intrusion. Returns how many had one.
    """
    step = 0
    while True:
        meeting = _Meeting(step)
        play(meeting)
        assert meeting.used, "the play has not called meet()"
        if not meeting.intruded:
            return step
        step += 1


class _Meeting:
    def __init__(self, step: int) -> None:
        self.left = step
        self.used = self.intruded = False
        self.intrude: Callable[[], object] = int
        self.frame: FrameType | None = None

    def __call__(self, act: Callable[[], Any], intrude: Callable[[], object]) -> Any:
        self.used = True
        self.intrude = intrude
        self.frame = sys._getframe()
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            return act()
        finally:
            sys.settrace(before)
            self.frame = None

    def _enter(self, frame: FrameType, event: str, arg: object) -> Any:
        if self.intruded or frame.f_globals.get("__name__") not in PRIMITIVES or not self._calls(frame):
            return None
        frame.f_trace_opcodes = True
        return self._step

    def _calls(self, frame: FrameType | None) -> bool:
        """Not so of the frames of other tasks in this thread."""
        while frame is not None and frame is not self.frame:
            frame = frame.f_back
        return frame is not None

    def _step(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "opcode" and not self.intruded:
            if not self.left:
                self.intruded = True
                self.intrude()
            self.left -= 1
        return self._step


@contextmanager
def thrown_into_next_wait(
    monkeypatch: pytest.MonkeyPatch, hub: Hub, meanwhile: Callable[[], object] = int
) -> Iterator[None]:
    """The caller's next wait does `meanwhile()` once its ticket is published, and then raises Thrown."""
    me = hub.current()
    park = type(hub).park
    left = [True]

    def throw(self: Hub, ticket: Ticket) -> Any:
        if ticket.task is not me or not left:
            return park(self, ticket)
        left.clear()
        meanwhile()
        raise Thrown

    with monkeypatch.context() as patch:
        patch.setattr(type(hub), "park", throw)
        with pytest.raises(Thrown):
            yield
    assert not left, "nothing has waited"


class Threads:
    """Plain threads that all run to their ends, or the test fails."""

    def __init__(self, *fns: Callable[[], object]) -> None:
        self.errors: list[BaseException] = []
        self.threads = [threading.Thread(target=self._run, args=(fn,), daemon=True) for fn in fns]
        for thread in self.threads:
            thread.start()

    def _run(self, fn: Callable[[], object]) -> None:
        try:
            fn()
        except BaseException as error:
            self.errors.append(error)

    def join(self) -> None:
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"{thread} has not ended; errors so far: {self.errors}"
        assert self.errors == []


class Garbage:
    """Calls `fn` when the collector finds it."""

    def __init__(self, fn: Callable[[], object]) -> None:
        self.cycle = self
        self.fn = fn

    def __del__(self) -> None:
        self.fn()
