"""When nothing is left that could wake a task: who else is there, and the report.

What must live here: what counts as "outside" of a hub. What this file must not know: how a hub rests.
"""

from __future__ import annotations

# `signal.getsignal` makes an enumeration's member of what it returns: a look at all signals takes 20 times as
# long, and a guest looks in each turn.
from _signal import default_int_handler, getsignal  # type: ignore[import-not-found] # it has no stub
from signal import valid_signals
from typing import TYPE_CHECKING

from .errors import Deadlock
from .originals import thread_count

if TYPE_CHECKING:
    from .contract import Hub

#: Seconds after which an idle hub looks again whether the other threads are still there.
RECHECK = 1.0

_NUMBERS = tuple(valid_signals())


def outsiders() -> bool:
    """Whether another Python thread or a Python signal handler, but SIGINT's own, could still wake a task."""
    return threads_at_work() or _has_handlers()


def threads_at_work() -> bool:
    """Whether there is another Python thread but hubkit's own idle ones."""
    from .worker_threads import busy_count, idle_count

    # A thread that has just been started is not counted by the interpreter yet: hence busy_count.
    return busy_count() > 0 or thread_count() - idle_count() > 0


def telling() -> bool:
    """Whether a thread is at the point of waking somebody, although it counts as idle.

    True for an instant longer, so a hub that relies on it asks again soon. To be asked after the two above,
    and before the hub looks whether somebody has been woken meanwhile.
    """
    from .worker_threads import telling

    return telling()


def _has_handlers() -> bool:
    from .ctrl_c import CtrlC

    for number in _NUMBERS:
        handler = getsignal(number)
        if callable(handler) and handler is not default_int_handler and type(handler) is not CtrlC:
            return True
    return False


def deadlock(hub: Hub) -> Deadlock:
    """The error for a hub whose tasks all wait for one another."""
    from .testing.tasks import format_tasks

    return Deadlock(
        "every task waits, and nothing is left that could wake one: no timer, descriptor, thread or "
        f"signal handler. Waiting are:\n{format_tasks()}"
    )
