"""hubkit.poller: registrations. What sockets and tasks make of them is tested with those."""

from __future__ import annotations

import os
import selectors
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hubkit.contract import READ, WRITE
from hubkit.errors import Busy
from hubkit.originals import select
from hubkit.poller import EpollPoller, Poller, SelectorPoller
from hubkit.waiting import CLOSED, WOKEN, Ticket, ticket_for

needs_epoll = pytest.mark.skipif(not hasattr(select, "epoll"), reason="epoll is missing on this platform")

KINDS: list[Any] = [
    pytest.param(lambda fire: EpollPoller(fire), id="epoll", marks=needs_epoll),
    pytest.param(lambda fire: SelectorPoller(fire, selectors.SelectSelector()), id="select"),
    pytest.param(lambda fire: SelectorPoller(fire, selectors.PollSelector()), id="poll"),
]


class Fired(list[tuple[Ticket, Any]]):
    """What a poller has fired; `fail` is raised once instead."""

    fail: BaseException | None = None

    def fire(self, ticket: Ticket, outcome: Any) -> bool:
        if self.fail is not None:
            error, self.fail = self.fail, None
            raise error
        if not ticket.claim():
            return False
        self.append((ticket, outcome))
        return True


def ticket() -> Ticket:
    nobody: Any = None  # whose it is means nothing to a poller
    return ticket_for(nobody)


@pytest.fixture
def fired() -> Fired:
    return Fired()


@pytest.fixture(params=KINDS)
def poller(request: pytest.FixtureRequest, fired: Fired) -> Iterator[Poller]:
    poller = request.param(fired.fire)
    yield poller
    poller.close()


@pytest.fixture
def epoll(fired: Fired) -> Iterator[EpollPoller]:
    poller = EpollPoller(fired.fire)
    yield poller
    poller.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with ours, theirs:
        yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


def test_each_direction_once(poller: Poller, fired: Fired, pair: Pair) -> None:
    ours, theirs = pair
    reader, writer = ticket(), ticket()
    poller.arm(ours.fileno(), READ, reader)
    poller.poll(0)
    assert fired == []
    poller.arm(ours.fileno(), WRITE, writer)
    poller.poll(1)
    assert fired == [(writer, WOKEN)]
    assert poller.has_waiters()
    theirs.send(b"x")
    poller.poll(1)
    poller.poll(0)
    assert fired == [(writer, WOKEN), (reader, WOKEN)]
    assert not poller.has_waiters()


def test_busy_unless_the_other_is_dead(poller: Poller, fired: Fired, pair: Pair) -> None:
    ours, theirs = pair
    first, second = ticket(), ticket()
    poller.arm(ours.fileno(), READ, first)
    with pytest.raises(Busy):
        poller.arm(ours.fileno(), READ, second)
    first.claim()
    assert not poller.has_waiters()
    poller.arm(ours.fileno(), READ, second)
    theirs.send(b"x")
    poller.poll(1)
    assert fired == [(second, WOKEN)]


def test_forgetting(poller: Poller, fired: Fired, pair: Pair) -> None:
    ours, theirs = pair
    reader = ticket()
    poller.forget(ours.fileno())
    poller.arm(ours.fileno(), READ, reader)
    poller.forget(ours.fileno())
    assert fired == [(reader, CLOSED)]
    theirs.send(b"x")
    poller.poll(0)
    assert len(fired) == 1
    assert not poller.has_waiters()


def test_not_open(poller: Poller, pair: Pair) -> None:
    number = os.dup(pair[0].fileno())
    os.close(number)
    with pytest.raises(OSError):
        poller.arm(number, READ, ticket())
    assert not poller.has_waiters()


def test_a_wake_ends_a_poll(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    drained: list[bytes] = []
    poller.add_wake(ours.fileno(), lambda: drained.append(ours.recv(10)))
    theirs.send(b"!")
    poller.poll(None)
    assert drained == [b"!"]
    poller.poll(0)
    assert drained == [b"!"]


@needs_epoll
def test_a_handler_that_raises_in_the_middle_loses_no_edge(epoll: EpollPoller, fired: Fired) -> None:
    pairs = [socket.socketpair() for _ in range(3)]
    tickets = [ticket() for _ in pairs]
    for (ours, theirs), each in zip(pairs, tickets, strict=True):
        epoll.own(ours.fileno())
        epoll.arm(ours.fileno(), READ, each)
        theirs.send(b"x")
    fired.fail = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        epoll.poll(1)
    epoll.poll(0)
    assert sorted(tickets.index(each) for each, _ in fired) == [0, 1, 2]
    for each in pairs:
        each[0].close()
        each[1].close()


@needs_epoll
def test_a_number_that_is_waited_for_becomes_a_stream(epoll: EpollPoller, fired: Fired, pair: Pair) -> None:
    # Somebody waits for the bare number; then the socket's own verbs come to know it.
    ours, theirs = pair
    reader = ticket()
    epoll.arm(ours.fileno(), READ, reader)
    record = epoll.own(ours.fileno())
    assert epoll.own(ours.fileno()) is record
    record.readable = False
    theirs.send(b"x")
    epoll.poll(1)
    assert fired == [(reader, WOKEN)]
    assert record.readable
    ours.recv(10)
    record.readable = False
    theirs.close()
    epoll.poll(1)
    assert record.readable
    assert record.hung_up


@needs_epoll
def test_hints_of_a_stream(epoll: EpollPoller, pair: Pair) -> None:
    ours, theirs = pair
    record = epoll.own(ours.fileno())
    assert record.readable
    assert record.writable  # worth a try, as nothing is known
    epoll.arm(ours.fileno(), READ, ticket())
    record.readable = record.writable = False
    epoll.poll(0)
    assert record.writable
    assert not record.readable
    record.writable = False
    theirs.send(b"x")  # an edge without a waiter is remembered
    epoll.poll(1)
    assert record.readable
    assert not record.hung_up


def test_a_regular_file_is_always_ready(poller: Poller, fired: Fired, tmp_path: Path) -> None:
    with open(tmp_path / "file", "w+") as file:
        reader = ticket()
        poller.arm(file.fileno(), READ, reader)
        poller.poll(0)
        assert fired == [(reader, WOKEN)]


def test_news_of_descriptors_need_no_wake_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # A hub that polls by itself is awake when it hears of them: a wake-up would cost three system calls.
    from hubkit import run, spawn
    from hubkit.green import socket as green
    from hubkit.registry import current_hub
    from hubkit.testing import override

    wakes: list[int] = []

    def main() -> None:
        host: Any = current_hub().host  # type: ignore[attr-defined]
        real: Callable[[], None] = host.wake
        monkeypatch.setattr(host, "wake", lambda: (wakes.append(1), real()))
        ours, theirs = green.socketpair()
        with ours, theirs:
            task = spawn(lambda: [theirs.sendall(data) for data in iter(lambda: theirs.recv(9), b"")])
            for _ in range(20):
                ours.sendall(b"x")
                assert ours.recv(9) == b"x"
            ours.close()
            task.result(10)

    with override("hubkit_native.hub:NativeHub"):
        run(main)
    assert len(wakes) < 5
