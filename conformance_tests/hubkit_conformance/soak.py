"""python -m hubkit_conformance.soak: the suite again and again, on a machine that is kept busy.

What must live here: the rounds, the load, and what is reported. What this file must not know: any rule, any
hub.

A right hub never fails. What fails once in fifty runs, and only when others take the processor away at the
wrong moment, is as wrong as what fails each time: in the hub, in hubkit, or in a test that counts on luck.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

from hubkit import registry
from hubkit.errors import HubError

from .loading import load

#: Keeps a processor busy until its parent is gone, by hook (its stdin ends) or by crook.
BUSY = """
import os, select, time
parent = os.getppid()
while os.getppid() == parent and not select.select([0], [], [], 0)[0]:
    end = time.monotonic() + 0.05
    while time.monotonic() < end:
        sum(range(1000))
"""
#: Seconds after which a round is not slow but hung.
LIMIT = 1800.0


def main(arguments: list[str] | None = None) -> int:
    """The command; its status is 1 if a round failed."""
    options = _parse(arguments)
    for hub in options.hub or registry.available_hubs():
        with _load(options.load):
            for number in range(1, options.rounds + 1):
                started = monotonic()
                status, output = _round(hub, options.pytest)
                counts = (re.findall(r"^\d+ (?:passed|failed).*$", output, re.MULTILINE) or ["no summary"])[
                    -1
                ]
                print(
                    f"{hub} {number}/{options.rounds}: {counts} ({monotonic() - started:.0f} s)", flush=True
                )
                if status:
                    print(output)
                    print(f"{hub}: round {number} ended with status {status}")
                    return 1
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m hubkit_conformance.soak",
        description="Run the conformance suite many times on a busy machine; the first failure ends it.",
    )
    parser.add_argument(
        "--hub", action="append", help="a hub's name; repeatable; all that are installed if none"
    )
    parser.add_argument("--rounds", type=int, default=50, help="runs on each hub (default: 50)")
    parser.add_argument(
        "--load", type=int, default=2 * (os.cpu_count() or 1), help="processes that keep the machine busy"
    )
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    options = parser.parse_args(arguments)
    try:
        for hub in options.hub or ():
            load(hub)
    except HubError as error:
        parser.error(str(error))
    return options


def _round(hub: str, options: list[str]) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", str(Path(__file__).parent), "--hubkit-hub", hub]
    try:
        finished = subprocess.run(
            [*command, "-q", "-x", "--color=no", "-p", "no:cacheprovider", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as hung:
        return -1, f"{hung.stdout or ''}\nnot done within {LIMIT:g} s"
    return finished.returncode, finished.stdout


@contextlib.contextmanager
def _load(number: int) -> Iterator[None]:
    """So many processes that do nothing but be busy, for the length of the block."""
    busy = [subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE) for _ in range(number)]
    try:
        yield
    finally:
        for process in busy:
            assert process.stdin is not None
            process.stdin.close()
        for process in busy:
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
