"""hubkit.worker_threads: the cache of native threads."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from scripts import run_script

from hubkit import worker_threads
from hubkit.worker_threads import (
    after_each_job,
    busy_count,
    count_as_idle,
    idle_count,
    run_in_thread,
    telling,
)

PATIENCE = 10.0


class Job:
    """Runs `fn` in a thread of the cache; `wait` gives what was delivered."""

    def __init__(self, fn: Callable[[], Any]) -> None:
        self.delivered = threading.Event()
        self.outcome: tuple[Any, BaseException | None] = (None, None)
        run_in_thread(fn, self.deliver)

    def deliver(self, value: Any, error: BaseException | None) -> None:
        self.outcome = value, error
        self.delivered.set()

    def wait(self) -> tuple[Any, BaseException | None]:
        assert self.delivered.wait(PATIENCE), "the outcome of a job was not delivered"
        return self.outcome


def until(come_true: Callable[[], object]) -> None:
    """Wait for a state that another thread reaches without telling anybody."""
    end = time.monotonic() + PATIENCE
    while not come_true():
        assert time.monotonic() < end, "what was waited for has not come"
        time.sleep(0.001)


@pytest.fixture
def no_idle_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody else's threads in the counts."""
    monkeypatch.setattr(worker_threads, "_idle", {})
    monkeypatch.setattr(worker_threads, "_threads", {})
    monkeypatch.setattr(worker_threads, "_idle_jobs", [])
    yield
    until(lambda: not busy_count())
    monkeypatch.setattr(worker_threads, "IDLE_SECONDS", 0.0)
    for _ in list(worker_threads._threads):
        Job(int).wait()  # which is followed by the shorter wait
    until(lambda: not worker_threads._threads)


def test_a_job_runs_in_another_thread_and_its_value_is_delivered_there() -> None:
    idents = []
    delivered = threading.Event()

    def deliver(value: Any, error: BaseException | None) -> None:
        idents.append(threading.get_ident())
        assert (value, error) == ("value", None)
        delivered.set()

    run_in_thread(lambda: idents.append(threading.get_ident()) or "value", deliver)
    assert delivered.wait(PATIENCE)
    assert idents[0] == idents[1] != threading.get_ident()


@pytest.mark.parametrize(
    "kind", [KeyError, SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration, BaseException]
)
def test_whatever_a_job_raises_is_delivered(kind: type[BaseException]) -> None:
    error = kind("from the job")

    def fail() -> None:
        raise error

    value, got = Job(fail).wait()
    assert value is None
    assert got is error
    assert got.__traceback__ is not None
    assert got.__traceback__.tb_frame.f_code.co_name == "fail", "the thread's own frame shows"


def test_an_error_that_is_delivered_to_nobody_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "hubkit"):
        run_in_thread(lambda: {}["missing"])
        until(lambda: caplog.records)
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError


def test_a_deliverer_that_fails_is_logged_and_harms_nobody(
    caplog: pytest.LogCaptureFixture, no_idle_threads: None
) -> None:
    def deliver(value: Any, error: BaseException | None) -> None:
        idents.append(threading.get_ident())
        raise RuntimeError("cannot take it")

    idents: list[int] = []
    with caplog.at_level(logging.ERROR, "hubkit"):
        run_in_thread(int, deliver)
        until(lambda: caplog.records)
    assert "cannot take it" in str(caplog.records[0].exc_info)
    assert Job(threading.get_ident).wait()[0] == idents[0]


def test_an_idle_thread_is_used_again(no_idle_threads: None) -> None:
    idents = {Job(threading.get_ident).wait()[0] for _ in range(20)}
    assert len(idents) == 1
    assert (idle_count(), busy_count()) == (1, 0)


def test_jobs_at_once_have_a_thread_each(no_idle_threads: None) -> None:
    together = threading.Barrier(10)
    jobs = [Job(lambda: together.wait(PATIENCE) is not None and threading.get_ident()) for _ in range(10)]
    assert len({job.wait()[0] for job in jobs}) == 10


