"""Running a program in a process of its own on a given hub: for what one process cannot do twice.

Signals, forks, a thread's end, a host's own loop: each needs an interpreter that nobody has touched.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

#: Hubs that schedule greenlets, as (name, environment).
LOOP_HUBS = {
    "native": {},
    "gevent": {},
    "gevent-libuv": {"GEVENT_LOOP": "libuv"},
    "eventlet": {},
    "asyncio": {},
    "uvloop": {},
    "twisted": {},
}

PRELUDE = """
import gc, os, signal, sys, threading, time
import hubkit
from hubkit.registry import current_hub, this_task
from hubkit.spawning import spawn, current_task
from hubkit.waiting import Ticket, wait, own_ticket
from hubkit import errors

def park(seconds=None):
    return wait(own_ticket(), seconds)

def let_run(times=3):
    for _ in range(times):
        current_hub().yield_now()
"""


def run_script(code: str, hub: str, timeout: float = 60, prelude: str = PRELUDE, **variables: str) -> str:
    """What the program prints; an error of it, or anything on its standard error, fails the caller."""
    name = hub.partition("-")[0]
    environment = {**os.environ, **LOOP_HUBS.get(hub, {}), **variables, "HUBKIT_BACKEND": name}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", prelude + textwrap.dedent(code)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
