"""What a pytest session that tests hubs gets: it is recorded, shown and reported.

What must live here: putting recorder, journal, progress bar and tables together. What this file must not
know: any rule, any hub.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from . import progress, reports, tables
from .environment import describe
from .journal import Journal
from .loading import load
from .recorder import Annotator, Recorder
from .results import Outcome, Run
from .variants import Row


def install(config: pytest.Config, rows: Sequence[Row], report: Path | None) -> None:
    """Set all of it up; the rows' hubs have been loaded, and the report can be written."""
    config.pluginmanager.register(Annotator(), "hubkit-annotator")
    if hasattr(config, "workerinput") or config.option.collectonly:
        return  # one of pytest-xdist's workers: the tests' reports go to the process that started it
    runs = [_new_run(row) for row in rows]
    config.pluginmanager.register(Session(config, runs, report), "hubkit-session")


def _new_run(row: Row) -> Run:
    return Run(
        hub=row.hub,
        variant=row.variant.name if row.variant else "",
        capabilities=sorted(load(row.hub).capabilities),
        environment=describe(row),
    )


class Session:
    """From the first test to the report."""

    def __init__(self, config: pytest.Config, runs: list[Run], report: Path | None) -> None:
        self._config = config
        self._runs = runs
        self._report = report
        self._journal: Journal | None = None
        if report is not None and report.suffix == reports.JOURNAL:
            self._journal = Journal(report)
            config.pluginmanager.register(self._journal, "hubkit-journal")
        config.pluginmanager.register(Recorder({run.hub: run for run in runs}, self._note), "hubkit-recorder")

    def _note(self, run: Run, outcome: Outcome) -> None:
        if self._journal is not None:
            self._journal.note(run, outcome)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        if self._journal is not None:
            self._journal.begin(self._runs)
        progress.install(self._config, ", ".join(run.label for run in self._runs))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        if self._journal is not None:
            self._journal.end(self._runs)
        elif self._report is not None:
            reports.write(self._report, self._runs)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for run in self._runs:
            terminalreporter.section(f"{run.label}, rule by rule")
            self._print([*tables.rule_table(run), *tables.legend([run])])
        if len(self._runs) > 1:
            terminalreporter.section("rules of hubkit")
            self._print(tables.matrix(self._runs))

    def pytest_unconfigure(self) -> None:
        """After pytest's own last line."""
        self._print([tables.verdict(run) for run in self._runs])
        if self._report is not None and self._journal is None:
            self._print([tables.Line(f"report: {self._report}")])

    def _print(self, lines: Sequence[tables.Line]) -> None:
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        for line in lines if reporter is not None else ():
            reporter.write_line(line.text, **line.colour)
