"""From Twisted's code into hubkit's, and back.

What must live here: tasks for Twisted's code, and waiting for its Deferreds in tasks. What this file must not
know: the host hooks.

Whatever belongs to Twisted runs in the reactor's own greenlet: there nothing can wait by mistake, and what it
sees of tasks and stacks is what it would see without hubkit.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from hubkit.errors import NotSupported, WrongContext
from hubkit.events import Event
from hubkit.registry import use
from hubkit.scopes import put_back
from hubkit.spawning import current_task, spawn
from hubkit.tasks import Task
from hubkit.waiting import deliver_latched, latched

from .deferreds import end_of
from .hub import TwistedHub
from .where import reactor

T = TypeVar("T")


def run_task(fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Deferred[T]:
    """Call `fn(*args, **kwargs)` in a task of hubkit's; the Deferred fires with what it returns or raises.

    Cancelling the Deferred cancels the task. The Deferred fires when the task has ended, not before.

    Switches: never. Call from: the reactor's thread. Raises: TypeError if `fn` is not callable;
    HubAlreadyChosen if this process runs on another hub; NotSupported in another thread. The Deferred fails
    with CancelledError if it was cancelled, TaskCancelled if somebody else has cancelled the task.
    """
    if not callable(fn):
        raise TypeError(f"run_task() takes a function and its arguments, not {fn!r}")
    use(TwistedHub.name)
    return end_of(spawn(fn, *args, **kwargs))


def await_(awaitable: Deferred[T] | Coroutine[Any, Any, T], /) -> T:
    """Wait in a task for a Deferred, or for a coroutine that awaits some, and return its result.

    A failure is raised as the exception that it holds, with its traceback. A coroutine runs in a copy of
    the caller's context. If the caller is cancelled, or its time is over, so is the Deferred, and the caller
    leaves when that has fired: with its value if it has one after all, and then the next verb raises. Asked
    once more it leaves at once.

    Switches: if it must wait. Call from: hub, on the reactor. Raises: what the Deferred fails with;
    Cancelled; WrongContext in a callback or a coroutine; NotSupported on another hub; TypeError.
    """
    try:
        task = _caller(awaitable)
        if latched:
            deliver_latched()
    except BaseException:
        if inspect.iscoroutine(awaitable):
            awaitable.close()  # it will not be awaited after all
        raise
    if isinstance(awaitable, Deferred):
        wait = _Wait(awaitable)
    else:
        wait = _Wait(deferLater(reactor, 0, copy_context().run, Deferred.fromCoroutine, awaitable))
    return wait.outcome(task)  # type: ignore[no-any-return]


def _caller(awaitable: object) -> Task[Any]:
    if not isinstance(awaitable, Deferred) and not inspect.iscoroutine(awaitable):
        raise TypeError(f"await_() takes a Deferred or a coroutine, not {awaitable!r}")
    task = current_task()
    if task is None:
        raise WrongContext("this is a coroutine or a callback: type `await`, without hubkit_twisted")
    if not isinstance(task.hub, TwistedHub):
        raise NotSupported(
            f"await_() waits for the reactor, and this is the {task.hub.name} hub. Choose the right one by "
            f"hubkit.use({TwistedHub.name!r}); in another thread than the reactor's type "
            "twisted.internet.threads.blockingCallFromThread(reactor, fn), where fn() gives the Deferred"
        )
    return task


class _Wait:
    """One task's wait for a Deferred."""

    def __init__(self, deferred: Deferred[Any]) -> None:
        self._deferred = deferred
        self._fired = Event()
        self._result: Any = None
        self._left = False
        deferred.addBoth(self._take)

    def _take(self, result: Any) -> Any:
        """The Deferred fires. Its next callbacks find a value again, but a failure is ours."""
        self._result = result
        self._fired.set()
        if self._left:
            return result  # a failure that nobody waits for: Twisted complains of it
        return None if isinstance(result, Failure) else result

    def outcome(self, task: Task[Any]) -> Any:
        """Wait; the value, or the failure's exception raised."""
        try:
            self._fired.wait()
        except BaseException as request:
            self._cancel()
            if isinstance(self._result, Failure):
                if self._result.type is CancelledError:
                    raise
            else:
                put_back(request, task)
        result, self._result = self._result, None
        try:
            if isinstance(result, Failure):
                result.raiseException()
            return result
        finally:
            del result  # the exception would hold this frame, and the frame it

    def _cancel(self) -> None:
        if self._fired.is_set():
            return
        reactor.callLater(0, self._deferred.cancel)
        try:
            self._fired.wait()
        except BaseException:
            self._left = True
            raise
