"""Our own hubs keep every rule: the suite runs for each in a process of its own, as anybody would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from hubkit import registry

SECONDS = 300.0

#: What else there is to choose on a hub, by environment variable; it must be set before the host is imported.
VARIANTS: dict[str, dict[str, dict[str, str]]] = {
    "gevent": {
        "libev": {"GEVENT_LOOP": "libev-cext"},
        "libuv": {"GEVENT_LOOP": "libuv-cffi"},
    },
    "eventlet": {"epolls": {"EVENTLET_HUB": "epolls"}},
}

ROWS = [
    pytest.param(name, environment, id="-".join(part for part in (name, variant) if part))
    for name in registry.adapters()
    for variant, environment in VARIANTS.get(name, {"": {}}).items()
]


@pytest.mark.parametrize(("name", "environment"), ROWS)
@pytest.mark.watchdog(SECONDS + 30)
def test_the_hub_keeps_every_rule(name, environment, capsys):
    absent = registry.missing(registry.adapters()[name])
    if absent:
        pytest.skip(f"{', '.join(absent)} not installed: {registry.adapters()[name].install}")
    command = [sys.executable, "-m", "pytest", "--pyargs", "hubkit_conformance", "--hubkit-hub", name]
    command += ["-q", "-rs", "--color=no", "-p", "no:cacheprovider"]
    finished = subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    output = f"{finished.stdout}\n{finished.stderr}"
    assert finished.returncode == 0, output
    counts = re.search(r"^(\d+) passed.*$", finished.stdout, re.MULTILINE)
    assert counts, output
    assert int(counts[1]) > 100, output
    skipped = [line for line in finished.stdout.splitlines() if line.startswith("SKIPPED")]
    with capsys.disabled():
        print(f"\n{name} {environment or ''}: {counts[0]}", *skipped, sep="\n  ")
