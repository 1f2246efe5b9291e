"""What a run of the suite has found: one outcome a test, gathered by rule, with a verdict.

What must live here: the results, and what follows from them, as plain data that goes to JSON and back.
What this file must not know: pytest, and how results are shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .rules import RULES, Rule

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"

#: What can be said of a rule: every test passed; at least one failed; each was skipped; none was run.
KEPT, BROKEN, EXCUSED, UNTESTED = "kept", "broken", "excused", "untested"


def rule_of(test: str) -> str:
    """The label of the rule that a test of that name is about, or nothing."""
    found = re.match(r"test_(r\d\d)_", test)
    return found[1].upper() if found else ""


def without_hub(test: str, hub: str) -> str:
    """A test's name as it is on every hub: its parameters without the hub's name."""
    start, bracket, parameters = test.partition("[")
    if not bracket or not hub:
        return test
    kept = re.sub(rf"^{re.escape(hub)}(-|$)|-{re.escape(hub)}$", "", parameters[:-1], count=1)
    return f"{start}[{kept}]" if kept else start


@dataclass(frozen=True)
class Outcome:
    """How one test ended."""

    name: str
    rule: str  #: its label; empty for a test of the suite itself
    result: str  #: PASSED, FAILED or SKIPPED
    seconds: float = 0.0
    lacks: tuple[str, ...] = ()  #: the capabilities that it needs and that the hub does not claim
    claims: tuple[str, ...] = ()  #: the capabilities without which it would apply, and that the hub claims
    reason: str = ""  #: of a skip
    stack: str = ""  #: of a failure
    output: str = ""  #: what a failed test has printed and logged

    @property
    def unexplained(self) -> bool:
        """Whether it was skipped, and for something else than a capability."""
        return self.result == SKIPPED and not self.lacks and not self.claims


@dataclass(frozen=True)
class RuleResult:
    """The outcomes of one rule's tests."""

    rule: Rule
    outcomes: tuple[Outcome, ...]

    def count(self, result: str) -> int:
        """How many tests ended so."""
        return sum(outcome.result == result for outcome in self.outcomes)

    @property
    def state(self) -> str:
        """KEPT, BROKEN, EXCUSED or UNTESTED."""
        if self.count(FAILED):
            return BROKEN
        if self.count(PASSED):
            return KEPT
        return EXCUSED if self.outcomes else UNTESTED

    @property
    def seconds(self) -> float:
        """What its tests took together."""
        return sum(outcome.seconds for outcome in self.outcomes)

    @property
    def lacks(self) -> list[str]:
        """The capabilities for want of which tests were skipped."""
        return sorted({name for outcome in self.outcomes for name in outcome.lacks})

    @property
    def other_skips(self) -> list[str]:
        """The reasons of skips that no capability explains."""
        return sorted({outcome.reason for outcome in self.outcomes if outcome.unexplained})


@dataclass
class Run:
    """The suite on one hub, or on one variant of it."""

    hub: str
    variant: str = ""
    capabilities: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)  #: versions and variables, for people
    started: str = ""  #: ISO 8601
    seconds: float = 0.0
    deselected: int = 0  #: tests of the suite that were not to be run
    trouble: str = ""  #: why it did not come to its end
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def label(self) -> str:
        """As in tables: `gevent`, `gevent-libuv`."""
        return "-".join(filter(None, (self.hub, self.variant)))

    @property
    def rules(self) -> list[RuleResult]:
        """The results by rule: all the rules, in order."""
        return [
            RuleResult(rule, tuple(outcome for outcome in self.outcomes if outcome.rule == rule.label))
            for rule in RULES
        ]

    @property
    def beside_the_rules(self) -> list[Outcome]:
        """The tests of the suite itself."""
        return [outcome for outcome in self.outcomes if not outcome.rule]

    @property
    def failures(self) -> list[Outcome]:
        """Every test that failed."""
        return [outcome for outcome in self.outcomes if outcome.result == FAILED]

    def count(self, result: str) -> int:
        """How many tests ended so."""
        return sum(outcome.result == result for outcome in self.outcomes)

    def in_state(self, state: str) -> list[str]:
        """The labels of the rules of which that can be said."""
        return [result.rule.label for result in self.rules if result.state == state]

    @property
    def ok(self) -> bool:
        """Nothing failed, and something ran."""
        return not self.failures and not self.trouble and bool(self.count(PASSED))

    @property
    def whole(self) -> bool:
        """Every test of every rule had its turn."""
        return not self.deselected and not self.trouble and not self.in_state(UNTESTED)

    def headline(self) -> str:
        """Whether the hub keeps the rules, as far as this run can tell."""
        broken = self.in_state(BROKEN)
        if broken:
            return f"{self.label} breaks {len(broken)} of {len(RULES)} rules"
        if self.trouble:
            return f"{self.label} did not come to the end"
        if self.failures:
            return f"{self.label} cannot be judged"
        if not self.count(PASSED):
            return f"{self.label} was not tested"
        if not self.whole:
            return f"{self.label} keeps what was tested, which is not the whole suite"
        return f"{self.label} keeps every rule"

    def detail(self) -> str:
        """What goes with the headline."""
        parts = [", ".join(self.in_state(BROKEN)), self.trouble]
        parts += [f"{outcome.name} failed" for outcome in self.beside_the_rules if outcome.result == FAILED]
        if self.ok:
            skipped = self.count(SKIPPED)
            parts.append(f"{self.count(PASSED)} tests passed{f', {skipped} skipped' if skipped else ''}")
            parts.append(self._excuses() if self.whole else "")
            untested = self.in_state(UNTESTED)
            named = ", ".join(untested) if len(untested) <= 5 else f"{len(untested)} rules"
            parts.append(f"not tested at all: {named}" if untested else "")
        return "; ".join(filter(None, parts))

    def verdict(self) -> str:
        """Both on one line."""
        return ": ".join(filter(None, (self.headline(), self.detail())))

    def _excuses(self) -> str:
        lacks = sorted({name for outcome in self.outcomes for name in outcome.lacks})
        claims = sorted({name for outcome in self.outcomes for name in outcome.claims})
        others = sorted({outcome.reason for outcome in self.outcomes if outcome.unexplained})
        named = (("not claimed", lacks), ("for hubs without", claims), ("for other reasons", others))
        return "; ".join(f"{what}: {', '.join(names)}" for what, names in named if names)


def to_json(runs: Sequence[Run]) -> dict[str, Any]:
    """The JSON report, which repeats what follows from the outcomes for programs that only look."""
    return {
        "format": "hubkit-conformance/1",
        "ok": all(run.ok for run in runs),
        "runs": [
            {
                **{name: value for name, value in asdict(run).items() if name != "outcomes"},
                "label": run.label,
                "ok": run.ok,
                "verdict": run.verdict(),
                "rules": [_rule_to_json(result) for result in run.rules],
                "beside_the_rules": [asdict(outcome) for outcome in run.beside_the_rules],
            }
            for run in runs
        ],
    }


def _rule_to_json(result: RuleResult) -> dict[str, Any]:
    from .semantics import texts

    return {
        "rule": result.rule.label,
        "title": result.rule.title,
        "text": texts()[result.rule.label],
        "state": result.state,
        **{name: result.count(name) for name in (PASSED, FAILED, SKIPPED)},
        "seconds": round(result.seconds, 3),
        "lacks": result.lacks,
        "tests": [asdict(outcome) for outcome in result.outcomes],
    }
