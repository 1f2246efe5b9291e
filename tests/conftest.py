"""What every test of the project gets: the watchdog, and a hint when something was missing."""

from __future__ import annotations

import gc
import re
from pathlib import Path

import pytest
from hubs import a_hub_in_each_thread, adapter, hub
from wheels import build_wheel

from hubkit.waiting import latched
from hubkit_conformance import watchdog

__all__ = ["a_hub_in_each_thread", "adapter", "hub"]

#: How a skip says that a package or a service is not there; other skips (capabilities) need no hint.
MISSING = re.compile(r"could not import|not installed|missing|not reachable", re.IGNORECASE)


def pytest_configure(config: pytest.Config) -> None:
    watchdog.install(config)


def pytest_collection_finish() -> None:
    """The collector need not look at some hundred thousand objects of pytest each time a test calls it."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    lacking = sum(1 for report in skipped if MISSING.search(str(report.longrepr)))
    if lacking:
        terminalreporter.line(
            f"hint: {lacking} tests were skipped for something that is not here. Packages: "
            "`make clean test`, or `pip install -e '.[dev]'` in your own environment. "
            "Services: each reason (-rs) names the one it wants; start it and run again."
        )


@pytest.fixture(autouse=True)
def no_hints_of_ended_threads() -> None:
    """What a thread that ended never took stays latched: it is nothing to the next test."""
    latched.clear()


@pytest.fixture(scope="session")
def wheel_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """hubkit's wheel, built once from this tree."""
    return build_wheel(tmp_path_factory.mktemp("hubkit"))
