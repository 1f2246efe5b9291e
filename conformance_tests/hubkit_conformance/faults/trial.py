"""A trial: the suite against one fault, in a process of its own.

What must live here: how pytest is called, and what is concluded from its end. What this file must not know:
what a fault does; how many trials there are.
"""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest

from .. import journal, plugin, watchdog
from ..results import PASSED, Run

RULES = Path(__file__).parents[1] / "rules"
#: Seconds that a phase of a test may take, and a trial all in all.
WATCHDOG, LIMIT = 10, 120


@dataclass(frozen=True)
class Verdict:
    """What came out of a trial."""

    by: str = ""  #: the test that failed first; empty: the fault was not found
    ran: int = 0  #: tests that passed
    why: str = ""  #: what else there is to say
    seconds: float = 0.0
    status: int | None = 0  #: of pytest
    output: str = ""

    @property
    def found(self) -> bool:
        """Whether a test has failed, or hung where the watchdog saw it."""
        return bool(self.by)

    @property
    def broke_down(self) -> bool:
        """Whether it says nothing, as neither a test has failed nor all have passed."""
        return not self.found and self.status != pytest.ExitCode.OK


def places() -> dict[str, str]:
    """Where each test of a rule is, as pytest writes it."""
    return {
        node.name: f"{path}::{node.name}"
        for path in sorted(RULES.glob("test_*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test")
    }


def run(hub: str, fault: str, tests: list[str], stop: bool = True) -> Verdict:
    """Run `tests` on `hub` with `fault`; until one fails, if it is to stop there."""
    started = monotonic()
    with tempfile.TemporaryDirectory(prefix="hubkit-fault-") as folder:
        report = Path(folder) / "run.jsonl"
        status, output = _call(hub, fault, [*tests, f"{plugin.REPORT}={report}", *(["-x"] if stop else [])])
        runs = journal.read(report) if report.exists() else []
    result = runs[0] if runs else Run(hub)
    by, why = conclude(status, result, output)
    ran = result.count(PASSED)
    return Verdict(by, ran, why or f"{ran} tests pass", monotonic() - started, status, output)


def _call(hub: str, fault: str, arguments: list[str]) -> tuple[int | None, str]:
    command = [sys.executable, "-m", "pytest", plugin.OPTION, hub, plugin.FAULT, fault]
    options = ["-q", "--tb=short", "--color=no", "-p", "no:cacheprovider", "-p", plugin.__name__]
    process = subprocess.Popen(
        [*command, *options, *arguments],
        # Other people's plugins are not asked: to import them takes longer than most trials.
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "HUBKIT_WATCHDOG": str(WATCHDOG)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # so that what it leaves behind can be ended with it
    )
    try:
        output, _ = process.communicate(timeout=LIMIT)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        return None, f"not done within {LIMIT} s"
    finally:
        _end_group(process)


def _end_group(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.communicate()


def conclude(status: int | None, result: Run, output: str) -> tuple[str, str]:
    """By which test the fault was found, if by any; and what else there is to say."""
    failed = [outcome.name for outcome in result.failures]
    if failed and status == pytest.ExitCode.TESTS_FAILED:
        return failed[0], ""
    if failed and status == watchdog.EXIT_STATUS and "watchdog:" in output:
        return failed[0], "the watchdog had to end the process"
    return "", "" if status == pytest.ExitCode.OK else f"pytest ended with status {status}"
