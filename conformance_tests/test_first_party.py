"""Our own hubs keep every rule: the suite runs for each in a process of its own, as anybody would run it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

import pytest

from hubkit_conformance.variants import all_rows

SECONDS = 400.0
AT_LEAST = 500  # tests that must have run: a suite that skips itself proves nothing


@pytest.mark.parametrize("row", all_rows(), ids=lambda row: row.label)
@pytest.mark.watchdog(SECONDS + 30)
def test_the_hub_keeps_every_rule(row, capsys):
    if row.lacks():
        pytest.skip(f"{', '.join(row.lacks())} not installed; type: {row.install()}")
    command = [sys.executable, "-m", "pytest", "--pyargs", "hubkit_conformance", "--hubkit-hub", row.hub]
    if row.variant:
        command += ["--hubkit-variant", row.variant.name]
    options = ["-q", "-rs", "--color=no", "--tb=short", "-p", "no:cacheprovider"]
    finished = subprocess.run(
        [*command, *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if finished.returncode:
        pytest.fail(f"{' '.join(command)}\n{finished.stdout}\n{finished.stderr}", pytrace=False)
    counts = re.search(r"^(\d+) passed.*$", finished.stdout, re.MULTILINE)
    assert counts, finished.stdout
    assert int(counts[1]) >= AT_LEAST, finished.stdout
    with capsys.disabled():
        print(f"\n{row.label}: {counts[0]}")
        for reason, number in skips(finished.stdout).most_common():
            print(f"  {number} skipped: {reason}")


def skips(output: str) -> Counter[str]:
    """How many tests were skipped for which reason."""
    found: Counter[str] = Counter()
    for number, reason in re.findall(r"^SKIPPED \[(\d+)\] \S+: (.+)$", output, re.MULTILINE):
        found[reason] += int(number)
    return found
