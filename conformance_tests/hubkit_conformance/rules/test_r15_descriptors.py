"""R15 Descriptors."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import ExitStack

import pytest

from hubkit import (
    current_hub,
    move_on_after,
    notify_closing,
    sleep,
    spawn,
    wait_readable,
    wait_writable,
)
from hubkit.errors import Busy, Closed
from hubkit.green import socket

from ..tools import LONG, PATIENCE, SHORT, finish, parked, returned, settle, stop
from ..verbs import fill, pair, plain_pair


def new_pipe(stack):
    """The two ends of a pipe as raw descriptors; closing them is the test's affair."""
    ends = os.pipe()
    for fd in ends:
        stack.callback(close_quietly, fd)
    return ends


def close_quietly(fd):
    try:
        os.close(fd)
    except OSError:
        pass


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


def test_r15_a_wait_ends_when_data_come(stack):
    ours, theirs = plain_pair(stack)
    task = spawn(wait_readable, ours.fileno())
    parked(task)
    settle(current_hub())
    assert not task.done()
    theirs.send(b"x")
    finish(task)
    assert task.exception() is None
    assert ours.recv(1) == b"x"


def test_r15_a_wait_returns_at_once_if_it_is_ready_as_often_as_asked(stack):
    ours, theirs = plain_pair(stack)
    theirs.send(b"xyz")
    for _ in range(3):
        wait_readable(ours.fileno(), PATIENCE)  # nobody reads: it stays ready
        wait_writable(ours.fileno(), PATIENCE)
    ours.recv(1)
    wait_readable(ours.fileno(), PATIENCE)  # some is left


def test_r15_a_wait_for_room_ends_when_there_is_some(stack):
    ours, theirs = plain_pair(stack)
    fill(ours)
    task = spawn(wait_writable, ours.fileno())
    parked(task)
    settle(current_hub())
    assert not task.done()
    try:
        while theirs.recv(65536):
            pass
    except BlockingIOError:
        pass
    finish(task)
    assert task.exception() is None


def test_r15_the_two_directions_are_independent(stack):
    ours, theirs = plain_pair(stack)
    fill(ours)
    reader, writer = spawn(wait_readable, ours.fileno()), spawn(wait_writable, ours.fileno())
    parked(reader, writer)
    theirs.send(b"x")
    finish(reader)
    assert reader.exception() is None
    settle(current_hub())
    assert not writer.done()
    stop(writer)


def test_r15_a_hang_up_counts_as_ready(stack):
    ours, theirs = plain_pair(stack)
    task = spawn(wait_readable, ours.fileno())
    parked(task)
    theirs.close()
    finish(task)
    assert task.exception() is None
    wait_readable(ours.fileno(), PATIENCE)
    assert ours.recv(1) == b""


def test_r15_data_and_a_hang_up_before_the_first_look_are_both_seen(stack):
    ours, theirs = pair(stack)
    theirs.sendall(b"hello")
    theirs.close()
    ours.settimeout(PATIENCE)
    assert ours.recv(100) == b"hello"
    assert ours.recv(100) == b""
    assert ours.recv(100) == b""


def test_r15_bytes_left_after_a_partial_read_are_seen(stack):
    ours, theirs = pair(stack)
    ours.settimeout(PATIENCE)
    theirs.sendall(b"x" * 100)
    assert b"".join(ours.recv(10) for _ in range(10)) == b"x" * 100
    reader = spawn(ours.recv, 100)
    parked(reader)
    theirs.sendall(b"more")
    assert reader.result(PATIENCE) == b"more"


def test_r15_a_regular_file_is_always_ready():
    with tempfile.TemporaryFile() as file:
        wait_readable(file.fileno(), PATIENCE)
        wait_writable(file.fileno(), PATIENCE)


