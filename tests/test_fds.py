"""hubkit.fds: waiting for a descriptor, and telling that it will be closed."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from errno import EBADF

import pytest

from hubkit import Busy, Cancelled, Closed, fds, notify_closing, spawn, timeout, wait_readable, wait_writable
from hubkit.waiting import WOKEN
from hubkit_conformance.tools import LONG, PATIENCE, SHORT, finish, not_before, parked, until

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        pass


def new_pipe(stack: ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    for fd in ends:
        stack.callback(close, fd)
    return ends


def fill(fd: int) -> None:
    """Write until no more goes in; a pipe's writer is ready again once a page has been read."""
    os.set_blocking(fd, False)
    try:
        while True:
            os.write(fd, bytes(65536))
    except BlockingIOError:
        pass


def test_ready_at_once_and_as_often_as_asked(stack: ExitStack) -> None:
    read_end, write_end = new_pipe(stack)
    wait_writable(write_end, PATIENCE)
    os.write(write_end, b"ab")
    for _ in range(3):
        wait_readable(read_end, PATIENCE)
    assert os.read(read_end, 1) == b"a"
    wait_readable(read_end, 0)
    wait_readable(read_end, -1)


def test_woken_by_what_comes_later(stack: ExitStack) -> None:
    read_end, write_end = new_pipe(stack)
    task = spawn(wait_readable, read_end)
    parked(task)
    os.write(write_end, b"x")
    assert task.result(PATIENCE) is None


def test_woken_by_room(stack: ExitStack) -> None:
    read_end, write_end = new_pipe(stack)
    fill(write_end)
    task = spawn(wait_writable, write_end)
    parked(task)
    os.read(read_end, 1 << 20)
    assert task.result(PATIENCE) is None


def test_objects_with_fileno(stack: ExitStack) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        wait_readable(ours, PATIENCE)
        wait_writable(ours, PATIENCE)
    with tempfile.TemporaryFile() as file:  # a regular file is always ready
        wait_readable(file, 0)
        wait_writable(file, 0)


@pytest.mark.parametrize("end", ["reader", "writer"])
def test_the_other_end_hung_up(stack: ExitStack, end: str) -> None:
    read_end, write_end = new_pipe(stack)
    if end == "reader":
        fill(write_end)
        task = spawn(wait_writable, write_end)
    else:
        task = spawn(wait_readable, read_end)
    parked(task)
    os.close(read_end if end == "reader" else write_end)
    assert task.result(PATIENCE) is None


@pytest.mark.parametrize("seconds", [0, -1, -0.5])
def test_no_time_is_one_look(stack: ExitStack, seconds: float) -> None:
    read_end, _ = new_pipe(stack)
    with pytest.raises(TimeoutError):
        wait_readable(read_end, seconds)


def test_timeout(stack: ExitStack) -> None:
    read_end, _ = new_pipe(stack)
    with not_before(SHORT), pytest.raises(TimeoutError, match=f"descriptor {read_end} "):
        wait_readable(read_end, SHORT)


def test_scope_expires(stack: ExitStack) -> None:
    read_end, _ = new_pipe(stack)
    with pytest.raises(TimeoutError):
        with timeout(SHORT):
            wait_readable(read_end, LONG)


def test_cancel(stack: ExitStack) -> None:
    read_end, write_end = new_pipe(stack)
    for _ in range(2):
        task = spawn(wait_readable, read_end)
        parked(task)
        task.cancel()
        finish(task)
        assert task.cancelled()
    os.write(write_end, b"x")
    wait_readable(read_end, PATIENCE)


