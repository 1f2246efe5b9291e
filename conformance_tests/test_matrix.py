"""The matrix: how it is written into a document, and that the one in docs has every rule and every hub."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hubkit import registry
from hubkit_conformance import matrix
from hubkit_conformance.rules import RULES
from hubkit_conformance.tables import LEGEND
from hubkit_conformance.variants import Row, all_rows
from sample_runs import broken_run, kept_run

DOCUMENT = Path(__file__).parents[1] / "docs" / "conformance.md"


def cells(text: str) -> list[list[str]]:
    """The first table of a Markdown text, without the line below its head."""
    lines = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert lines, "there is no table"
    head, _, *body = lines[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in (head, *body)]


def test_the_one_in_docs_has_every_rule_and_every_hub():
    written = DOCUMENT.read_text(encoding="utf-8").partition(matrix.BEGIN)[2].partition(matrix.END)[0]
    head, *body = cells(written)
    assert head == ["hub", *(rule.label for rule in RULES)]
    absent = re.search(r"^Not tested where this was written: (.+)\.$", written, re.MULTILINE)
    rows = [row[0] for row in body] + (absent[1].split(", ") if absent else [])
    ours = [row.label for row in all_rows([name for name in registry.adapters() if _is_ours(name)])]
    assert sorted(rows) == sorted(ours), "type: make matrix"
    signs = {sign for sign, _ in LEGEND}
    assert all(set(row[1:]) <= signs for row in body)
    used = {sign for row in body for sign in row[1:]}
    legend = re.findall(r"^- `(.)` (.+)$", written, re.MULTILINE)
    assert legend == [line for line in LEGEND if line[0] in used], "type: make matrix"


def _is_ours(name: str) -> bool:
    return registry.adapters()[name].hub.startswith(f"hubkit_{name}.")


def test_it_is_written_between_its_marks_and_read_back():
    entries = {run.label: matrix.entry(run) for run in (kept_run(), broken_run())}
    text = matrix.render(entries, {**entries, "nowhere": Row("nowhere")})
    document = f"before\n{matrix.BEGIN}\nold\n{matrix.END}\nafter\n"
    once = matrix.replace(document, text)
    assert once == f"before\n{matrix.BEGIN}\n\n{text}\n\n{matrix.END}\nafter\n"
    assert matrix.replace(once, text) == once
    assert matrix.read(once) == entries
    assert matrix.read(document) == {}
    head, kept, broken = cells(once)
    assert (kept[0], broken[0]) == ("gevent-libuv", "native")
    assert (kept[19], broken[5]) == ("○", "✗")
    assert len(head) == len(RULES) + 1
    assert (
        "| gevent-libuv | CPython 3.12.1, gevent 26.9, GEVENT_LOOP=libuv-cffi | 44 | 0 | 2 | FORK |" in once
    )
    assert "Not tested where this was written: nowhere." in once


@pytest.mark.parametrize("arguments", [["--help"], ["plain.md", "nowhere"], ["absent.md"], ["plain.md"]])
def test_mistakes(arguments, tmp_path):
    (tmp_path / "plain.md").write_text("no marks\n")
    done = subprocess.run(
        [sys.executable, "-m", "hubkit_conformance.matrix", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=25,
    )
    assert done.returncode == 2
    assert "matrix" in done.stderr or "there is no hub nowhere" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "plain.md").read_text() == "no marks\n"