def test_r15_a_second_wait_in_the_same_direction_is_busy(stack):
    ours, theirs = plain_pair(stack)
    task = spawn(wait_readable, ours.fileno())
    parked(task)
    with pytest.raises(Busy):
        wait_readable(ours.fileno(), PATIENCE)
    theirs.send(b"x")
    finish(task)
    assert task.exception() is None, "the second wait has disturbed the first"


def test_r15_a_second_receiver_of_a_stream_is_busy(stack):
    ours, theirs = pair(stack)
    task = spawn(ours.recv, 10)
    parked(task)
    with pytest.raises(Busy):
        ours.recv(10)
    theirs.sendall(b"x")
    assert task.result(PATIENCE) == b"x"


@pytest.mark.parametrize("end", ["ready", "timeout", "cancel", "scope"])
def test_r15_a_wait_that_ended_frees_its_place(stack, end):
    ours, theirs = plain_pair(stack)

    def waiter():
        if end == "timeout":
            with pytest.raises(TimeoutError):
                wait_readable(ours.fileno(), SHORT)
        elif end == "scope":
            with move_on_after(SHORT):
                wait_readable(ours.fileno())
        else:
            wait_readable(ours.fileno())

    for _ in range(3):
        task = spawn(waiter)
        if end == "ready":
            theirs.send(b"x")
        elif end == "cancel":
            parked(task)
            task.cancel()
        finish(task)
        assert task.cancelled() is (end == "cancel")
        if end == "ready":
            assert ours.recv(1) == b"x"
    theirs.send(b"y")
    wait_readable(ours.fileno(), PATIENCE)
    assert ours.recv(1) == b"y"


def test_r15_a_wait_that_was_killed_frees_its_place(stack, host):
    ours, theirs = plain_pair(stack)
    task = spawn(wait_readable, ours.fileno())
    parked(task)
    host.kill(task)
    finish(task)
    following = spawn(wait_readable, ours.fileno())
    parked(following)
    theirs.send(b"x")
    finish(following)
    assert following.exception() is None


def test_r15_acceptors_queue_up(stack):
    listener = socket.create_server(("127.0.0.1", 0))
    stack.callback(listener.close)
    acceptors = [spawn(listener.accept) for _ in range(3)]
    parked(*acceptors)
    clients = [socket.create_connection(listener.getsockname()) for _ in range(3)]
    served = [connection.getpeername() for connection, _ in returned(*acceptors)]
    assert sorted(served) == sorted(client.getsockname() for client in clients)
    for each in [*clients, *[connection for connection, _ in returned(*acceptors)]]:
        each.close()


def test_r15_notify_closing_wakes_with_closed(stack):
    ours, _ = plain_pair(stack)
    fill(ours)
    tasks = [spawn(wait_readable, ours.fileno()), spawn(wait_writable, ours.fileno())]
    parked(*tasks)
    notify_closing(ours.fileno())
    finish(*tasks)
    assert [type(task.exception()) for task in tasks] == [Closed] * 2
    assert isinstance(tasks[0].exception(), OSError)


def test_r15_notify_closing_is_harmless_where_nobody_waits(stack):
    ours, theirs = plain_pair(stack)
    notify_closing(ours.fileno())
    theirs.send(b"x")
    wait_readable(ours.fileno(), PATIENCE)
    notify_closing(ours.fileno())
    wait_readable(ours.fileno(), PATIENCE)


def test_r15_closing_a_socket_wakes_its_waiters_with_closed(stack):
    ours, _ = pair(stack)
    listener = socket.create_server(("127.0.0.1", 0))
    stack.callback(listener.close)
    tasks = [spawn(ours.recv, 10), spawn(ours.sendall, bytes(16_000_000)), spawn(listener.accept)]
    parked(*tasks)
    ours.close()
    listener.close()
    finish(*tasks)
    assert [type(task.exception()) for task in tasks] == [Closed] * 3


