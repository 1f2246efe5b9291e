"""The matrix of all hubs: `python -m hubkit_conformance.matrix [FILE]`.

What must live here: running every registered hub with each of its variants, and writing the outcome
between two marks of a document. What this file must not know: any hub.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from .report_markdown import legend, matrix
from .results import FAILED, PASSED, SKIPPED, Run
from .runner import run_row
from .tables import verdict
from .variants import Row, all_rows

BEGIN = "<!-- matrix: written by `make matrix` -->"
END = "<!-- end of the matrix -->"
USAGE = "usage: python -m hubkit_conformance.matrix [FILE]"


def main(arguments: Sequence[str]) -> int:
    """Print the matrix, or put it into the file; 1 if a hub breaks a rule."""
    if len(arguments) > 1 or arguments[:1] in (["-h"], ["--help"]):
        print(USAGE, file=sys.stderr)
        return 2
    path = Path(arguments[0]) if arguments else None
    if path is not None and not _has_marks(path):
        print(f"{path} must have the two lines {BEGIN!r} and {END!r}", file=sys.stderr)
        return 2
    runs, absent = [], []
    for row in all_rows():
        if row.lacks():
            absent.append(row)
            continue
        print(f"{row.label} …", file=sys.stderr, flush=True)
        finished = run_row(row, ["-q", "-p", "no:cacheprovider"], capture=True)
        if finished.run is None:
            print(finished.output, file=sys.stderr)
            return 2
        print(verdict(finished.run).text, file=sys.stderr, flush=True)
        runs.append(finished.run)
    text = render(runs, absent)
    if path is None:
        print(text)
    else:
        path.write_text(replace(path.read_text(encoding="utf-8"), text), encoding="utf-8")
    return 0 if all(run.ok for run in runs) else 1


def _has_marks(path: Path) -> bool:
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return BEGIN in text and END in text.partition(BEGIN)[2]


def replace(document: str, text: str) -> str:
    """The document with `text` between the marks."""
    pattern = re.compile(rf"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)
    return pattern.sub(lambda _: f"\n{text}\n\n", document)


def render(runs: Sequence[Run], absent: Sequence[Row] = ()) -> str:
    """The matrix, its legend, and what was tested on what."""
    parts = [matrix(runs), legend(runs), _tested(runs)]
    if absent:
        parts.append(f"Not installed where this was written: {', '.join(row.label for row in absent)}.")
    return "\n\n".join(parts)


def _tested(runs: Sequence[Run]) -> str:
    lines = [
        "| hub | on | passed | failed | skipped | capabilities not claimed |",
        "|---|---|--:|--:|--:|---|",
    ]
    for run in runs:
        numbers = " | ".join(str(run.count(result)) for result in (PASSED, FAILED, SKIPPED))
        lacks = ", ".join(sorted({name for outcome in run.outcomes for name in outcome.lacks}))
        lines.append(f"| {run.label} | {_versions(run)} | {numbers} | {lacks} |")
    python = f"{platform.python_implementation()} {platform.python_version()}, {platform.system()}"
    return "\n".join([f"The tests behind it, on {python}:", "", *lines])


def _versions(run: Run) -> str:
    """What is particular to the row."""
    common = ("Python", "system", "processors", "hubkit")
    return ", ".join(
        f"{name}={value}" if name.isupper() else f"{name} {value}"
        for name, value in run.environment.items()
        if name not in common
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
