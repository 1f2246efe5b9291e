"""Homes: the loop hubs of a thread, and what each of them lives with.

What must live here: finding a hub again, by its class and the loop that runs; freeing those whose loop or
thread has ended. What this file must not know: how a hub works.

A hub lives with a running loop, or with its thread where it has a loop of its own or none. Another loop is
another hub, also in the same thread: two runs of a program's loop have nothing to do with each other.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, TypeVar

from .originals import ThreadLocal
from .worker_threads import after_each_job

if TYPE_CHECKING:
    from .contract import Hub
    from .loop_hub import LoopHub

HubClass = TypeVar("HubClass", bound="LoopHub")

_threads = ThreadLocal()  # .homes: this thread's; the only reference to it, so that it ends with the thread

_log = logging.getLogger("hubkit")


class Homes:
    """A thread's hubs. Freed with the thread: nothing that a suspended greenlet can reach refers to it."""

    def __init__(self) -> None:
        #: By class, and the loop that a hub lives with; None: with the thread.
        self._hubs: dict[tuple[type[LoopHub], object], LoopHub] = {}

    def find(self, hub_class: type[HubClass], create: bool) -> HubClass | None:
        """The hub of this class that serves the thread now; see `Hub.here`."""
        loop = hub_class.host_class.loop_here()
        hub = self._hubs.get((hub_class, loop))
        if hub is not None and not hub.closed():
            return hub  # type: ignore[return-value]
        if loop is None and not create and not hub_class.host_class.alive_here():
            return None
        self._bury()
        made = self._hubs[hub_class, loop] = hub_class()
        return made

    def _bury(self) -> None:
        """Forget the hubs that are closed, and close those whose loop has ended without them."""
        for key, hub in list(self._hubs.items()):
            if not hub.closed() and hub.host.ended():
                bury(hub)
            if hub.closed():
                del self._hubs[key]

    def __del__(self) -> None:
        if not sys.is_finalizing():  # then the whole process gives back what it has
            for hub in self._hubs.values():
                hub.free(hub.host.abandon)


def homes_here() -> Homes:
    """The calling thread's."""
    try:
        return _threads.homes  # type: ignore[no-any-return]
    except AttributeError:
        homes = _threads.homes = Homes()
        return homes


def _has_none() -> bool:
    """Whether no hub was made here: a job that has made one takes the thread along, one that looked not."""
    homes = getattr(_threads, "homes", None)
    return homes is None or not homes._hubs


after_each_job(_has_none)


def bury(hub: Hub) -> None:
    """Close a hub whose loop runs no more, and complain, once, of the tasks that are left on it."""
    if hub.tasks:
        _log.warning("dropped, as their loop runs no more: %s", ", ".join(map(repr, hub.tasks)))
    hub.close()
