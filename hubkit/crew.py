"""The crew: a hub's workers, the idle ones, and their starter.

What must live here: finding a worker for a task, and what a worker does between two tasks. What this
file must not know: the order of the ring, the host's hooks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from sys import getrefcount
from typing import TYPE_CHECKING, Any
from weakref import getweakrefcount

from greenlet import GreenletExit, getcurrent

from . import forking
from .callbacks import Callbacks
from .waiting import nothing
from .workers import MAX_IDLE, Starter, Worker, start

if TYPE_CHECKING:
    from .ring import Ring
    from .tasks import Task

_log = logging.getLogger("hubkit")


class Crew:
    """Workers of one hub. It owns them: a suspended greenlet that nobody owns is unwound."""

    def __init__(self, hub: Ring) -> None:
        self._hub = hub
        self._workers: set[Worker] = set()
        self.idle: list[Worker] = []  # whoever takes one out gives it a task and switches to it
        self._starter: Starter | None = None
        self.forked: Task[Any] | None = None  # in a forked child: the process ends with it

    def start(self, job: Any) -> Callable[[], object]:
        """Have a new worker carry a job; what switches there."""
        starter = self._starter
        if starter is None or starter.dead:
            loop = self._hub.host.loop_greenlet
            if loop is not None and getcurrent() is not loop:
                self._hub.put_back(job)
                return nothing  # the loop's own greenlet has the smallest stack to start from
            starter = self._starter = self._hub.starter_class(self._worker_ended, self._stray)
            starter.orders.append(self._new_worker(job, starter))
            return partial(start, starter)
        starter.orders.append(self._new_worker(job, starter))
        return nothing if getcurrent() is starter else starter.switch

    def _new_worker(self, task: Any, starter: Starter) -> Worker:
        worker = self._hub.worker_class(self, starter)
        worker.job = task
        self._workers.add(worker)
        return worker

    def live(self, worker: Worker) -> None:
        """The life of a worker: tasks, until one leaves something behind or something is thrown at it."""
        try:
            self._carry(worker)
        except GreenletExit:
            self._let_go(worker)
        except BaseException as error:
            self._let_go(worker)
            self._hub.to_main(error)
        finally:
            self._workers.discard(worker)

    def _carry(self, worker: Worker) -> None:
        """Carry one task after another, idle in between. It is found in `idle` and given the next.

        Hosts hang what belongs to a task on its greenlet: locals, timeouts, thread records. A worker that has
        an attribute, a reference or a weak one more than without a task must not carry another.
        """
        hub, idle, attributes = self._hub, self.idle, worker.__dict__
        references = getrefcount(worker)
        while True:
            task = worker.job
            if task is None:
                if len(idle) >= MAX_IDLE:
                    return
                try:  # as `Ring.switch`
                    entry = next(hub.upcoming)
                except (IndexError, StopIteration):
                    resume = hub.give_way
                else:
                    resume = entry.resume
                    if resume is None:
                        worker.job = entry
                        continue
                    del entry
                idle.append(worker)
                worker.gr_context = None
                resume()
                task = worker.job
                if task is None:  # somebody else has switched back
                    idle.remove(worker)
                    continue
            task.carrier = worker
            task.resume = worker.resume
            worker.gr_context = task.context
            # Not before: a signal handler may wait in it from here on.
            worker.hubkit_task = None if type(task) is Callbacks else task
            task.run()
            worker.hubkit_task = None
            task.carrier = task.resume = None
            if task is self.forked:
                forking.end_process(task)
            worker.job = task = None
            if getrefcount(worker) > references or getweakrefcount(worker) or attributes:
                return

    def _let_go(self, worker: Worker) -> None:
        """Something was thrown at `worker` between two tasks: it is idle no more, and what it was about to
        begin is put back."""
        if worker in self.idle:
            self.idle.remove(worker)
        job, worker.job, worker.hubkit_task = worker.job, None, None
        if job is not None and not job.begun():
            job.carrier = job.resume = None
            self._hub.put_back(job)

    def _worker_ended(self) -> None:
        """Runs in the starter: a worker has ended and left the CPU to its parent."""
        starter = self._starter
        assert starter is not None
        if not self._hub.switch():
            self._hub.rest()

    def _stray(self, error: BaseException) -> None:
        """An error that was thrown at no living task."""
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            self._hub.to_main(error)
        else:
            _log.warning("an error was thrown at a task that had ended", exc_info=error)

    def drop(self, but: Task[Any] | None) -> None:
        """Forget every worker that carries a task, except the one that carries `but`."""
        kept = {*self.idle, but.carrier if but is not None else None}
        forking.keep(worker for worker in self._workers if worker not in kept)
        self._workers.intersection_update(kept)

    def dismiss(self) -> None:
        """End the idle workers and the starter: suspended, they would keep each other and the hub for ever.

        Not from within one of them, as a callback would.
        """
        idle = self.idle[:]
        self.idle.clear()
        starter, self._starter = self._starter, None
        here = getcurrent()
        if here is starter or here.parent is starter:
            return
        for g in (*idle, starter):
            if g is not None and not g.dead:
                g.parent = here  # whom an ended greenlet gives the CPU to
                g.throw(GreenletExit)

    def __iter__(self) -> Iterator[Worker]:
        return iter(list(self._workers))
