"""hubkit.green.socket: datagrams, whose receivers and senders queue up."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sockets import has_data

from hubkit import Cancelled, Closed, Task, spawn
from hubkit.contract import FIFO_LOCKS, Hub
from hubkit.green import socket
from hubkit_conformance.tools import (
    PATIENCE,
    SHORT,
    finish,
    not_before,
    parked,
    parked_in_order,
    settle,
    stop,
    until,
)

pytestmark = pytest.mark.usefixtures("hub")


def udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock


@pytest.fixture
def ours() -> Iterator[socket.socket]:
    with udp() as sock:
        yield sock


@pytest.fixture
def theirs() -> Iterator[socket.socket]:
    with udp() as sock:
        yield sock


def test_one_at_a_time(ours: socket.socket, theirs: socket.socket) -> None:
    task = spawn(ours.recvfrom, 100)
    parked(task)
    assert theirs.sendto(b"first", ours.getsockname()) == 5
    assert task.result(PATIENCE) == (b"first", theirs.getsockname())
    theirs.sendto(b"short", 0, ours.getsockname())
    buffer = bytearray(10)
    assert ours.recvfrom_into(buffer, 3) == (3, theirs.getsockname())
    assert buffer.startswith(b"sho\0")
    theirs.connect(ours.getsockname())
    theirs.send(b"")
    assert ours.recv(10) == b""
    theirs.sendall(b"whole")
    assert ours.recv_into(buffer) == 5
    theirs.sendmsg([b"by ", b"parts"], [], 0, ours.getsockname())
    data, ancillary, _, address = ours.recvmsg(100, 10)
    assert (data, ancillary, address) == (b"by parts", [], theirs.getsockname())


def test_t2_a_second_datagram_before_the_first_is_read(
    hub: Hub, ours: socket.socket, theirs: socket.socket
) -> None:
    ours.settimeout(PATIENCE)
    task = spawn(ours.recvfrom, 100)
    parked(task)
    for text in (b"1", b"2", b"3"):
        theirs.sendto(text, ours.getsockname())
    assert task.result(PATIENCE)[0] == b"1"
    settle(hub)
    assert ours.recvfrom(100)[0] == b"2"
    settle(hub)
    assert ours.recv(100) == b"3"


def test_to_a_name(ours: socket.socket, theirs: socket.socket) -> None:
    address = "localhost", ours.getsockname()[1]
    theirs.sendto(b"1", address)
    theirs.sendmsg([b"2"], [], 0, address)
    assert [ours.recv(10), ours.recv(10)] == [b"1", b"2"]
    for wrong in ((), (0, address, 1)):
        with pytest.raises(TypeError):
            theirs.sendto(b"x", *wrong)
    with pytest.raises(TypeError):
        theirs.sendto(b"x", "localhost")


def test_receivers_are_served_in_order(hub: Hub, ours: socket.socket, theirs: socket.socket) -> None:
    order: list[tuple[int, bytes]] = []

    def receive(number: int) -> None:
        verbs: list[Any] = [ours.recvfrom, ours.recv, ours.recvmsg]
        answer = verbs[number % 3](100)
        order.append((number, answer if isinstance(answer, bytes) else answer[0]))

    tasks = parked_in_order(6, receive)
    stop(tasks[0], tasks[3])
    rest = [1, 2, 4, 5]
    for number in rest:
        theirs.sendto(b"%d" % number, ours.getsockname())
        if hub.supports(FIFO_LOCKS):
            finish(tasks[number])
    finish(*tasks)
    if hub.supports(FIFO_LOCKS):
        assert order == [(number, b"%d" % number) for number in rest]
    assert sorted(data for _, data in order) == [b"%d" % number for number in rest]


def test_nothing_is_lost_to_cancelled_receivers(ours: socket.socket, theirs: socket.socket) -> None:
    got: list[bytes] = []

    def receive() -> None:
        while True:
            got.append(ours.recvfrom(100)[0])

    sent = [b"%d" % number for number in range(100)]
    tasks: list[Task[None]] = []
    for number, data in enumerate(sent):
        tasks.append(spawn(receive))
        if number % 3 == 0:
            parked(tasks[-1])
        theirs.sendto(data, ours.getsockname())
        if number % 2:
            tasks[number // 2].cancel()
    until(lambda: len(got) == len(sent))
    stop(*tasks)
    assert sorted(got) == sorted(sent)


def test_timeouts_in_line(ours: socket.socket, theirs: socket.socket) -> None:
    first = spawn(ours.recvfrom, 100)
    parked(first)
    ours.settimeout(SHORT)
    for verb in (ours.recvfrom, ours.recv, ours.recvmsg):
        with not_before(SHORT), pytest.raises(TimeoutError, match="timed out"):
            verb(100)
    ours.settimeout(0)
    with pytest.raises(BlockingIOError):
        ours.recvfrom(100)
    theirs.sendto(b"x", ours.getsockname())
    assert first.result(PATIENCE)[0] == b"x"


def test_closing_tells_the_whole_line(ours: socket.socket) -> None:
    tasks = parked_in_order(4, lambda _: ours.recvfrom(100))
    thread = threading.Thread(target=ours.close)
    thread.start()
    finish(*tasks)
    thread.join()
    assert [type(task.exception()) for task in tasks] == [Closed] * 4


def test_a_latched_cancel_leaves_the_datagram(ours: socket.socket, theirs: socket.socket) -> None:
    theirs.sendto(b"kept", ours.getsockname())
    until(lambda: has_data(ours))

    def body() -> None:
        for verb in (ours.recvfrom, ours.recv, ours.recvmsg, lambda size: ours.recv_into(bytearray(size))):
            me.cancel()
            with pytest.raises(Cancelled):
                verb(100)

    me = spawn(body)
    me.result(PATIENCE)
    assert ours.recv(100) == b"kept"


def test_an_error_of_the_other_side_is_told(ours: socket.socket) -> None:
    with udp() as gone:
        address = gone.getsockname()
    ours.connect(address)
    ours.settimeout(PATIENCE)
    ours.send(b"x")
    with pytest.raises(ConnectionRefusedError):
        ours.recv(100)


def test_a_full_queue_of_the_receiver() -> None:
    # The sender is ready to write all the time, and yet nothing can be sent: it must not spin.
    with tempfile.TemporaryDirectory() as folder:
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with receiver, sender:
            path = os.path.join(folder, "socket")
            receiver.bind(path)
            sender.settimeout(SHORT)
            sent = 0
            with pytest.raises(TimeoutError):
                while True:
                    sender.sendto(b"%d" % sent, path)
                    sent += 1
            sender.settimeout(None)
            tasks = parked_in_order(3, lambda number: sender.sendto(b"late %d" % number, path))
            got = [receiver.recv(100) for _ in range(sent)]
            assert got == [b"%d" % number for number in range(sent)]
            assert sorted(receiver.recv(100) for _ in range(3)) == [b"late 0", b"late 1", b"late 2"]
            finish(*tasks)


def test_a_pair() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        tasks = parked_in_order(2, lambda _: ours.recv(100))
        theirs.send(b"a")
        theirs.send(b"b")
        assert sorted(task.result(PATIENCE) for task in tasks) == [b"a", b"b"]
