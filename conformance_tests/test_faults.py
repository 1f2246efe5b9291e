"""The seeded faults are whole, and a trial tells found from not found. `make mutants` tries them all."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hubkit.contract import CAPABILITIES, Hub
from hubkit_conformance import watchdog
from hubkit_conformance.faults import CONTROL, FAULTS, __main__, fault, trial
from hubkit_conformance.results import FAILED, PASSED, Outcome, Run
from hubkit_conformance.rules import RULES

AT_LEAST = 150


@pytest.fixture
def no_more_faults(monkeypatch):
    """What a test enters among the faults is not there for the next."""
    monkeypatch.setattr(fault, "FAULTS", {})
    return fault.FAULTS


def test_there_are_many_and_each_has_its_tests():
    places = trial.places()
    assert len(FAULTS) >= AT_LEAST
    for each in FAULTS.values():
        assert each.tests, each.name
        assert set(each.tests) <= set(places), each.name
        assert each.text.endswith("."), each.name


def test_each_rule_is_broken_by_a_fault():
    broken = {rule for each in FAULTS.values() for rule in each.rules.split(", ")}
    assert broken == {rule.label for rule in RULES}


def test_each_capability_is_claimed_by_a_hub_that_does_not_keep_it():
    named = {capability for capability in CAPABILITIES for each in FAULTS.values() if capability in each.text}
    assert named == CAPABILITIES


def test_a_wrapped_method_is_given_the_right_one_and_other_names_follow():
    class Thing:
        def method(self, number):
            return number

        alias = method

    class Special(Thing):
        pass

    @fault.wrap(Special, "method")
    def method(right, self, number):
        return right(self, number) + 1

    assert (Thing().method(1), Special().method(1)) == (1, 2)

    @fault.wrap(Thing, "method")
    def method_again(right, self, number):
        return right(self, number) + 10

    assert (Thing().method(1), Thing().alias(1), Special().method(1)) == (11, 11, 2)


def test_a_fault_says_what_it_does_and_is_there_once(no_more_faults):
    @fault.fault("test_r01_x", "test_r17_y")
    def clock_stands_still(hub: type[Hub]) -> None:
        """Time does not pass."""

    assert no_more_faults["clock-stands-still"].rules == "R01, R17"
    with pytest.raises(AssertionError, match="two faults"):
        fault.fault("test_r01_x")(clock_stands_still)
    with pytest.raises(AssertionError, match="does not say"):
        fault.fault("test_r01_x")(lambda hub: None)


@pytest.mark.parametrize(
    ("hub", "name", "complaint"),
    [
        ("native", "nonsense", "there is no fault called 'nonsense'"),
        ("native,threads", CONTROL, "one hub"),
        ("native", "claims-ordered-yield", "cannot be wrong in this way"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(hub, name, complaint):
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", str(trial.RULES), "--hubkit-hub", hub, "--hubkit-fault", name],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == pytest.ExitCode.USAGE_ERROR
    assert complaint in finished.stderr


def test_the_command_says_which_test_has_found_a_fault(capsys):
    assert __main__.main(["yield-does-nothing", "--jobs", "1"]) == 0
    output = capsys.readouterr().out
    assert "without a fault native: " in output
    assert "test_r02_a_yield_lets_every_other_ready_task_run_once[checkpoint]" in output
    assert "all found" in output


def test_the_command_fails_for_a_fault_that_survives_its_tests(capsys, monkeypatch):
    monkeypatch.setattr(__main__, "run", lambda *args, **kwargs: trial.Verdict(ran=1, why="1 tests pass"))
    assert __main__.main(["yield-does-nothing"]) == 1
    output = capsys.readouterr().out
    assert "SURVIVED, 1 tests pass" in output
    assert "not found: yield-does-nothing" in output


def verdicts(monkeypatch, *coming):
    """What the trials of the next command come to, after that of the control; the names of their faults."""
    left, tried = list(coming), []

    def run(hub, name, tests, stop=True):
        if name == CONTROL:
            return trial.Verdict()
        tried.append(name)
        return left.pop(0)

    monkeypatch.setattr(__main__, "run", run)
    return tried


BROKEN = trial.Verdict(why="pytest ended with status 3", status=3, output="INTERNALERROR> of some kind")


def test_a_trial_that_says_nothing_is_made_once_more_and_shown(capsys, monkeypatch):
    tried = verdicts(monkeypatch, BROKEN, trial.Verdict("test_r02_x", status=1))
    assert __main__.main(["yield-does-nothing"]) == 0
    assert tried == ["yield-does-nothing"] * 2
    output = capsys.readouterr().out
    assert "once more, as pytest ended with status 3" in output
    assert "INTERNALERROR> of some kind" in output


def test_one_that_says_nothing_twice_has_not_found_the_fault(capsys, monkeypatch):
    verdicts(monkeypatch, BROKEN, BROKEN, trial.Verdict("test_r02_x", status=1))
    assert __main__.main(["yield-does-nothing"]) == 1
    assert "SURVIVED, pytest ended with status 3; who would find it: test_r02_x" in capsys.readouterr().out


def test_what_has_passed_is_not_tried_again_and_is_shown(capsys, monkeypatch):
    passed = trial.Verdict(ran=1, why="1 tests pass", output="one dot")
    tried = verdicts(monkeypatch, passed, passed)
    assert __main__.main(["yield-does-nothing"]) == 1
    assert len(tried) == 2  # the second are all the other tests
    assert "one dot" in capsys.readouterr().out


def test_the_command_fails_if_the_tests_fail_without_a_fault(capsys, monkeypatch):
    monkeypatch.setattr(__main__, "run", lambda *args, **kwargs: trial.Verdict("test_r01_x", status=1))
    assert __main__.main(["yield-does-nothing"]) == 1
    assert "native without a fault" in capsys.readouterr().out


def test_a_hang_is_found_by_the_watchdog_and_other_deaths_by_nobody():
    hung = Run("native", outcomes=[Outcome("a", "R01", PASSED), Outcome("b", "R01", FAILED)])
    assert trial.conclude(watchdog.EXIT_STATUS, hung, "watchdog: call of b hung for 10 s")[0] == "b"
    assert trial.conclude(watchdog.EXIT_STATUS, hung, "")[0] == ""
    assert trial.conclude(-11, hung, "watchdog:") == ("", "pytest ended with status -11")
    assert trial.conclude(None, hung, "not done") == ("", "pytest ended with status None")
