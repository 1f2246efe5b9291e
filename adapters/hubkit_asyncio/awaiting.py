"""Waiting in a task for a coroutine.

What must live here: how a task's wait becomes a task of asyncio's, and how values, errors, cancels and
context variables cross. What this file must not know: the host hooks.

The caller waits by hubkit's rules. A cancel of it, or the end of its time, is passed on to what it waits
for, and raised when that has ended. Somebody else's cancel of that is an ordinary error, TaskCancelled:
it must not cancel who merely waits.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar

from hubkit.errors import TaskCancelled, WrongContext
from hubkit.registry import current_hub
from hubkit.scopes import put_back, shield
from hubkit.tasks import Task
from hubkit.waiting import WOKEN, deliver_latched, latched, ticket_for, wait

from .contexts import take_over

T = TypeVar("T")


def await_(awaitable: Awaitable[T], /) -> T:
    """Wait in a task for what a coroutine would `await`, and return its value or raise its error.

    A coroutine runs as a task of asyncio's, in a copy of the caller's context; what it changes there is
    changed for the caller when it has ended. If the caller is cancelled, or its time is over, so is the
    awaitable, and the caller leaves when that has ended: with its value if it has one after all, and then
    the next verb raises.

    Switches: always. Call from: hub, on an asyncio loop. Raises: what the awaitable raises; TaskCancelled if
    somebody else cancels it; Cancelled; WrongContext in a coroutine; TypeError.
    """
    if not inspect.isawaitable(awaitable):
        raise TypeError(f"await_() takes what `await` takes, not {awaitable!r}")
    try:
        if latched:
            deliver_latched()
        call = _Call(awaitable, *_caller())
    except BaseException:
        _drop(awaitable)
        raise
    return call.result()


def _caller() -> tuple[Task[Any], asyncio.AbstractEventLoop]:
    hub = current_hub()
    loop: Any = getattr(getattr(hub, "host", None), "loop", None)
    if not hasattr(loop, "create_task"):
        raise WrongContext(
            f"await_() needs an asyncio loop, and this is the {hub.name} hub. Choose one that has a loop, as "
            "hubkit.use('asyncio') does, or from another thread use asyncio.run_coroutine_threadsafe()"
        )
    task = hub.current()
    if task is None:
        raise WrongContext("this is a coroutine or a callback: type `await`, without hubkit_asyncio")
    return task, loop


def _drop(awaitable: object) -> None:
    """Say that a coroutine will not be awaited after all."""
    if inspect.iscoroutine(awaitable):
        awaitable.close()


class _Call(Generic[T]):
    """An awaitable in a task of asyncio's, and the task of hubkit's that waits for it."""

    value: T
    context: Context | None = None
    error: BaseException | None = None

    def __init__(self, awaitable: Awaitable[T], task: Task[Any], loop: asyncio.AbstractEventLoop) -> None:
        self.ticket = ticket_for(task)
        self.awaitable = awaitable
        self.job = loop.create_task(self._run())
        self.job.add_done_callback(self._ended)

    async def _run(self) -> None:
        try:
            self.value = await self.awaitable
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # to the task, which is to raise it, and to nobody else
            self.error = error
        self.context = copy_context()
        self._wake()  # a pass of the loop earlier than by the callback

    def _ended(self, job: asyncio.Task[None]) -> None:
        _drop(self.awaitable)  # if it was cancelled before its first step
        self._wake()

    def _wake(self) -> None:
        self.ticket.task.hub.fire(self.ticket, WOKEN)

    def result(self) -> T:
        """Wait, in the task that has made it."""
        try:
            wait(self.ticket)
        except BaseException as request:
            self._cancel()
            if self.context is None:
                raise
            if self.error is None:
                put_back(request, self.ticket.task)
        return self._outcome()

    def _cancel(self) -> None:
        self.job.cancel()
        with shield():
            while not self.job.done():
                self.ticket = ticket_for(self.ticket.task)
                wait(self.ticket)

    def _outcome(self) -> T:
        if self.context is None:
            raise TaskCancelled(f"{self.awaitable!r} was cancelled") from None
        take_over(self.context)
        error, self.error = self.error, None
        if error is None:
            return self.value
        try:
            raise error
        finally:
            del error  # it would hold this frame, and the frame it
