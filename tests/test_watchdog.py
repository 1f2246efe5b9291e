"""The watchdog, seen from outside: a child pytest runs tests that hang, and is expected to survive."""

from __future__ import annotations

import _thread
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from textwrap import dedent

import pytest

from hubkit_conformance import watchdog

CONFTEST = """
    import sys, types
    from hubkit_conformance import watchdog

    testing = types.ModuleType("hubkit.testing")
    testing.format_tasks = lambda: "task 'fetch' waits for a queue"
    sys.modules["hubkit.testing"] = testing

    def pytest_configure(config):
        watchdog.install(config, seconds=20, grace=0.5)
"""

NEXT_TEST = """
    def test_next():
        pass
"""


def run_child(
    folder: Path, body: str, conftest: str = CONFTEST, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run `body` and a test after it under pytest in a process of its own."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "conftest.py").write_text(dedent(conftest))
    (folder / "test_it.py").write_text(
        "import signal, threading, time, pytest\n" + dedent(body) + dedent(NEXT_TEST)
    )
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", str(folder)],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            **env,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


HANGS = {
    "lock": """
    @pytest.mark.watchdog(0.3)
    def test_hang():
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()
    """,
    "busy loop": """
    @pytest.mark.watchdog(0.3)
    def test_hang():
        while True:
            pass
    """,
    "system call": """
    @pytest.mark.watchdog(0.3)
    def test_hang():
        time.sleep(100)
    """,
    "join of a thread": """
    @pytest.mark.watchdog(0.3)
    def test_hang():
        thread = threading.Thread(target=time.sleep, args=(100,), daemon=True)
        thread.start()
        thread.join()
    """,
}


@pytest.mark.parametrize("body", HANGS.values(), ids=HANGS.keys())
def test_a_hang_is_a_failure_and_the_session_goes_on(tmp_path: Path, body: str) -> None:
    child = run_child(tmp_path, body)
    assert child.returncode == pytest.ExitCode.TESTS_FAILED, child.stdout + child.stderr
    assert "FAILED test_it.py::test_hang - Failed: watchdog: call of" in child.stdout
    assert "hung for 0.3 s" in child.stdout
    assert "PASSED test_it.py::test_next" in child.stdout
    for output in (child.stderr, child.stdout):  # at once, and again in the report of the failure
        assert "-- main thread" in output
        assert "in test_hang" in output
        assert "in runtestprotocol" not in output
        assert "task 'fetch' waits for a queue" in output


def test_the_stacks_of_other_threads_are_shown(tmp_path: Path) -> None:
    child = run_child(
        tmp_path,
        """
    def wait_for_ever():
        threading.Event().wait()

    @pytest.mark.watchdog(0.3)
    def test_hang():
        thread = threading.Thread(target=wait_for_ever, name="the culprit", daemon=True)
        thread.start()
        thread.join()
    """,
    )
    assert "-- thread the culprit" in child.stderr
    assert "in wait_for_ever" in child.stderr


@pytest.mark.parametrize("phase", ["setup", "teardown"])
def test_a_hanging_fixture_is_an_error(tmp_path: Path, phase: str) -> None:
    hang = "threading.Event().wait()"
    child = run_child(
        tmp_path,
        f"""
    @pytest.fixture
    def resource():
        {hang if phase == "setup" else "pass"}
        yield
        {hang if phase == "teardown" else "pass"}

    @pytest.mark.watchdog(0.3)
    def test_hang(resource):
        pass
    """,
    )
    assert child.returncode == pytest.ExitCode.TESTS_FAILED, child.stdout + child.stderr
    assert f"ERROR test_it.py::test_hang - Failed: watchdog: {phase} of" in child.stdout
    assert "PASSED test_it.py::test_next" in child.stdout


def test_an_interrupt_that_is_swallowed_once_comes_again(tmp_path: Path) -> None:
    child = run_child(
        tmp_path,
        """
    @pytest.mark.watchdog(0.3)
    def test_hang():
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            threading.Event().wait()
    """,
        conftest=CONFTEST.replace("grace=0.5", "grace=10"),
    )
    assert "FAILED test_it.py::test_hang - Failed: watchdog" in child.stdout
    assert "PASSED test_it.py::test_next" in child.stdout


def test_a_test_that_ends_in_time_after_all_still_fails(tmp_path: Path) -> None:
    child = run_child(
        tmp_path,
        """
    @pytest.mark.watchdog(0.3)
    def test_hang():
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass
    """,
    )
    assert "FAILED test_it.py::test_hang - Failed: watchdog" in child.stdout
    assert "PASSED test_it.py::test_next" in child.stdout


@pytest.mark.parametrize("handler", ["lambda *args: None", "signal.SIG_IGN", "signal.SIG_DFL"])
def test_no_answer_ends_the_process(tmp_path: Path, handler: str) -> None:
    child = run_child(
        tmp_path,
        f"""
    @pytest.mark.watchdog(0.3)
    def test_hang():
        signal.signal(signal.SIGINT, {handler})
        while True:
            time.sleep(0.1)
    """,
    )
    assert child.returncode == watchdog.EXIT_STATUS, child.stdout + child.stderr
    assert "in test_hang" in child.stderr
    assert "task 'fetch' waits for a queue" in child.stderr
    assert "the process ends here" in child.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a C library loaded under the name None")
def test_code_that_keeps_the_interpreter_lock_cannot_hide(tmp_path: Path) -> None:
    child = run_child(
        tmp_path,
        """
    @pytest.mark.watchdog(0.3)
    def test_hang():
        import ctypes
        ctypes.PyDLL(None).sleep(50)
    """,
        conftest=CONFTEST + "\n    watchdog._LAST_RESORT = 0.5\n",
    )
    assert child.returncode == 1, child.stdout + child.stderr
    assert "in test_hang" in child.stderr
    assert "test_next" not in child.stdout


def test_a_task_list_that_cannot_be_made_hides_nothing_else(tmp_path: Path) -> None:
    child = run_child(
        tmp_path,
        HANGS["lock"],
        conftest=CONFTEST.replace("task 'fetch' waits for a queue", "").replace('""', "1 / 0"),
    )
    assert "FAILED test_it.py::test_hang - Failed: watchdog" in child.stdout
    assert "in test_hang" in child.stderr
    assert "ZeroDivisionError" in child.stderr


def test_a_forked_child_neither_fires_nor_waits(tmp_path: Path) -> None:
    child = run_child(
        tmp_path,
        """
    import faulthandler, os

    @pytest.mark.watchdog(1)
    def test_fork():
        pid = os.fork()
        if pid == 0:
            faulthandler.cancel_dump_traceback_later()  # the interpreter's finalization does that too
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    """,
    )
    assert "PASSED test_it.py::test_fork" in child.stdout, child.stdout + child.stderr
    assert "hung" not in child.stderr


def test_a_background_job_can_be_interrupted(tmp_path: Path) -> None:
    """A shell starts `pytest &` with SIGINT ignored."""
    ignoring = "\n    import signal\n    signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    child = run_child(tmp_path, HANGS["lock"], conftest=ignoring + CONFTEST)
    assert "FAILED test_it.py::test_hang - Failed: watchdog" in child.stdout


def test_zero_in_the_environment_switches_it_off(tmp_path: Path) -> None:
    body = """
    @pytest.mark.watchdog(0.1)
    def test_slow():
        time.sleep(0.5)
    """
    child = run_child(tmp_path, body, HUBKIT_WATCHDOG="0")
    assert child.returncode == 0, child.stdout + child.stderr


def test_its_thread_hides_no_deadlock() -> None:
    """A hub counts Python's threads to tell whether anybody is left who could wake a task."""
    before = _thread._count()
    stacks = len(sys._current_frames())
    dog = watchdog.Watchdog(os.dup(2))
    dog.arm("nothing", 10.0)
    try:
        deadline = time.monotonic() + 5
        while len(sys._current_frames()) == stacks and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(sys._current_frames()) == stacks + 1
        assert _thread._count() == before
    finally:
        assert dog.disarm() is None
        dog.close()


def test_format_threads_names_every_thread_but_the_one_to_skip() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="parked here")
    thread.start()
    try:
        headline = f"-- thread parked here ({thread.ident:#x})"
        assert headline in watchdog.format_threads()
        assert headline not in watchdog.format_threads(skip=thread.ident)
    finally:
        stop.set()
        thread.join()
