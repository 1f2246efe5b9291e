"""HttpClient: one keep-alive connection, one request at a time.

What must live here: as much of an HTTP client as the demo needs. What this file must not know: what is
asked and answered.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import httptools

import hubkit.green.socket as socket

Address = tuple[str, int]


class Answer(NamedTuple):
    """Status and body of a response."""

    status: int
    body: bytes

    @property
    def value(self) -> Any:
        """The body as JSON; None if the status is not 200."""
        return json.loads(self.body) if self.status == 200 else None


class HttpClient:
    """A connection to `address`, made with the first request. Unusable after an error: close it.

    Switches: never. Call from: any thread. Raises: nothing.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._sock: socket.socket | None = None

    def request(self, method: str, target: str, body: bytes = b"") -> Answer:
        """Send a request and wait for its answer.

        Switches: if it must wait. Call from: hub. Raises: OSError; httptools.HttpParserError if the
        answer is none.
        """
        if self._sock is None:
            self._sock = socket.create_connection(self._address)
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host, port = self._address
        head = f"{method} {target} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._sock.sendall(head.encode("ascii") + body)
        received = _Received()
        while not received.complete:
            data = self._sock.recv(64 * 1024)
            if not data:
                raise ConnectionError(f"{method} {target}: the connection was closed before the answer")
            received.parser.feed_data(data)
        return Answer(received.parser.get_status_code(), b"".join(received.pieces))

    def close(self) -> None:
        """Close the connection. Idempotent.

        Switches: never. Call from: hub. Raises: nothing.
        """
        if self._sock is not None:
            self._sock.close()


class _Received:
    """What the parser has found of one answer."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.pieces: list[bytes] = []
        self.complete = False

    def on_body(self, piece: bytes) -> None:
        self.pieces.append(piece)

    def on_message_complete(self) -> None:
        self.complete = True
