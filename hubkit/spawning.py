"""Spawning: how tasks begin, and which there are.

What must live here: making a task and giving it to its hub, now or later. What this file must not know: what
becomes of a task (see tasks.py), what carries it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar

from greenlet import getcurrent

from .delays import Delay
from .registry import current_hub, hub_to_spawn
from .tasks import Task, new_task
from .waiting import check_timeout

__all__ = ["all_tasks", "current_task", "spawn", "spawn_later"]

T = TypeVar("T")


def spawn(fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Task[T]:
    """Start `fn(*args, **kwargs)` as a task of its own, in a copy of the caller's context.

    Returns before the task runs (on a hub of OS threads it may have begun). Tasks start in the order
    of their spawn.

    Switches: never. Call from: any thread, signal. Raises: TypeError if `fn` is not callable.
    """
    if not callable(fn):
        raise TypeError(f"spawn() takes a function and its arguments, not {fn!r}")
    try:
        hub = getcurrent().hubkit_task.hub
    except AttributeError:  # not called by a greenlet's task
        hub = None
    if hub is None:
        hub = hub_to_spawn()
    task: Task[T] = new_task(hub, fn, args, kwargs, copy_context())
    hub.start(task)
    return task


def spawn_later(delay: float, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Task[T]:
    """Like `spawn`, but the task becomes runnable after `delay` seconds; `cancel()` stops it before.

    Switches: never. Call from: any thread. Raises: TypeError, ValueError.
    """
    if not callable(fn):
        raise TypeError(f"spawn_later() takes seconds, a function and its arguments, not {fn!r}")
    if delay is None:
        raise TypeError("spawn_later() needs a number of seconds, not None")
    seconds = check_timeout(delay, "spawn_later() takes a number of seconds")
    hub = hub_to_spawn()
    task: Task[T] = new_task(hub, fn, args, kwargs, copy_context())
    hub.tasks[task] = None
    task.carrier = starter = Delay(task)
    if seconds is not None:
        starter.timer = hub.call_at(hub.now() + seconds, starter)
    return task


def current_task() -> Task[Any] | None:
    """The task that calls; None in hub context (a callback).

    Switches: never. Call from: any thread. Raises: WrongContext in a greenlet that is nobody's task.
    """
    return current_hub().current()


def all_tasks() -> list[Task[Any]]:
    """The tasks of the caller's hub that have been spawned and have not ended, in order of spawn.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    return list(current_hub().tasks)
