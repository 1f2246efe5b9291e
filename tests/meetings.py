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
        with before_each_instruction(self._step):
            try:
                return act()
            finally:
                self.frame = None

    def _step(self, frame: FrameType) -> None:
        if self.intruded or not self._calls(frame):
            return
        if not self.left:
            self.intruded = True
            self.intrude()
        self.left -= 1

    def _calls(self, frame: FrameType | None) -> bool:
        """Not so of the frames of other tasks in this thread."""
        while frame is not None and frame is not self.frame:
            frame = frame.f_back
        return frame is not None


def _is_primitive(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__") in PRIMITIVES


@contextmanager
def _by_tracing(step: Callable[[FrameType], None]) -> Iterator[None]:
    def enter(frame: FrameType, event: str, arg: object) -> Any:
        if not _is_primitive(frame):
            return None
        frame.f_trace_opcodes = True
        return inside

    def inside(frame: FrameType, event: str, arg: object) -> Any:
        if event == "opcode":
            step(frame)
        return inside

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        yield
    finally:
        sys.settrace(before)


@contextmanager
def _by_monitoring(step: Callable[[FrameType], None]) -> Iterator[None]:
    def inside(code: object, offset: int) -> None:
        frame = sys._getframe(1)
        if _is_primitive(frame):
            step(frame)

    monitoring: Any = sys.monitoring  # type: ignore[attr-defined]
    tool, instructions = monitoring.DEBUGGER_ID, monitoring.events.INSTRUCTION
    monitoring.use_tool_id(tool, __name__)
    monitoring.register_callback(tool, instructions, inside)
    monitoring.set_events(tool, instructions)
    try:
        yield
    finally:
        monitoring.set_events(tool, 0)
        monitoring.register_callback(tool, instructions, None)
        monitoring.free_tool_id(tool)


#: From 3.12 on a trace function may hear of the instructions of a code only from its second traced run on.
before_each_instruction = _by_monitoring if sys.version_info >= (3, 12) else _by_tracing


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
