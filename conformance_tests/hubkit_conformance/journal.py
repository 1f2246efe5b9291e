"""The journal: a report that is written while the suite runs, so that it outlives a crash.

What must live here: its lines, one JSON object each, and reading them back into runs. What this file must
not know: pytest's reports.

A line is {"run": …} when a run begins, {"begins": nodeid}, {"hub": …, "test": …} when a test has ended, and
{"ends": …} when the run is over. A journal without the last has been cut off. Hubs are named by their
rows' labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .results import FAILED, Outcome, Run, rule_of, without_hub

_LATE = ("seconds", "deselected", "trouble")  # known only at the end


class Journal:
    """Writes each line at once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")

    def begin(self, runs: Iterable[Run]) -> None:
        """The runs as they are before their first test."""
        for run in runs:
            self._write({"run": {**asdict(run), "outcomes": []}})

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """The hook of pytest by that name."""
        self._write({"begins": nodeid})

    def note(self, run: Run, outcome: Outcome) -> None:
        """A test has ended."""
        self._write({"hub": run.label, "test": asdict(outcome)})

    def end(self, runs: Iterable[Run]) -> None:
        """The session is over."""
        for run in runs:
            self._write({"ends": run.label, **{name: getattr(run, name) for name in _LATE}})
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def read(path: Path) -> list[Run]:
    """The runs of a journal, also of one that was cut off: `trouble` names the test that was running."""
    runs: dict[str, Run] = {}
    ended: set[str] = set()
    running = ""
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            break  # the process ended in the middle of it
        if "run" in line:
            run = Run(**line["run"])
            runs[run.label] = run
        elif "begins" in line:
            running = line["begins"].rpartition("::")[2]
        elif "test" in line:
            fields = line["test"]
            fields.update(lacks=tuple(fields["lacks"]), claims=tuple(fields["claims"]))
            runs[line["hub"]].outcomes.append(Outcome(**fields))
            running = ""
        else:
            ended.add(line["ends"])
            for name in _LATE:
                setattr(runs[line["ends"]], name, line[name])
    for label, run in runs.items():
        if label not in ended:
            _cut_off(run, without_hub(running, run.hub))
    return list(runs.values())


def _cut_off(run: Run, running: str) -> None:
    """The test that was running has failed, as nobody will say so any more."""
    run.trouble = f"the process ended after {len(run.outcomes)} tests"
    if running:
        run.trouble += f", in {running}"
        run.outcomes.append(Outcome(running, rule_of(running), FAILED, stack="the process ended here"))


def write(path: Path, runs: Iterable[Run]) -> None:
    """A journal of runs that are over."""
    runs = list(runs)
    journal = Journal(path)
    journal.begin(runs)
    for run in runs:
        for outcome in run.outcomes:
            journal.note(run, outcome)
    journal.end(runs)
