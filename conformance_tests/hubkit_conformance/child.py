"""Scenarios that need a process of their own: exits, forks, signals, deadlocks, many tasks.

What must live here: running a function of a test module in a fresh interpreter on the hub under test.
What this file must not know: what the scenario does. The same file is the program that the child runs.
"""

from __future__ import annotations

import faulthandler
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from hubkit.errors import ContractViolation
from hubkit.registry import VARIABLE, load

from .watchdog import DEFAULT_SECONDS

#: The environment variable that names the fault of this process; see `faults`.
FAULT = "HUBKIT_FAULT"
#: Less than the watchdog's limit, so that the child's own stacks are seen.
SECONDS = 5 / 6 * (float(os.environ.get("HUBKIT_WATCHDOG", 0)) or DEFAULT_SECONDS)


@dataclass(frozen=True)
class Finished:
    """How a child ended: its exit status (negative: killed by that signal), and what it wrote."""

    status: int
    output: str
    errors: str

    def __str__(self) -> str:
        return f"status {self.status}\n-- stdout\n{self.output}\n-- stderr\n{self.errors}"


class Child:
    """Runs scenarios on one hub: `child(function, *arguments)`; arguments must be JSON."""

    def __init__(self, hub_name: str) -> None:
        self.hub_name = hub_name

    def __call__(
        self,
        scenario: Callable[..., Any],
        *arguments: Any,
        status: int | None = 0,
        seconds: float = SECONDS,
    ) -> Finished:
        """Run to the end; fails unless it ends with `status` (None: any). A hang ends with all stacks."""
        with self.start(scenario, *arguments, seconds=seconds) as process:
            try:
                output, errors = process.communicate(timeout=1.1 * seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                output, errors = process.communicate()
                raise AssertionError(f"{scenario.__name__} hung\n{output}\n{errors}") from None
            except BaseException:
                process.kill()
                raise
        finished = Finished(process.returncode, output, errors)
        assert ContractViolation.__name__ not in errors, f"{scenario.__name__} ended with {finished}"
        assert status is None or finished.status == status, f"{scenario.__name__} ended with {finished}"
        return finished

    def start(
        self, scenario: Callable[..., Any], *arguments: Any, seconds: float = SECONDS
    ) -> subprocess.Popen[str]:
        """Start it and leave the rest to the caller; its three streams are pipes."""
        environment = {
            **os.environ,
            VARIABLE: self.hub_name,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "PYTHONUNBUFFERED": "1",
        }
        return subprocess.Popen(
            [
                sys.executable,
                *(f"-W{option}" for option in sys.warnoptions),
                "-m",
                __name__,
                scenario.__module__,
                scenario.__qualname__,
                json.dumps(arguments),
                str(seconds),
            ],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def main(module: str, function: str, arguments: str, seconds: str) -> None:
    """The child's side."""
    # Its thread is no Python thread: the hub must not take it for one that could wake somebody. A process
    # forked from this one lacks it, and would wait for it at its exit.
    faulthandler.dump_traceback_later(float(seconds), exit=True)
    os.register_at_fork(before=faulthandler.cancel_dump_traceback_later)
    if FAULT in os.environ:
        faults = import_module(f"{__package__}.faults")
        faults.install(os.environ[FAULT], load(os.environ[VARIABLE]))
    getattr(import_module(module), function)(*json.loads(arguments))
    faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main(*sys.argv[1:])
