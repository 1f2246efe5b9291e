"""Deferreds for what ends once in hubkit: tasks and futures.

What must live here: when such a Deferred fires, with what, and what cancelling it does. What this file must
not know: the host hooks, hubs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from hubkit.errors import TaskCancelled
from hubkit.tasks import Task
from hubkit.watched import Watched

from .where import reactor


def end_of(what: Watched, asked: bool = False) -> Deferred[Any]:
    """Fires in the reactor's own greenlet with the outcome of `what`, a task or a future of any hub.

    Cancelling it cancels a task, and it fires when that has ended. Twisted fires at once what is cancelled:
    then another one of these waits for the end, `asked` for it.
    """
    end: Deferred[Any] = Deferred()
    tell = partial(reactor.callFromThread, end.callback, None)
    end.addCallbacks(lambda _: _outcome(what, asked), lambda failure: _cancelled(what, tell, failure))
    what._watch(tell)
    return end


def _outcome(what: Any, asked: bool) -> Any:
    try:
        return what.result(0)
    except TaskCancelled:
        if asked:
            raise CancelledError(f"{what!r} was cancelled") from None
        raise  # by somebody else: whoever waits for the Deferred must not take it for its own


def _cancelled(what: Watched, tell: Any, failure: Failure) -> Failure | Deferred[Any]:
    what._withdraw(tell)
    if not isinstance(what, Task):
        return failure  # a future is not ours to cancel
    what.cancel()
    return end_of(what, asked=True)
