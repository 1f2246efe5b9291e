"""The report as one HTML file that needs nothing else: no script, style, font or picture from elsewhere.

What must live here: what the template is given. What this file must not know: where it is written. The
layout is in report.html.jinja.
"""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from .results import BROKEN, EXCUSED, FAILED, KEPT, PASSED, SKIPPED, UNTESTED, RuleResult, Run
from .rules import RULES
from .semantics import texts
from .tables import LEGEND, mark

#: What a state is called in a sentence.
SAID = {KEPT: "kept", BROKEN: "broken", EXCUSED: "does not apply", UNTESTED: "not tested"}


def render(runs: Sequence[Run]) -> str:
    """The whole page."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    environment = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    texts_as_html = {label: Markup(markdown.render(text)) for label, text in texts().items()}
    return environment.get_template("report.html.jinja").render(
        runs=runs,
        rules=RULES,
        texts=texts_as_html,
        legend=LEGEND,
        used={mark(result) for run in runs for result in run.rules},
        mark=mark,
        said=SAID,
        wants=wants,
        counts=(PASSED, FAILED, SKIPPED),
        is_ok=all(run.ok for run in runs),
    )


def wants(result: RuleResult) -> str:
    """Why tests of a rule were skipped."""
    return ", ".join([*result.lacks, *result.other_skips])
