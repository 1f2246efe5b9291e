"""Call: a callback that notices how it is called.

What must live here: what a callback carries with it from its registration to its call. What this file must
not know: the clauses.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from itertools import count
from typing import Any, Protocol

from ...contract import TimerHandle
from ...naming import name_of
from ...originals import get_ident, monotonic

_numbers = count(1)
#: The number of the call that is being registered: it must be seen by that call, and no other.
MARK: ContextVar[int] = ContextVar("hubkit.lint", default=0)


class Checker(Protocol):
    """Who judges a call."""

    def call_begins(self, call: Call) -> None: ...
    def call_ended(self, call: Call, seconds: float) -> None: ...


class Call:
    """Stands in for the function that was to be called."""

    def __init__(self, checker: Checker, fn: Callable[[], object], when: float | None = None) -> None:
        self.number = next(_numbers)
        self.fn = fn
        self.when = when  # for call_at
        self.registrar: int | None = get_ident()  # the thread that registers it, while it does
        self.forbidden = False  # cancelled in the hub's own thread, where no call can be under way
        self.times = count(1)
        self._checker = checker

    def __call__(self) -> None:
        self._checker.call_begins(self)
        started = monotonic()
        try:
            self.fn()
        finally:
            self._checker.call_ended(self, monotonic() - started)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.fn, name)  # hubs look whose method it is

    def __repr__(self) -> str:
        return name_of(self.fn)


class Handle:
    """The handle of a timer; notes that it was cancelled."""

    def __init__(
        self, handle: TimerHandle, call: Call, thread: int | None, forget: Callable[[Call], object]
    ) -> None:
        self._handle = handle
        self._call = call
        self._thread = thread
        self._forget = forget

    def cancel(self) -> None:
        if self._thread == get_ident():
            self._call.forbidden = True
        self._forget(self._call)
        self._handle.cancel()
