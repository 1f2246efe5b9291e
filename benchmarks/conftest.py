"""Options of the benchmarks, the results of the session, and the tables at its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import report
from .measure import Result, measure
from .plan import FULL, QUICK, Comparison, Effort


class Laboratory:
    """Measures each comparison once, when its first side is asked for."""

    def __init__(self, effort: Effort) -> None:
        self.effort = effort
        self.results: dict[Comparison, Result] = {}
        self.warning = report.others_at_work()

    def result(self, comparison: Comparison) -> Result:
        """The rounds of both sides."""
        if comparison not in self.results:
            self.results[comparison] = measure(comparison, self.effort)
        return self.results[comparison]


LABORATORY = pytest.StashKey[Laboratory]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hubkit benchmarks")
    group.addoption("--quick", action="store_true", help="few rounds: a first impression in under a minute")
    group.addoption("--check-targets", action="store_true", help="fail if a target is missed")
    group.addoption("--write-to", type=Path, help="write the tables to this file, if all was measured")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LABORATORY] = Laboratory(QUICK if config.getoption("quick") else FULL)


@pytest.fixture
def laboratory(pytestconfig: pytest.Config) -> Laboratory:
    return pytestconfig.stash[LABORATORY]


def pytest_sessionfinish(session: pytest.Session) -> None:
    results = session.config.stash[LABORATORY].results
    if session.config.getoption("check_targets") and report.missed(results):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(trylast=True)  # after the tables of pytest-benchmark
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    laboratory = config.stash[LABORATORY]
    results = laboratory.results
    if not results:
        return
    terminalreporter.section("hubkit against its hosts")
    for line in filter(None, [*report.machine(), laboratory.warning]):
        terminalreporter.line(line)
    width = max(terminalreporter._tw.fullwidth, 100)
    for rows in (report.ratios(results), report.others(results)):
        if rows:
            for line in report.pretty(rows, width):
                terminalreporter.line(line)
    for line in report.throughput(results):
        terminalreporter.line(line)
    for line in report.missed(results):
        terminalreporter.line(f"missed: {line}")
    path: Path | None = config.getoption("write_to")
    if path is not None:
        _write(terminalreporter, path, laboratory)


def _write(reporter: pytest.TerminalReporter, path: Path, laboratory: Laboratory) -> None:
    if not report.complete(laboratory.results):
        reporter.line(f"not everything was measured: {path.name} is left as it was")
        return
    text = report.document(laboratory.results, laboratory.warning, laboratory.effort)
    path.write_text(text, encoding="utf-8")
    reporter.line(f"written to {path.name}")
