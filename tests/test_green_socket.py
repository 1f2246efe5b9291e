"""hubkit.green.socket: what streams carry. How their waits end otherwise is in test_green_waits.py."""

from __future__ import annotations

import array
import os
import socket as standard
import tempfile
from collections.abc import Callable
from typing import Any

import pytest
from sockets import connected, every_stream, has_data

from hubkit import checkpoint, sleep, spawn
from hubkit.contract import Hub
from hubkit.green import socket, verbs
from hubkit.waiting import WOKEN
from hubkit_conformance.tools import PATIENCE, SHORT, finish, parked, settle, until

pytestmark = pytest.mark.usefixtures("hub")


def read_all(sock: socket.socket, size: int = 1 << 16) -> bytes:
    parts = []
    while part := sock.recv(size):
        parts.append(part)
    return b"".join(parts)


@every_stream
def test_both_ways_and_the_end(kind: str) -> None:
    with connected(kind) as (ours, theirs):
        for number in range(5):
            task = spawn(ours.recv, 100)
            if number % 2:
                parked(task)
            theirs.sendall(b"%d" % number)
            assert task.result(PATIENCE) == b"%d" % number
            assert ours.send(b"back") == 4
            assert theirs.recv(100) == b"back"
        theirs.shutdown(socket.SHUT_WR)
        for _ in range(3):
            assert ours.recv(100) == b""
        ours.sendall(b"still open")
        assert theirs.recv(100) == b"still open"


@every_stream
@pytest.mark.parametrize("size", [1, 5, 100])
def test_t2_data_and_end_before_the_first_read(kind: str, size: int) -> None:
    # Registered once and "a short read, so wait": the end would never be told again.
    with connected(kind) as (ours, theirs):
        theirs.sendall(b"hello")
        theirs.close()
        ours.settimeout(PATIENCE)
        assert read_all(ours, size) == b"hello"
        assert ours.recv(size) == b""


@every_stream
def test_t2_data_and_end_while_nobody_reads(kind: str, hub: Hub) -> None:
    # The same, but after the first wait, so the poller knows the socket and sees the events go by.
    with connected(kind) as (ours, theirs):
        ours.settimeout(PATIENCE)
        task = spawn(ours.recv, 100)
        parked(task)
        theirs.sendall(b"first")
        assert task.result(PATIENCE) == b"first"
        theirs.sendall(b"hello")
        theirs.close()
        settle(hub)
        sleep(SHORT)
        assert read_all(ours, 100) == b"hello"


@every_stream
def test_t2_what_a_partial_read_left(kind: str, hub: Hub) -> None:
    with connected(kind) as (ours, theirs):
        ours.settimeout(PATIENCE)
        task = spawn(ours.recv, 10)
        parked(task)
        theirs.sendall(b"x" * 100)
        assert task.result(PATIENCE) == b"x" * 10
        settle(hub)
        assert b"".join(ours.recv(10) for _ in range(9)) == b"x" * 90
        task = spawn(ours.recv_into, bytearray(10))
        parked(task)
        theirs.sendall(b"y" * 3)
        assert task.result(PATIENCE) == 3


@every_stream
def test_all_at_once_against_a_slow_reader(kind: str) -> None:
    data = os.urandom(5_000_000)
    with connected(kind) as (ours, theirs):
        task = spawn(theirs.sendall, data)
        parked(task)
        received = bytearray()
        while len(received) < len(data):
            part = ours.recv(100_000)
            assert part
            received += part
            checkpoint()
        assert received == data
        assert task.result(PATIENCE) is None


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, lambda data: array.array("i", data)])
def test_sendall_of_any_buffer(make: Callable[[bytes], Any]) -> None:
    data = os.urandom(4_000_000)
    with connected() as (ours, theirs):
        task = spawn(read_all, ours)
        theirs.sendall(make(data))
        theirs.close()
        assert task.result(PATIENCE) == data
    with connected() as (ours, theirs):
        ours.sendall(make(b""))
        with pytest.raises(TypeError):
            ours.sendall("text")  # type: ignore[arg-type]


@every_stream
def test_recv_into(kind: str) -> None:
    with connected(kind) as (ours, theirs):
        buffer = bytearray(b"........")
        theirs.sendall(b"abcdef")
        assert ours.recv_into(memoryview(buffer)[1:], 2) == 2
        assert ours.recv_into(buffer, nbytes=1) == 1
        assert buffer == b"cab....."
        assert ours.recv_into(array.array("i", [0, 0])) == 3
        theirs.close()
        assert ours.recv_into(buffer) == 0
        assert ours.recv_into(buffer) == 0


@every_stream
def test_arguments_that_make_no_sense_leave_the_data(kind: str) -> None:
    with connected(kind) as (ours, theirs):
        ours.settimeout(PATIENCE)
        task = spawn(ours.recv, 1)
        parked(task)
        theirs.sendall(b"abc")
        assert task.result(PATIENCE) == b"a"
        with pytest.raises(ValueError):
            ours.recv(-1)
        with pytest.raises(TypeError):
            ours.recv("1")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            ours.recv_into(b"read only")
        with pytest.raises(ValueError):
            ours.recv_into(bytearray(1), 2)
        assert ours.recv(0) == b""
        assert ours.recv(10) == b"bc"
        assert ours.recv(0) == b""  # nothing was asked for: there is nothing to wait for
        assert ours.recv_into(bytearray()) == 0


