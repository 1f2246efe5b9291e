"""What the tests ask of a hub's host, if it is a guest of somebody's event loop.

What must live here: the `Host` protocol and how it is found. What this file must not know: any host.

The author of a hub in `package.hub` puts a module `package.testing` beside it with a class `Host` that
takes no arguments (or names another module in the attribute `testing` of the hub class). A task of the
host is written as a generator that yields steps, so that the same test runs on hosts of callbacks,
of greenlets and of coroutines: `Host.spawn` makes a task of the host out of it that does each step by
the host's own means and sends the reply back. Between two steps it must not wait.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from hubkit import Task
from hubkit.contract import Hub


@dataclass(frozen=True)
class Sleep:
    """Step: the host's own sleep, in seconds."""

    seconds: float


@dataclass(frozen=True)
class Receive:
    """Step: receive up to `size` bytes by the host's own socket; the reply is the bytes."""

    sock: socket.socket
    size: int


@dataclass(frozen=True)
class Send:
    """Step: send all of `data` by the host's own socket."""

    sock: socket.socket
    data: bytes


Step = Sleep | Receive | Send
Steps = Generator[Step, Any, None]


class Host(Protocol):
    """The event loop that a hub is a guest of, as its own users see it."""

    #: Whether a task of the host may wait in hubkit's verbs, and one of hubkit's in the host's.
    waits_mix: bool

    def spawn(self, steps: Steps) -> object:
        """Start a task of the host."""

    def kill(self, task: Task[Any]) -> None:
        """Throw into the carrier of a hubkit task as a user of the host would, soon or at once.

        Also into a task of the host that has called hubkit.
        """

    def sleep(self, seconds: float) -> None:
        """The host's own sleep, called in a task of hubkit. Only where the waits mix."""


def drive(steps: Steps, do: Callable[[Step], object]) -> None:
    """The body of a host's task where that is a function: do each step, send back the reply."""
    reply: object = None
    try:
        while True:
            try:
                step = steps.send(reply)
            except StopIteration:
                return
            reply = do(step)
    finally:
        steps.close()


def find_host(hub_class: type[Hub]) -> Host | None:
    """The host of a hub, or None if its author supplies none."""
    package = hub_class.__module__.rpartition(".")[0]
    name = getattr(hub_class, "testing", f"{package}.testing" if package else "")
    if not name or name == "hubkit.testing" or find_spec(name) is None:
        return None
    made = getattr(import_module(name), "Host", None)
    return None if made is None else made()
