"""The matrix of all hubs: `python -m hubkit_conformance.matrix [FILE [HUB …]]`.

What must live here: running registered hubs with each of their variants, and writing the outcome between two
marks of a document. What this file must not know: any hub.

With hubs or rows named (gevent, gevent-libuv) only these are run, and the others stay as they are written.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hubkit import registry

from .results import FAILED, PASSED, SKIPPED, Run
from .rules import RULES
from .runner import run_row
from .tables import LEGEND, mark, verdict
from .variants import Row, all_rows

BEGIN = "<!-- matrix: written by `make matrix` -->"
END = "<!-- end of the matrix -->"
USAGE = "usage: python -m hubkit_conformance.matrix [FILE [HUB …]]"

#: The question is which rules are kept, not how busy the machine is.
PATIENCE = {"HUBKIT_WATCHDOG": "180"}

MARKS_HEAD = ("hub", *(rule.label for rule in RULES))
TESTS_HEAD = ("hub", "on", PASSED, FAILED, SKIPPED, "capabilities not claimed")


class Entry(NamedTuple):
    """What the document says of one row: a line in each of its two tables."""

    marks: tuple[str, ...]
    tests: tuple[str, ...]


def main(arguments: Sequence[str]) -> int:
    """Print the matrix, or put it into the file; 1 if a hub breaks a rule, 2 if it cannot be told."""
    path, hubs = (Path(arguments[0]) if arguments else None), arguments[1:]
    known = {row.label: row for row in all_rows()}
    unknown = [hub for hub in hubs if hub not in registry.adapters() and hub not in known]
    if arguments[:1] in (["-h"], ["--help"]) or unknown:
        print(f"there is no hub {unknown[0]}" if unknown else USAGE, file=sys.stderr)
        return 2
    if path is not None and not _has_marks(path):
        print(f"{path} must have the two lines {BEGIN!r} and {END!r} for the matrix", file=sys.stderr)
        return 2
    runs = _run([row for row in known.values() if not hubs or row.hub in hubs or row.label in hubs])
    if runs is None:
        return 2
    entries = read(path.read_text(encoding="utf-8")) if path is not None and hubs else {}
    entries.update((run.label, entry(run)) for run in runs)
    text = render({label: entries[label] for label in known if label in entries}, known)
    if path is None:
        print(text)
    else:
        path.write_text(replace(path.read_text(encoding="utf-8"), text), encoding="utf-8")
    return 0 if all(run.ok for run in runs) else 1


def _run(rows: Sequence[Row]) -> list[Run] | None:
    """A run of each row that can be had; None if one could not begin."""
    runs = []
    for row in rows:
        if row.lacks():
            continue
        print(f"{row.label} …", file=sys.stderr, flush=True)
        options = ["-q", "--color=no", "--tb=short", "-p", "no:cacheprovider"]
        finished = run_row(row, options, capture=True, environment={**PATIENCE, **os.environ})
        if finished.run is None or not finished.run.ok:
            print(finished.output, file=sys.stderr)
        if finished.run is None:
            return None
        print(verdict(finished.run).text, file=sys.stderr, flush=True)
        runs.append(finished.run)
    return runs


def _has_marks(path: Path) -> bool:
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return BEGIN in text and END in text.partition(BEGIN)[2]


def replace(document: str, text: str) -> str:
    """The document with `text` between the marks."""
    pattern = re.compile(rf"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)
    return pattern.sub(lambda _: f"\n{text}\n\n", document)


def read(document: str) -> dict[str, Entry]:
    """The rows that stand between the marks, by label."""
    written = document.partition(BEGIN)[2].partition(END)[0]
    lines = re.findall(r"^\| (.+) \|$", written, re.MULTILINE)
    rows = [tuple(cell.strip() for cell in line.split(" | ")) for line in lines]
    marks = {row[0]: row for row in rows if len(row) == len(MARKS_HEAD) and row != MARKS_HEAD}
    tests = {row[0]: row for row in rows if len(row) == len(TESTS_HEAD) and row != TESTS_HEAD}
    return {label: Entry(marks[label], tests[label]) for label in marks if label in tests}


def entry(run: Run) -> Entry:
    """What the document is to say of a run."""
    marks = (run.label, *(mark(result) for result in run.rules))
    numbers = (str(run.count(result)) for result in (PASSED, FAILED, SKIPPED))
    lacks = ", ".join(sorted({name for outcome in run.outcomes for name in outcome.lacks})) or "none"
    return Entry(marks, (run.label, _versions(run), *numbers, lacks))


def render(entries: Mapping[str, Entry], known: Mapping[str, Row]) -> str:
    """The matrix, its legend, and what was tested on what; then the rows that nobody has run."""
    used = {sign for entry in entries.values() for sign in entry.marks[1:]}
    parts = [
        _table([MARKS_HEAD, *(entry.marks for entry in entries.values())]),
        "\n".join(f"- `{sign}` {meaning}" for sign, meaning in LEGEND if sign in used),
        "The tests behind it:",
        _table([TESTS_HEAD, *(entry.tests for entry in entries.values())]),
    ]
    absent = [label for label in known if label not in entries]
    if absent:
        parts.append(f"Not tested where this was written: {', '.join(absent)}.")
    return "\n\n".join(parts)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, f"|{'---|' * len(rows[0])}", *body])


def _versions(run: Run) -> str:
    """What the row was run on, less what any machine has."""
    left_out = ("Python", "system", "processors", "hubkit")
    parts = [
        f"{name}={value}" if name.isupper() else f"{name} {value}"
        for name, value in run.environment.items()
        if name not in left_out
    ]
    return ", ".join([run.environment.get("Python", ""), *parts])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
