"""Building hubkit's wheel from this tree, for the tests of what others install."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def build_wheel(folder: Path) -> Path:
    """The wheel, made in `folder`; skips where the tools to build it are not installed."""
    for module, reason in (("build", "the builder"), ("setuptools", "the build backend")):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{reason} is not installed: pip install '{module}'")
    import setuptools

    if int(setuptools.__version__.partition(".")[0]) < 77:
        pytest.skip("a new enough build backend is not installed: pip install 'setuptools>=77'")
    # A copy: a build leaves build/ and *.egg-info in its source tree, and other tests read that tree.
    source, out = folder / "source", folder / "wheel"
    copy_source(source)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("*.whl")
    return path


def copy_source(target: Path) -> None:
    """Copy every file that belongs to the project, with the folders that must not be installed."""
    for path in ROOT.rglob("*"):
        relative = path.relative_to(ROOT)
        generated = re.search(
            r"(^|/)(\.[^/]+|__pycache__|build|dist|[^/]+\.egg-info)(/|$)", relative.as_posix()
        )
        if generated or not path.is_file():
            continue
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            (target / relative).symlink_to(path.readlink())
        else:
            (target / relative).write_bytes(path.read_bytes())
