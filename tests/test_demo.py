"""The demo, small: on each hub every answer is right; a wrong one, or none, is found and told."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

pytest.importorskip("httptools")
pytest.importorskip("werkzeug")
pytest.importorskip("rich")

from hubkit import registry
from hubkit.cli import main
from hubkit.contract import VIRTUAL_TIME, Adapter
from hubkit.demo import child, run_demo
from hubkit.demo.interrupts import Interrupts

REQUESTS = 60
CONNECTIONS = 4


def table(printed: str) -> list[list[str]]:
    """The cells of each row."""
    rows = [re.split(r"\s*│\s*", line.strip("│ ")) for line in printed.splitlines() if line.startswith("│")]
    assert rows, printed
    return rows


def test_every_answer_is_right(adapter: Adapter, capfd: pytest.CaptureFixture[str]) -> None:
    if registry.load(adapter.hub).supports(VIRTUAL_TIME):
        pytest.skip("the client is another process, and simulated time does not wait for those")
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


def started_demo() -> tuple[subprocess.Popen[bytes], set[str]]:
    """A demo in a process of its own, and the numbers of its children once all are there."""
    start = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    start += "from hubkit.cli import main; sys.exit(main(['demo', '--hub', 'native']))"
    demo = subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = monotonic() + 25
    while len(started := children(demo.pid)) < 3:  # upstream, service, client
        assert monotonic() < deadline
        sleep(0.02)
    return demo, started


@lists_processes
def test_an_interrupt_ends_all_of_it() -> None:
    demo, started = started_demo()
    demo.send_signal(signal.SIGINT)
    _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert errors == b""
    assert not [number for number in started if Path("/proc", number).exists()]


@lists_processes
def test_a_killed_demo_leaves_nothing() -> None:
    demo, _ = started_demo()
    demo.kill()
    _, errors = demo.communicate(timeout=60)  # until nobody has the standard error any more
    assert errors == b""


#: (what happens, how often before) that the interrupt comes right after.
MOMENTS = [("start", number) for number in range(3)] + [("end", 0), ("expect", 0), ("remove", 0)]


@lists_processes
@pytest.mark.parametrize(("what", "before"), MOMENTS, ids=lambda value: str(value))
def test_an_interrupt_at_an_awkward_moment(
    what: str,
    before: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    # A process was started and nobody knew of it yet; or one was being ended, and was left.
    owner, name = {
        "start": (subprocess.Popen, "__init__"),
        "end": (subprocess.Popen, "terminate"),
        "expect": (child.Child, "expect"),
        "remove": (tempfile.TemporaryDirectory, "cleanup"),
    }[what]
    original = getattr(owner, name)
    calls = []

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        calls.append(result)
        if len(calls) == before + 1:
            signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(owner, name, interrupted)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    here = children()
    assert main(["demo", "--hub", "native", "--requests", "6"]) == 130
    assert calls
    assert children() == here
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr().err == ""


def test_the_handler_of_interrupts_comes_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupts.let_in(lambda: pytest.fail("the interrupt that was noted has not come"))
        signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def children(parent: int | None = None) -> set[str]:
    """The numbers of a process's children; by default of this one's."""
    number = os.getpid() if parent is None else parent
    own = Path(f"/proc/{number}/task/{number}/children")
    return set(own.read_text().split())
