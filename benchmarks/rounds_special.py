"""What is not measured by the clock of one process alone: echo, memory, the entry of a verb, the floor.

What must live here: those rounds, and the checks that they happened. What this file must not know:
which library runs the first two.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter_ns as clock
from time import process_time_ns
from typing import Any

from .rounds import expect

CONNECTIONS = 64
MESSAGE = 100  # bytes


@dataclass(frozen=True)
class Sockets:
    """A library's sockets and tasks, as an echo server needs them."""

    spawn: Callable[..., Any]
    join: Callable[[Any], object]
    create_server: Callable[[tuple[str, int], int], Any]


def echo(library: Sockets, count: int, say: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Serve 64 connections until their clients have closed them; CPU time from accept to end."""
    echoed = 0

    def serve(connection: Any) -> None:
        nonlocal echoed
        receive, send = connection.recv, connection.sendall
        while data := receive(4096):
            send(data)
            echoed += 1
        connection.close()

    def accept() -> None:
        for _ in range(CONNECTIONS):
            connection, _ = listener.accept()
            tasks.append(library.spawn(serve, connection))

    tasks: list[Any] = []
    listener = library.create_server(("127.0.0.1", 0), 2 * CONNECTIONS)
    say({"port": listener.getsockname()[1]})
    before = process_time_ns()
    library.join(library.spawn(accept))
    for task in tasks:
        library.join(task)
    used = process_time_ns() - before
    listener.close()
    expect(echoed == count, f"{echoed} messages were echoed instead of {count}")
    return {"ns": used, "count": count}


def resident() -> int:
    """Bytes of this process in memory now; where the system does not tell, the most there ever were."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def memory(
    spawn: Callable[..., Any], join: Callable[[Any], object], event: Any, count: int
) -> dict[str, Any]:
    """Spawn tasks that wait for one event; what the process has grown by when all of them wait."""
    waiting = woken = 0

    def work() -> None:
        nonlocal waiting, woken
        waiting += 1
        if waiting == count:
            last.append(clock())
        event.wait()
        woken += 1

    def look() -> None:
        expect(waiting == count, f"{waiting} tasks wait instead of {count}")
        expect(woken == 0, "the tasks did not wait")
        grown.append(resident() - before)
        event.set()

    last: list[int] = []
    grown: list[int] = []
    before = resident()
    start = clock()
    tasks = [spawn(work) for _ in range(count)]
    join(spawn(look))  # started after all of them
    for task in tasks:
        join(task)
    expect(woken == count, f"{woken} tasks woke up instead of {count}")
    return {"ns": last[0] - start, "count": count, "bytes": grown[0] / count}


def entry(count: int) -> int:
    """What every verb of hubkit does first: look for a pending cancel, and find the hub."""
    from hubkit.registry import current_hub
    from hubkit.waiting import deliver_latched, latched

    hub = None
    start = clock()
    for _ in repeat(None, count):
        if latched:
            deliver_latched()
        hub = current_hub()
    middle = clock()
    for _ in repeat(None, count):
        pass
    elapsed = middle - start - (clock() - middle)
    expect(hub is not None and hub.current() is not None, "no hub was found, or not this task's")
    return elapsed


def floor(count: int) -> int:
    """Switches between two raw greenlets."""
    from greenlet import getcurrent, greenlet

    here = getcurrent()
    done = 0

    def other() -> None:
        nonlocal done
        back = here.switch
        while True:
            done += 1
            back()

    there = greenlet(other)
    switch = there.switch
    start = clock()
    for _ in repeat(None, count // 2):
        switch()
    elapsed = clock() - start
    expect(done == count // 2, f"{2 * done} switches instead of {count}")
    return elapsed
