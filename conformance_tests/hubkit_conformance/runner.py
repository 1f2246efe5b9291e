"""Running rows of the matrix, each in a process of its own, as anybody would run them.

What must live here: the command of a run, and what it means how its process ended. What this file must
not know: how results are shown.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import journal
from .results import Run
from .variants import Row

#: pytest's exit statuses that are about the command line, not about the hub.
USAGE_ERROR, NO_TESTS = 4, 5
PATIENCE = 10.0  # seconds that pytest has for its summary after Ctrl-C


@dataclass(frozen=True)
class Finished:
    """How the process of a row ended; `run` is None if it never began."""

    row: Row
    status: int
    run: Run | None
    command: str
    output: str = field(default="", repr=False)  #: if it was captured

    @property
    def died(self) -> bool:
        """Whether pytest did not come to its own end, so that nothing has been shown of the result."""
        return self.run is not None and self.run.trouble.startswith("the process")


def run_row(
    row: Row,
    arguments: Sequence[str] = (),
    *,
    capture: bool = False,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> Finished:
    """Run the suite on one row; after `seconds`, if given, the process is killed."""
    with tempfile.TemporaryDirectory(prefix="hubkit-conformance-") as folder:
        path = Path(folder) / "run.jsonl"
        words = ["-m", "pytest", "--pyargs", "hubkit_conformance", "--hubkit-hub", row.hub]
        words += ["--hubkit-variant", row.variant.name] if row.variant else []
        pipes: dict[str, Any] = {}
        if capture:
            pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(
            [sys.executable, *words, "--hubkit-report", str(path), *arguments],
            env=environment,
            text=True,
            errors="replace",
            **pipes,
        )
        output, timed_out = _wait(process, seconds)
        runs = journal.read(path) if path.exists() else []
    run = runs[0] if runs else None
    if run is not None and run.trouble:
        run.trouble += f"{_how(process.returncode)}{f', killed after {seconds:g} s' if timed_out else ''}"
    return Finished(row, process.returncode, run, " ".join(["python", *words, *arguments]), output or "")


def _wait(process: subprocess.Popen[str], seconds: float | None) -> tuple[str | None, bool]:
    try:
        return process.communicate(timeout=seconds)[0], False
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0], True
    except KeyboardInterrupt:  # the terminal has sent it to pytest, too, which sums up now
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _how(status: int) -> str:
    if status >= 0:
        return f" with status {status}"
    try:
        return f" by {signal.Signals(-status).name}"
    except ValueError:
        return f" by signal {-status}"
