"""Callbacks that are due: run once each, in order, in hub context.

What must live here: the queue, and what becomes of a callback's error. What this file must not know:
who asked for the call.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from .naming import name_of_failed

if TYPE_CHECKING:
    from .ring import Ring

_log = logging.getLogger("hubkit")


class Callbacks:
    """All callbacks that are due, carried by a worker like a task; `current()` is None meanwhile."""

    __slots__ = ("carrier", "context", "due", "hub", "resume", "ringed")

    def __init__(self, hub: Ring) -> None:
        self.hub = hub
        self.carrier: Any = None
        self.resume: Any = None
        self.context: Context | None = None
        self.ringed = False
        self.due: deque[tuple[Context, Callable[[], object]]] = deque()

    def add(self, context: Context, fn: Callable[[], object]) -> None:
        """Queue a call; the ring is entered once for all that are due."""
        self.due.append((context, fn))
        if not self.ringed:
            self.ringed = True
            self.hub.enter(self)

    def begun(self) -> bool:
        """Whether `run` has taken note that it was called."""
        return not self.ringed

    def run(self) -> None:
        """Make every call that is due now; one that comes meanwhile waits for its turn in the ring."""
        self.resume = None  # it may be in the ring again before this ends
        self.ringed = False
        for _ in range(len(self.due)):
            context, fn = self.due.popleft()
            try:
                context.run(fn)
            except (KeyboardInterrupt, SystemExit) as error:
                self.hub.to_main(error)
            except BaseException as error:
                _complain(fn, error)
        if self.due and not self.ringed:
            self.ringed = True
            self.hub.enter(self)


def _complain(fn: Callable[[], object], error: BaseException) -> None:
    _log.error("the callback %s failed", name_of_failed(fn, error), exc_info=error)
