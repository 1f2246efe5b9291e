"""The HTML report as its reader sees it: opened in Chromium without a window."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hubkit_conformance import reports
from hubkit_conformance.rules import RULES
from sample_runs import STACK, broken_run, kept_run

pytest.importorskip("jinja2", reason="jinja2 is not installed: pip install 'hubkit[conformance]'")
pytest.importorskip(
    "markdown_it", reason="markdown-it-py is not installed: pip install 'hubkit[conformance]'"
)

SECONDS = 90.0  # to start a browser on a loaded machine
pytestmark = pytest.mark.watchdog(2 * SECONDS)

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

#: Asks the page, after it was loaded, for what can be seen of it under each filter.
PROBE = """
<script>
const text = (one) => one.innerText;
const seen = (selector) => [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility());
const found = {
  title: document.title,
  all: text(document.body),
  overflow: document.documentElement.scrollWidth - innerWidth,
  paper: getComputedStyle(document.body).backgroundColor,
  shown: {},
  stacks: {},
};
for (const name of ["all", "failed", "skipped", "passed"]) {
  const choice = document.getElementById(name + "-1");
  choice.click();
  found.shown[name] = seen("#run-1 .test .name").map(text);
  found.stacks[name] = seen("#run-1 .stack pre").length;
  found[name + "_rules"] = seen("#run-1 .rule h4").map(text);
}
document.getElementById("all-1").click();
for (const one of document.querySelectorAll(".stack")) one.open = true;
found.opened = seen("#run-1 .stack pre").map((one) => one.textContent);
dispatchEvent(new Event("beforeprint"));
found.printed = seen(".tests .name").length;
dispatchEvent(new Event("afterprint"));
found.folded_again = seen("#run-1 .text").length;
const answer = document.createElement("pre");
answer.id = "answer";
answer.textContent = JSON.stringify(found);
document.body.append(answer);
</script>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    return found


def look(browser: str, page: Path, profile: Path, *flags: str) -> dict[str, object]:
    """What a reader of the page sees."""
    probed = page.with_suffix(".probed.html")
    probed.write_text(
        page.read_text(encoding="utf-8").replace("</body>", f"{PROBE}</body>"), encoding="utf-8"
    )
    done = subprocess.run(
        [browser, *FLAGS, *flags, f"--user-data-dir={profile}", "--dump-dom", probed.as_uri()],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    answer = re.search(r'<pre id="answer">(.*?)</pre>', done.stdout, re.DOTALL)
    assert answer, done.stdout[-2000:] + done.stderr[-2000:]
    found: dict[str, object] = json.loads(unescape(answer[1]))
    return found


@pytest.fixture(scope="module")
def seen(browser, tmp_path_factory):
    """The report of one hub that breaks two rules."""
    folder = tmp_path_factory.mktemp("report")
    reports.write(folder / "report.html", [broken_run()])
    return look(browser, folder / "report.html", folder / "profile", "--window-size=1100,900")


def test_it_says_what_came_out_and_on_what(seen):
    assert seen["title"] == "hubkit conformance: native"
    for text in (
        "native breaks 2 of 22 rules",
        "CPython 3.12.1",
        "GEVENT_LOOP\nlibuv-cffi",
        "DEADLOCK, HOST_MIX",
        "took 12.5 s",
        "✗ broken",
    ):
        assert text in seen["all"]
    for rule in RULES:
        assert f"{rule.label} {rule.title}" in seen["all"]


def test_what_failed_is_open_and_its_stack_folded(seen):
    assert [name.partition("[")[0] for name in seen["shown"]["all"] if "lost" in name] == [
        "test_r05_a_value_is_not_lost",
        "test_r17_a_value_is_not_lost",
    ]
    assert seen["stacks"]["all"] == 0
    assert STACK not in seen["all"]
    assert seen["opened"] == [STACK, STACK]


def test_a_filter_shows_just_what_it_names(seen):
    assert seen["failed_rules"] == ["R05 Nothing lost, nothing doubled", "R17 Threads"]
    assert len(seen["shown"]["failed"]) == 2
    assert seen["skipped_rules"] == ["R16 Deadlock", "R19 Fork"]
    assert seen["shown"]["skipped"] == ["test_r16_idle", "test_r19_child"]
    assert len(seen["passed_rules"]) == len(RULES)
    assert len(seen["shown"]["passed"]) == 2 * len(RULES)
    assert len(seen["all_rules"]) == len(RULES)


def test_what_is_printed_is_open(seen):
    assert seen["printed"] == 2 * len(RULES) + 4
    assert seen["folded_again"] == 0


def test_several_runs_begin_with_the_matrix(browser, tmp_path):
    page = tmp_path / "report.html"
    reports.write(page, [kept_run(), broken_run()])
    seen = look(browser, page, tmp_path / "profile", "--window-size=1300,900")
    assert seen["title"] == "hubkit conformance: gevent-libuv, native"
    start = seen["all"]
    for text in ("1 of 2 runs pass", "hub\tR01\tR02", "gevent-libuv", "gevent-libuv keeps every rule"):
        assert text in start
        start = start.partition(text)[2]
    assert seen["failed_rules"] == []


def test_it_fits_a_telephone_and_a_dark_room(browser, tmp_path):
    page = tmp_path / "report.html"
    reports.write(page, [kept_run(), broken_run()])
    narrow = look(browser, page, tmp_path / "narrow", "--window-size=500,900")
    assert narrow["overflow"] <= 0, "the page itself scrolls sideways"
    dark = look(browser, page, tmp_path / "dark", "--blink-settings=preferredColorScheme=0")
    assert narrow["paper"] == "rgb(255, 255, 255)"
    assert dark["paper"] == "rgb(18, 22, 28)"


def test_it_needs_nothing_from_elsewhere(tmp_path):
    page = tmp_path / "report.html"
    reports.write(page, [kept_run(), broken_run()])
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"""(?:href|src)=["']([^"']*)["']|url\(([^)]*)\)|@import""", text)
    assert links
    assert all(not urlsplit(link).scheme and link.startswith("#") for link, _ in links)
    assert "default-src 'none'" in text
    assert "<script>document.title" not in text