@every_stream
def test_messages_and_passed_descriptors(kind: str) -> None:
    with connected(kind) as (ours, theirs):
        task = spawn(ours.recvmsg, 100, 0)
        parked(task)
        assert theirs.sendmsg(part for part in (b"ab", b"cd")) == 4
        assert task.result(PATIENCE)[0] == b"abcd"
        buffers = [bytearray(2), bytearray(10)]
        theirs.sendall(b"efgh")
        assert ours.recvmsg_into(iter(buffers))[0] == 4
        assert bytes(buffers[0] + buffers[1][:2]) == b"efgh"
        if kind != "tcp":
            read_end, write_end = os.pipe()
            socket.send_fds(theirs, [b"!"], [write_end])
            data, fds, _, _ = socket.recv_fds(ours, 10, 3)
            assert data == b"!"
            os.write(fds[0], b"through")
            assert os.read(read_end, 10) == b"through"
            for fd in (read_end, write_end, *fds):
                os.close(fd)


def test_flags() -> None:
    with connected() as (ours, theirs):
        task = spawn(ours.recv, 10, socket.MSG_PEEK)
        parked(task)
        theirs.sendall(b"abc")
        assert task.result(PATIENCE) == b"abc"
        assert ours.recv(2) == b"ab"
        assert ours.recv(10, socket.MSG_DONTWAIT) == b"c"
        for flags in (socket.MSG_DONTWAIT, socket.MSG_DONTWAIT | socket.MSG_WAITALL):
            with pytest.raises(BlockingIOError):
                ours.recv(10, flags)
            with pytest.raises(BlockingIOError):
                ours.recv_into(bytearray(10), 0, flags)


def test_waitall() -> None:
    with connected() as (ours, theirs):
        buffer = bytearray(5)
        for verb, result in (
            (lambda: ours.recv(5, socket.MSG_WAITALL), b"abcde"),
            (lambda: ours.recv_into(buffer, 0, socket.MSG_WAITALL), 5),
        ):
            task = spawn(verb)
            for part in (b"ab", b"c", b"de"):
                parked(task)
                theirs.sendall(part)
                settle(task.hub)
            assert task.result(PATIENCE) == result
        assert buffer == b"abcde"
        theirs.sendall(b"fg")
        theirs.close()
        assert ours.recv(5, socket.MSG_WAITALL) == b"fg"


def test_urgent_data_do_not_hide_the_rest() -> None:
    # A read stops before urgent data, so a short one does not mean that nothing is left.
    with connected() as (ours, theirs):
        ours.settimeout(PATIENCE)
        task = spawn(ours.recv, 100)
        parked(task)
        theirs.sendall(b"first")
        assert task.result(PATIENCE) == b"first"
        theirs.sendall(b"abc")
        theirs.send(b"!", socket.MSG_OOB)
        theirs.sendall(b"def")
        sleep(SHORT)  # the poller has seen it all: no event is left to come
        assert ours.recv(100) == b"abc"
        assert ours.recv(1, socket.MSG_OOB) == b"!"
        assert ours.recv(100) == b"def"


def test_passed_descriptors_do_not_hide_the_rest() -> None:
    # The same: a read of a Unix stream stops where descriptors were passed.
    with connected("unix") as (ours, theirs):
        ours.settimeout(PATIENCE)
        task = spawn(ours.recv, 100)
        parked(task)
        theirs.sendall(b"first")
        assert task.result(PATIENCE) == b"first"
        with tempfile.TemporaryFile() as file:
            socket.send_fds(theirs, [b"with"], [file.fileno()])
        theirs.sendall(b"without")
        sleep(SHORT)
        assert ours.recv(100) == b"with"
        assert ours.recv(100) == b"without"


def test_one_call_of_the_kernel_for_each_request(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with connected() as (ours, theirs):
        if hub.own_stream(ours.fileno()) is None:
            pytest.skip("this hub keeps no hints about streams")
        calls: list[int] = []

        def counting(*args: Any) -> bytes:
            calls.append(1)
            return standard.socket.recv(*args)

        def serve() -> None:
            while data := ours.recv(100):
                ours.sendall(data)

        task = spawn(serve)
        parked(task)
        monkeypatch.setattr(verbs, "_recv", counting)
        for _ in range(50):
            theirs.sendall(b"x")
            standard_recv(theirs, 1)
        assert len(calls) == 50
        theirs.close()
        finish(task)


def standard_recv(sock: socket.socket, size: int) -> None:
    """Read without leaving a trace in the counters."""
    until(lambda: has_data(sock), "an answer")
    assert len(standard.socket.recv(sock, size)) == size


def test_spurious_wake_ups() -> None:
    with connected() as (ours, theirs):
        task = spawn(ours.recv, 10)
        for _ in range(8):
            parked(task)
            ticket = task.ticket
            assert ticket is not None
            task.hub.fire(ticket, WOKEN)
            until(lambda old=ticket: task.ticket is not old)  # type: ignore[misc]
        parked(task)
        theirs.sendall(b"x")
        assert task.result(PATIENCE) == b"x"


@every_stream
def test_sendfile(kind: str) -> None:
    data = os.urandom(1_000_000)
    with connected(kind) as (ours, theirs), tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        task = spawn(read_all, ours)
        assert theirs.sendfile(file) == len(data)
        assert file.tell() == len(data)
        assert theirs.sendfile(file, offset=10, count=200_000) == 200_000
        assert file.tell() == 200_010
        for wrong in (0, -1):
            with pytest.raises(ValueError):
                theirs.sendfile(file, count=wrong)
        theirs.settimeout(0)
        with pytest.raises(ValueError, match="settimeout"):
            theirs.sendfile(file)
        theirs.close()
        assert task.result(PATIENCE) == data + data[10:200_010]
