"""Frames of a stack, for people: those that a program has made, not those of what runs its tests.

What must live here: which modules run tests. What this file must not know: tasks, hubs, who shows a stack.
"""

from __future__ import annotations

from types import FrameType

_RUNNERS = frozenset(("_pytest", "pytest", "unittest"))
#: What a runner is started by, or calls a test through. All of them run other programs as well.
_AROUND = frozenset(("__channelexec__", "__main__", "execnet", "pluggy", "runpy", "xdist"))


def without_runner(stack: list[FrameType]) -> list[FrameType]:
    """`stack`, outermost first, from where it leaves what runs tests; all of it if it never does."""
    start, found = 0, False
    for frame in stack:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package not in _RUNNERS and package not in _AROUND:
            break
        found = found or package in _RUNNERS
        start += 1
    return stack[start:] if found and start < len(stack) else stack
