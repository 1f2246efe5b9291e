"""A deadline for every test: a hang becomes a failure that shows where every thread and task stands.

What must live here: the watching thread, its report, and the pytest hooks that arm it. What this
file must not know: any hub; of hubkit only the unpatched thread calls and how stacks are shown.

Each phase of a test (setup, call, teardown) has a limit. A phase that outlives it meets, in order:

1. the stacks of all threads and tasks are written to the real stderr and kept for the report;
2. the main thread gets SIGINT, once a second, and the KeyboardInterrupt (or whatever the code under
   test made of it) that comes out of the phase is turned into a failure: the session goes on;
3. after `grace` seconds without an answer the process ends with status 70;
4. should not even the watching thread get to run (C code that keeps the GIL, a report that blocks),
   faulthandler's own thread, which needs no GIL, dumps the stacks and ends the process.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
import traceback
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

from hubkit.testing.frames import without_runner  # now: a hang may hold the import lock

if TYPE_CHECKING:
    from types import FrameType

DEFAULT_SECONDS = 30.0
DEFAULT_GRACE = 5.0
EXIT_STATUS = 70  # EX_SOFTWARE of sysexits.h
PLUGIN_NAME = "hubkit-watchdog"
_POLL = 0.05  # seconds; how late the watching thread may notice
_REPEAT = 1.0  # seconds between interrupts: the code under test may swallow one
_LAST_RESORT = 10.0  # seconds that step 4 leaves to the steps before it


class _Phase:
    """One phase of one test, and how far the watchdog has come with it."""

    def __init__(self, title: str, seconds: float, deadline: float) -> None:
        self.title = title
        self.seconds = seconds
        self.deadline = deadline
        self.claims = [True]  # whoever pops decides: the phase has ended in time, or it has hung
        self.report: str | None = None
        self.ended = False  # the main thread has come out of it
        self.quiet = True  # no interrupt is on its way, and none will be sent

    def claim(self) -> bool:
        try:
            return self.claims.pop()
        except IndexError:
            return False


class Watchdog:
    """Watches one phase at a time from a native thread, on behalf of the thread that made it."""

    def __init__(self, stderr_fd: int, grace: float = DEFAULT_GRACE) -> None:
        # Taken from hubkit because the modules themselves may have been patched before this import.
        from hubkit import originals

        self._sleep = originals.sleep
        self._now = originals.monotonic
        self._stderr_fd = stderr_fd
        self._grace = grace
        self._get_ident = originals.get_ident
        self._main_ident = self._get_ident()
        self._phase: _Phase | None = None
        self._stopped = False
        self._thread: _UncountedThread | None = _UncountedThread(self._run)
        os.register_at_fork(
            before=faulthandler.cancel_dump_traceback_later,  # a child would wait for a thread it lacks
            after_in_parent=self._set_last_resort,
            after_in_child=self._forget,
        )

    def arm(self, title: str, seconds: float) -> None:
        """Start the clock for a phase; the calling thread must be the one that made the watchdog."""
        self._phase = _Phase(title, seconds, self._now() + seconds)
        self._set_last_resort()

    def disarm(self) -> str | None:
        """Stop the clock. The report if the phase took too long, else None. Idempotent.

        After it returned no interrupt of the watchdog can reach the main thread any more.
        """
        phase = self._phase
        if phase is None:
            return None
        in_time = phase.claim()
        phase.ended = True
        if not in_time:
            self._wait_until_quiet(phase)
        faulthandler.cancel_dump_traceback_later()
        return phase.report

    def close(self) -> None:
        """End the watching thread, and close the descriptor it was given."""
        self._stopped = True
        if self._thread is not None:
            self._thread.join()
        os.close(self._stderr_fd)

    def _wait_until_quiet(self, phase: _Phase) -> None:
        while True:
            try:
                while not phase.quiet:
                    self._sleep(0.01)
                self._sleep(0.01)  # a signal that was sent before is delivered by the end of it
                return
            except KeyboardInterrupt:
                pass  # ours, come too late to interrupt anything

    # -- the watching thread ----------------------------------------------------------------------

    def _run(self) -> None:
        with contextlib.suppress(AttributeError):  # not on every platform
            # Signals of the tests belong to the main thread, whose blocking calls they must end.
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while not self._stopped:
            self._sleep(_POLL)
            phase = self._phase
            if phase is None or phase.ended or self._now() < phase.deadline:
                continue
            phase.quiet = False  # before the claim: the loser of it looks here
            if phase.claim():
                self._fire(phase)
            phase.quiet = True

    def _fire(self, phase: _Phase) -> None:
        headline = f"watchdog: {phase.title} hung for {phase.seconds:g} s"
        phase.report = headline
        self._write(f"\n{headline}\n")
        threads = _or_traceback(self._format_threads)
        self._write(threads)
        tasks = _or_traceback(_format_tasks)
        self._write(tasks)
        phase.report = f"{headline}\n{threads}{tasks}"
        give_up = self._now() + self._grace
        while self._now() < give_up:
            self._interrupt_main()
            repeat = min(self._now() + _REPEAT, give_up)
            while self._now() < repeat:
                if phase.ended:
                    return
                self._sleep(0.01)
        self._write(f"watchdog: no answer to SIGINT for {self._grace:g} s, the process ends here\n")
        for stream in (sys.__stdout__, sys.__stderr__):
            with contextlib.suppress(Exception):
                if stream is not None:
                    stream.flush()
        os._exit(EXIT_STATUS)

    def _format_threads(self) -> str:
        return format_threads({self._main_ident: "main thread"}, skip=self._get_ident())

    def _interrupt_main(self) -> None:
        # A real signal, not _thread.interrupt_main(): only that ends a blocking lock or system call.
        if signal.getsignal(signal.SIGINT) not in (signal.SIG_DFL, None):  # SIG_DFL would end the process
            signal.pthread_kill(self._main_ident, signal.SIGINT)

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._stderr_fd, data) :]

    # -- the last resort, and forks ---------------------------------------------------------------

    def _set_last_resort(self) -> None:
        phase = self._phase
        if phase is not None and not phase.ended:
            left = max(0.0, phase.deadline - self._now()) + self._grace + _LAST_RESORT
            faulthandler.dump_traceback_later(left, exit=True, file=self._stderr_fd)

    def _forget(self) -> None:
        """In a forked child, which has no watching thread: its parent's watchdog sees it hang."""
        self._phase = None
        self._thread = None