def test_the_counts_tell_who_is_busy(no_idle_threads: None) -> None:
    go = threading.Event()
    jobs = [Job(lambda: go.wait(PATIENCE)) for _ in range(3)]
    assert (idle_count(), busy_count()) == (0, 3)
    go.set()
    for job in jobs:
        job.wait()
    assert (idle_count(), busy_count()) == (3, 0)


def test_a_thread_is_idle_before_anybody_hears_of_the_end(no_idle_threads: None) -> None:
    seen: list[Any] = []
    idents: list[int] = []
    over = threading.Event()

    def deliver(value: Any, error: BaseException | None) -> None:
        seen.append((idle_count(), busy_count()))
        run_in_thread(lambda: idents.append(threading.get_ident()), lambda *_: over.set())

    run_in_thread(lambda: idents.append(threading.get_ident()), deliver)
    assert over.wait(PATIENCE)
    assert seen == [(1, 0)]
    assert len(set(idents)) == 1, "a job started in return found no idle thread"


def test_a_thread_that_has_not_told_yet_is_telling(no_idle_threads: None) -> None:
    seen: list[bool] = []
    run_in_thread(int, lambda *_: seen.append(telling()))
    until(lambda: seen)
    assert seen == [True]
    until(lambda: not telling())


def test_a_job_that_never_ends_counts_as_idle_while_it_says_so(no_idle_threads: None) -> None:
    resting: list[bool] = []
    go = threading.Event()
    job = Job(lambda: go.wait(PATIENCE))
    count_as_idle(lambda: bool(resting))
    assert (idle_count(), busy_count()) == (0, 1)
    resting.append(True)
    assert (idle_count(), busy_count()) == (1, 0)
    resting.clear()
    go.set()
    job.wait()


def test_idle_threads_end_after_a_while(no_idle_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_threads, "IDLE_SECONDS", 0.01)
    Job(int).wait()
    until(lambda: not worker_threads._threads)
    assert (idle_count(), busy_count()) == (0, 0)
    assert Job(lambda: "again").wait() == ("again", None)


def test_a_thread_that_is_taken_while_it_gives_up_does_the_job(
    no_idle_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_threads, "IDLE_SECONDS", 0.0)
    for number in range(500):
        assert Job(lambda number=number: number).wait() == (number, None)


def test_jobs_from_many_threads_run_once_each(no_idle_threads: None) -> None:
    done: list[tuple[int, int]] = []

    def ask(name: int) -> None:
        for number in range(200):
            run_in_thread(lambda number=number: done.append((name, number)))

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len(done) == 800)
    assert len(set(done)) == 800


def test_signal_handlers_may_ask_in_the_middle_of_asking(no_idle_threads: None) -> None:
    done: list[str] = []
    asked = 0

    def handler(*_: object) -> None:
        nonlocal asked
        asked += 1
        run_in_thread(lambda: done.append("handler"))

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        while asked < 100:
            Job(lambda: done.append("main")).wait()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    until(lambda: done.count("handler") == asked)


# -- nothing reaches the next job -----------------------------------------------------------------


def test_a_thread_with_a_trace_function_left_on_it_is_not_used_again(no_idle_threads: None) -> None:
    def leave() -> None:
        sys.settrace(lambda *_: None)

    Job(leave).wait()
    assert Job(sys.gettrace).wait() == (threading.gettrace(), None)


def test_a_thread_takes_part_in_tracing_like_those_of_threading(no_idle_threads: None) -> None:
    def trace(*_: object) -> None:
        return None

    before = threading.gettrace()
    threading.settrace(trace)
    try:
        assert Job(sys.gettrace).wait() == (trace, None)
    finally:
        threading.settrace(before)  # type: ignore[arg-type]