def test_interrupted_before_the_wait_has_begun(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    read_end, write_end = new_pipe(stack)
    with monkeypatch.context() as patch:
        patch.setattr(fds, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            wait_readable(read_end)
    task = spawn(wait_readable, read_end)
    parked(task)
    os.write(write_end, b"x")
    assert task.result(PATIENCE) is None


def test_a_latched_cancel_comes_before_the_look(stack: ExitStack) -> None:
    read_end, write_end = new_pipe(stack)
    os.write(write_end, b"x")

    def body() -> None:
        me.append(task)
        task.cancel()
        with pytest.raises(Cancelled):
            wait_readable(read_end)
        wait_readable(read_end)  # delivered once

    me: list[object] = []
    task = spawn(body)
    assert task.result(PATIENCE) is None


def test_busy_in_one_direction_only(stack: ExitStack) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        fill(ours.fileno())
        reader, writer = spawn(wait_readable, ours), spawn(wait_writable, ours)
        parked(reader, writer)
        for call in (wait_readable, wait_writable):
            with pytest.raises(Busy):
                call(ours, PATIENCE)
        theirs.send(b"x")
        finish(reader)
        assert not writer.done()
        theirs.recv(1 << 20)
        finish(writer)


def test_notify_closing_wakes_with_closed(stack: ExitStack) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        fill(ours.fileno())
        tasks = [spawn(wait_readable, ours), spawn(wait_writable, ours)]
        parked(*tasks)
        notify_closing(ours)
        finish(*tasks)
        for task in tasks:
            error = task.exception()
            assert isinstance(error, Closed)
            assert error.errno == EBADF
        notify_closing(ours)  # nobody waits: nothing happens
        theirs.send(b"x")
        wait_readable(ours, PATIENCE)


def test_notify_closing_from_another_thread(stack: ExitStack) -> None:
    read_end, _ = new_pipe(stack)
    task = spawn(wait_readable, read_end)
    parked(task)
    thread = threading.Thread(target=notify_closing, args=(read_end,))
    thread.start()
    finish(task)
    thread.join()
    assert isinstance(task.exception(), Closed)


def test_not_open(stack: ExitStack) -> None:
    read_end, _ = new_pipe(stack)
    os.close(read_end)
    closed = socket.socket()
    closed.close()
    for call in (wait_readable, wait_writable):
        for what in (read_end, closed):
            with pytest.raises(OSError) as caught:
                call(what, PATIENCE)
            assert caught.value.errno == EBADF


@pytest.mark.parametrize("what", [None, "0", 1.5, object(), [0]])
def test_no_descriptor_is_a_type_error(what: object) -> None:
    for call in (wait_readable, wait_writable, notify_closing):
        with pytest.raises(TypeError, match="fileno"):
            call(what)  # type: ignore[arg-type]


def test_a_fileno_that_returns_no_number_is_a_type_error() -> None:
    class Odd:
        def fileno(self) -> str:
            return "7"

    with pytest.raises(TypeError, match="must return an int"):
        wait_readable(Odd())  # type: ignore[arg-type]


def test_a_negative_number_is_a_value_error() -> None:
    for call in (wait_readable, wait_writable, notify_closing):
        with pytest.raises(ValueError, match="-1"):
            call(-1)


@pytest.mark.parametrize("seconds", ["1", object(), float("nan")])
def test_no_timeout_is_an_error_even_if_ready(stack: ExitStack, seconds: float) -> None:
    read_end, write_end = new_pipe(stack)
    os.write(write_end, b"x")
    with pytest.raises((TypeError, ValueError), match="timeout must be"):
        wait_readable(read_end, seconds)


def test_number_used_again_after_a_silent_close(stack: ExitStack) -> None:
    # T3: the kernel has dropped the old registration, and whoever relies on it never hears of the new.
    read_end, _ = new_pipe(stack)
    with pytest.raises(TimeoutError):
        wait_readable(read_end, SHORT)
    other_read, other_write = new_pipe(stack)
    os.close(read_end)
    os.dup2(other_read, read_end)
    task = spawn(wait_readable, read_end)
    parked(task)
    os.write(other_write, b"x")
    assert task.result(PATIENCE) is None


def test_number_used_again_while_a_duplicate_keeps_the_old_alive(stack: ExitStack) -> None:
    # T3: the old registration lives on, and its events come under the number of the new.
    read_end, write_end = new_pipe(stack)
    with pytest.raises(TimeoutError):
        wait_readable(read_end, SHORT)
    stack.callback(close, os.dup(read_end))
    os.close(read_end)
    other_read, other_write = new_pipe(stack)
    os.dup2(other_read, read_end)
    task = spawn(wait_readable, read_end)
    parked(task)
    os.write(write_end, b"for the old")
    with pytest.raises(TimeoutError):
        task.result(SHORT)
    os.write(other_write, b"for the new")
    assert task.result(PATIENCE) is None
    assert os.read(read_end, 100) == b"for the new"


def test_spurious_wake_ups_are_not_told(stack: ExitStack) -> None:
    read_end, write_end = new_pipe(stack)
    task = spawn(wait_readable, read_end)
    for _ in range(fds.PATIENCE + 3):  # the last ones after a pause, lest a liar keep the hub busy
        parked(task)
        ticket = task.ticket
        assert ticket is not None
        task.hub.fire(ticket, WOKEN)
        until(lambda old=ticket: task.ticket is not old)  # type: ignore[misc]
    parked(task)
    os.write(write_end, b"x")
    assert task.result(PATIENCE) is None


def test_waiting_does_not_change_the_descriptor(stack: ExitStack) -> None:
    read_end, _ = new_pipe(stack)
    with pytest.raises(TimeoutError):
        wait_readable(read_end, SHORT)
    assert os.get_blocking(read_end)


@pytest.mark.usefixtures("a_hub_in_each_thread")
def test_a_descriptor_of_two_hubs(stack: ExitStack) -> None:
    # Each hub has its own waiter, and closing tells both.
    read_end, _ = new_pipe(stack)
    errors: list[Exception] = []
    ready = threading.Event()

    def elsewhere() -> None:
        try:
            other = spawn(wait_readable, read_end)
            parked(other)
            ready.set()
            other.result(PATIENCE)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    ready.wait()
    task = spawn(wait_readable, read_end)
    until(lambda: task.done() or task.ticket is not None)
    notify_closing(read_end)
    finish(task)
    assert isinstance(task.exception(), (Closed, Busy))  # Busy where all threads share their hub
    thread.join()
    assert [type(error) for error in errors] == [Closed]
