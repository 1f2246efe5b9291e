"""gevent as its own users see it, for the conformance suite's tests that mix host and guest.

What must live here: gevent's spawn, sleep, kill and waits on sockets behind `hubkit_conformance.hosts.Host`.
What this file must not know: what is tested with them.
"""

from __future__ import annotations

from typing import Any

import gevent
from gevent.socket import wait_read, wait_write

from hubkit import Task
from hubkit_conformance.hosts import Receive, Send, Sleep, Step, Steps, drive


class Host:
    """See `hubkit_conformance.hosts.Host`."""

    waits_mix = True

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
        step.sock.setblocking(False)
        if isinstance(step, Receive):
            wait_read(step.sock.fileno())
            return step.sock.recv(step.size)
        assert isinstance(step, Send)
        data = step.data
        while data:
            wait_write(step.sock.fileno())
            data = data[step.sock.send(data) :]
        return None