def test_threading_remembers_no_thread_of_the_cache(no_idle_threads: None) -> None:
    before = set(threading.enumerate())

    def rename() -> str:
        threading.current_thread().name = "renamed by a job"
        return threading.current_thread().name

    assert Job(rename).wait() == ("renamed by a job", None)
    assert Job(lambda: threading.current_thread().name).wait()[0] != "renamed by a job"
    assert set(threading.enumerate()) == before


def test_an_exception_being_handled_is_not_seen_by_the_next_job(no_idle_threads: None) -> None:
    Job(lambda: {}["missing"]).wait()
    assert Job(sys.exc_info).wait() == ((None, None, None), None)


def test_what_hubkit_keeps_by_thread_is_tidied_after_each_job(
    no_idle_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_threads, "_after_each_job", list(worker_threads._after_each_job))
    order: list[str] = []
    after_each_job(lambda: order.append("tidy") is None)
    over = threading.Event()
    run_in_thread(lambda: order.append("job"), lambda *_: (order.append("deliver"), over.set()))
    assert over.wait(PATIENCE)
    assert order == ["job", "tidy", "deliver"]
    assert idle_count() == 1


def test_a_thread_that_cannot_be_tidied_ends(no_idle_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_threads, "_after_each_job", list(worker_threads._after_each_job))
    after_each_job(lambda: False)
    Job(int).wait()
    assert (idle_count(), busy_count()) == (0, 0)


# -- when there are no threads, and the end -------------------------------------------------------


def test_the_error_when_no_thread_can_be_started_says_what_to_do(
    no_idle_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(worker_threads, "start_new_thread", refuse)
        with pytest.raises(RuntimeError, match=r"can't start new thread.*Pool.*MANY_TASKS"):
            run_in_thread(int)
    assert (idle_count(), busy_count()) == (0, 0)
    assert Job(lambda: "fine").wait() == ("fine", None)


PRELUDE = """
import atexit, os, sys, threading, time
from hubkit.worker_threads import busy_count, idle_count, run_in_thread

def call(fn):
    over, got = threading.Event(), []
    run_in_thread(fn, lambda *outcome: (got.append(outcome), over.set()))
    assert over.wait(10)
    return got[0]
"""


def test_the_interpreter_ends_beside_idle_and_busy_threads() -> None:
    began = time.monotonic()
    out = run_script(
        """
        call(int)
        run_in_thread(threading.Event().wait)
        run_in_thread(lambda: time.sleep(3600))
        atexit.register(lambda: print("at exit", call(lambda: "idle ones still work")))
        call(int)
        print("end")
        """,
        "threads",
        prelude=PRELUDE,
    )
    assert out == "end\nat exit ('idle ones still work', None)\n"
    assert time.monotonic() - began < 60


def test_a_forked_child_starts_with_an_empty_cache() -> None:
    out = run_script(
        """
        run_in_thread(lambda: time.sleep(3600))
        call(int)
        assert (idle_count(), busy_count()) == (1, 1)
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            print(idle_count(), busy_count(), call(lambda: "in the child"), flush=True)
            os._exit(0)
        print("status", os.waitpid(pid, 0)[1], idle_count(), busy_count(), call(lambda: "in the parent"))
        """,
        "threads",
        prelude=PRELUDE,
    )
    assert out == "0 0 ('in the child', None)\nstatus 0 1 1 ('in the parent', None)\n"


def test_a_job_that_forks_ends_the_child_with_itself() -> None:
    out = run_script(
        """
        def forks(how):
            pid = os.fork()
            if pid:
                return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            print("child:", idle_count(), busy_count(), call(lambda: "a job in the child"))
            if how is not None:
                raise how

        for how in None, KeyError(), SystemExit(7):
            print("parent:", call(lambda: forks(how)), flush=True)
        """,
        "threads",
        prelude=PRELUDE,
    )
    child = "child: 0 1 ('a job in the child', None)\n"
    assert out == "".join(f"{child}parent: ({status}, None)\n" for status in (0, 1, 7))
