"""The uvloop hub: which loop is started.

What must live here: making uvloop's loop, and where it differs. Everything else is the asyncio hub's.
"""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop

from hubkit_asyncio.hub import AsyncioHost, AsyncioHub
from hubkit_asyncio.loops import OwnLoop


class UvloopLoop(OwnLoop):
    """One of uvloop's loops."""

    __slots__ = ()

    def make(self) -> asyncio.AbstractEventLoop:
        """uvloop's, whatever the policy of this process says."""
        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        loop.set_exception_handler(self._on_loop_error)
        return loop

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """uvloop calls Python's signal handlers in a callback of its own, and logs what they raise: that
        goes to the main task, as it does where a handler interrupts the loop."""
        if "_read_from_self" in repr(context.get("handle")):
            self.on_error(context["exception"])
        else:
            loop.default_exception_handler(context)


class UvloopHost(AsyncioHost):
    """The running loop, or one of uvloop's."""

    own_loop = UvloopLoop


class UvloopHub(AsyncioHub):
    """The guest on uvloop."""

    name = "uvloop"
    host_class = UvloopHost
    testing = "hubkit_asyncio.testing"
