"""The contenders: each library's names for what the workloads need.

What must live here: how a library is set up in a process of its own, and its verbs. What this file must
not know: what is measured. A contender gives back one function, which runs a round by name.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from . import rounds, rounds_special
from .rounds import Verbs
from .rounds_special import Sockets

#: Sends a line to the parent before the round is over.
Say = Callable[[dict[str, Any]], None]
#: (workload, count, say) -> what the round has found: "ns", "count", perhaps more.
Play = Callable[[str, int, Say], dict[str, Any]]


def on_verbs(verbs: Verbs, sockets: Callable[[], Sockets], event: Callable[[], Any]) -> Play:
    """All workloads on a library whose verbs are plain calls."""

    def play(workload: str, count: int, say: Say) -> dict[str, Any]:
        if workload == "echo":
            return rounds_special.echo(sockets(), count, say)
        if workload == "memory":
            return rounds_special.memory(verbs.spawn, verbs.join, event(), count)
        return {"ns": rounds.ROUNDS[workload](verbs, count), "count": count}

    return play


def gevent() -> Play:
    """gevent as it comes, its compiled parts included."""
    import gevent
    from gevent import event, queue, socket

    def sockets() -> Sockets:
        def create_server(address: tuple[str, int], backlog: int) -> Any:
            listener = socket.socket()  # gevent's create_server makes sockets that block
            listener.bind(address)
            listener.listen(backlog)
            return listener

        return Sockets(gevent.spawn, gevent.Greenlet.join, create_server)

    verbs = Verbs(gevent.spawn, gevent.Greenlet.join, gevent.sleep, queue.Queue)
    return on_verbs(verbs, sockets, event.Event)


def eventlet() -> Play:
    """eventlet; its tasks are joined by `wait`."""
    warnings.filterwarnings("ignore", r"\s*Eventlet is deprecated")
    import eventlet
    from eventlet import queue
    from eventlet.event import Event
    from eventlet.greenthread import GreenThread

    class OneShot(Event):  # type: ignore[misc]
        """eventlet's event under the name that the workloads use."""

        set = Event.send

    def sockets() -> Sockets:
        def create_server(address: tuple[str, int], backlog: int) -> Any:
            return eventlet.listen(address, backlog=backlog)

        return Sockets(eventlet.spawn, GreenThread.wait, create_server)

    return on_verbs(Verbs(eventlet.spawn, GreenThread.wait, eventlet.sleep, queue.Queue), sockets, OneShot)


def asyncio() -> Play:
    """asyncio on the loop that comes with Python."""
    import asyncio

    from .rounds_asyncio import ROUNDS

    loop = asyncio.new_event_loop()

    def play(workload: str, count: int, say: Say) -> dict[str, Any]:
        return {"ns": loop.run_until_complete(ROUNDS[workload](count)), "count": count}

    return play


def hubkit(hub: str) -> Play:
    """hubkit on one of its hubs."""
    warnings.filterwarnings("ignore", r"\s*Eventlet is deprecated")
    import hubkit

    def sockets() -> Sockets:
        from hubkit.green import socket

        def create_server(address: tuple[str, int], backlog: int) -> Any:
            return socket.create_server(address, backlog=backlog)

        return Sockets(hubkit.spawn, hubkit.Task.join, create_server)

    hubkit.use(hub)
    on_hub = on_verbs(
        Verbs(hubkit.spawn, hubkit.Task.join, hubkit.sleep, hubkit.Queue), sockets, hubkit.Event
    )

    def play(workload: str, count: int, say: Say) -> dict[str, Any]:
        if workload == "entry":
            return {"ns": rounds_special.entry(count), "count": count}
        return on_hub(workload, count, say)

    return play


def hubkit_without_reuse(hub: str) -> Play:
    """hubkit with a new worker for each task, to show what using them again is worth."""
    from hubkit import crew

    assert vars(crew)["MAX_IDLE"] > 0  # the name that a crew goes by
    vars(crew)["MAX_IDLE"] = 0
    return hubkit(hub)


def greenlet() -> Play:
    """Raw greenlets: the floor under everything here but asyncio."""

    def play(workload: str, count: int, say: Say) -> dict[str, Any]:
        return {"ns": rounds_special.floor(count), "count": count}

    return play


CONTENDERS: dict[str, Callable[[], Play]] = {
    "gevent": gevent,
    "eventlet": eventlet,
    "asyncio": asyncio,
    "greenlet": greenlet,
    "hubkit-gevent": lambda: hubkit("gevent"),
    "hubkit-eventlet": lambda: hubkit("eventlet"),
    "hubkit-native": lambda: hubkit("native"),
    "hubkit-native-new-workers": lambda: hubkit_without_reuse("native"),
}
