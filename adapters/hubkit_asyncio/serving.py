"""Waiting in a coroutine for a task.

What must live here: how a coroutine's wait becomes a task of hubkit's, and how values, errors, cancels and
context variables cross. What this file must not know: the host hooks.

The caller waits by asyncio's rules. A cancel of it is passed on to the task that it waits for, and raised
when that has ended. Somebody else's cancel of that is an ordinary error, TaskCancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import wraps
from typing import Any, TypeVar, cast

from hubkit.errors import TaskCancelled
from hubkit.spawning import spawn
from hubkit.tasks import Task
from hubkit.watched import Watched

from .contexts import take_over

T = TypeVar("T")


async def run_task(fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Call `fn(*args, **kwargs)` in a task of hubkit's and await its end, from a coroutine.

    It runs in a copy of the caller's context; what it changes there is changed for the caller when it has
    ended. If the caller is cancelled, so is the task, and the caller leaves when that has ended.

    Switches: never. Call from: a coroutine. Raises: what `fn` raises; TaskCancelled if somebody else cancels
    the task; asyncio.CancelledError; TypeError if `fn` is not callable.
    """
    if not callable(fn):
        raise TypeError(f"run_task() takes a function and its arguments, not {fn!r}")
    ended: list[Context] = []

    @wraps(fn, updated=())
    def call() -> T:
        try:
            return fn(*args, **kwargs)
        finally:
            ended.append(copy_context())

    try:
        return cast(T, await outcome(spawn(call)))
    finally:
        for context in ended:
            take_over(context)


async def outcome(what: Watched) -> Any:
    """What `await what` does: `what` is a task or a future of any hub, in any thread."""
    loop = asyncio.get_running_loop()
    cancelled: asyncio.CancelledError | None = None
    while not what.done():
        end: asyncio.Future[None] = loop.create_future()

        def tell(end: asyncio.Future[None] = end) -> None:
            _tell(loop, end)

        what._watch(tell)
        try:
            await end
        except asyncio.CancelledError as error:
            what._withdraw(tell)
            cancelled = error
            if not (isinstance(what, Task) and what.cancel()):
                raise  # a future is not ours to cancel; a task that has ended cannot be
    try:
        return what.result(0)  # type: ignore[attr-defined]
    except TaskCancelled:
        if cancelled is not None:
            raise cancelled from None
        raise


def _tell(loop: asyncio.AbstractEventLoop, end: asyncio.Future[None]) -> None:
    """Called where the watched thing ends, in any thread."""
    try:
        loop.call_soon_threadsafe(_resolve, end)
    except RuntimeError:  # closed: nobody waits there any more
        pass


def _resolve(end: asyncio.Future[None]) -> None:
    if not end.done():
        end.set_result(None)
