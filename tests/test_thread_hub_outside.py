"""ThreadHub and the world outside: descriptors, signals, forks, the end of the process."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from errno import EBADF
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from scripts import run_script

from hubkit import Busy, Closed, blocking, current_hub, notify_closing, registry, sleep, spawn, testing
from hubkit.contract import READ, WRITE
from hubkit.registry import this_task
from hubkit.thread_hub import ThreadHub
from hubkit.waiting import CLOSED, TIMED_OUT, WOKEN, Ticket, own_ticket, ticket_for, wait
from hubkit_conformance.tools import LONG, PATIENCE, SHORT, finish, not_before, parked, until

HUB = "hubkit.thread_hub:ThreadHub"


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadHub]:
    """A fresh one, whatever hosts other tests have left at work in this thread."""
    monkeypatch.setattr(registry, "adapters", dict)
    with testing.override(HUB, grace=10):
        found = current_hub()
        assert isinstance(found, ThreadHub)
        yield found


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def pair(stack: ExitStack) -> tuple[int, int]:
    """A pipe: where to read, where to write."""
    ends = os.pipe()
    for fd in ends:
        stack.callback(close, fd)
    return ends


def close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        pass


def wait_for(*descriptors: tuple[int, str], seconds: float | None = None) -> Any:
    """One wait on all of `descriptors`, by the hub's verbs alone."""
    ticket = own_ticket()
    for fd, direction in descriptors:
        current_hub().arm_fd(fd, direction, ticket)
    return wait(ticket, seconds)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="/proc is not reachable here")


# -- descriptors ----------------------------------------------------------------------------------


def test_a_wait_ends_when_the_descriptor_is_ready(pair: tuple[int, int]) -> None:
    task = spawn(wait_for, (pair[0], READ))
    parked(task)
    os.write(pair[1], b"x")
    assert task.result(PATIENCE) is WOKEN
    assert wait_for((pair[0], READ)) is WOKEN, "ready already"
    assert wait_for((pair[1], WRITE)) is WOKEN


def test_a_hang_up_counts_as_ready(pair: tuple[int, int]) -> None:
    task = spawn(wait_for, (pair[0], READ))
    parked(task)
    os.close(pair[1])
    assert task.result(PATIENCE) is WOKEN


def test_a_regular_file_is_always_ready() -> None:
    with tempfile.TemporaryFile() as file:
        assert wait_for((file.fileno(), READ)) is WOKEN
        assert wait_for((file.fileno(), WRITE)) is WOKEN


def test_a_closed_number_is_an_error_at_once(pair: tuple[int, int]) -> None:
    os.close(pair[0])
    with pytest.raises(OSError) as caught:
        wait_for((pair[0], READ))
    assert caught.value.errno == EBADF


def test_a_number_closed_between_arming_and_waiting_is_ready(hub: ThreadHub, pair: tuple[int, int]) -> None:
    ticket = own_ticket()
    hub.arm_fd(pair[0], READ, ticket)
    os.close(pair[0])
    assert wait(ticket, PATIENCE) is WOKEN


def test_the_time_of_a_descriptor_wait_runs_out_and_its_place_is_free(pair: tuple[int, int]) -> None:
    with not_before(SHORT):
        assert wait_for((pair[0], READ), seconds=SHORT) is TIMED_OUT
    assert blocking._waiters == {}
    assert wait_for((pair[0], READ), seconds=0.001) is TIMED_OUT


def test_a_cancel_ends_a_descriptor_wait_and_frees_its_place(pair: tuple[int, int]) -> None:
    task = spawn(wait_for, (pair[0], READ))
    parked(task)
    task.cancel()
    finish(task)
    assert task.cancelled()
    assert blocking._waiters == {}


