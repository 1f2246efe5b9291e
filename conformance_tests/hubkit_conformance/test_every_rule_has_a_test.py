"""The rules and the tests are the same set, and each test stands where its name says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from .rules import RULES

FOLDER = Path(__file__).parent / "rules"
NAME = re.compile(r"test_r(\d\d)_[a-z0-9_]+")


def collected() -> list[tuple[str, str]]:
    """(file, function) of each test of a rule."""
    return [
        (path.stem, node.name)
        for path in sorted(FOLDER.glob("test_*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test")
    ]


def test_every_rule_has_a_test_and_every_test_a_rule():
    tested = {int(match[1]) for _, name in collected() if (match := NAME.fullmatch(name))}
    assert tested == {rule.number for rule in RULES}


def test_every_tests_name_says_which_rule_it_is_about():
    for file, name in collected():
        match = NAME.fullmatch(name)
        assert match, f"{file}.{name} must be called test_rNN_what_it_shows"
        assert file.startswith(f"test_r{match[1]}_"), f"{name} is in {file}"


def test_rules_are_numbered_in_order():
    assert [rule.number for rule in RULES] == list(range(1, len(RULES) + 1))
    assert all(rule.title and rule.text for rule in RULES)
