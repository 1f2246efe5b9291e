"""Our own hubs keep every rule: the suite runs for each in a process of its own, as anybody would run it."""

from __future__ import annotations

import os

import pytest

from hubkit.testing.lint import PREFIX
from hubkit_conformance import tables
from hubkit_conformance.results import PASSED
from hubkit_conformance.runner import run_row
from hubkit_conformance.variants import Row, all_rows

SECONDS = 400.0
AT_LEAST = 500  # tests that must have run: a suite that skips itself proves nothing
OPTIONS = ("-q", "--color=no", "--tb=short", "-p", "no:cacheprovider")


@pytest.mark.parametrize("row", all_rows(), ids=lambda row: row.label)
@pytest.mark.watchdog(SECONDS + 30)
def test_the_hub_keeps_every_rule(row, capsys):
    keeps_every_rule(row, capsys)


@pytest.mark.parametrize("hub", ["native", "threads", "gevent"])
@pytest.mark.watchdog(SECONDS + 30)
def test_the_hub_and_what_is_built_on_it_keep_the_contract(hub, capsys):
    # No callback of the suite blocks, but on a loaded machine one may take long.
    environment = {**os.environ, "HUBKIT_LINT_CALLBACK": "20"}
    keeps_every_rule(Row(f"{PREFIX}{hub}"), capsys, environment)


def keeps_every_rule(row, capsys, environment=None):
    if row.lacks():
        pytest.skip(f"{', '.join(row.lacks())} not installed; type: {row.install()}")
    finished = run_row(row, OPTIONS, capture=True, environment=environment, seconds=SECONDS)
    run = finished.run
    if finished.status or run is None or not run.ok:
        pytest.fail(f"{finished.command}\n{finished.output}", pytrace=False)
    assert run.whole, run.verdict()
    assert run.count(PASSED) >= AT_LEAST, finished.output
    with capsys.disabled():
        print(f"\n{tables.verdict(run).text}")
