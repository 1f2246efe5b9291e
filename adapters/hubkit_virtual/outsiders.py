"""Outsiders: whether another thread may still wake a task, as far as that can be told.

What must live here: which threads count, and for how long. What this file must not know: hubs, any clock but
the real one.

A job of `to_thread` speaks when it ends, so it is waited for however long it takes. Of any other thread
nobody knows whether it has anything to say. One that was there before the hub is taken for a tool's
background thread, which would keep time from leaping in every test; so is one that has been silent for long.
They are waited for once one of them speaks, or there are more.
"""

from __future__ import annotations

from threading import main_thread

from hubkit.idleness import telling
from hubkit.originals import get_ident, monotonic, thread_count
from hubkit.threads import calls_under_way
from hubkit.worker_threads import busy_count, idle_count

#: Seconds, real ones, that a thread may be silent while every task waits.
SILENCE = 2.0


class Outsiders:
    """The other threads, as one hub hears of them."""

    __slots__ = ("_silent", "_since")

    def __init__(self) -> None:
        # So many are not waited for. In another thread than the main one the main one would be among them.
        self._silent = _strangers() if get_ident() == main_thread().ident else 0
        self._since: float | None = None  # when the silence began

    def heard(self) -> None:
        """One of them has spoken. Any thread."""
        self._silent = 0
        self._since = None

    def at_work(self, waiting: bool, jobs_only: bool) -> bool:
        """Whether to wait for them; `waiting`: every task waits."""
        if calls_under_way():
            return True
        if jobs_only:
            return False
        working = _number()
        if working <= self._silent:
            self._silent = working
            return False
        if not waiting:
            self._since = None
            return True
        now = monotonic()
        if self._since is None:
            self._since = now
        if now - self._since < SILENCE:
            return True
        self._silent, self._since = working, None
        return False


def _strangers() -> int:
    """How many threads there are but hubkit's own. Of those the busy are asked for first: one that falls idle
    meanwhile must not be taken for a stranger."""
    return max(0, thread_count() - busy_count() - idle_count())


def _number() -> int:
    """How many threads there are but hubkit's own idle ones."""
    return max(busy_count(), thread_count() - idle_count()) or int(telling())