def test_a_second_waiter_is_refused_also_in_another_thread(pair: tuple[int, int]) -> None:
    task = spawn(wait_for, (pair[0], READ))
    parked(task)
    with pytest.raises(Busy, match=task.name):
        wait_for((pair[0], READ))
    got: list[BaseException] = []

    def plain() -> None:
        try:
            wait_for((pair[0], READ))
        except Busy as error:
            got.append(error)

    thread = threading.Thread(target=plain)
    thread.start()
    thread.join(PATIENCE)
    assert len(got) == 1
    task.cancel()
    finish(task)


def test_the_two_directions_are_independent(stack: ExitStack) -> None:
    ours, theirs = map(stack.enter_context, socket.socketpair())
    reader = spawn(wait_for, (ours.fileno(), READ))
    parked(reader)
    assert wait_for((ours.fileno(), WRITE)) is WOKEN
    assert not reader.done()
    theirs.send(b"x")
    assert reader.result(PATIENCE) is WOKEN


def test_one_ticket_may_wait_for_several_descriptors(stack: ExitStack) -> None:
    pairs = [tuple(map(stack.enter_context, socket.socketpair())) for _ in range(3)]
    task = spawn(wait_for, *[(ours.fileno(), READ) for ours, _ in pairs])
    parked(task)
    pairs[1][1].send(b"x")
    assert task.result(PATIENCE) is WOKEN
    assert blocking._waiters == {}


def test_closing_wakes_with_closed_from_any_thread(pair: tuple[int, int]) -> None:
    task = spawn(wait_for, (pair[0], READ))
    parked(task)
    thread = threading.Thread(target=notify_closing, args=(pair[0],))
    thread.start()
    assert task.result(PATIENCE) is CLOSED
    thread.join(PATIENCE)
    notify_closing(pair[0])  # harmless where nobody waits


def test_closing_between_arming_and_waiting_is_not_missed(hub: ThreadHub, pair: tuple[int, int]) -> None:
    ticket = own_ticket()
    hub.arm_fd(pair[0], READ, ticket)
    hub.forget_fd(pair[0])
    assert wait(ticket) is CLOSED


def test_t29_flags_that_others_share_are_left_alone(pair: tuple[int, int]) -> None:
    duplicate = os.dup(pair[0])
    before = [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (*pair, duplicate)]
    wait_for((pair[0], READ), seconds=0.001)
    wait_for((pair[1], WRITE))
    assert [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (*pair, duplicate)] == before
    os.close(duplicate)


@needs_proc
def test_t29_only_threads_that_wait_for_descriptors_have_one_of_their_own(stack: ExitStack) -> None:
    before = open_descriptors()
    sleepers = [spawn(sleep, LONG) for _ in range(30)]
    parked(*sleepers)
    assert open_descriptors() == before
    pairs = [tuple(map(stack.enter_context, socket.socketpair())) for _ in range(30)]
    pollers = [spawn(wait_for, (ours.fileno(), READ)) for ours, _ in pairs]
    parked(*pollers)
    for _, theirs in pairs:
        theirs.send(b"x")
    finish(*pollers)
    until(lambda: open_descriptors() <= before + 60 + blocking.MAX_SPARE)
    for task in sleepers:
        task.cancel()


@needs_proc
def test_t29_the_descriptor_of_a_wait_serves_the_next(pair: tuple[int, int]) -> None:
    wait_for((pair[0], READ), seconds=0.001)
    before = open_descriptors()
    for number in range(20):
        task = spawn(wait_for, (pair[0], READ), seconds=0.001 if number % 3 == 0 else None)
        if number % 3 == 1:
            parked(task)
            task.cancel()
        elif number % 3 == 2:
            os.write(pair[1], b"x")
        finish(task)
        if number % 3 == 2:
            os.read(pair[0], 1)
        until(lambda: open_descriptors() <= before + 1)


