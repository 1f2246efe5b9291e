"""hubkit.green.socket: streams. Servers and datagrams have files of their own."""

from __future__ import annotations

import array
import os
import socket as standard
import tempfile
import threading
from collections.abc import Callable
from typing import Any

import pytest

from hubkit import Busy, Cancelled, Closed, checkpoint, sleep, spawn, timeout
from hubkit.contract import Hub
from hubkit.green import socket, verbs
from hubkit.waiting import WOKEN
from hubkit_conformance.tools import LONG, PATIENCE, SHORT, finish, not_before, parked, settle, stop, until
from sockets import connected, every_stream, fill

pytestmark = pytest.mark.usefixtures("hub")


def read_all(sock: socket.socket, size: int = 1 << 16) -> bytes:
    parts = []
    while part := sock.recv(size):
        parts.append(part)
    return b"".join(parts)


# -- sending and receiving ------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    "make", [bytes, bytearray, memoryview, lambda data: array.array("i", data), lambda data: memoryview(data)[::1]]
)
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


def test_urgent_data_do_not_hide_the_rest(hub: Hub) -> None:
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
        settle(hub)
        assert ours.recv(100) == b"abc"
        assert ours.recv(1, socket.MSG_OOB) == b"!"
        assert ours.recv(100) == b"def"


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
    until(lambda: _ready(sock), "an answer")
    assert len(standard.socket.recv(sock, size)) == size


