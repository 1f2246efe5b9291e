"""The Twisted hub: hubkit's scheduler as a guest on Twisted's reactor, whichever is installed.

`run_task` runs synchronous hubkit code from Twisted's, `await_` waits for a Deferred in a hubkit task.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hubkit.contract import Adapter, Variant

if TYPE_CHECKING:
    from .bridge import await_, run_task

__all__ = ["adapter", "await_", "run_task"]

#: Names the reactor to install (epoll, asyncio, …) where nobody has installed one before.
REACTOR = "HUBKIT_TWISTED_REACTOR"


def detect() -> bool:
    """Whether the reactor runs in this thread."""
    reactor = sys.modules.get("twisted.internet.reactor")
    threadable = sys.modules.get("twisted.python.threadable")
    return threadable is not None and getattr(reactor, "running", False) and threadable.isInIOThread()


def __getattr__(name: str) -> Any:
    """The bridge imports Twisted, and with it the reactor: only for those who use it."""
    if name not in ("await_", "run_task"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import bridge

    return getattr(bridge, name)


adapter = Adapter(
    name="twisted",
    hub="hubkit_twisted.hub:TwistedHub",
    requires=("twisted",),
    install="pip install 'hubkit[twisted]'",
    distribution="twisted",
    detect=detect,
    variants=(Variant("epoll", {REACTOR: "epoll"}), Variant("asyncio", {REACTOR: "asyncio"})),
)
