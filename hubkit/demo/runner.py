"""The runner: hub after hub, a fresh service each, measured by a fresh client.

What must live here: which processes there are and when. What this file must not know: what they do, and
how results look.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubkit import registry

from .child import Child, ChildFailed
from .interrupts import Interrupts
from .report import Row, progress_bar, show

SERVICE = "hubkit.demo.service"
OWN_HUB = registry.DEFAULTS.program  # for the processes that are not under test


def run_demo(hubs: Sequence[str], requests: int, connections: int, service: str = SERVICE) -> int:
    """Measure the service on each of `hubs` and print the table; 0 if every answer was right, else 1.

    An interrupt ends every process first.

    Switches: never; it blocks the thread. Call from: the main thread. Raises: OSError, KeyboardInterrupt.
    """
    with Interrupts() as interrupts:
        measure = _Measure(interrupts, service, requests, connections)
        with Child(interrupts, "hubkit.demo.upstream", OWN_HUB) as upstream:
            port = upstream.expect("ready")
            with progress_bar() as begin:
                rows = [measure(hub, port, begin(hub, requests)) for hub in hubs]
    show(rows)
    return 0 if all(row.errors == 0 for row in rows) else 1


@dataclass
class _Measure:
    """Measures one hub after the other, in the same way."""

    interrupts: Interrupts
    service: str
    requests: int
    connections: int

    def __call__(self, hub: str, upstream: str, advance: Callable[[int], None]) -> Row:
        try:
            with tempfile.TemporaryDirectory() as folder:
                database = str(Path(folder, "items.sqlite"))
                arguments = ("--upstream", upstream, "--database", database)
                with Child(self.interrupts, self.service, hub, *arguments) as child:
                    result = self._ask(child.expect("ready"), advance)
                    return Row(hub, peak=child.end(), **result)
        except ChildFailed as error:
            return Row(hub, errors=self.requests, examples=[str(error)])

    def _ask(self, port: str, advance: Callable[[int], None]) -> dict[str, Any]:
        counts = ("--requests", str(self.requests), "--connections", str(self.connections))
        with Child(self.interrupts, "hubkit.demo.client", OWN_HUB, "--port", port, *counts) as client:
            for word, rest in client.lines():
                if word == "done":
                    advance(int(rest))
                elif word == "result":
                    result: dict[str, Any] = json.loads(rest)
                    advance(self.requests)
                    return result
        raise ChildFailed("the client ended without a result")
