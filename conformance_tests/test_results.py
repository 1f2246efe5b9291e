"""What follows from outcomes, the journal that outlives a crash, and the reports in text."""

from __future__ import annotations

import json

import pytest

from hubkit_conformance import journal, reports, tables
from hubkit_conformance.results import (
    BROKEN,
    EXCUSED,
    FAILED,
    KEPT,
    PASSED,
    SKIPPED,
    UNTESTED,
    Outcome,
    Run,
    rule_of,
    without_hub,
)
from hubkit_conformance.rules import RULES
from hubkit_conformance.semantics import texts
from sample_runs import broken_run, kept_run


def states(run):
    return {result.rule.label: result.state for result in run.rules}


# -- results --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hub", "short"),
    [
        ("test_r01_a", "native", "test_r01_a"),
        ("test_r01_a[native]", "native", "test_r01_a"),
        ("test_r01_a[native-Queue.get]", "native", "test_r01_a[Queue.get]"),
        ("test_r01_a[Queue.get-native]", "native", "test_r01_a[Queue.get]"),
        ("test_r01_a[my.hub:Hub-native]", "my.hub:Hub", "test_r01_a[native]"),
        ("test_r01_a[natively-x]", "native", "test_r01_a[natively-x]"),
    ],
)
def test_names_are_the_same_on_every_hub(name, hub, short):
    assert without_hub(name, hub) == short


def test_a_test_names_its_rule():
    assert rule_of("test_r07_a_shield[x]") == "R07"
    assert rule_of("test_rules_are_numbered") == ""


def test_a_rule_is_kept_broken_excused_or_untested():
    run = Run("h", outcomes=[Outcome("test_r01_a", "R01", PASSED), Outcome("test_r01_b", "R01", SKIPPED)])
    run.outcomes += [Outcome("test_r02_a", "R02", FAILED), Outcome("test_r02_b", "R02", PASSED)]
    run.outcomes += [Outcome("test_r03_a", "R03", SKIPPED)]
    found = states(run)
    assert (found["R01"], found["R02"], found["R03"], found["R04"]) == (KEPT, BROKEN, EXCUSED, UNTESTED)
    assert not run.ok
    assert not run.whole
    assert [tables.mark(result) for result in run.rules][:4] == ["○", "✗", "-", "·"]


def test_the_verdict_says_no_more_than_was_tested():
    assert kept_run().verdict() == (
        "gevent-libuv keeps every rule: 44 tests passed, 2 skipped; "
        "not claimed: FORK; for hubs without: DEADLOCK"
    )
    assert broken_run().verdict() == "native breaks 2 of 22 rules: R05, R17"
    few = Run("h", deselected=9, outcomes=[Outcome("test_r01_a", "R01", PASSED)])
    assert few.verdict().startswith("h keeps what was tested, which is not the whole suite: 1 tests passed")
    assert Run("h").verdict() == "h was not tested"
    assert not Run("h").ok
    cut = kept_run()
    cut.trouble = "interrupted after 46 tests"
    assert cut.verdict() == "gevent-libuv did not come to the end: interrupted after 46 tests"
    assert not cut.ok
    odd = kept_run()
    odd.outcomes.append(Outcome("test_rules_are_numbered", "", FAILED))
    assert odd.verdict() == "gevent-libuv cannot be judged: test_rules_are_numbered failed"


def test_a_skip_for_no_capability_is_named():
    run = kept_run()
    run.outcomes.append(Outcome("test_r01_z", "R01", SKIPPED, reason="no such kernel"))
    assert run.verdict().endswith("; for other reasons: no such kernel")
    assert tables.mark(run.rules[0]) == "○"


# -- the table ------------------------------------------------------------------------------------


def test_the_table_has_a_line_for_each_rule():
    head, *lines = (line.text for line in tables.rule_table(broken_run()))
    assert head.split() == ["rule", "passed", "failed", "skipped", "time"]
    assert [line.split()[1] for line in lines] == [rule.label for rule in RULES]
    assert all(rule.title in line for rule, line in zip(RULES, lines, strict=True))
    assert lines[4].split()[0] == "✗"
    assert lines[4].split()[-4:] == ["2", "1", "0.8", "s"]


