"""The runner: hub after hub, a fresh service each, measured by a fresh client.

What must live here: which processes there are and when. What this file must not know: what they do, and
how results look.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hubkit import registry

from .child import Child, ChildFailed
from .report import Row, progress_bar, show

SERVICE = "hubkit.demo.service"


def run_demo(hubs: Sequence[str], requests: int, connections: int, service: str = SERVICE) -> int:
    """Measure the service on each of `hubs` and print the table; 0 if every answer was right, else 1.

    Switches: never; it blocks the thread. Call from: the main thread. Raises: OSError.
    """
    rows = []
    own = registry.DEFAULTS.program  # for the processes that are not under test
    with Child("hubkit.demo.upstream", own) as upstream:
        upstream_port = upstream.expect("ready")
        with progress_bar() as begin:
            for hub in hubs:
                advance = begin(hub, requests)
                rows.append(_measure(hub, service, upstream_port, requests, connections, advance))
    show(rows)
    return 0 if all(row.errors == 0 for row in rows) else 1


def _measure(
    hub: str,
    service: str,
    upstream_port: str,
    requests: int,
    connections: int,
    advance: Callable[[int], None],
) -> Row:
    try:
        with tempfile.TemporaryDirectory() as folder:
            database = str(Path(folder, "items.sqlite"))
            with Child(service, hub, "--upstream", upstream_port, "--database", database) as child:
                port = child.expect("ready")
                result = _ask(port, requests, connections, advance)
                return Row(hub, peak=child.end(), **result)
    except ChildFailed as error:
        return Row(hub, errors=requests, examples=[str(error)])


def _ask(port: str, requests: int, connections: int, advance: Callable[[int], None]) -> dict[str, Any]:
    arguments = ("--port", port, "--requests", str(requests), "--connections", str(connections))
    with Child("hubkit.demo.client", registry.DEFAULTS.program, *arguments) as client:
        for word, rest in client.lines():
            if word == "done":
                advance(int(rest))
            elif word == "result":
                result: dict[str, Any] = json.loads(rest)
                advance(requests)
                return result
    raise ChildFailed("the client ended without a result")
