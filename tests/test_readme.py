"""What the README promises: its example runs on every hub, its table is what the hubs say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hubkit import registry

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
HUBS = ("native", "threads", "virtual", "gevent", "eventlet", "asyncio", "uvloop", "tornado", "twisted")


@pytest.fixture(params=HUBS)
def hub_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    lacking = registry.missing(registry.adapters()[name])
    if lacking:
        pytest.skip(f"{', '.join(lacking)} is not installed: {registry.adapters()[name].install}")
    return name


def test_the_example_runs(hub_name: str, tmp_path: Path) -> None:
    library, program = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "prices.py").write_text(library)
    (tmp_path / "app.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=tmp_path,
        env={**os.environ, registry.VARIABLE: hub_name},
        capture_output=True,
        text=True,
        timeout=25,
    )
    assert done.stdout == "(4, 'mall')\n", done.stderr
    assert done.returncode == 0


def test_the_table_lists_the_capabilities(hub_name: str) -> None:
    (row,) = re.findall(rf"^\| `{hub_name}` \|.*", README, re.MULTILINE)
    assert set(re.findall(r"\b[A-Z_]{4,}\b", row)) == registry.load(hub_name).capabilities


def test_the_table_has_the_install_line(hub_name: str) -> None:
    (row,) = re.findall(rf"^\| `{hub_name}` \|.*", README, re.MULTILINE)
    assert f"`{registry.adapters()[hub_name].install}`" in row
