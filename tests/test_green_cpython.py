"""CPython's tests of `socket` on hubkit's; see cpython_socket.py."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hubs import each_hub

HERE = Path(__file__).parent

if find_spec("test") is None or find_spec("test.test_socket") is None:
    pytest.skip("CPython's own tests are not installed with this interpreter", allow_module_level=True)


NAMES = [parameters.values[0] for parameters in each_hub.args[1]]


def _start(hub_name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(HERE / "cpython_socket.py"), hub_name],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def runs() -> Iterator[dict[str, subprocess.Popen[str]]]:
    """All hubs at once: these tests mostly sleep."""
    runs = {name: _start(name) for name in NAMES}
    yield runs
    for run in runs.values():
        run.kill()
        run.communicate()


@each_hub
@pytest.mark.watchdog(120)
def test_cpythons_own_tests(hub_name: str, runs: dict[str, subprocess.Popen[str]]) -> None:
    output, _ = runs[hub_name].communicate(timeout=110)
    assert runs[hub_name].returncode == 0, output
    assert int(re.findall(r"Ran (\d+) tests", output)[0]) > 100
