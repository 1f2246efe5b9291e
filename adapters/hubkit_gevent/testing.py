"""gevent as its own users see it, for the conformance suite's tests that mix host and guest.

What must live here: gevent's spawn, sleep, kill and sockets behind `hubkit_conformance.hosts.Host`. What
this file must not know: what is tested with them.
"""

from __future__ import annotations

from typing import Any

import gevent
import gevent.socket

from hubkit import Task
from hubkit_conformance.hosts import Receive, Send, Sleep, Step, Steps, drive


class Host:
    """See `hubkit_conformance.hosts.Host`."""

    waits_mix = True

    def __init__(self) -> None:
        self._sockets: dict[Any, Any] = {}

    def spawn(self, steps: Steps) -> object:
        """A greenlet of gevent's own."""
        return gevent.spawn(drive, steps, self._do)

    def kill(self, task: Task[Any]) -> None:
        """GreenletExit, thrown by gevent's loop in its next turn."""
        gevent.kill(task.carrier)

    def sleep(self, seconds: float) -> None:
        """gevent's sleep."""
        gevent.sleep(seconds)

    def _do(self, step: Step) -> object:
        if isinstance(step, Sleep):
            return gevent.sleep(step.seconds)
        sock = self._sockets.get(step.sock)
        if sock is None:  # gevent's own socket on the same descriptor, which stays the test's
            sock = self._sockets[step.sock] = gevent.socket.socket(fileno=step.sock.fileno())
        if isinstance(step, Receive):
            return sock.recv(step.size)
        assert isinstance(step, Send)
        return sock.sendall(step.data)
