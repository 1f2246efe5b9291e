"""Watched: what ends once, and those who want to be told.

What must live here: the list of watchers and how each is served. What this file must not know: how the
watched thing ends, and what a watcher does about it.

A watcher adds itself and then looks whether the end has come; who ends sets the outcome and then looks for
watchers. Whoever pops a watcher serves it, so each is served once, in the order of registration,
whether it came before the end or after.
"""

from __future__ import annotations

import abc
import logging
from collections.abc import Callable, Generator
from contextvars import copy_context
from functools import partial
from typing import Any

from .contract import Hub
from .errors import Closed
from .naming import name_of
from .registry import current_hub
from .waiting import Ticket

#: A ticket is fired with the watched thing as its outcome. A function is called inline by whoever ends
#: the watched thing, so it must not wait or raise.
Watcher = Ticket | Callable[[], object]

_log = logging.getLogger("hubkit")


class Watched(abc.ABC):
    """Base of tasks and futures."""

    __slots__ = ("_watchers",)

    _watchers: list[Watcher]

    @abc.abstractmethod
    def done(self) -> bool:
        """Whether the end has come; never False again."""

    @abc.abstractmethod
    def _failed(self) -> bool:
        """Whether it has ended by an error; being cancelled is none."""

    def __await__(self) -> Generator[Any, Any, Any]:
        """Wait for the end in a coroutine, as `result` does in a task.

        Switches: never. Call from: a coroutine of the event loop that the hub runs on. Raises: what
        `result` raises; NotSupported on a hub without coroutines.
        """
        return current_hub().awaited(self)

    def _watch(self, watcher: Watcher) -> None:
        self._watchers.append(watcher)
        if self.done():
            self._serve_watchers()

    def _withdraw(self, watcher: Watcher) -> None:
        try:
            self._watchers.remove(watcher)
        except ValueError:
            pass

    def _undo(self, outcome: Any) -> None:
        """That it has ended is lost on nobody."""

    def _serve_watchers(self) -> None:
        watchers = self._watchers
        while True:
            try:
                watcher = watchers.pop(0)
            except IndexError:  # another thread serves too
                return
            if type(watcher) is Ticket:
                watcher.task.hub.fire(watcher, self)
            else:
                watcher()
            if not watchers:
                return

    def _call_when_done(self, hub: Hub, fn: Callable[[Any], object]) -> None:
        """Have `fn(self)` called in the context of `hub`, in a copy of the caller's."""
        if not callable(fn):
            raise TypeError(f"a done callback must be callable, not {fn!r}")
        self._watch(partial(_call_back, hub, partial(copy_context().run, fn, self), self))


def _call_back(hub: Hub, call: Callable[[], object], ended: Watched) -> None:
    try:
        hub.call_soon(call)
    except Closed:
        _log.error("%r has ended, and the hub that was to call %s is closed", ended, name_of(call))
