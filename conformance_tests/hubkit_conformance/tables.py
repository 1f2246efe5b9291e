"""What people read on a terminal when the suite has run: a table rule by rule, the matrix, the verdict.

What must live here: the layout, as lines with a mark each. What this file must not know: pytest, rich,
and where the lines go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .results import BROKEN, EXCUSED, FAILED, KEPT, PASSED, SKIPPED, UNTESTED, RuleResult, Run
from .rules import RULES

#: One character for what can be said of a rule; a table's legend explains them.
MARKS = {KEPT: "✓", BROKEN: "✗", EXCUSED: "-", UNTESTED: "·"}
IN_PART = "○"

LEGEND = (
    ("✓", "kept: every test passed, apart from any for hubs without a capability that the hub claims"),
    ("○", "kept as far as it applies: some tests need a capability that the hub does not claim"),
    ("-", "does not apply: every test needs such a capability"),
    ("✗", "broken: a test failed"),
    ("·", "not tested"),
)

#: Colours, as pytest's terminal writer has them.
GOOD: dict[str, bool] = {"green": True}
BAD: dict[str, bool] = {"red": True}
DULL: dict[str, bool] = {"yellow": True}
PLAIN: dict[str, bool] = {}
_COLOURS = {KEPT: GOOD, BROKEN: BAD, EXCUSED: DULL, UNTESTED: DULL}


class Line(NamedTuple):
    """A line of text and its colour."""

    text: str
    colour: dict[str, bool] = PLAIN


def mark(result: RuleResult) -> str:
    """The rule's one character."""
    in_part = result.state == KEPT and (result.lacks or result.other_skips)
    return IN_PART if in_part else MARKS[result.state]


def rule_table(run: Run) -> list[Line]:
    """Rule by rule: what came of it, how many tests, what was skipped for want of what, how long."""
    width = max(len(rule.title) for rule in RULES)
    lines = [Line(f"    rule {'':<{width}}  passed  failed  skipped    time")]
    for result in run.rules:
        cells = [f"{_number(result, PASSED):>6}  {_number(result, FAILED):>6}  {_number(result, SKIPPED):>7}"]
        cells.append(f"{result.seconds:>5.1f} s" if result.outcomes else "")
        cells.append(", ".join([*result.lacks, *result.other_skips]))
        head = f"  {mark(result)} {result.rule.label} {result.rule.title:<{width}}"
        lines.append(Line("  ".join([head, *cells]).rstrip(), _COLOURS[result.state]))
    return lines


def _number(result: RuleResult, what: str) -> str:
    return str(result.count(what) or "")


def matrix(runs: Sequence[Run]) -> list[Line]:
    """One line a hub or variant, one column a rule."""
    width = max(len(run.label) for run in runs)
    lines = [Line(f"{'':<{width}}  {' '.join(rule.label[1:] for rule in RULES)}")]
    for run in runs:
        marks = " ".join(f"{mark(result):>2}" for result in run.rules)
        lines.append(Line(f"{run.label:<{width}}  {marks}", GOOD if run.ok else BAD))
    return lines


def legend(runs: Sequence[Run]) -> list[Line]:
    """What the marks that occur mean."""
    used = {mark(result) for run in runs for result in run.rules}
    return [Line(f"  {sign} {meaning}") for sign, meaning in LEGEND if sign in used]


def verdict(run: Run) -> Line:
    """The last word."""
    return Line(run.verdict(), GOOD if run.ok and run.whole else DULL if run.ok else BAD)
