"""The report as Markdown.

What must live here: the layout. What this file must not know: where it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .results import FAILED, PASSED, SKIPPED, Outcome, RuleResult, Run
from .rules import RULES
from .semantics import texts
from .tables import LEGEND, mark


def render(runs: Sequence[Run]) -> str:
    """The whole document."""
    parts = ["# hubkit conformance", *([matrix(runs), legend(runs)] if len(runs) > 1 else [])]
    for run in runs:
        parts.extend(_run(run))
    return "\n\n".join(parts) + "\n"


def matrix(runs: Sequence[Run]) -> str:
    """One row a hub or variant, one column a rule."""
    rows = [["hub", *(rule.label for rule in RULES)]]
    rows += [[run.label, *(mark(result) for result in run.rules)] for run in runs]
    return _table(rows)


def legend(runs: Sequence[Run]) -> str:
    """What the marks that occur mean."""
    used = {mark(result) for run in runs for result in run.rules}
    return "\n".join(f"- `{sign}` {meaning}" for sign, meaning in LEGEND if sign in used)


def _run(run: Run) -> Iterator[str]:
    yield f"## {run.label}"
    yield f"**{run.verdict()}**"
    facts = {
        **run.environment,
        "capabilities": ", ".join(sorted(run.capabilities)) or "none",
        "started": run.started,
        "took": f"{run.seconds:.1f} s",
    }
    yield "\n".join(f"- {name}: {value}" for name, value in facts.items() if value)
    rows = [["", "rule", "title", PASSED, FAILED, SKIPPED, "time", "skipped for want of"]]
    rows += [_row(result) for result in run.rules]
    yield _table(rows)
    for result in run.rules:
        yield f"### {result.rule.label} {result.rule.title}: {result.state}"
        # One level down, and as a quotation: it is the document's text, not this report's.
        yield re.sub(r"^(?=.)", "> ", texts()[result.rule.label], flags=re.MULTILINE).replace("\n\n", "\n>\n")
        yield from (_outcome(outcome) for outcome in result.outcomes if outcome.result == FAILED)
        skipped = [outcome for outcome in result.outcomes if outcome.result == SKIPPED]
        if skipped:
            yield "\n".join(f"- skipped: `{outcome.name}`: {outcome.reason}" for outcome in skipped)
    yield from (_outcome(outcome) for outcome in run.beside_the_rules if outcome.result == FAILED)


def _row(result: RuleResult) -> list[str]:
    numbers = [str(result.count(name) or "") for name in (PASSED, FAILED, SKIPPED)]
    why = ", ".join([*result.lacks, *result.other_skips])
    return [
        mark(result),
        result.rule.label,
        result.rule.title,
        *numbers,
        f"{result.seconds:.1f} s" if result.outcomes else "",
        why,
    ]


def _table(rows: list[list[str]]) -> str:
    head, *body = (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    return "\n".join([head, f"|{'---|' * len(rows[0])}", *body])


def _outcome(outcome: Outcome) -> str:
    longest = max((len(found) for found in re.findall(r"`+", outcome.stack + outcome.output)), default=0)
    fence = "`" * max(3, longest + 1)  # longer than any in the text
    text = "\n\n".join(filter(None, (outcome.stack, outcome.output)))
    return f"Failed: `{outcome.name}` ({outcome.seconds:.2f} s)\n\n{fence}text\n{text}\n{fence}"
