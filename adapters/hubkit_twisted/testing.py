"""Twisted as its own users see it, for the conformance suite's tests that mix host and guest.

What must live here: delayed calls and waits on sockets, chained, behind `hubkit_conformance.hosts.Host`.
What this file must not know: what is tested with them.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from greenlet import GreenletExit
from twisted.internet.abstract import FileDescriptor
from twisted.internet.task import deferLater

from hubkit import Task
from hubkit_conformance.hosts import Receive, Sleep, Steps

from .bridge import await_
from .where import reactor


class _Ready(FileDescriptor):
    """Calls once when a socket is ready, and forgets it."""

    def __init__(self, sock: socket.socket, fn: Callable[[], object]) -> None:
        super().__init__(reactor)
        self.fileno = sock.fileno  # type: ignore[method-assign]
        self._fn = fn

    def doRead(self) -> None:  # noqa: N802 # Twisted's name
        reactor.removeReader(self)
        self._fn()

    def doWrite(self) -> None:  # noqa: N802 # Twisted's name
        reactor.removeWriter(self)
        self._fn()


class _Chain:
    """A task of the host: calls of the reactor, each of which asks for the next."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def go_on(self, reply: object = None) -> None:
        """Send the reply to the last step, begin the next."""
        try:
            step = self._steps.send(reply)
        except StopIteration:
            return
        if isinstance(step, Sleep):
            reactor.callLater(step.seconds, self.go_on)
            return
        step.sock.setblocking(False)
        if isinstance(step, Receive):
            reactor.addReader(_Ready(step.sock, partial(self._receive, step)))
        else:
            reactor.addWriter(_Ready(step.sock, partial(self._send, step.sock, step.data)))

    def _receive(self, step: Receive) -> None:
        self.go_on(step.sock.recv(step.size))

    def _send(self, sock: socket.socket, data: bytes) -> None:
        left = data[sock.send(data) :]
        if left:
            reactor.addWriter(_Ready(sock, partial(self._send, sock, left)))
        else:
            self.go_on()


class Host:
    """See `hubkit_conformance.hosts.Host`."""

    waits_mix = False  # what runs in the reactor is a callback, which must not wait

    def spawn(self, steps: Steps) -> object:
        """A chain of calls, begun by the reactor."""
        return reactor.callLater(0, _Chain(steps).go_on)

    def kill(self, task: Task[Any]) -> None:
        """Twisted has no tasks to kill: what anybody may throw into a greenlet, thrown by the reactor."""
        reactor.callLater(0, task.carrier.throw, GreenletExit)

    def sleep(self, seconds: float) -> None:
        """A Deferred's."""
        await_(deferLater(reactor, seconds))
