"""Native threads that run one job after another: one cache for the whole process.

What must live here: starting, re-using and ending threads, and how many there are. What this file must not
know: tasks, hubs, what a job is for.

A thread with nothing to do stays for a while, as a start costs several times as much as a wake-up. It is
idle, and counted so, before the end of its job is told to anybody: who hears of the end sees a quiet
process, and a job that it starts in return finds this thread.

The threads are daemons and nobody joins them: the interpreter ends without asking them. What a job leaves in
a `threading.local` stays with the thread, as in any pool of threads; hubkit's own such data does not.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from . import forking
from .originals import ThreadLocal, allocate_lock, get_ident, start_new_thread

Job = Callable[[], Any]
#: Called with what a job returned and None, or with None and what it raised.
Deliver = Callable[[Any, BaseException | None], object]

#: Seconds that an idle thread stays. Long enough for the next burst, short enough that a process does
#: not keep the threads of its busiest minute.
IDLE_SECONDS = 10.0

_log = logging.getLogger("hubkit")
_threads: dict[_Thread, None] = {}
_idle: dict[_Thread, None] = {}  # in order of becoming so; whoever takes one out gives it a job
_telling: dict[_Thread, None] = {}  # those that may be idle, but have not told the end of their job yet
_after_each_job: list[Callable[[], bool]] = []
_idle_jobs: list[Callable[[], bool]] = []
_here = ThreadLocal()  # .thread: the _Thread that this thread is


def run_in_thread(job: Job, deliver: Deliver | None = None) -> None:
    """Call `job()` in a native thread of its own: an idle one, else a new one.

    Whatever it raises goes to `deliver(value, error)`, called in that thread when the job has ended, or
    is logged if there is none to deliver to. `deliver` must neither wait nor raise.

    Switches: never. Call from: any thread, signal. Raises: RuntimeError if no thread can be started.
    """
    try:
        thread = _idle.popitem()[0]
    except KeyError:
        _start(_Thread(job, deliver))
    else:
        thread.work = job, deliver
        thread.wake.release()


def idle_count() -> int:
    """How many threads of the cache have nothing to do, and so will wake nobody.

    Switches: never. Call from: any thread, signal. Raises: nothing.
    """
    return len(_idle) + sum(is_idle() for is_idle in _idle_jobs)


def busy_count() -> int:
    """How many threads of the cache run a job.

    Switches: never. Call from: any thread, signal. Raises: nothing.
    """
    return len(_threads) - idle_count()


def telling() -> bool:
    """Whether a thread has done its job and is about to tell of it, or has just told.

    Switches: never. Call from: any thread, signal. Raises: nothing.
    """
    return bool(_telling)


def count_as_idle(is_idle: Callable[[], bool]) -> None:
    """While `is_idle()`, count one job that never ends as none: its thread only waits for work.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    _idle_jobs.append(is_idle)


def after_each_job(tidy: Callable[[], bool]) -> None:
    """Have `tidy()` called after every job in its thread, so that nothing reaches the next one.

    False says that it cannot see to that: the thread ends.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    _after_each_job.append(tidy)


class _Thread:
    """One native thread and the job that it is to do."""

    __slots__ = ("forked", "profile", "trace", "wake", "work")

    def __init__(self, job: Job, deliver: Deliver | None) -> None:
        self.work: tuple[Job, Deliver | None] | None = (job, deliver)
        self.wake = allocate_lock()  # released by whoever has set `work`
        self.wake.acquire()
        self.trace: Any = None  # the hooks of a thread that has done nothing yet
        self.profile: Any = None
        self.forked = False  # in a child, where this was the thread that forked

    def main(self) -> None:
        """The life of the thread."""
        _here.thread = self
        _take_debugger()
        self.trace, self.profile = sys.gettrace(), sys.getprofile()
        while self._work():
            pass

    def _work(self) -> bool:
        """Do a job and wait for the next; False if the thread is to end."""
        assert self.work is not None
        (job, deliver), self.work = self.work, None
        value = failure = None
        try:
            value = job()
        except BaseException as error:
            failure = error
            if error.__traceback__ is not None:  # its first entry is this frame
                error.__traceback__ = error.__traceback__.tb_next
        if self.forked:
            forking.exit_with(failure)
        del job
        _telling[self] = None
        if clean := self._tidy():
            _idle[self] = None
        else:
            _threads.pop(self, None)
        try:
            (deliver or _log_failure)(value, failure)
        except BaseException as error:
            _log.error("%r failed to take the end of a job", deliver, exc_info=error)
        _telling.pop(self, None)
        del value, failure, deliver
        return clean and self._await()

    def _tidy(self) -> bool:
        """Whether the thread is as good as new."""
        clean = True
        for tidy in _after_each_job:
            clean &= tidy()
        threading = sys.modules.get("threading")
        if threading is not None:  # which keeps a record of every thread that asked for its own
            threading._active.pop(get_ident(), None)
        return clean and sys.gettrace() is self.trace and sys.getprofile() is self.profile

    def _await(self) -> bool:
        """Wait for a job; False if none came in time."""
        if not self.wake.acquire(True, IDLE_SECONDS):
            try:
                del _idle[self]
            except KeyError:  # taken in this very instant: the job is on its way
                self.wake.acquire()
            else:
                _threads.pop(self, None)
                return False
        return True


def _start(thread: _Thread) -> None:
    _threads[thread] = None
    try:
        start_new_thread(thread.main, ())
    except RuntimeError as error:
        del _threads[thread]
        raise RuntimeError(
            f"no further thread can be started beside the {len(_threads)} of hubkit ({error}): limit how "
            "many tasks run at once with hubkit.Pool, or choose a hub that has MANY_TASKS"
        ) from error


def _log_failure(value: object, failure: BaseException | None) -> None:
    if failure is not None:
        _log.error("a job in a thread failed", exc_info=failure)


def _take_debugger() -> None:
    """What `threading` does for its threads: debuggers and coverage tools want to follow."""
    threading = sys.modules.get("threading")
    if threading is not None:
        if (trace := threading.gettrace()) is not None:
            sys.settrace(trace)
        if (profile := threading.getprofile()) is not None:
            sys.setprofile(profile)


def _in_child() -> None:
    """After a fork only the thread that forked is left."""
    _idle.clear()
    _telling.clear()
    _threads.clear()
    thread = getattr(_here, "thread", None)
    if thread is not None:
        _threads[thread] = None
        thread.forked = True


os.register_at_fork(after_in_child=_in_child)
