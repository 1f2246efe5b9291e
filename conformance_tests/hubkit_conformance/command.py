"""`hubkit conformance`: the suite on a hub, on one of its variants or on each of them.

What must live here: what the command does with its options, and its exit status. What this file must not
know: how a row is run, how a report is laid out.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from hubkit import registry
from hubkit.testing.lint import PREFIX
from hubkit.testing.linting.hub import LintHub

from . import reports, tables
from .loading import load
from .results import Run
from .runner import NO_TESTS, USAGE_ERROR, Finished, run_row
from .variants import find_row, rows_of

OK, BROKEN, MISTAKE = 0, 1, 2


def run(
    hub: str,
    variant: str | None = None,
    all_variants: bool = False,
    report: str | None = None,
    arguments: Sequence[str] = (),
) -> int:
    """Run the suite; 0 if every rule that was tested is kept, 1 if not, 2 if it could not be run.

    What is wrong with the hub's name, the variant or the report's raises HubError before anything runs.
    """
    rows = rows_of(hub) if all_variants else [find_row(hub, variant)]
    path = Path(report).absolute() if report else None
    if path is not None:
        reports.check(path)
    load(hub)
    finished = []
    for row in rows:
        if row.lacks():
            print(f"{row.label}: {', '.join(row.lacks())} not installed; type: {row.install()}", flush=True)
            continue
        if len(rows) > 1:
            print(f"\n{row.label}", flush=True)
        finished.append(run_row(row, arguments))
        _show_if_died(finished[-1])
    runs = [one.run for one in finished if one.run is not None]
    if len(runs) > 1:
        _show_matrix(runs)
    if path is not None and runs:
        reports.write(path, runs)
        print(f"report: {path}")
    if any(run.failures for run in runs) and _can_be_linted(hub):
        which = ["--variant", variant] if variant else ["--all-variants"] if all_variants else []
        command = shlex.join(["hubkit", "conformance", hub, "--lint", *which, *arguments])
        print(f"for more about what the hub does wrong, type: {command}")
    return _status(finished)


def _can_be_linted(hub: str) -> bool:
    """Whether there is such a class of it, and it is none already."""
    if issubclass(load(hub), LintHub):
        return False
    try:
        registry.load(f"{PREFIX}{hub}")
    except Exception:  # a class may refuse to be inherited from in any way
        return False
    return True


def _status(finished: Sequence[Finished]) -> int:
    if not finished or any(one.status in (USAGE_ERROR, NO_TESTS) for one in finished):
        return MISTAKE
    return BROKEN if any(one.status for one in finished) else OK


def _show_if_died(one: Finished) -> None:
    """pytest has not shown a table then."""
    if one.died and one.run is not None:
        _print([*tables.rule_table(one.run), *tables.legend([one.run]), tables.verdict(one.run)])


def _show_matrix(runs: Sequence[Run]) -> None:
    print()
    _print([*tables.matrix(runs), *tables.legend(runs)])
    _print([tables.Line(f"{sum(run.ok for run in runs)} of {len(runs)} variants pass")])


def _print(lines: Sequence[tables.Line]) -> None:
    for line in lines:
        print(line.text)
    sys.stdout.flush()
