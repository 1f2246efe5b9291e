"""hubkit.green.socket: how waits on a stream end other than by data."""

from __future__ import annotations

import socket as standard
import threading
from random import Random
from typing import Any

import pytest
from sockets import connected, every_stream, fill, has_data

from hubkit import Busy, Cancelled, Closed, checkpoint, current_task, move_on_after, sleep, spawn, timeout
from hubkit.green import endpoint, socket
from hubkit.waiting import WOKEN
from hubkit_conformance.tools import PATIENCE, SHORT, finish, not_before, parked, stop, until

pytestmark = pytest.mark.usefixtures("hub")


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
        until(lambda: has_data(ours))
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
            me = current_task()
            assert me is not None
            me.cancel()
            with pytest.raises(BlockingIOError):
                ours.recv(1)
            ours.send(b"x")
            ours.sendall(b"y")
            with pytest.raises(Cancelled):
                sleep(0)
            return theirs.recv(10)

        assert spawn(body).result(PATIENCE) == b"xy"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        *[(value, TypeError) for value in ("1", [], 1j)],
        *[(value, ValueError) for value in (-1, -0.001, float("nan"))],
        *[(value, OverflowError) for value in (float("inf"), 1e300)],
    ],
)
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
        until(lambda: has_data(ours))
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
@pytest.mark.parametrize("seed", range(3))
def test_no_byte_is_lost_or_doubled_by_interrupted_reads(kind: str, seed: int) -> None:
    chance = Random(seed)
    data = chance.randbytes(300_000)

    def write() -> None:
        sent = 0
        while sent < len(data):
            size = chance.choice((1, 10, 1000, 50_000))
            theirs.sendall(data[sent : sent + size])
            sent += size
            if chance.random() < 0.5:
                sleep(chance.choice((0, 0, 0.0005)))
        theirs.close()

    def read() -> bytes:
        received = bytearray()
        buffer = bytearray(40_000)
        while True:
            size = chance.choice((1, 7, 1000, 40_000))
            with move_on_after(chance.choice((0, 0.0002, 0.001, None))):
                if chance.random() < 0.5:
                    part = ours.recv(size)
                else:
                    part = bytes(buffer[: ours.recv_into(buffer, size)])
                if not part:
                    return bytes(received)
                received += part

    with connected(kind) as (ours, theirs):
        writer, reader = spawn(write), spawn(read)
        assert reader.result(PATIENCE) == data
        assert writer.result(PATIENCE) is None


@every_stream
def test_interrupted_before_the_wait_has_begun(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A signal handler may raise anywhere: the place in line must be free again.
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    with connected(kind) as (ours, theirs):
        with monkeypatch.context() as patch:
            patch.setattr(endpoint, "wait", interrupted)
            with pytest.raises(KeyboardInterrupt):
                ours.recv(10)
        task = spawn(ours.recv, 10)
        parked(task)
        theirs.sendall(b"x")
        assert task.result(PATIENCE) == b"x"


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
@pytest.mark.usefixtures("a_hub_in_each_thread")
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