def _ready(sock: socket.socket) -> bool:
    try:
        return bool(standard.socket.recv(sock, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return False


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


# -- timeouts -------------------------------------------------------------------------------------


@every_stream
def test_timeout_of_each_verb(kind: str) -> None:
    with connected(kind) as (ours, theirs):
        ours.settimeout(SHORT)
        for verb in (
            lambda: ours.recv(1),
            lambda: ours.recv(1, socket.MSG_PEEK),
            lambda: ours.recv_into(bytearray(1)),
            lambda: ours.recvfrom(1),
            lambda: ours.recvfrom_into(bytearray(1)),
            lambda: ours.recvmsg(1),
            lambda: ours.recvmsg_into([bytearray(1)]),
        ):
            with not_before(SHORT), pytest.raises(TimeoutError, match="timed out"):
                verb()
        fill(ours)
        for verb in (lambda: ours.send(b"x"), lambda: ours.sendmsg([b"x"]), lambda: ours.sendall(b"x")):
            with not_before(SHORT), pytest.raises(TimeoutError, match="timed out"):
                verb()
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"


def test_the_timeout_of_sendall_is_for_all_of_it() -> None:
    with connected("unix") as (ours, theirs):
        ours.settimeout(0.2)
        task = spawn(ours.sendall, bytes(100_000_000))
        seconds = 0.0
        while not task.done():  # there is always progress, and no end
            theirs.recv(1 << 12)
            sleep(0.02)
            seconds += 0.02
            assert seconds < PATIENCE
        assert isinstance(task.exception(), TimeoutError)


def test_wake_ups_do_not_prolong_a_timeout() -> None:
    with connected() as (ours, _):
        ours.settimeout(0.2)
        task = spawn(ours.recv, 10)
        start = task.hub.now()
        while not task.done():
            ticket = task.ticket
            if ticket is not None:
                task.hub.fire(ticket, WOKEN)
            sleep(0.01)
            assert task.hub.now() - start < PATIENCE
        assert isinstance(task.exception(), TimeoutError)


@every_stream
def test_no_waiting_at_all(kind: str) -> None:
    with connected(kind) as (ours, theirs):
        ours.settimeout(0)
        assert not ours.getblocking()
        assert ours.gettimeout() == ours.timeout == 0.0
        for verb in (
            lambda: ours.recv(1),
            lambda: ours.recv_into(bytearray(1)),
            lambda: ours.recvfrom(1),
            lambda: ours.recvmsg(1),
        ):
            with pytest.raises(BlockingIOError):
                verb()
        theirs.sendall(b"x")
        until(lambda: _ready(ours))
        assert ours.recv(1) == b"x"
        with pytest.raises(BlockingIOError):
            ours.sendall(bytes(50_000_000))
        with pytest.raises(BlockingIOError):
            ours.send(b"x")
        ours.setblocking(True)
        assert ours.gettimeout() is None
        assert ours.getblocking()
        task = spawn(ours.recv, 1)
        parked(task)
        theirs.setblocking(False)
        theirs.send(b"y")
        assert task.result(PATIENCE) == b"y"


def test_what_cannot_wait_is_not_cancelled() -> None:
    with connected() as (ours, theirs):
        ours.settimeout(0)

        def body() -> bytes:
            me.cancel()
            with pytest.raises(BlockingIOError):
                ours.recv(1)
            ours.send(b"x")
            ours.sendall(b"y")
            with pytest.raises(Cancelled):
                sleep(0)
            return theirs.recv(10)

        me = spawn(body)
        assert me.result(PATIENCE) == b"xy"


@pytest.mark.parametrize(
    ("value", "error"),
    [("1", TypeError), ([], TypeError), (1j, TypeError), (-1, ValueError), (-0.001, ValueError),
     (float("nan"), ValueError), (float("inf"), OverflowError), (1e300, OverflowError)],
)  # fmt: skip
def test_a_timeout_that_makes_no_sense(value: Any, error: type[Exception]) -> None:
    with socket.socket() as ours, standard.socket() as theirs:
        for sock in (ours, theirs):
            with pytest.raises(error):
                sock.settimeout(value)
        assert ours.gettimeout() is None


def test_the_default_timeout() -> None:
    standard.setdefaulttimeout(SHORT)
    try:
        with connected() as pair, connected("unix") as second, connected("adopted") as third:
            for ours in (*pair, *second, *third):
                assert ours.gettimeout() == SHORT
                with pytest.raises(TimeoutError):
                    ours.recv(1)
    finally:
        standard.setdefaulttimeout(None)
    with socket.socket() as ours:
        assert ours.gettimeout() is None


# -- interrupted ----------------------------------------------------------------------------------


@every_stream
def test_cancel_and_scopes_in_a_wait(kind: str) -> None:
    with connected(kind) as (ours, theirs):
        for verb in (ours.recv, ours.recvfrom, ours.recvmsg):
            task = spawn(verb, 10)
            parked(task)
            stop(task)
            assert task.cancelled()
            with pytest.raises(TimeoutError):
                with timeout(SHORT):
                    verb(10)
        theirs.sendall(b"kept")
        assert ours.recv(10) == b"kept"
        fill(ours)
        for verb in (ours.sendall, ours.send):
            task = spawn(verb, b"x")
            parked(task)
            stop(task)
            assert task.cancelled()
        assert theirs.recv(10) == bytes(10)


@every_stream
def test_a_latched_cancel_comes_before_any_effect(kind: str) -> None:
    with connected(kind) as (ours, theirs):
        theirs.sendall(b"abc")
        until(lambda: _ready(ours))
        verbs = (
            lambda: ours.recv(1),
            lambda: ours.recv(1, socket.MSG_OOB),
            lambda: ours.recv_into(bytearray(1)),
            lambda: ours.recvfrom(1),
            lambda: ours.recvmsg(1),
            lambda: ours.send(b"x"),
            lambda: ours.sendall(b"x"),
            lambda: ours.sendmsg([b"x"]),
        )

        def body() -> None:
            for verb in verbs:
                me.cancel()
                with pytest.raises(Cancelled):
                    verb()

        me = spawn(body)
        me.result(PATIENCE)
        assert ours.recv(10) == b"abc"
        ours.sendall(b"only")
        assert theirs.recv(10) == b"only"


@every_stream
def test_busy(kind: str) -> None:
    with connected(kind) as (ours, theirs):
        fill(ours)
        reader, writer = spawn(ours.recv, 10), spawn(ours.sendall, b"x")
        parked(reader, writer)
        for verb in (
            lambda: ours.recv(1),
            lambda: ours.recv_into(bytearray(1)),
            lambda: ours.recvmsg(1),
            lambda: ours.send(b"y"),
            lambda: ours.sendall(b"y"),
        ):
            with pytest.raises(Busy):
                verb()
        theirs.sendall(b"x")
        assert reader.result(PATIENCE) == b"x"
        while not writer.done():
            theirs.recv(1 << 16)
            checkpoint()


# -- from several threads -------------------------------------------------------------------------


@every_stream
def test_a_socket_that_wanders_from_thread_to_thread(kind: str) -> None:
    # Each thread has a hub of its own; the news that one of them used up must not be missed by the other.
    with connected(kind) as (ours, theirs):
        ours.settimeout(PATIENCE)
        turn = [threading.Semaphore(1), threading.Semaphore(0)]
        seen: list[bytes] = []
        errors: list[BaseException] = []

        def reader(me: int) -> None:
            try:
                for _ in range(20):
                    assert turn[me].acquire(timeout=PATIENCE)
                    seen.append(spawn(ours.recv, 100).result(PATIENCE))
                    turn[1 - me].release()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=reader, args=(me,)) for me in (0, 1)]
        for thread in threads:
            thread.start()
        for number in range(40):
            until(lambda n=number: len(seen) == n or bool(errors))  # type: ignore[misc]
            theirs.sendall(b"%d" % number)
        until(lambda: len(seen) == 40 or bool(errors))
        for thread in threads:
            thread.join()
        assert errors == []
        assert seen == [b"%d" % number for number in range(40)]


@every_stream
def test_closed_by_another_thread(kind: str) -> None:
    with connected(kind) as (ours, _):
        fill(ours)
        tasks = [spawn(ours.recv, 10), spawn(ours.sendall, bytes(10))]
        parked(*tasks)
        thread = threading.Thread(target=ours.close)
        thread.start()
        finish(*tasks)
        thread.join()
        assert [type(task.exception()) for task in tasks] == [Closed, Closed]

