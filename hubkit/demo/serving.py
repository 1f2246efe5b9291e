"""The life of a serving process: ready line, work, end.

What must live here: the protocol with the process that started this one. What this file must not know:
what is served.

Over stdout: `ready PORT` once connections are accepted; `peak BYTES`, the most memory that was ever
resident, at the end. It ends by SIGTERM, or when stdin is closed, as it is when the starter dies.
"""

from __future__ import annotations

import resource
import signal
import sys
from pathlib import Path

from hubkit import Event, spawn, wait_readable
from hubkit.pipeline import Application, Routes, Server

from .starter import tell


def serve(routes: Routes) -> None:
    """Serve until told to end.

    Switches: always. Call from: hub, in the main thread. Raises: OSError, Cancelled, SystemExit.
    """
    end = Event()
    signal.signal(signal.SIGTERM, lambda signum, frame: end.set())
    spawn(_watch_starter, end)
    with Server(Application(routes)) as server:
        tell("ready", server.address[1])
        end.wait()
    tell("peak", peak_memory())


def _watch_starter(end: Event) -> None:
    wait_readable(sys.stdin.fileno())
    end.set()


def peak_memory() -> int:
    """The most memory of this process that was ever resident, in bytes.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    try:
        # Linux: ru_maxrss is no good there, as it starts from the size of the process that forked.
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