def test_a_wake_up_that_comes_late_hits_no_other_wait(hub: ThreadHub, pair: tuple[int, int]) -> None:
    """Somebody has claimed the ticket and is held up before the wake-up; the descriptor is ready too."""
    tickets: list[Ticket] = []

    def waiter() -> Any:
        tickets.append(own_ticket())
        hub.arm_fd(pair[0], READ, tickets[0])
        return wait(tickets[0])

    blocking._spare.clear()
    task = spawn(waiter)
    until(lambda: tickets and tickets[0] in blocking._wake)
    wake = blocking._wake.pop(tickets[0])
    del tickets[0].armed
    tickets[0].outcome = "claimed"
    os.write(pair[1], b"x")  # which lets the thread look before the wake-up
    assert task.result(PATIENCE) == "claimed"
    assert blocking._spare == [], "the descriptor that the wake-up is for was kept for another wait"
    wake()
    os.read(pair[0], 1)
    assert wait_for((pair[0], READ), seconds=SHORT) is TIMED_OUT


# -- signals --------------------------------------------------------------------------------------


@pytest.fixture
def on_alarm(stack: ExitStack) -> Callable[..., None]:
    """Has a handler called in the main thread after a while, or again and again."""

    def arm(handler: Callable[[], object], seconds: float = SHORT, interval: float = 0.0) -> None:
        stack.callback(signal.signal, signal.SIGALRM, signal.getsignal(signal.SIGALRM))
        stack.callback(signal.setitimer, signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, lambda *_: handler())
        signal.setitimer(signal.ITIMER_REAL, seconds, interval)

    return arm


def test_a_handler_wakes_the_main_thread(hub: ThreadHub, on_alarm: Callable[..., None]) -> None:
    ticket = own_ticket()
    on_alarm(lambda: hub.fire(ticket, "from a handler"))
    assert wait(ticket) == "from a handler"


def test_a_handler_wakes_the_main_thread_while_it_polls(
    hub: ThreadHub, on_alarm: Callable[..., None], pair: tuple[int, int]
) -> None:
    ticket = own_ticket()
    hub.arm_fd(pair[0], READ, ticket)
    on_alarm(lambda: hub.fire(ticket, "from a handler"))
    assert wait(ticket) == "from a handler"


@pytest.mark.parametrize("polls", [False, True], ids=["blocks", "polls"])
def test_an_error_of_a_handler_ends_the_wait_and_what_was_given_goes_back(
    hub: ThreadHub, on_alarm: Callable[..., None], pair: tuple[int, int], polls: bool
) -> None:
    class FromHandler(Exception):
        pass

    for gives in False, True:
        ticket = own_ticket()
        back: list[Any] = []
        withdrawn: list[Ticket] = []

        def handler(ticket: Ticket = ticket, gives: bool = gives) -> None:
            if gives:
                hub.fire(ticket, "an item")
            raise FromHandler

        if polls:
            hub.arm_fd(pair[0], READ, ticket)
        on_alarm(handler)
        with pytest.raises(FromHandler):
            wait(ticket, LONG, SimpleNamespace(_withdraw=withdrawn.append, _undo=back.append))
        assert hub.fire(ticket, "too late") is False
        assert back == (["an item"] if gives else [])
        assert withdrawn == [ticket]
        assert ticket not in blocking._wake
    assert wait(own_ticket(), 0.001) is TIMED_OUT


def test_a_handler_may_wait_in_the_middle_of_a_wait(hub: ThreadHub, on_alarm: Callable[..., None]) -> None:
    outer, order = own_ticket(), []

    def handler() -> None:
        inner = own_ticket()
        spawn(hub.fire, outer, "outer")  # while the inner wait goes on
        hub.call_at(hub.now() + SHORT, lambda: hub.fire(inner, "inner"))
        order.append(wait(inner))

    on_alarm(handler)
    order.append(wait(outer))
    assert order == ["inner", "outer"]


def test_a_request_reaches_the_outer_wait_after_an_inner_one(
    hub: ThreadHub, on_alarm: Callable[..., None]
) -> None:
    class Asked(BaseException):
        pass

    main = this_task()
    order: list[str] = []

    def handler() -> None:
        order.append(repr(wait(ticket_for(main), SHORT)))
        spawn(lambda: (sleep(SHORT), main.interrupt(Asked())))

    on_alarm(handler)
    with pytest.raises(Asked):
        wait(ticket_for(main))
    assert order == ["TIMED_OUT"]