def test_r15_a_closed_socket_is_an_error_at_once(stack):
    ours, _ = pair(stack)
    ours.close()
    for use in (lambda: ours.recv(1), lambda: ours.sendall(b"x"), lambda: ours.recv_into(bytearray(1))):
        with pytest.raises(OSError):
            use()


def test_r15_a_number_that_is_not_open_is_an_error_at_once(stack):
    read_end, _ = new_pipe(stack)
    os.close(read_end)
    for call in (wait_readable, wait_writable):
        with pytest.raises(OSError) as caught:
            call(read_end, PATIENCE)
        assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("told", [True, False], ids=["notify_closing", "closed behind the hub's back"])
def test_r15_a_number_used_again_is_watched(stack, told):
    read_end, _ = new_pipe(stack)
    with pytest.raises(TimeoutError):
        wait_readable(read_end, SHORT)  # whatever the hub remembers of it, it remembers now
    if told:
        notify_closing(read_end)
    os.close(read_end)
    other_read, other_write = new_pipe(stack)
    os.dup2(other_read, read_end)
    task = spawn(wait_readable, read_end)
    parked(task)
    settle(current_hub())
    assert not task.done()
    os.write(other_write, b"x")
    finish(task)
    assert task.exception() is None
    assert os.read(read_end, 1) == b"x"


def test_r15_what_happens_to_the_old_does_not_wake_who_waits_for_the_new(stack):
    read_end, write_end = new_pipe(stack)
    duplicate = os.dup(read_end)  # keeps the old one alive under another number
    stack.callback(close_quietly, duplicate)
    old = spawn(wait_readable, read_end)
    parked(old)
    notify_closing(read_end)
    finish(old)
    assert type(old.exception()) is Closed
    os.close(read_end)
    other_read, other_write = new_pipe(stack)
    os.dup2(other_read, read_end)

    def read_new():
        while True:
            wait_readable(read_end)
            os.set_blocking(read_end, False)
            try:
                return os.read(read_end, 100)
            except BlockingIOError:
                spurious.append("wake-up")

    spurious = []
    new = spawn(read_new)
    parked(new)
    os.write(write_end, b"for the old")
    sleep(SHORT)
    assert not new.done()
    assert spurious == []
    os.write(other_write, b"for the new")
    assert new.result(PATIENCE) == b"for the new"


def test_r15_sockets_that_use_numbers_again_get_their_own_data(stack):
    for number in range(50):
        ours, theirs = socket.socketpair()
        reader = spawn(ours.recv, 100)
        if number % 3:
            parked(reader)
        theirs.sendall(b"%d" % number)
        assert reader.result(PATIENCE) == b"%d" % number
        if number % 2:
            waiting = spawn(ours.recv, 100)
            parked(waiting)
            ours.close()
            finish(waiting)
        ours.close()
        theirs.close()


def test_r15_waiting_on_one_descriptor_does_not_disturb_others(stack):
    pairs = [plain_pair(stack) for _ in range(20)]
    tasks = [spawn(wait_readable, ours.fileno()) for ours, _ in pairs]
    parked(*tasks)
    for number, (_, theirs) in enumerate(pairs):
        if number % 2:
            theirs.send(b"x")
    finish(*tasks[1::2])
    settle(current_hub())
    assert [task.done() for task in tasks] == [False, True] * 10
    stop(*tasks)


def test_r15_bytes_arrive_whole_and_in_order(stack):
    ours, theirs = pair(stack)
    data = os.urandom(1_000_000)

    def read_all():
        chunks = []
        while chunk := ours.recv(30_000):
            chunks.append(chunk)
        return b"".join(chunks)

    reader = spawn(read_all)
    theirs.sendall(data)
    theirs.close()
    assert reader.result(PATIENCE) == data


def test_r15_a_wait_does_not_change_what_it_waits_for(stack):
    read_end, _ = new_pipe(stack)
    before = os.get_blocking(read_end)
    with move_on_after(SHORT):
        wait_readable(read_end, LONG)
    assert os.get_blocking(read_end) is before