class _UncountedThread:
    """A thread that Python does not count among its own, because the C library made it.

    A hub would take a counted one for a thread that may still wake somebody, and would never report a
    deadlock while the watchdog is there.
    """

    def __init__(self, run: Callable[[], None]) -> None:
        self._libc = ctypes.CDLL(None)
        self._handle = ctypes.c_void_p()
        # An attribute, for the thread runs inside of it and must not outlive it.
        self._entry = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda _: run())
        error = self._libc.pthread_create(ctypes.byref(self._handle), None, self._entry, None)
        if error:
            raise OSError(error, f"the watchdog's thread could not be started: {os.strerror(error)}")

    def join(self) -> None:
        self._libc.pthread_join(self._handle, None)


def format_threads(names: dict[int, str] | None = None, skip: int | None = None) -> str:
    """The stack of every Python thread, innermost call last; `names` goes before the threads' own."""
    known: dict[int, str] = {}
    threading = sys.modules.get("threading")
    if threading is not None:
        # Not enumerate(): it takes a lock, which the very thread that hangs may hold.
        known = {ident: f"thread {thread.name}" for ident, thread in dict(threading._active).items()}
    known.update(names or {})
    frames: dict[int, FrameType] = sys._current_frames()
    parts = []
    for ident, frame in frames.items():
        if ident != skip:
            parts.append(f"\n-- {known.get(ident, 'a thread unknown to threading')} ({ident:#x})\n")
            stack = [caller for caller, _ in traceback.walk_stack(frame)]
            parts.extend(traceback.format_stack(frame, limit=len(without_runner(stack[::-1]))))
    return "".join(parts)


def _format_tasks() -> str:
    return f"\n-- hubkit tasks\n{sys.modules['hubkit.testing'].format_tasks()}\n"


def _or_traceback(format_something: Callable[[], str]) -> str:
    """What it returns, or why it could not: a hang leaves things in any state, and the rest must come out."""
    try:
        return format_something()
    except BaseException:
        return f"\n-- could not be listed\n{traceback.format_exc()}\n"


# -- pytest ---------------------------------------------------------------------------------------


def install(config: pytest.Config, seconds: float = DEFAULT_SECONDS, grace: float = DEFAULT_GRACE) -> None:
    """Watch every test of this session; call it from `pytest_configure`. Idempotent.

    `@pytest.mark.watchdog(seconds)` sets the limit of one test. HUBKIT_WATCHDOG sets the limit of the
    tests without the mark; 0 switches the watchdog off, and so does --pdb.
    """
    config.addinivalue_line("markers", "watchdog(seconds): how long each phase of the test may take")
    seconds = float(os.environ.get("HUBKIT_WATCHDOG", seconds))
    if config.getoption("usepdb", False) or not seconds or config.pluginmanager.has_plugin(PLUGIN_NAME):
        return
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell's background job inherits that; nothing could interrupt a test then.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        watchdog = Watchdog(os.dup(2), grace)
    config.pluginmanager.register(WatchdogPlugin(watchdog, seconds), PLUGIN_NAME)


class WatchdogPlugin:
    """The pytest hooks: they arm the watchdog around each phase and turn an interrupt into a failure."""

    def __init__(self, watchdog: Watchdog, seconds: float) -> None:
        self.watchdog = watchdog
        self.seconds = seconds

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        return (yield from self._watch(item, "setup"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        return (yield from self._watch(item, "call"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        return (yield from self._watch(item, "teardown"))

    def pytest_unconfigure(self) -> None:
        self.watchdog.close()

    def _watch(self, item: pytest.Item, phase: str) -> Generator[None, object, object]:
        __tracebackhide__ = True
        mark = item.get_closest_marker("watchdog")
        seconds = float(mark.args[0]) if mark else self.seconds
        cause: BaseException | None = None
        self.watchdog.arm(f"{phase} of {item.nodeid}", seconds)
        try:
            result = yield
            report = self.watchdog.disarm()
        except BaseException as error:
            report = self.watchdog.disarm()
            if report is None:
                raise
            cause = error
        if report is None:
            return result
        headline, _, stacks = report.partition("\n")
        item.add_report_section(phase, "watchdog", stacks)
        raise pytest.fail.Exception(headline) from cause
