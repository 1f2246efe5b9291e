"""Carriers: greenlets in which libraries written for both worlds find their way to the loop by themselves.

What must live here: SQLAlchemy's protocol for greenlets. What this file must not know: the guest.

SQLAlchemy runs its synchronous code over asynchronous drivers in greenlets: where it must wait it hands an
awaitable to `getcurrent().parent.switch(…)` and expects the outcome, if the greenlet says that it
understands this. So plain synchronous code in a task can use an asynchronous engine.
"""

from __future__ import annotations

from typing import Any

from hubkit.workers import Starter, Worker

from .awaiting import await_


class Adapted(Worker):
    """A worker that SQLAlchemy may hand awaitables to the parent of."""

    __slots__ = ()

    __sqlalchemy_greenlet_provider__ = True


class Adapting(Starter):
    """The parent of workers: given an awaitable, it does not switch, it has the caller wait for it."""

    __slots__ = ()

    def switch(self, *awaitable: Any) -> Any:
        """Wait for the awaitable in the calling task; without one, switch."""
        return await_(*awaitable) if awaitable else super().switch()
