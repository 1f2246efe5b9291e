"""The tasks of all hubs, for people: what each waits for, and its stack.

What must live here: how to look at a task from outside, without disturbing it. What this file must not
know: any hub; of a carrier only that it is a greenlet, with a frame, or the number of a thread.
"""

from __future__ import annotations

import sys
import traceback
from types import FrameType
from typing import Any

from greenlet import getcurrent

from .. import registry, running, waiting
from ..contract import Hub
from ..tasks import NEW, Task
from .frames import without_runner
from .points import POINT

_PACKAGE = __name__.partition(".")[0]


def format_tasks() -> str:
    """Every task of every live hub, main tasks first: what it waits for, and its stack, innermost last.

    Disturbs nobody: makes neither a hub nor the choice, and calls no code but hubkit's own.

    Switches: never. Call from: any thread, signal. Raises: nothing.
    """
    return "\n".join(map(_format_hub, registry.hubs())) or "there is no hub"


def _format_hub(hub: Hub) -> str:
    tasks = list(dict.fromkeys([hub.main, *hub.tasks]))
    beside = " and the main one" if hub.main is not None and hub.main not in hub.tasks else ""
    lines = [f"hub {hub.name}: {len(hub.tasks)} tasks{beside}"]
    for task in tasks:
        if task is not None:
            lines.append(_format_task(task))
    return "\n".join(lines)


def _format_task(task: Task[Any]) -> str:
    frame = _frame(task)
    if frame is None:
        state = "has not started" if task._state == NEW else "runs, see the stack of its thread"
        return f"{task!r} {state}"
    stack = _stack(frame)
    waits = f" {call}" if (call := _waits_in(stack)) else ""
    text = "".join(traceback.StackSummary.extract((frame, frame.f_lineno) for frame in stack).format())
    return f"{task!r}{waits}\n{text.rstrip()}"


def _stack(innermost: FrameType) -> list[FrameType]:
    """The task's own frames, outermost first: not what carries it, runs tests, suspends it or looks at it."""
    frames: list[FrameType] = []
    frame: FrameType | None = innermost
    while frame is not None and not is_base(frame):
        if frame.f_code is waiting.wait.__code__ or frame.f_globals is globals():
            frames.clear()
        elif frame.f_code is not POINT:
            frames.append(frame)
        frame = frame.f_back
    return without_runner(frames[::-1])


def is_base(frame: FrameType) -> bool:
    """Whether it calls the function of a task, of `run` or of `explore`."""
    code = frame.f_code
    if code is Task.run.__code__:
        return True
    module = frame.f_globals.get("__name__")
    return (module, code.co_name) in ((running.__name__, "main"), (f"{_PACKAGE}.testing.one_run", "_main"))


def _frame(task: Task[Any]) -> FrameType | None:
    carrier = task.carrier
    if isinstance(carrier, int):
        return sys._current_frames().get(carrier)
    frame: FrameType | None = getattr(carrier, "gr_frame", None)  # None for the one that runs
    if frame is None and carrier is getcurrent():  # maybe in hub context: its task waits, and it polls
        frame = sys._getframe()
    return frame


def _waits_in(stack: list[FrameType]) -> str:
    """The call of hubkit's that a task waits in, and on what: "in Queue.get() of <Queue …>"."""
    call = None
    for frame in reversed(stack):
        if str(frame.f_globals.get("__name__")).partition(".")[0] != _PACKAGE:
            break
        call = frame
    if call is None:
        return ""
    owner = call.f_locals.get("self")
    name = call.f_code.co_name
    return f"in {name}()" if owner is None else f"in {type(owner).__name__}.{name}() of {owner!r}"
