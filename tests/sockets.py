"""What the tests of sockets share: connected pairs, and full buffers."""

from __future__ import annotations

import select
import socket as standard
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hubkit.green import socket

Pair = tuple[socket.socket, socket.socket]


def tcp_pair() -> Pair:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    return ours, theirs


def adopted_pair() -> Pair:
    """Two that were made by somebody else, who left them blocking."""
    ours, theirs = standard.socketpair()
    return socket.socket(fileno=ours.detach()), socket.socket(fileno=theirs.detach())


PAIRS: dict[str, Callable[[], Pair]] = {
    "tcp": tcp_pair,
    "unix": socket.socketpair,
    "adopted": adopted_pair,
}

every_stream = pytest.mark.parametrize("kind", list(PAIRS))


@contextmanager
def connected(kind: str = "tcp") -> Iterator[Pair]:
    """Two ends of one connection."""
    ours, theirs = PAIRS[kind]()
    with ours, theirs:
        yield ours, theirs


#: Milliseconds in which the kernel moves on what TCP can move; then full means full. It knocks at a closed
#: window after 200, and may find room.
SETTLE = 250


def fill(sock: standard.socket) -> None:
    """Send until not a byte more goes in."""
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    settle = 0 if sock.family == standard.AF_UNIX else SETTLE
    while _stuff(sock, 1 << 16) + _stuff(sock, 1):
        poll.poll(settle)  # for much room; there may be little


def _stuff(sock: standard.socket, size: int) -> int:
    sent = 0
    try:
        while True:
            sent += standard.socket.send(sock, bytes(size), socket.MSG_DONTWAIT)
    except BlockingIOError:
        return sent


def has_data(sock: standard.socket) -> bool:
    """Whether a byte could be read now; past all of hubkit."""
    try:
        return bool(standard.socket.recv(sock, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return False
