"""The asyncio hub: hubkit's scheduler as a guest on an asyncio event loop, and bridges between the two.

`await_(awaitable)` waits in a task for what a coroutine would await; `await run_task(fn, …)` waits in a
coroutine for what a task would call.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hubkit.contract import Adapter

if TYPE_CHECKING:
    from .awaiting import await_
    from .serving import run_task

__all__ = ["adapter", "await_", "run_task"]


def detect() -> bool:
    """Whether an asyncio loop, of whatever make, runs in this thread."""
    events = sys.modules.get("asyncio.events")
    return events is not None and events._get_running_loop() is not None


adapter = Adapter(
    name="asyncio",
    hub="hubkit_asyncio.hub:AsyncioHub",
    install="pip install hubkit",
    distribution="hubkit",
    detect=detect,
)


def __getattr__(name: str) -> Any:
    """The bridges, which import asyncio, when they are asked for."""
    if name == "await_":
        from .awaiting import await_

        return await_
    if name == "run_task":
        from .serving import run_task

        return run_task
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
