"""The demo service: computes, stores, fans out. Run as a process by the demo, on the hub under test.

What must live here: the handlers and what they share. What this file must not know: which hub it is on.
"""

from __future__ import annotations

import argparse
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeVar

from hubkit import Lock, Semaphore, TaskGroup, run, timeout, to_thread
from hubkit.pipeline import MessageHandler, Request, Response, Routes

from . import answers
from .http_client import Address, HttpClient
from .serving import serve

T = TypeVar("T")

#: Connections to the upstream at once, well below the usual limit of 1,024 descriptors.
UPSTREAM_CONNECTIONS = 500
FAN_OUT_SECONDS = 10.0


class Store:
    """Items in an SQLite file. SQLite blocks its thread, so each access is a job for another one.

    Switches: if it must wait. Call from: hub. Raises: sqlite3.Error.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._idle: deque[sqlite3.Connection] = deque()
        self._writing = Lock()  # SQLite has one writer at a time and makes others poll
        self._use(lambda db: db.execute("CREATE TABLE item (key INTEGER PRIMARY KEY, value TEXT NOT NULL)"))

    def put(self, key: int, value: str) -> None:
        """Store `value`.

        Switches: always. Call from: hub. Raises: sqlite3.Error, Cancelled.
        """
        with self._writing:
            to_thread(self._use, lambda db: db.execute("REPLACE INTO item VALUES (?, ?)", (key, value)))

    def get(self, key: int) -> str | None:
        """What is stored; None if nothing is.

        Switches: always. Call from: hub. Raises: sqlite3.Error, Cancelled.
        """
        row = to_thread(
            self._use, lambda db: db.execute("SELECT value FROM item WHERE key=?", (key,)).fetchone()
        )
        return None if row is None else row[0]

    def summary(self) -> tuple[int, int]:
        """How many items there are, and the sum of their keys.

        Switches: always. Call from: hub. Raises: sqlite3.Error, Cancelled.
        """
        query = "SELECT count(*), total(key) FROM item"
        count, total = to_thread(self._use, lambda db: db.execute(query).fetchone())
        return count, int(total)

    def _use(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run `query` on a connection that nobody else uses meanwhile; in any thread."""
        try:
            db = self._idle.pop()
        except IndexError:
            db = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
        try:
            return query(db)
        finally:
            self._idle.append(db)

    def close(self) -> None:
        """Close the file.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        while self._idle:
            self._idle.pop().close()


class Upstream:
    """Keep-alive connections to the upstream, as many as are needed at once and no more than allowed.

    Switches: never. Call from: any thread. Raises: nothing.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle: deque[HttpClient] = deque()
        self._free = Semaphore(UPSTREAM_CONNECTIONS)

    def get_part(self, n: int, k: int) -> int:
        """Ask for one part of a fan-out.

        Switches: always. Call from: hub. Raises: OSError, Cancelled.
        """
        with self._free:
            try:
                client = self._idle.pop()
            except IndexError:
                client = HttpClient(self._address)
            try:
                part = client.request("GET", f"/part/{n}/{k}").value["part"]
            except BaseException:
                client.close()
                raise
            self._idle.append(client)
        return int(part)


def make_routes(store: Store, upstream: Upstream) -> Routes:
    """Everything that the service answers.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    routes = Routes()

    @routes.route("/compute/<int:n>")
    def compute(request: Request, n: int) -> dict[str, Any]:
        return {"answer": answers.computed(n)}

    @routes.route("/fan/<int:n>")
    def fan(request: Request, n: int) -> dict[str, Any]:
        with timeout(FAN_OUT_SECONDS):
            with TaskGroup() as group:
                tasks = [group.spawn(upstream.get_part, n, k) for k in range(answers.PARTS)]
        return {"answer": sum(task.result() for task in tasks)}

    @routes.route("/items")
    def items(request: Request) -> dict[str, Any]:
        count, total = store.summary()
        return {"count": count, "total": total}

    @routes.route("/items/<int:key>")
    class Item(MessageHandler):
        def get(self, key: int) -> Response | dict[str, Any]:
            value = store.get(key)
            return Response.problem(404) if value is None else {"answer": value}

        def put(self, key: int) -> dict[str, Any]:
            value = self.request.json["value"]
            store.put(key, value)
            return {"answer": value}

    return routes


def main() -> None:
    """Serve as the command line says.

    Switches: always. Call from: the main thread. Raises: OSError.
    """
    parser = argparse.ArgumentParser(prog="python -m hubkit.demo.service")
    parser.add_argument("--upstream", type=int, required=True, metavar="PORT")
    parser.add_argument("--database", required=True, metavar="FILE")
    options = parser.parse_args()
    with closing(Store(options.database)) as store:
        run(serve, make_routes(store, Upstream(("127.0.0.1", options.upstream))))


if __name__ == "__main__":
    main()
