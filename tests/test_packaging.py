"""What a built distribution installs: the packages hubkit and hubkit_*, typed, and nothing else."""

from __future__ import annotations

import configparser
import re
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HUBS = ("native", "threads", "virtual", "gevent", "eventlet", "asyncio", "uvloop", "tornado", "twisted")

pytestmark = pytest.mark.watchdog(300)  # the first test builds the wheel


@pytest.fixture(scope="module")
def wheel(wheel_path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(wheel_path)


def test_only_our_own_top_level_packages_are_installed(wheel: zipfile.ZipFile) -> None:
    top_level = {name.partition("/")[0] for name in wheel.namelist()}
    packages = {name for name in top_level if not name.endswith(".dist-info")}
    assert len(top_level) - len(packages) == 1
    assert all(re.fullmatch(r"hubkit(_[a-z]+)?", name) for name in packages), packages
    assert packages >= {"hubkit", "hubkit_conformance", *(f"hubkit_{hub}" for hub in HUBS)}


def test_each_package_is_marked_as_typed(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    packages = {name.partition("/")[0] for name in names if not re.match(r"[^/]+\.dist-info/", name)}
    assert [package for package in sorted(packages) if f"{package}/py.typed" not in names] == []


def test_every_module_of_the_tree_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    """A folder without __init__.py would be left out in silence."""
    expected = set()
    for root in (ROOT, ROOT / "adapters", ROOT / "conformance_tests"):
        for package in root.glob("hubkit*/"):
            expected |= {path.relative_to(root).as_posix() for path in package.rglob("*.py")}
    assert expected - set(wheel.namelist()) == set()


def test_the_suite_brings_the_text_of_the_rules_and_its_template(wheel: zipfile.ZipFile) -> None:
    """In a checkout the text is a link to docs, in the wheel a copy."""
    text = wheel.read("hubkit_conformance/semantics.md")
    assert text == (ROOT / "docs" / "semantics.md").read_bytes()
    assert "hubkit_conformance/report.html.jinja" in wheel.namelist()


def test_hubs_plugin_and_command_are_registered(wheel: zipfile.ZipFile) -> None:
    (path,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
    parser = configparser.ConfigParser()
    parser.read_string(wheel.read(path).decode())
    assert dict(parser["hubkit.hubs"]) == {hub: f"hubkit_{hub}:adapter" for hub in HUBS}
    plugins = {"hubkit_conformance": "hubkit_conformance.plugin", "hubkit": "hubkit_pytest.plugin"}
    assert dict(parser["pytest11"]) == plugins
    assert dict(parser["console_scripts"]) == {"hubkit": "hubkit.cli:main"}


def test_the_license_is_inside(wheel: zipfile.ZipFile) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel.namelist())
