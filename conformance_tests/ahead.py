"""Calls that are made ahead of the tests that ask for their outcomes, in a process beside the tests.

What must live here: how many calls are made at a time, and the way of an outcome to the test. What this file
must not know: what is called. The same file is the program that makes the calls.

Not threads of pytest's own process, nor children of it: there are tests that find no deadlock while another
thread lives, and tests that count their children.
"""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Any, TypeAlias

Calls: TypeAlias = Mapping[Hashable, Callable[[], object]]  # the callables are pickled

VARIABLE = "HUBKIT_JOBS"
FOREGROUND_WAITS = b"w"


def jobs() -> int:
    """How many processors to keep busy: HUBKIT_JOBS, or all that this process may use."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not wanted.isascii() or not wanted.isdigit() or int(wanted) < 1:
        raise ValueError(f"{VARIABLE} must be a number of processes, 1 or more, not {wanted!r}")
    return int(wanted)


class Ahead:
    """Makes the calls in their order, each once; `outcome` waits for one.

    One call fewer at a time as long as nobody waits: what runs in this process is busy, too.
    """

    def __init__(self, calls: Calls, jobs: int) -> None:
        self._numbers = {key: number for number, key in enumerate(calls)}
        self._temporary = tempfile.TemporaryDirectory(prefix="hubkit-ahead-")
        self._folder = Path(self._temporary.name)
        self._done: set[int] = set()
        self._nobody_waited = True
        _calls(self._folder).write_bytes(pickle.dumps(list(calls.values())))
        with _errors(self._folder).open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(self._folder), str(jobs)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
                start_new_session=True,  # no Ctrl-C, and what it leaves behind can be ended with it
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout

    def outcome(self, key: Hashable) -> Any:
        """What the call returned; raises what it raised."""
        if self._nobody_waited:
            self._nobody_waited = False
            with suppress(BrokenPipeError):  # it has ended; the reason is told below
                self._to.write(FOREGROUND_WAITS)
        number = self._numbers[key]
        while number not in self._done:
            line = self._from.readline()
            if not line:
                errors = _errors(self._folder).read_text(errors="replace")
                raise RuntimeError(f"the process that makes the calls has ended\n{errors}")
            self._done.add(int(line))
        raised, outcome = pickle.loads(_outcome(self._folder, number).read_bytes())
        if raised:
            raise outcome
        return outcome

    def close(self) -> None:
        """End the calls that are still being made, with all that they have started. Idempotent."""
        if self._process.returncode is None:  # not waited for, so the number is still its own
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._to.close()
        self._from.close()
        self._temporary.cleanup()


def main(folder: Path, jobs: int) -> None:
    """The side that makes the calls. Its standard input ends also if the other side is killed."""
    tempfile.tempdir = str(folder)  # for what the calls cannot clear away when they are ended
    waiting = deque(enumerate(pickle.loads(_calls(folder).read_bytes())))
    telling = Lock()

    def work() -> None:
        with suppress(IndexError):
            while True:
                number, call = waiting.popleft()
                _outcome(folder, number).write_bytes(_make(call))
                with telling:
                    print(number, flush=True)

    for _ in range(jobs - 1):
        Thread(target=work, daemon=True).start()
    if sys.stdin.buffer.read(1) == FOREGROUND_WAITS:
        Thread(target=work, daemon=True).start()
        sys.stdin.buffer.read()
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _make(call: Callable[[], object]) -> bytes:
    try:
        return pickle.dumps((False, call()))
    except Exception as error:
        return pickle.dumps((True, error))


def _calls(folder: Path) -> Path:
    return folder / "calls"


def _errors(folder: Path) -> Path:
    return folder / "errors"


def _outcome(folder: Path, number: int) -> Path:
    return folder / f"outcome-{number}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
