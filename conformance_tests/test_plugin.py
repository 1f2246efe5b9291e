"""The suite on hubs of strangers, right and wrong ones, from pytest and from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

#: What the author of a hub has: one module in the current folder.
STRANGER = """
import os, signal
from hubkit_native.hub import NativeHub

class Right(NativeHub):
    name = "right"

class Hasty(NativeHub):
    name = "hasty"
    def call_at(self, when, fn):
        return super().call_at(when - 3600, fn)

class Last(Hasty):
    def __init_subclass__(cls):
        raise RuntimeError("no class may be made of this one")

class Mortal(NativeHub):
    name = "mortal"
    def call_at(self, when, fn):
        os.kill(os.getpid(), signal.SIGKILL)
"""
EARLY = "test_r02_a_timer_does_not_fire_early"
PLAIN = "-p no:cacheprovider --color=no"
SPAWN = "test_r01_spawn_refuses_what_is_not_callable"

pytestmark = pytest.mark.watchdog(120)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "stranger.py").write_text(STRANGER)
    return tmp_path


def run(folder, *words, **variables):
    return subprocess.run(
        [sys.executable, "-W", "ignore", *words, *PLAIN.split()],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=100,
    )


def conformance(folder, *arguments):
    return run(folder, "-m", "hubkit", "conformance", *arguments)


def suite(folder, *arguments):
    return run(folder, "-m", "pytest", "--pyargs", "hubkit_conformance", *arguments)


def test_a_right_hub_gets_a_table_and_a_verdict_last(folder):
    done = conformance(folder, "stranger:Right", "-k", f"{SPAWN} or {EARLY}", "--report", "right.md")
    assert done.returncode == 0, done.stdout + done.stderr
    *lines, verdict, report = done.stdout.splitlines()
    table = {line.split()[1]: line for line in lines if line.startswith("  ✓ R")}
    assert list(table) == ["R01", "R02"]
    assert "Switching" in table["R02"]
    assert verdict.startswith("stranger:Right keeps what was tested, which is not the whole suite: ")
    assert report == f"report: {folder / 'right.md'}"
    assert "**stranger:Right keeps" in (folder / "right.md").read_text(encoding="utf-8")


def test_a_wrong_hub_breaks_a_rule(folder):
    done = conformance(folder, "stranger:Hasty", "-k", f"{SPAWN} or {EARLY}", "--report", "hasty.json")
    assert done.returncode == 1, done.stdout + done.stderr
    *_, verdict, report, hint = done.stdout.splitlines()
    assert verdict == "stranger:Hasty breaks 1 of 22 rules: R02"
    assert report == f"report: {folder / 'hasty.json'}"
    assert hint.endswith(f", type: hubkit conformance stranger:Hasty --lint -k '{SPAWN} or {EARLY}' {PLAIN}")
    [found] = json.loads((folder / "hasty.json").read_text(encoding="utf-8"))["runs"]
    assert [rule["state"] for rule in found["rules"]][:3] == ["kept", "broken", "untested"]
    [test] = found["rules"][1]["tests"]
    assert test["name"] == EARLY
    assert EARLY in test["stack"]


def test_a_wrong_hub_that_was_linted_or_cannot_be_gets_no_hint(folder):
    for arguments in (["--lint", "stranger:Hasty"], ["stranger:Last"]):
        done = conformance(folder, *arguments, "-k", EARLY)
        assert done.returncode == 1, done.stdout + done.stderr
        assert done.stdout.splitlines()[-1].endswith(f"{arguments[-1]} breaks 1 of 22 rules: R02")
        assert "hubkit conformance" not in done.stdout


def test_a_hub_that_kills_the_process_is_reported_all_the_same(folder):
    done = conformance(folder, "stranger:Mortal", "-k", f"{SPAWN} or {EARLY}", "--report", "mortal.json")
    assert done.returncode == 1, done.stdout + done.stderr
    verdict = done.stdout.splitlines()[-3]
    assert verdict.startswith("stranger:Mortal breaks 1 of 22 rules: R02; the process ended after ")
    assert verdict.endswith(f"in {EARLY} by SIGKILL")
    [found] = json.loads((folder / "mortal.json").read_text(encoding="utf-8"))["runs"]
    assert found["trouble"]
    assert [rule["state"] for rule in found["rules"]][:2] == ["kept", "broken"]


def test_arguments_of_pytest_pass_through(folder):
    done = conformance(folder, "stranger:Right", "--collect-only", "-q", "-k", SPAWN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert SPAWN in done.stdout
    assert "keeps" not in done.stdout


def test_nothing_selected_is_a_mistake(folder):
    done = conformance(folder, "stranger:Right", "-k", "no_such_test")
    assert done.returncode == 2
    assert "stranger:Right was not tested" in done.stdout


def test_pytest_alone_does_the_same(folder):
    names = "stranger:Right,threads"
    done = suite(folder, "--hubkit-hub", names, "-k", SPAWN, "--hubkit-report", "both.json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((folder / "both.json").read_text(encoding="utf-8"))["runs"]
    assert [run["label"] for run in found] == ["stranger:Right", "threads"]
    assert {run["rules"][0]["passed"] for run in found} == {len(found[0]["rules"][0]["tests"])}
    assert found[0]["rules"][0]["tests"][0]["name"].startswith(f"{SPAWN}[")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--hubkit-hub", "nowhere"], "there is no hub called 'nowhere'"),
        (["--hubkit-hub", "absent:Hub"], "the module 'absent', which cannot be found"),
        (["--hubkit-hub", "native", "--hubkit-report", "x.txt"], "end its name with one of"),
        (["--hubkit-hub", "native", "--hubkit-variant", "x"], "has no variant 'x'; it has none"),
        (["--hubkit-hub", "native,threads", "--hubkit-variant", "x"], "goes with one hub"),
        (["--hubkit-variant", "x"], "--hubkit-variant goes with --hubkit-hub NAME"),
        (["--hubkit-report", "x.md"], "--hubkit-report goes with --hubkit-hub NAME"),
        (["-k", SPAWN], "which hub is to be tested? Type --hubkit-hub NAME"),
    ],
)
def test_mistakes_end_pytest_before_it_begins(arguments, text, folder):
    done = suite(folder, *arguments)
    assert done.returncode in (2, 4)
    assert text in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_the_bar_is_drawn_on_a_terminal_and_by_no_thread(folder):
    """A hub would take a thread for one that could still wake somebody."""
    pytest.importorskip("rich", reason="rich is not installed: pip install 'hubkit[conformance]'")
    (folder / "terminal.py").write_text(
        "import os, pty, sys\n"
        "status = pty.spawn([sys.executable, '-m', 'pytest', '--pyargs', 'hubkit_conformance',\n"
        "    '--hubkit-hub', 'stranger:Right', '-p', 'no:cacheprovider', '-k', sys.argv[1]])\n"
        "sys.exit(os.waitstatus_to_exitcode(status))\n"
    )
    # One that fails if another Python thread is there: a hub that waits for it finds no deadlock.
    done = run(folder, "terminal.py", f"{SPAWN} or test_r16", TERM="xterm", COLUMNS="100")
    assert done.returncode == 0, done.stdout
    assert "━" in done.stdout
    assert "stranger:Right keeps what was tested" in done.stdout
