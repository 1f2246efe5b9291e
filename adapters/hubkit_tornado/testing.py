"""Tornado as its own users see it, for the conformance suite's tests that mix host and guest.

What must live here: Tornado's callbacks, sleep and handlers of descriptors behind
`hubkit_conformance.hosts.Host`. What this file must not know: what is tested with them.
"""

from __future__ import annotations

import asyncio
import socket

from tornado import gen
from tornado.ioloop import IOLoop

from hubkit_asyncio import await_, testing
from hubkit_conformance.hosts import Receive, Send, Sleep, Step, Steps


class Host(testing.Host):
    """See `hubkit_conformance.hosts.Host`."""

    def spawn(self, steps: Steps) -> object:
        """A coroutine that Tornado starts."""
        IOLoop.current().spawn_callback(self._drive, steps)
        return steps

    def sleep(self, seconds: float) -> None:
        """Tornado's sleep, by the bridge."""
        await_(gen.sleep(seconds))

    async def _do(self, step: Step) -> object:
        if isinstance(step, Sleep):
            await gen.sleep(step.seconds)
            return None
        step.sock.setblocking(False)
        if isinstance(step, Receive):
            await self._ready(step.sock, IOLoop.READ)
            return step.sock.recv(step.size)
        assert isinstance(step, Send)
        data = step.data
        while data:
            await self._ready(step.sock, IOLoop.WRITE)
            data = data[step.sock.send(data) :]
        return None

    async def _ready(self, sock: socket.socket, events: int) -> None:
        ready = asyncio.Event()
        loop = IOLoop.current()
        loop.add_handler(sock, lambda *_: ready.set(), events)
        try:
            await ready.wait()
        finally:
            loop.remove_handler(sock)