def test_the_matrix_has_a_line_for_each_run():
    head, *lines = (line.text for line in tables.matrix([kept_run(), broken_run()]))
    assert head.split() == [rule.label[1:] for rule in RULES]
    assert [line.split()[0] for line in lines] == ["gevent-libuv", "native"]
    assert lines[1].split()[5] == "✗"


def test_the_legend_says_that_a_kept_rule_may_have_tests_for_other_hubs():
    run = kept_run()
    claims = next(result for result in run.rules if result.rule.label == "R16")
    assert (tables.mark(claims), claims.count(SKIPPED)) == ("✓", 1)
    meanings = dict(line.text.split(maxsplit=1) for line in tables.legend([run]))
    assert "for hubs without a capability that the hub claims" in meanings["✓"]


# -- reports --------------------------------------------------------------------------------------


def test_the_text_of_each_rule_is_the_documents():
    assert list(texts()) == [rule.label for rule in RULES]
    assert "MUST raise TypeError at the call" in texts()["R01"]
    assert all(len(text) > 80 for text in texts().values())


def test_the_json_report_holds_everything(tmp_path):
    path = tmp_path / "report.json"
    reports.write(path, [kept_run(), broken_run()])
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["ok"] is False
    assert [(run["label"], run["ok"]) for run in data["runs"]] == [("gevent-libuv", True), ("native", False)]
    assert data["runs"][0]["environment"]["gevent"] == "26.9"
    rule = data["runs"][1]["rules"][4]
    assert (rule["rule"], rule["state"], rule["passed"], rule["failed"]) == ("R05", "broken", 2, 1)
    assert rule["text"] == texts()["R05"]
    [test] = [test for test in rule["tests"] if test["result"] == "failed"]
    assert test["stack"].startswith("queues.py:84")


def test_the_markdown_report_holds_everything(tmp_path):
    path = tmp_path / "report.md"
    reports.write(path, [kept_run(), broken_run()])
    text = path.read_text(encoding="utf-8")
    assert "**native breaks 2 of 22 rules: R05, R17**" in text
    assert "- gevent: 26.9\n" in text
    assert "### R05 Nothing lost, nothing doubled: broken" in text
    assert "> - A `put` that ended by a timeout, a cancel or a close MUST NOT have put." in text
    assert '````text\nqueues.py:84: in get\n    """```"""' in text, "a fence in the text ends no block"
    for rule in RULES:
        assert f"| {rule.label} | {rule.title} |" in text


@pytest.mark.parametrize("suffix", [".html", ".md", ".json", ".jsonl"])
def test_a_report_that_can_be_written_leaves_nothing_yet(suffix, tmp_path):
    if suffix == ".html":
        pytest.importorskip("jinja2", reason="jinja2 is not installed: pip install 'hubkit[conformance]'")
    reports.check(tmp_path / f"report{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("report.pdf", "end its name with one of .html, .md, .json, .jsonl"),
        ("report", "end its name with one of"),
        ("absent/report.md", "cannot be written: No such file or directory"),
        ("folder.md", "cannot be written: Is a directory"),
    ],
)
def test_a_report_that_cannot_be_written_is_an_error_at_once(name, text, tmp_path):
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(reports.BadReport) as caught:
        reports.check(tmp_path / name)
    assert text in str(caught.value)


# -- the journal ----------------------------------------------------------------------------------


def test_a_journal_is_read_back_as_it_was_written(tmp_path):
    runs = [kept_run(), broken_run()]
    path = tmp_path / "run.jsonl"
    reports.write(path, runs)
    assert journal.read(path) == runs


@pytest.mark.parametrize("rest", ["", '{"hub": "native", "te'])
def test_a_journal_that_was_cut_off_tells_which_test_was_running(rest, tmp_path):
    path = tmp_path / "run.jsonl"
    writer = journal.Journal(path)
    run = Run("native")
    writer.begin([run])
    writer.pytest_runtest_logstart("rules/test_r01_spawn.py::test_r01_a[native]")
    writer.note(run, Outcome("test_r01_a", "R01", PASSED))
    writer.pytest_runtest_logstart("rules/test_r04_cancel.py::test_r04_b[native-sleep]")
    with path.open("a") as file:
        file.write(rest)
    [read] = journal.read(path)
    assert read.verdict() == (
        "native breaks 1 of 22 rules: R04; the process ended after 1 tests, in test_r04_b[sleep]"
    )
    assert states(read)["R01"] == KEPT
    writer.end([run])
