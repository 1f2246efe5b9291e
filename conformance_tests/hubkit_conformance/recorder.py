"""Watches a pytest session and notes how each test of the suite ends.

What must live here: the pytest hooks that turn reports into outcomes. What this file must not know: what
becomes of the outcomes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from time import perf_counter

import pytest

from .results import FAILED, PASSED, SKIPPED, Outcome, Run, rule_of, without_hub

#: Which capabilities a skipped test lacked, or was kept from by. Set by the plugin's fixtures.
LACKS = pytest.StashKey[list[str]]()
CLAIMS = pytest.StashKey[list[str]]()

SUITE = (__package__ or "").partition(".")[0]


class Annotator:
    """Writes upon each report what only the test's own process knows: pytest-xdist carries it over."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        module = getattr(item, "module", None)
        if module is not None and module.__name__.partition(".")[0] == SUITE:
            callspec = getattr(item, "callspec", None)
            hub = callspec.params.get("hubkit_hub_name", "") if callspec else ""
            # One attribute, and plain data in it: xdist sends it through JSON.
            report.hubkit = {  # type: ignore[attr-defined]
                "hub": hub,
                "rule": rule_of(item.name),
                "name": without_hub(item.name, hub),
                "lacks": item.stash.get(LACKS, []),
                "claims": item.stash.get(CLAIMS, []),
            }
        return report


@dataclass
class _Phases:
    """What is known of a test that has not been torn down yet."""

    result: str = PASSED
    seconds: float = 0.0
    reason: str = ""
    stacks: list[str] = field(default_factory=list)
    output: str = ""


class Recorder:
    """Fills one run a hub. `note` is told each outcome as it comes, with its run."""

    def __init__(self, runs: dict[str, Run], note: Callable[[Run, Outcome], object]) -> None:
        self.runs = runs
        self._note = note
        self._open: dict[str, _Phases] = {}
        self._start = perf_counter()

    def pytest_sessionstart(self) -> None:
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._start = perf_counter()
        for run in self.runs.values():
            run.started = now

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        ours = [item for item in items if getattr(item, "module", None) and _is_ours(item)]
        for run in self.runs.values():
            run.deselected += sum(_hub_of(item) in ("", run.hub) for item in ours)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        facts = getattr(report, "hubkit", None)
        if facts is None:
            return
        phases = self._open.setdefault(report.nodeid, _Phases())
        phases.seconds += report.duration
        if report.failed:
            phases.result = FAILED
            where = "" if report.when == "call" else f"in the {report.when} of the test\n"
            phases.stacks.append(where + report.longreprtext)
        elif report.skipped and phases.result != FAILED:
            phases.result, phases.reason = SKIPPED, _reason(report)
        if report.when == "teardown":
            del self._open[report.nodeid]
            phases.output = "\n".join(f"-- {title}\n{text}" for title, text in report.sections)
            self._record(facts, phases)

    def _record(self, facts: dict[str, object], phases: _Phases) -> None:
        failed = phases.result == FAILED
        outcome = Outcome(
            name=str(facts["name"]),
            rule=str(facts["rule"]),
            result=phases.result,
            seconds=round(phases.seconds, 4),
            lacks=tuple(facts["lacks"]),  # type: ignore[arg-type]
            claims=tuple(facts["claims"]),  # type: ignore[arg-type]
            reason=phases.reason if phases.result == SKIPPED else "",
            stack="\n\n".join(phases.stacks),
            output=phases.output if failed else "",
        )
        for run in self.runs.values():
            if facts["hub"] in ("", run.hub):
                run.outcomes.append(outcome)
                self._note(run, outcome)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            for run in self.runs.values():
                run.trouble = f"the suite could not be collected: {report.nodeid}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        for run in self.runs.values():
            run.seconds = round(perf_counter() - self._start, 2)
            if exitstatus == pytest.ExitCode.INTERRUPTED:
                run.trouble = f"interrupted after {len(run.outcomes)} tests"
            elif exitstatus == pytest.ExitCode.INTERNAL_ERROR:
                run.trouble = f"pytest failed after {len(run.outcomes)} tests"
            elif session.shouldfail and not run.trouble:  # -x, --maxfail
                run.deselected += session.testscollected - len(run.outcomes)


def _is_ours(item: pytest.Item) -> bool:
    return item.module.__name__.partition(".")[0] == SUITE  # type: ignore[attr-defined,no-any-return]


def _hub_of(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("hubkit_hub_name", "") if callspec else ""


def _reason(report: pytest.TestReport) -> str:
    if getattr(report, "wasxfail", ""):
        return f"known to fail: {report.wasxfail}"
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return text.removeprefix("Skipped: ")