def test_handlers_may_use_the_hub_in_the_middle_of_anything(
    hub: ThreadHub, on_alarm: Callable[..., None]
) -> None:
    numbers = count()
    asked: list[int] = []
    called: list[int] = []
    spawned: list[int] = []

    def handler() -> None:  # which another signal may interrupt
        number = next(numbers)
        hub.call_soon(lambda: called.append(number))
        spawn(spawned.append, number)
        hub.call_at(hub.now(), int)
        asked.append(number)

    on_alarm(handler, 0.001, 0.001)
    mine: list[int] = []
    while len(asked) < 100:
        hub.call_soon(lambda: mine.append(1))
        spawn(int).join()
    signal.setitimer(signal.ITIMER_REAL, 0)
    until(lambda: len(called) == len(spawned) == len(asked))
    assert sorted(called) == sorted(spawned) == sorted(asked)


def test_ctrl_c_ends_the_main_tasks_wait_and_nobody_elses() -> None:
    bystanders = [spawn(sleep, LONG) for _ in range(3)]
    parked(*bystanders)
    timer = threading.Timer(SHORT, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        sleep(LONG)
    timer.join()
    assert not any(task.done() for task in bystanders)
    for task in bystanders:
        task.cancel()


# -- fork -----------------------------------------------------------------------------------------

FORKS = """
    def say(text):
        os.write(1, f"{text}\\n".encode())

    def other():
        try:
            hubkit.sleep(3600)
        finally:
            say("unwound in the " + ("parent" if os.getpid() == parent else "child"))

    def status_of(pid):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    parent = os.getpid()
    read_end, write_end = os.pipe()
"""


def test_a_task_that_forks_is_the_only_one_in_the_child_and_ends_it() -> None:
    out = run_script(
        FORKS
        + """
    def forker(how):
        pid = os.fork()
        if pid:
            return pid
        hub = current_hub()
        say(f"tasks {len(hubkit.all_tasks())}, main {hub.main is current_task()}")
        ended = hubkit.spawn(lambda: "spawned").result(5)
        seen = []
        hub.call_soon(lambda: seen.append("called"))
        hub.call_at(hub.now() + 0.01, lambda: seen.append("at its time"))
        while len(seen) < 2:
            hubkit.sleep(0.001)
        os.write(write_end, b"x")
        hubkit.wait_readable(read_end, 5)
        os.read(read_end, 1)
        try:
            hubkit.wait_readable(read_end, 0.01)
        except TimeoutError:
            seen.append("timed out")
        say(f"{ended}, {seen}, {hubkit.to_thread(pow, 2, 3)}")
        if how is not None:
            raise how

    others = [hubkit.spawn(other) for _ in range(3)]
    poller = hubkit.spawn(hubkit.wait_readable, read_end)
    hubkit.sleep(0.05)
    for how in None, KeyError(), SystemExit(7):
        poller.cancel()
        poller.join()
        say(f"child {status_of(hubkit.spawn(forker, how).result())}")
    say(f"parent: {sum(task.done() for task in others)} of {len(others)} done")
    for task in others:
        task.cancel()
        task.join()
    """,
        "threads",
    )
    child = "tasks 1, main True\nspawned, ['called', 'at its time', 'timed out'], 8\n"
    assert out == (
        "".join(f"{child}child {status}\n" for status in (0, 1, 7))
        + "parent: 0 of 3 done\n"
        + 3 * "unwound in the parent\n"
    )


def test_a_fork_in_the_main_thread_goes_on_in_both() -> None:
    out = run_script(
        FORKS
        + """
    task = hubkit.spawn(other)
    poller = hubkit.spawn(hubkit.wait_readable, read_end)
    hubkit.sleep(0.05)
    main = current_task()
    pid = os.fork()
    if pid == 0:
        say(f"child: {hubkit.all_tasks()}, {current_task() is main is current_hub().main}")
        say(f"child: {hubkit.spawn(lambda: 'spawned').result(5)}")
        sys.exit(3)
    say(f"parent: {status_of(pid)}")
    os.write(write_end, b"x")
    poller.result(5)
    task.cancel()
    task.join()
    """,
        "threads",
    )
    assert out == "child: [], True\nchild: spawned\nparent: 3\nunwound in the parent\n"


def test_a_timeout_around_a_fork_holds_on_both_sides() -> None:
    out = run_script(
        FORKS
        + """
    def forker():
        with hubkit.move_on_after(0.2) as scope:
            pid = os.fork()
            hubkit.sleep(3600)
        if pid == 0:
            say(f"child {scope.expired}")
            return
        say(f"parent {status_of(pid)} {scope.expired}")

    hubkit.spawn(forker).result()
    """,
        "threads",
    )
    assert out == "child True\nparent 0 True\n"


def test_a_fork_while_others_are_busy_with_the_hub_finds_it_whole() -> None:
    out = run_script(
        FORKS
        + """
    def busy():
        while not over:
            with hubkit.move_on_after(0.0005):
                hubkit.sleep(0.001)
            hubkit.spawn(int).join()
            current_hub().call_soon(int)
            hubkit.wait_writable(write_end)

    def forker():
        pid = os.fork()
        if pid == 0:
            assert hubkit.spawn(lambda: 5).result(5) == 5
            seen = []
            current_hub().call_soon(lambda: seen.append(1))
            with hubkit.timeout(5):
                while not seen:
                    hubkit.sleep(0.001)
        return pid

    over = []
    tasks = [hubkit.spawn(busy) for _ in range(4)]
    print([status_of(hubkit.spawn(forker).result()) for _ in range(20)] == [0] * 20)
    over.append(True)
    for task in tasks:
        task.result()
    """,
        "threads",
        timeout=100,
    )
    assert out == "True\n"


# -- the end --------------------------------------------------------------------------------------


def test_at_exit_tasks_are_cancelled_and_may_use_every_verb_that_needs_no_new_thread() -> None:
    out = run_script(
        """
        import time
        def work(number):
            try:
                hubkit.sleep(3600)
            finally:
                with hubkit.move_on_after(0.01) as scope:
                    hubkit.sleep(3600)
                os.write(1, f"cleaned up {scope.expired}\\n".encode())

        def told(task):
            os.write(1, b"told\\n")

        tasks = [hubkit.spawn(work, number) for number in range(2)]
        for task in tasks:
            task.add_done_callback(told)
        hubkit.sleep(0.05)
        """,
        "threads",
    )
    lines = out.splitlines()
    assert lines.count("cleaned up True") == 2
    assert len(lines) <= 4


def test_at_exit_a_task_that_will_not_end_is_dropped() -> None:
    began = time.monotonic()
    out = run_script(
        """
        import logging, time
        logging.disable()
        hubkit.spawn(time.sleep, 3600)
        hubkit.spawn(hubkit.sleep, 3600)
        hubkit.sleep(0.05)
        print("end")
        """,
        "threads",
    )
    assert out == "end\n"
    assert time.monotonic() - began < 60


def test_ctrl_c_in_a_task_ends_a_program_whose_main_thread_waits() -> None:
    out = run_script(
        """
        def end():
            raise SystemExit(0)
        hubkit.spawn_later(0.05, end)
        try:
            hubkit.spawn(hubkit.sleep, 3600).join()
        finally:
            print("main was woken")
        """,
        "threads",
    )
    assert out == "main was woken\n"


def test_a_dropped_task_on_a_closed_hub_cannot_watch_a_descriptor(pair: tuple[int, int]) -> None:
    closed = ThreadHub()
    closed.close()
    with pytest.raises(Closed):
        closed.arm_fd(pair[0], READ, own_ticket())
    assert blocking._waiters == {}
