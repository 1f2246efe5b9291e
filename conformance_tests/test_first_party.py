"""Our own hubs keep every rule: the suite runs for each in a process of its own, as anybody would run it.

The runs are under way while other tests are; `ahead` says how.
"""

from __future__ import annotations

import os
from functools import partial

import pytest

from hubkit.testing.lint import PREFIX
from hubkit_conformance import tables
from hubkit_conformance.results import PASSED
from hubkit_conformance.runner import run_row
from hubkit_conformance.variants import Row, all_rows

SECONDS = 600.0
AT_LEAST = 500  # tests that must have run: a suite that skips itself proves nothing
OPTIONS = ("-q", "--color=no", "--tb=short", "-p", "no:cacheprovider")

pytestmark = pytest.mark.watchdog(SECONDS + 30)


def run_of(row, **variables):
    """The parameter of a test: a row, and the mark that has it run."""
    if row.lacks():
        reason = f"{', '.join(row.lacks())} not installed; type: {row.install()}"
        return pytest.param(marks=pytest.mark.skip(reason), id=row.label)
    environment = {**os.environ, **variables}
    run = partial(run_row, row, OPTIONS, capture=True, environment=environment, seconds=SECONDS)
    return pytest.param(marks=pytest.mark.made_ahead(run), id=row.label)


# No callback of the suite blocks, but on a loaded machine one may take long.
LINTED = [run_of(Row(f"{PREFIX}{hub}"), HUBKIT_LINT_CALLBACK="20") for hub in ("native", "threads", "gevent")]


@pytest.mark.parametrize((), [run_of(row) for row in all_rows()])
def test_the_hub_keeps_every_rule(made_ahead, capsys):
    keeps_every_rule(made_ahead(), capsys)


@pytest.mark.parametrize((), LINTED)
def test_the_hub_and_what_is_built_on_it_keep_the_contract(made_ahead, capsys):
    keeps_every_rule(made_ahead(), capsys)


def keeps_every_rule(finished, capsys):
    run = finished.run
    if finished.status or run is None or not run.ok:
        pytest.fail(f"{finished.command}\n{finished.output}", pytrace=False)
    assert run.whole, run.verdict()
    assert run.count(PASSED) >= AT_LEAST, finished.output
    with capsys.disabled():
        print(f"\n{tables.verdict(run).text}")
