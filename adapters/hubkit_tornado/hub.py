"""The Tornado hub: which loop is started, and by whom.

What must live here: an IOLoop of our own. Everything else is the asyncio hub's: Tornado's IOLoop is a view
of an asyncio loop, and a running one is found as that.
"""

from __future__ import annotations

import asyncio

from tornado.ioloop import IOLoop

from hubkit_asyncio.hub import AsyncioHost, AsyncioHub
from hubkit_asyncio.loops import OwnLoop


class TornadoLoop(OwnLoop):
    """An IOLoop, which is `IOLoop.current()` as long as it runs."""

    __slots__ = ("_ioloop",)

    def make(self) -> asyncio.AbstractEventLoop:
        """The asyncio loop under a new IOLoop."""
        self._ioloop = IOLoop(make_current=False)
        loop: asyncio.AbstractEventLoop = self._ioloop.asyncio_loop
        return loop

    def go(self) -> None:
        """As a program on Tornado does."""
        self._ioloop.start()

    def close(self) -> None:
        """The asyncio loop as well."""
        self._ioloop.close()


class TornadoHost(AsyncioHost):
    """The IOLoop that runs here, or one of our own."""

    own_loop = TornadoLoop


class TornadoHub(AsyncioHub):
    """The guest on Tornado."""

    name = "tornado"
    host_class = TornadoHost
