"""Report files: which kinds there are, whether one can be written, and writing it.

What must live here: the choice by suffix, and the errors that people see before the suite starts. What
this file must not know: how a kind is laid out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from hubkit.errors import HubError

from . import journal
from .results import Run, to_json

JOURNAL = ".jsonl"
KINDS = (".html", ".md", ".json", JOURNAL)


class BadReport(HubError, ValueError):
    """The report cannot be written; said before the suite runs, not after."""


def check(path: Path) -> None:
    """Raise BadReport unless a report can be written there."""
    if path.suffix not in KINDS:
        raise BadReport(
            f"{str(path)!r} does not tell what kind of report it is to be; "
            f"end its name with one of {', '.join(KINDS)}"
        )
    if path.suffix == ".html":
        lacking = [name for name in ("jinja2", "markdown_it") if find_spec(name) is None]
        if lacking:
            raise BadReport(
                f"an HTML report needs {', '.join(lacking)}, which is not installed; "
                "type: pip install 'hubkit[conformance]', or write to a file that ends with .md or .json"
            )
    is_new = not path.exists()
    try:
        path.open("a").close()
    except OSError as error:
        raise BadReport(f"the report {str(path)!r} cannot be written: {error.strerror}") from error
    if is_new:
        path.unlink()


def write(path: Path, runs: Sequence[Run]) -> None:
    """Write the report of these runs."""
    if path.suffix == JOURNAL:
        journal.write(path, runs)
        return
    if path.suffix == ".json":
        text = json.dumps(to_json(runs), indent=1, ensure_ascii=False) + "\n"
    elif path.suffix == ".md":
        from . import report_markdown

        text = report_markdown.render(runs)
    else:
        from . import report_html

        text = report_html.render(runs)
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
