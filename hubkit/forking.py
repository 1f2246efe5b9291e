"""After os.fork(): what the child keeps, and how it ends.

What must live here: the fork hook and the greenlets that must never be freed. What this file must not
know: how a hub works.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

from . import registry

#: Suspended greenlets whose tasks were dropped. Freeing one would throw into it and run the `finally`
#: blocks of a task that no longer is.
_kept: list[Any] = []


def keep(greenlets: Iterable[Any]) -> None:
    """Never free these."""
    _kept.extend(greenlets)


def end_process(task: Any) -> NoReturn:
    """A task that forked has ended in the child: its caller's frames are the parent's business."""
    exit_with(None if task.cancelled() else task.exception(0))


def exit_with(error: BaseException | None) -> NoReturn:
    """End the process here, as one that ended by `error`: neither exit handlers nor other threads run."""
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    elif error is not None:
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass
    os._exit(code)


def _in_child() -> None:
    for hub in registry.hubs():
        hub.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
