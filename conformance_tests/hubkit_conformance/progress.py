"""The progress bar, drawn by rich in place of pytest's dots.

What must live here: what is seen while the suite runs. What this file must not know: what becomes of the
outcomes. Without rich, or where nobody watches a terminal, pytest shows its own progress.
"""

from __future__ import annotations

from importlib.util import find_spec
from time import monotonic
from typing import Any, Literal

import pytest

_EVERY = 0.1  # seconds between two drawings


def install(config: pytest.Config, title: str) -> None:
    """Draw a bar in this session if it can be seen."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    plain = config.option.verbose > 0 or config.getoption("capture") == "no" or config.option.collectonly
    if reporter is None or plain or not reporter.isatty or find_spec("rich") is None:
        return
    reporter.showfspath = False
    reporter._show_progress_info = False  # of no consequence should pytest come to call it otherwise
    config.pluginmanager.register(Bar(config.get_terminal_writer(), title), "hubkit-progress")


class _Screen:
    """What rich writes to: pytest's own stream, which is not captured."""

    encoding = "utf-8"

    def __init__(self, writer: Any) -> None:
        self.write = writer.write
        self.flush = writer.flush

    def isatty(self) -> bool:
        return True


class Bar:
    """One line at the bottom; what fails is printed above it."""

    def __init__(self, writer: Any, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(file=_Screen(writer), force_terminal=True, width=writer.fullwidth)  # type: ignore[arg-type]
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[rule]}"),
            console=self._console,
            transient=True,
            # No thread: the hub under test must not take it for one that could still wake somebody.
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._title = title
        self._bar: Any = None
        self._drawn = 0.0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        if session.items:
            self._progress.start()
            self._bar = self._progress.add_task(self._title, total=len(session.items), rule="")

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """The category that pytest counts it under, and nothing to print."""
        category: Literal["passed", "failed", "skipped", "error", ""]
        if hasattr(report, "wasxfail"):
            return None
        category = report.outcome if report.when == "call" or report.skipped else ""
        if report.failed and report.when != "call":
            category = "error"
        return category, "", ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self._bar is None:
            return
        if report.failed:
            self._console.print(f"failed: {report.nodeid.rpartition('::')[2]}", style="red", markup=False)
        if report.when == "teardown":
            facts = getattr(report, "hubkit", {})
            self._progress.update(self._bar, advance=1, rule=facts.get("rule", ""))
            if monotonic() - self._drawn > _EVERY:
                self._drawn = monotonic()
                self._progress.refresh()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        self._progress.stop()
