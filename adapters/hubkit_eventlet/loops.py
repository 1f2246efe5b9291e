"""What eventlet's loops need done for them: a new start after an error, and an end.

What must live here: what differs from one of eventlet's hubs to the next. What this file must not know:
hubkit.
"""

from __future__ import annotations

import sys
from typing import Any


def revive(hub: Any) -> Any:
    """Let eventlet's hub start again after the error of a signal handler has left its loop; its greenlet.

    In its asyncio hub such an error passes by the coroutine that is the hub's loop, which goes on waiting
    and counts as running: eventlet refuses to start another one, for ever.
    """
    if not hub.greenlet.dead:
        return hub.greenlet
    loop = getattr(hub, "loop", None)
    for task in sys.modules["asyncio"].all_tasks(loop) if loop is not None and hub.running else ():
        coroutine = task.get_coro()
        if coroutine.__qualname__ == f"{type(hub).__qualname__}.run.<locals>.async_run":
            coroutine.close()  # its `finally` says that it does not run
            task.cancel()  # from what it waited for
            task.add_done_callback(_take_note)
    hub.ensure_greenlet()
    return hub.greenlet


def _take_note(task: Any) -> None:
    if not task.cancelled():
        task.exception()  # that it was closed; asked for, it is not logged


def free(hub: Any) -> None:
    """Close what eventlet's hub polls with, which it never does itself. Its thread has ended."""
    poll: Any = getattr(hub, "poll", None)
    loop: Any = getattr(hub, "loop", None)
    if hasattr(poll, "close"):
        poll.close()
    if loop is not None:
        loop._thread_id = None  # it was left in the middle of its run, and would refuse to be closed
        loop.close()
