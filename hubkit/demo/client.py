"""The client: sends the requests, computes what is right by itself, and compares. A process of its own.

What must live here: which requests there are, and what counts as an error. What this file must not know:
which hub serves.

Over stdout: `done N` now and then, and at the end `result JSON`. It ends by SIGTERM, or when nobody reads
that any more.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from statistics import quantiles
from time import perf_counter
from typing import Any

from hubkit import TaskGroup, move_on_after, run, sleep, spawn

from . import answers
from .http_client import Address, Answer, HttpClient
from .starter import tell

PROGRESS_SECONDS = 0.1
#: For the whole run. A service that loses an answer must not make the demo hang.
GIVE_UP_SECONDS = 110.0
EXAMPLES = 5


@dataclass
class Result:
    """What came of one run. Times in seconds."""

    requests: int = 0
    seconds: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    errors: int = 0
    examples: list[str] = field(default_factory=list)  #: of errors, in words; the first few


class Run:
    """All requests of one run, over a number of connections.

    Switches: never. Call from: any thread. Raises: nothing.
    """

    def __init__(self, address: Address, requests: int, connections: int) -> None:
        self._address = address
        self._connections = connections
        self._wanted = requests
        self._jobs: Iterator[int] = iter(range(requests))
        self._attempted = 0
        self._latencies: list[float] = []
        self._stored: list[int] = []
        self._result = Result()

    def measure(self) -> Result:
        """Send everything, check everything.

        Switches: always. Call from: hub. Raises: Cancelled.
        """
        began = perf_counter()
        progress = spawn(self._show_progress)
        with move_on_after(GIVE_UP_SECONDS) as limit, TaskGroup() as group:
            for _ in range(min(self._connections, self._wanted)):
                group.spawn(self._work)
        self._result.seconds = perf_counter() - began
        progress.cancel()
        progress.join()
        if limit.expired:
            self._complain(f"not done within {GIVE_UP_SECONDS:g} s")
        self._check_stored()
        return self._summary()

    def _summary(self) -> Result:
        result = self._result
        result.requests = len(self._latencies)
        missing = self._wanted - self._attempted
        if missing:
            self._complain(f"{missing} requests were not made, or not answered in time")
            result.errors += missing - 1
        if len(self._latencies) > 1:
            cuts = quantiles(self._latencies, n=100, method="inclusive")
            result.p50, result.p99 = cuts[49], cuts[98]
        return result

    def _show_progress(self) -> None:
        while True:
            tell("done", self._attempted)
            sleep(PROGRESS_SECONDS)

    # -- one connection ---------------------------------------------------------------------------

    def _work(self) -> None:
        """One connection: take the next job until there is none."""
        client = HttpClient(self._address)
        written: list[int] = []  # stored over this connection, not read back yet
        try:
            for n in self._jobs:
                try:
                    self._do(client, n, written)
                except Exception as error:  # the connection is not to be trusted any more
                    self._complain(f"request {n}: {type(error).__name__}: {error}")
                    client.close()
                    client = HttpClient(self._address)
                self._attempted += 1
        finally:
            client.close()

    def _do(self, client: HttpClient, n: int, written: list[int]) -> None:
        kind = n % answers.KINDS
        if kind == 0:
            self._ask(client, "GET", f"/compute/{n}", answers.computed(n))
        elif kind == 1:
            self._ask(client, "GET", f"/fan/{n}", answers.fanned(n))
        elif written:
            key = written.pop()
            self._ask(client, "GET", f"/items/{key}", answers.stored(key))
        else:
            value = answers.stored(n)
            self._ask(client, "PUT", f"/items/{n}", value, json.dumps({"value": value}).encode())
            written.append(n)
            self._stored.append(n)

    def _ask(self, client: HttpClient, method: str, target: str, right: Any, body: bytes = b"") -> None:
        began = perf_counter()
        answer = client.request(method, target, body)
        self._latencies.append(perf_counter() - began)
        self._check(f"{method} {target}", answer, {"answer": right})

    # -- checking ---------------------------------------------------------------------------------

    def _check(self, what: str, answer: Answer, right: Any) -> None:
        if answer.value != right:
            self._complain(f"{what}: {answer.status} {answer.body[:80]!r}, expected {right!r}")

    def _check_stored(self) -> None:
        """What was stored is there, once, and nothing else."""
        client = HttpClient(self._address)
        try:
            with move_on_after(GIVE_UP_SECONDS / 10) as limit:
                answer = client.request("GET", "/items")
                self._check("GET /items", answer, {"count": len(self._stored), "total": sum(self._stored)})
            if limit.expired:
                self._complain("GET /items was not answered")
        except Exception as error:
            self._complain(f"GET /items: {type(error).__name__}: {error}")
        finally:
            client.close()

    def _complain(self, text: str) -> None:
        self._result.errors += 1
        if len(self._result.examples) < EXAMPLES:
            self._result.examples.append(text)


def main() -> None:
    """Run as the command line says.

    Switches: always. Call from: the main thread. Raises: SystemExit.
    """
    parser = argparse.ArgumentParser(prog="python -m hubkit.demo.client")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    options = parser.parse_args()
    result = run(Run(("127.0.0.1", options.port), options.requests, options.connections).measure)
    tell("result", json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
