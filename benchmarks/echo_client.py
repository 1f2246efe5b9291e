"""The load for the echo servers: a plain process with 64 connections, the same for every contender.

`python -m benchmarks.echo_client` reads one command a line, {"port": …, "count": …}, and answers with
the seconds from the first message to the last answer. Each connection has one message under way at a
time, and every answer is compared with what was sent.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
from time import perf_counter, process_time

from .rounds_special import CONNECTIONS, MESSAGE


class Connection:
    """One connection, its message, and how often it has still to send it."""

    __slots__ = ("left", "message", "receive", "send", "socket")

    def __init__(self, port: int, number: int, messages: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.receive = self.socket.recv
        self.send = self.socket.send
        start = b"%d:" % number
        self.message = start + b"x" * (MESSAGE - len(start))
        self.left = messages

    def answer(self, data: bytes) -> None:
        """Take what was received first of an answer, and wait for the rest of it."""
        while data and len(data) < MESSAGE:
            data += self.receive(MESSAGE - len(data))
        if data != self.message:
            raise SystemExit(f"the server answered {data!r} to {self.message!r}")


def drive(port: int, count: int) -> float:
    """Send `count` messages over all connections and return the seconds it took."""
    with selectors.DefaultSelector() as selector:
        connections = [Connection(port, n, count // CONNECTIONS) for n in range(CONNECTIONS)]
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        start = perf_counter()
        for connection in connections:
            connection.send(connection.message)
        busy = CONNECTIONS
        while busy:
            for key, _ in selector.select():
                connection = key.data
                data = connection.receive(4096)
                if data != connection.message:
                    connection.answer(data)
                connection.left -= 1
                if connection.left:
                    connection.send(connection.message)
                else:
                    busy -= 1
        elapsed = perf_counter() - start
        for connection in connections:
            connection.socket.close()
    return elapsed


def main() -> None:
    """Do as told until the parent closes the pipe."""
    for line in sys.stdin:
        command = json.loads(line)
        before = process_time()
        elapsed = drive(command["port"], command["count"])
        used = process_time() - before
        print(json.dumps({"seconds": elapsed, "cpu": used, "count": command["count"]}), flush=True)


if __name__ == "__main__":
    main()
