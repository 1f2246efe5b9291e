"""The names of callbacks, for people: of the user's own function, not of what hubkit has made of it.

What must live here: what a callback may be wrapped in. What this file must not know: who calls it, who tells
of it. All of it is for messages: nothing here is kept up while a program goes well.
"""

from __future__ import annotations

import traceback
from contextvars import Context
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, MethodWrapperType

from .timers import Timer

#: What is known by its name; of all else the repr says more.
_NAMED = (FunctionType, MethodType, BuiltinFunctionType, MethodWrapperType, type)


def name_of(fn: object) -> str:
    """The module and the qualified name of the function in `fn`, which may be bound and be run in a context.

    Switches: never. Call from: any thread, signal. Raises: nothing.
    """
    while isinstance(fn, partial):
        runs_in_context = fn.args and isinstance(getattr(fn.func, "__self__", None), Context)
        fn = fn.args[0] if runs_in_context else fn.func
    name = getattr(fn, "__qualname__", None) if isinstance(fn, _NAMED) else None
    if name is None:
        try:
            return repr(fn)
        except Exception:  # it must not hide what is to be told
            return object.__repr__(fn)
    module = getattr(fn, "__module__", None)  # the methods of built-in types have none
    return f"{module}.{name}" if module else str(name)


def name_of_failed(fn: object, error: BaseException) -> str:
    """The same for a callback that has raised `error`: a timer lets go of its function before the call.

    Switches: never. Call from: any thread, signal. Raises: nothing.
    """
    if isinstance(fn, Timer):
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code is Timer.__call__.__code__:
                return name_of(frame.f_locals["fn"])
    return name_of(fn)
