"""Override: a block of code on another hub, in a process that has chosen one or not.

What must live here: setting the choice aside and putting it back. What this file must not know: any hub.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from greenlet import getcurrent

from .. import registry
from ..contract import Hub
from ..homes import bury
from ..originals import ThreadLocal, get_ident
from ..running import GRACE, end_tasks


@contextmanager
def override(name: str | type[Hub], grace: float | None = GRACE) -> Iterator[type[Hub]]:
    """In the block this process runs on the hub `name`: a registered one, "module:Class", or a class.

    What was chosen before is set aside, and comes back with its hubs when the block is left. Then the tasks
    left on the hubs made inside are cancelled and joined for at most `grace` seconds, as by `run`, and
    this thread's hub is closed. A hub of that kind that this thread has already serves inside, too. Not
    inside a task, and not in two threads at once.

    Switches: if it must wait, on leaving. Call from: a thread that runs no task. Raises: UnknownHub,
    HubNotInstalled, InvalidHub.
    """
    hub_class = registry.load(name) if isinstance(name, str) else name
    choice, cache, before = registry._choice, registry._cache, registry.hubs()
    registry._choice = registry.Choice(hub_class.name, hub_class, f"hubkit.testing.override({name!r})")
    registry._cache = ThreadLocal()
    adopted = _set_task_aside(hub_class)
    try:
        yield hub_class
    finally:
        try:
            made = [hub for hub in registry.hubs() if hub not in before]
            for left in made:
                if left.loop is not None:  # somebody else's, which does not run while this waits
                    bury(left)
            if any(hub.tasks for hub in made):
                end_tasks(made, grace)
            mine = getattr(registry._cache, "hub", None)
            for hub in made:
                if hub is mine or hub.thread == get_ident():
                    hub.close()
                    registry.forget(hub)
        finally:
            registry._choice, registry._cache = choice, cache
            vars(getcurrent()).update(adopted)


def _set_task_aside(hub_class: type[Hub]) -> dict[str, Any]:
    """What a hub of another class has hung on this greenlet when it made a task of it."""
    mine = vars(getcurrent())
    task = mine.get("hubkit_task")
    if task is None or type(task.hub) is hub_class:
        return {}
    return {"hubkit_task": mine.pop("hubkit_task")}
