"""The rules in a form that programs can read: number, title, one line each.

What must live here: the list, the same as the headings of docs/semantics.md. What this file must not
know: how a rule is tested.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One promise of hubkit; docs/semantics.md has it in full."""

    number: int
    title: str
    text: str

    @property
    def label(self) -> str:
        """As it is written in documents and test names, in capitals: R07."""
        return f"R{self.number:02}"


def _rules(*entries: tuple[str, str]) -> tuple[Rule, ...]:
    return tuple(Rule(number, title, text) for number, (title, text) in enumerate(entries, 1))


RULES = _rules(
    ("Spawn", "spawn checks its argument, returns before the child runs, and children start in spawn order"),
    ("Switching", "a verb switches only if it must wait; checkpoint lets every other ready task run once"),
    ("Order", "wake-ups are first come, first served; locks and permits are handed over without barging"),
    ("Cancel", "a cancel is one request, delivered once: at the wait the task is in, or at its next verb"),
    ("Nothing lost, nothing doubled", "whatever meets in one instant, each value arrives once or stays"),
    ("Timeouts", "expiry is a Cancelled of its scope inside the block and a TimeoutError outside"),
    ("Shield", "a shield defers outer cancels and timeouts, and leaving it never raises"),
    ("Errors", "an error belongs to its task, is logged once if nobody asks, and harms nobody else"),
    ("Task groups", "no child outlives its group; all errors come out together"),
    ("Return values and time limits", "what each wait returns or raises when its time is over"),
    ("Condition", "a condition's wait always ends holding the lock, and no notification is lost"),
    ("Queues and pools", "a queue of size 0 is unbounded; a pool's slot lives as long as its task"),
    ("Callbacks", "callbacks run once, in order, in hub context, never inline; their errors are logged"),
    ("Context", "a child runs in a copy of its spawner's context; nothing leaks between tasks"),
    ("Descriptors", "one waiter per descriptor and direction; closing wakes; re-used numbers are new"),
    ("Deadlock", "a main task that nothing can wake gets Deadlock, with who waits for what"),
    ("Threads", "primitives work between OS threads and hubs, from signal handlers and finalizers"),
    ("Signals", "a waiting hub notices a signal handler and what it fires; Ctrl-C reaches the main task"),
    ("Fork", "after a fork the child's hub works and holds only the task that forked"),
    ("The end", "run ends its hub and its tasks; no task keeps the process alive"),
    ("Many and deep", "100,000 tasks work; a task's recursion depth does not depend on its spawner"),
    ("Host and guest", "the host's tasks and hubkit's run side by side, and neither starves the other"),
)
