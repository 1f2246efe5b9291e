"""eventlet as its own users see it, for the conformance suite's tests that mix host and guest.

What must live here: eventlet's spawn, sleep, kill and waits on sockets behind
`hubkit_conformance.hosts.Host`. What this file must not know: what is tested with them.
"""

from __future__ import annotations

from typing import Any

import eventlet
from eventlet.greenthread import kill
from eventlet.hubs import trampoline

from hubkit import Task
from hubkit_conformance.hosts import Receive, Send, Sleep, Step, Steps, drive


class Host:
    """See `hubkit_conformance.hosts.Host`."""

    waits_mix = True

    def spawn(self, steps: Steps) -> object:
        """A green thread of eventlet's own."""
        return eventlet.spawn(drive, steps, self._do)

    def kill(self, task: Task[Any]) -> None:
        """GreenletExit, thrown here and now; the caller goes on in the loop's next turn."""
        kill(task.carrier)

    def sleep(self, seconds: float) -> None:
        """eventlet's sleep."""
        eventlet.sleep(seconds)

    def _do(self, step: Step) -> object:
        if isinstance(step, Sleep):
            return eventlet.sleep(step.seconds)
        step.sock.setblocking(False)
        if isinstance(step, Receive):
            trampoline(step.sock.fileno(), read=True)
            return step.sock.recv(step.size)
        assert isinstance(step, Send)
        data = step.data
        while data:
            trampoline(step.sock.fileno(), write=True)
            data = data[step.sock.send(data) :]
        return None
