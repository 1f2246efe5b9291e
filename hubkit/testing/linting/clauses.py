"""Clauses: the sentences of the contract that a lint hub checks, and whose duty each is.

What must live here: the words, exactly as `hubkit.contract.Hub` has them. What this file must not know:
how a clause is checked.
"""

from __future__ import annotations

from typing import NamedTuple

CALLER = "caller"
HUB = "hub"


class Clause(NamedTuple):
    """One duty."""

    verb: str
    at_fault: str
    sentence: str


# -- who calls ------------------------------------------------------------------------------------

RUN_HERE = Clause("run", CALLER, "Call from: a thread that runs no task.")
CLOSE_HERE = Clause("close", CALLER, "Call from: the hub's thread, outside its tasks.")
YIELD_HERE = Clause("yield_now", CALLER, "Call from: hub.")
PARK_HERE = Clause("park", CALLER, "Call from: hub.")
PARK_OWN = Clause("park", CALLER, "in the ticket's own task and once for each ticket.")
FIRE_OUTCOME = Clause("fire", CALLER, "The outcome MUST NOT be None")
FIRE_OWN_HUB = Clause("fire", CALLER, "the hub MUST be that of the ticket's task")
FIRE_THE_DEAD = Clause("fire", CALLER, "which MUST NOT have ended: who gives up a wait claims its ticket.")
START_TWICE = Clause("start", CALLER, "The caller MUST NOT start a task twice.")
CALL_BLOCKS = Clause("call_soon", CALLER, "`fn` MUST NOT block: nothing else runs meanwhile.")
ARM_HERE = Clause("arm_fd", CALLER, "Call from: hub.")
ARM_OWN = Clause("arm_fd", CALLER, "The ticket MUST be the calling task's")

# -- the hub --------------------------------------------------------------------------------------

RUN_RESULT = Clause("run", HUB, "MUST return its value or raise its error once it has ended")
RUN_MAIN = Clause("run", HUB, "Call `main()` as the main task")
CLOSED = Clause("close", HUB, "Every later verb that would start, park or arm MUST raise Closed.")
NOW = Clause("now", HUB, "Seconds on this hub's monotonic clock.")
CURRENT = Clause("current", HUB, "The task that the calling carrier runs; None in hub context.")
START_ONCE = Clause("start", HUB, "`task.run()` MUST be called once")
START_CARRIER = Clause("start", HUB, "on a carrier of its own")
START_ORDER = Clause("start", HUB, "in FIFO order with all that is runnable")
START_INLINE = Clause("start", HUB, "NEVER before `start` returns")
YIELD_ALL = Clause("yield_now", HUB, "Let every other ready task run once")
PARK_EARLY = Clause("park", HUB, "MUST NOT return before it was fired.")
PARK_OUTCOME = Clause(
    "park", HUB, "Suspend the calling task until `ticket` is fired and return the ticket's outcome."
)
FIRE_ONE = Clause("fire", HUB, "True for exactly one of all who try.")
FIRE_SETS = Clause("fire", HUB, "The winner's outcome is what `park` returns")
FIRE_ORDER = Clause("fire", HUB, "the task MUST become runnable, in FIFO order.")
FIRE_RAISES = Clause("fire", HUB, "NEVER blocks, switches or raises.")
CALL_ONCE = Clause("call_soon", HUB, "once, in order, never inline, with the context of the caller.")
CALL_CONTEXT = Clause("call_soon", HUB, "Call `fn()` in hub context")
AT_EARLY = Clause("call_at", HUB, "as soon as `now() >= when`, NEVER earlier")
AT_ORDER = Clause("call_at", HUB, "equal times in order.")
AT_CONTEXT = Clause("call_at", HUB, "Call `fn()` in hub context")
AT_CANCELLED = Clause("call_at", HUB, "Forget the call.")
ARM_BUSY = Clause("arm_fd", HUB, "a live one in the same direction MUST raise Busy.")
ARM_EBADF = Clause("arm_fd", HUB, "Raises: Busy, OSError (EBADF)")
FORGET = Clause("forget_fd", HUB, "fire its waiters with CLOSED")
