"""asyncio as its own users see it, for the conformance suite's tests that mix host and guest.

What must live here: asyncio's tasks, sleep and socket calls behind `hubkit_conformance.hosts.Host`. What
this file must not know: what is tested with them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from greenlet import GreenletExit

from hubkit import Task
from hubkit_conformance.hosts import Receive, Send, Sleep, Step, Steps

from .awaiting import await_


class Host:
    """See `hubkit_conformance.hosts.Host`."""

    waits_mix = False  # a coroutine waits by `await` alone

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()  # a loop keeps no reference to its tasks

    def spawn(self, steps: Steps) -> object:
        """A task of asyncio's own."""
        task = asyncio.get_running_loop().create_task(self._drive(steps))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def kill(self, task: Task[Any]) -> None:
        """asyncio kills no greenlets: a callback of the loop's does it."""
        asyncio.get_running_loop().call_soon(task.carrier.throw, GreenletExit)

    def sleep(self, seconds: float) -> None:
        """asyncio's sleep, by the bridge."""
        await_(asyncio.sleep(seconds))

    async def _drive(self, steps: Steps) -> None:
        reply: object = None
        try:
            while True:
                try:
                    step = steps.send(reply)
                except StopIteration:
                    return
                reply = await self._do(step)
        finally:
            steps.close()

    async def _do(self, step: Step) -> object:
        if isinstance(step, Sleep):
            return await asyncio.sleep(step.seconds, None)
        step.sock.setblocking(False)
        loop = asyncio.get_running_loop()
        if isinstance(step, Receive):
            return await loop.sock_recv(step.sock, step.size)
        assert isinstance(step, Send)
        await loop.sock_sendall(step.sock, step.data)
        return None
