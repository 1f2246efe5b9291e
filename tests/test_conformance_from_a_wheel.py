"""The suite as a stranger has it: from the wheel, in an environment with nothing of this repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

pytestmark = pytest.mark.watchdog(600)  # the first test builds the wheel and an environment

SPAWN = "test_r01_spawn_refuses_what_is_not_callable"
STRANGER = "from hubkit_native.hub import NativeHub\nclass Mine(NativeHub):\n    name = 'mine'\n"


def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program without what points to this repository."""
    kept = {name: value for name, value in os.environ.items() if not re.match(r"PYTHON|PYTEST|HUBKIT", name)}
    return subprocess.run(words, cwd=cwd, env=kept, capture_output=True, text=True, timeout=500)


@pytest.fixture(scope="module")
def environment(wheel_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment with hubkit[conformance]."""
    folder = tmp_path_factory.mktemp("stranger")
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"
    pip = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    fetched = run(*pip, *_wanted(wheel_path), cwd=folder)
    if fetched.returncode:
        pytest.skip(f"the package index is not reachable: {fetched.stderr.strip().splitlines()[-1]}")
    # From what is there now: so the extra asks for all that it needs.
    installed = run(*pip, "--no-index", f"hubkit[conformance] @ {wheel_path.as_uri()}", cwd=folder)
    assert installed.returncode == 0, installed.stderr
    (folder / "mine.py").write_text(STRANGER)
    return programs


def _wanted(wheel: Path) -> list[str]:
    """What the wheel and its extra `conformance` ask for."""
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    lines = HeaderParser().parsestr(archive.read(name).decode()).get_all("Requires-Dist", [])
    plain = [line for line in lines if "extra ==" not in line]
    extra = [line.partition(";")[0] for line in lines if re.search(r"""extra == ['"]conformance['"]""", line)]
    return plain + extra


def test_nothing_of_this_repository_is_there(environment: Path) -> None:
    code = "import sys, hubkit_conformance; print(hubkit_conformance.__file__, *sys.path)"
    done = run(environment / "python", "-c", code, cwd=environment.parent)
    assert done.returncode == 0, done.stderr
    assert str(Path(__file__).parent.parent) not in done.stdout
    assert str(environment.parent) in done.stdout


def test_pytest_runs_the_suite(environment: Path) -> None:
    options = ["--pyargs", "hubkit_conformance", "--hubkit-hub", "native", "-k", "test_r01"]
    done = run(environment / "pytest", *options, cwd=environment.parents[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"✓ R01 Spawn +1\d", done.stdout), done.stdout


@pytest.mark.parametrize("suffix", [".html", ".md", ".json"])
def test_the_command_runs_it_for_a_strangers_hub(suffix: str, environment: Path) -> None:
    folder = environment.parents[1]
    words = ["conformance", "mine:Mine", "-k", SPAWN, "--report", f"report{suffix}"]
    done = run(environment / "hubkit", *words, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (folder / f"report{suffix}").read_text(encoding="utf-8")
    assert "mine:Mine keeps what was tested" in text
    assert "MUST raise TypeError at the call" in text
    if suffix == ".json":
        assert json.loads(text)["runs"][0]["environment"]["hubkit"]


def test_a_host_that_is_not_installed_is_named(environment: Path) -> None:
    done = run(environment / "hubkit", "conformance", "gevent", cwd=environment.parents[1])
    assert done.returncode == 2
    assert "pip install 'hubkit[gevent]'" in done.stderr
    assert sys.prefix not in done.stdout
