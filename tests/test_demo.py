"""The demo, small: on each hub every answer is right; a wrong one, or none, is found and told."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

pytest.importorskip("httptools")
pytest.importorskip("werkzeug")
pytest.importorskip("rich")

from hubkit.contract import Adapter
from hubkit.demo import run_demo

REQUESTS = 60
CONNECTIONS = 4


def table(printed: str) -> list[list[str]]:
    """The cells of each row."""
    rows = [re.split(r"\s*│\s*", line.strip("│ ")) for line in printed.splitlines() if line.startswith("│")]
    assert rows, printed
    return rows


def test_every_answer_is_right(adapter: Adapter, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_demo([adapter.name], REQUESTS, CONNECTIONS) == 0
    [[hub, rate, p50, p99, errors, peak]] = table(capfd.readouterr().out)
    assert hub == adapter.name
    assert int(rate) > 0
    assert errors == "0"
    # A third of the requests wait 200 ms for their upstream.
    assert float(p50.removesuffix(" ms")) < 200 < float(p99.removesuffix(" ms"))
    assert 5 < float(peak.removesuffix(" MiB")) < 1000


def test_one_row_for_each_hub(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_demo(["threads", "native"], 6, 2) == 0
    assert [row[0] for row in table(capfd.readouterr().out)] == ["threads", "native"]


LIES = {
    "a wrong value": "answers.computed = lambda n: 'x' if n == 30 else right(n)",
    "an error": "answers.computed = lambda n: right(n if n != 30 else None.x)",
    "a lost item": "service.Store.put = lambda self, key, value: None",
    "a hang-up": "answers.computed = lambda n: os._exit(1) if n == 30 else right(n)",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_what_is_wrong_is_found(
    lie: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lying_service.py").write_text(
        "import os\n"
        "from hubkit.demo import answers, service\n"
        f"right = answers.computed\n{lie}\n"
        "if __name__ == '__main__':\n    service.main()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    assert run_demo(["native"], REQUESTS, CONNECTIONS, service="lying_service") == 1
    printed = capfd.readouterr().out
    [[_, _, _, _, errors, _]] = table(printed)
    assert int(errors) > 0
    assert re.search(r"^native: \S+", printed, re.MULTILINE), "no example of what went wrong"


def test_a_service_that_does_not_start(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_demo(["native"], REQUESTS, CONNECTIONS, service="no_such_service") == 1
    printed = capfd.readouterr().out
    assert "no_such_service" in printed
    [[_, rate, _, _, errors, peak]] = table(printed)
    assert (rate, errors, peak) == ("-", str(REQUESTS), "-")


lists_processes = pytest.mark.skipif(
    not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists(),
    reason="there is no /proc here to list processes in",
)


@lists_processes
def test_no_process_is_left(capfd: pytest.CaptureFixture[str]) -> None:
    before = children()
    run_demo(["native"], 6, 2)
    run_demo(["native"], 6, 2, service="no_such_service")
    assert children() == before


@lists_processes
def test_an_interrupt_ends_all_of_it(tmp_path: Path) -> None:
    start = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    start += "from hubkit.cli import main; sys.exit(main(['demo', '--hub', 'native']))"
    demo = subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = monotonic() + 30
    while len(started := children(demo.pid)) < 3:  # upstream, service, client
        assert monotonic() < deadline
        sleep(0.02)
    demo.send_signal(signal.SIGINT)
    _, errors = demo.communicate(timeout=30)
    assert demo.returncode == 130
    assert b"Traceback" not in errors
    assert not [number for number in started if Path("/proc", number).exists()]


def children(parent: int | None = None) -> set[str]:
    """The numbers of a process's children; by default of this one's."""
    number = os.getpid() if parent is None else parent
    own = Path(f"/proc/{number}/task/{number}/children")
    return set(own.read_text().split())
