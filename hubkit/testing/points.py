"""Points: where a task can be stopped at the entry of a verb that does not wait.

What must live here: standing in front of the methods of hubkit's classes for a while. What this file must
not know: what happens at such a point.

A verb that can wait looks for a request at its entry, and a steered hub stops tasks there. Others have
nothing to look for. Yet a check and an act may be two of them, `if not queue.empty(): queue.get_nowait()`,
and on some hub something comes in between. So they get an entry here.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import CodeType
from typing import Any

#: Called when the method has ended.
Leave = Callable[[], object]
#: Called at each point; None: it is nothing to it.
At = Callable[[], "Leave | None"]

#: Called by hubs and by hubkit, not by programs.
NOT_FOR_PROGRAMS = {"deliver", "interrupt", "nudge", "pending", "run", "take"}
SPECIAL = {"__enter__", "__exit__", "__next__"}


@contextmanager
def points(at: At) -> Iterator[None]:
    """In the block `at()` is called whenever code outside of hubkit calls a method of one of its classes;
    what it returns is called when the method has ended.

    Switches: never. Call from: any thread, but one at a time. Raises: nothing.
    """
    replaced: list[tuple[type, str, Any]] = []
    try:
        for cls in _classes():
            for name, method in list(vars(cls).items()):
                if _is_verb(name, method):
                    setattr(cls, name, _with_point(name, method, at))
                    replaced.append((cls, name, method))
        yield
    finally:
        for cls, name, method in replaced:
            setattr(cls, name, method)


def _is_verb(name: str, method: Any) -> bool:
    if isinstance(method, (classmethod, staticmethod)) or not inspect.isroutine(method):
        return False
    return name in SPECIAL or not (name.startswith("_") or name in NOT_FOR_PROGRAMS)


def _classes() -> list[type]:
    import hubkit

    found: dict[type, None] = {}
    for name in hubkit.__all__:
        value = getattr(hubkit, name)
        if inspect.isclass(value) and not issubclass(value, BaseException):
            for cls in value.__mro__:
                if cls.__module__.partition(".")[0] == hubkit.__name__:
                    found[cls] = None
    return list(found)


def _with_point(name: str, method: Callable[..., Any], at: At) -> Callable[..., Any]:
    @wraps(method)
    def point(*args: Any, **kwargs: Any) -> Any:
        if str(sys._getframe(1).f_globals.get("__name__")).startswith("hubkit."):
            return method(*args, **kwargs)
        verb = name  # noqa: F841 (for who looks at this frame: see trace.py)
        leave = at()
        if leave is None:
            return method(*args, **kwargs)
        try:
            return method(*args, **kwargs)
        finally:
            leave()

    return point


#: By this a point is known on the stack.
POINT: CodeType = _with_point("", int, lambda: None).__code__
