"""Calls made ahead: how many at a time, and that none outlives the session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from ahead import VARIABLE, Ahead, jobs

# -- what the other process calls -----------------------------------------------------------------


def say(path, word="here"):
    """Waits for the reader if it is a named pipe."""
    path.write_text(word)
    return word


def say_and_wait(begun, go):
    say(begun)
    return go.read_text()


def fail():
    raise LookupError("there is none")


def die():
    print("what it says at last", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def leave_a_process_behind(pipe):
    subprocess.run(["sh", "-c", "echo begun; exec sleep 600"], stdout=pipe.open("w"), check=True)


# -- here -----------------------------------------------------------------------------------------


@pytest.fixture
def pipe(tmp_path):
    """Makes named pipes."""

    def make(name):
        os.mkfifo(tmp_path / name)
        return tmp_path / name

    return make


def test_outcomes_are_there_in_whatever_order_they_are_asked_for():
    calls = {number: partial(str, number) for number in range(5)}
    with closing(Ahead(calls, 2)) as ahead:
        assert [ahead.outcome(number) for number in (3, 0, 4, 0)] == ["3", "0", "4", "0"]


def test_what_a_call_raises_is_raised_to_the_one_who_asks():
    with closing(Ahead({"wrong": fail, "right": int}, 1)) as ahead:
        with pytest.raises(LookupError, match="there is none"):
            ahead.outcome("wrong")
        assert ahead.outcome("right") == 0


def test_a_call_is_made_before_anybody_asks(pipe):
    begun = pipe("begun")
    with closing(Ahead({"call": partial(say, begun)}, 2)):
        assert begun.read_text() == "here"


def test_one_processor_is_left_to_the_tests_until_they_wait(pipe, tmp_path):
    begun, go = pipe("begun"), pipe("go")
    calls = {"first": partial(say_and_wait, begun, go), "second": partial(say, tmp_path / "second")}
    with closing(Ahead(calls, 2)) as ahead:
        assert begun.read_text() == "here"
        assert not (tmp_path / "second").exists()  # while the first is made
        assert ahead.outcome("second") == "here"
        go.write_text("on")
        assert ahead.outcome("first") == "on"


def test_with_one_processor_no_call_is_made_until_it_is_waited_for(tmp_path):
    with closing(Ahead({"call": partial(say, tmp_path / "made")}, 1)) as ahead:
        assert not (tmp_path / "made").exists()
        assert ahead.outcome("call") == "here"


def test_the_death_of_the_other_process_is_told_with_its_last_words():
    with closing(Ahead({"call": die, "next": int}, 1)) as ahead:
        for key in ("call", "next"):
            with pytest.raises(RuntimeError, match=r"has ended\s+what it says at last"):
                ahead.outcome(key)


def test_close_ends_what_a_call_has_started(pipe):
    held = pipe("held")
    ahead = Ahead({"call": partial(leave_a_process_behind, held)}, 2)
    with closing(ahead), held.open() as reader:
        assert reader.readline() == "begun\n"
        ahead.close()
        assert reader.read() == ""  # the end: nobody holds the other side any more


def test_the_death_of_the_session_ends_it_too(pipe, tmp_path):
    held = pipe("held")
    session = f"""
        import os, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from functools import partial
        from pathlib import Path
        import ahead, test_ahead
        kept = ahead.Ahead({{1: partial(test_ahead.leave_a_process_behind, Path({str(held)!r}))}}, 2)
        sys.stdin.read()
    """
    program = "\n".join(line.strip() for line in session.splitlines())
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with (
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, env=environment) as process,
        held.open() as reader,
    ):
        assert reader.readline() == "begun\n"
        process.kill()
        assert reader.read() == ""
    assert os.listdir(tmp_path) == ["held"]


@pytest.mark.parametrize("wanted", ["0", "-1", "many", ""])
def test_a_number_of_jobs_that_is_none_is_refused(monkeypatch, wanted):
    monkeypatch.setenv(VARIABLE, wanted)
    with pytest.raises(ValueError, match=f"{VARIABLE} must be a number of processes, 1 or more"):
        jobs()


def test_the_number_of_jobs_is_as_wanted_or_that_of_the_processors(monkeypatch):
    monkeypatch.setenv(VARIABLE, "7")
    assert jobs() == 7
    monkeypatch.delenv(VARIABLE)
    assert 1 <= jobs() <= os.cpu_count()


def test_pytest_says_so_before_it_runs_a_test():
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", str(Path(__file__).with_name("test_first_party.py"))],
        env={**os.environ, VARIABLE: "none"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"{VARIABLE} must be" in finished.stderr
