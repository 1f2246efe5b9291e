"""Our own hubs keep every rule: the suite runs for each in a process of its own, as anybody would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from typing import NamedTuple

import pytest

from hubkit import registry

SECONDS = 400.0
AT_LEAST = 500  # tests that must have run: a suite that skips itself proves nothing


class Variant(NamedTuple):
    """What else there is to choose on a hub; the variables must be set before the host is imported."""

    name: str
    environment: dict[str, str]
    requires: tuple[str, ...] = ()


PLAIN = (Variant("", {}),)
VARIANTS = {
    "gevent": (
        Variant("libev", {"GEVENT_LOOP": "libev-cext"}),
        Variant("libuv", {"GEVENT_LOOP": "libuv-cffi"}, ("cffi",)),
    ),
}

ROWS = [
    pytest.param(hub, variant, id="-".join(filter(None, (hub, variant.name))))
    for hub in registry.adapters()
    for variant in VARIANTS.get(hub, PLAIN)
]


@pytest.mark.parametrize(("hub", "variant"), ROWS)
@pytest.mark.watchdog(SECONDS + 30)
def test_the_hub_keeps_every_rule(hub, variant, capsys):
    adapter = registry.adapters()[hub]
    absent = [*registry.missing(adapter), *(name for name in variant.requires if find_spec(name) is None)]
    if absent:
        pytest.skip(f"{', '.join(absent)} not installed; type: pip install {' '.join(absent)}")
    command = [sys.executable, "-m", "pytest", "--pyargs", "hubkit_conformance", "--hubkit-hub", hub]
    options = ["-q", "-rs", "--color=no", "--tb=short", "-p", "no:cacheprovider"]
    finished = subprocess.run(
        [*command, *options],
        env={**os.environ, **variant.environment},
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
        print(f"\n{hub} {variant.name}: {counts[0]}")
        for reason, number in skips(finished.stdout).most_common():
            print(f"  {number} skipped: {reason}")


def skips(output: str) -> Counter[str]:
    """How many tests were skipped for which reason."""
    found: Counter[str] = Counter()
    for number, reason in re.findall(r"^SKIPPED \[(\d+)\] \S+: (.+)$", output, re.MULTILINE):
        found[reason] += int(number)
    return found
