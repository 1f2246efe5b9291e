"""The ready ring: who runs next.

What must live here: the order of ready tasks, switching from one to the next, and when the host is due.
What this file must not know: the host's hooks but `wake` and `switch`, timers, descriptors.

An entry is one of three. A ticket: its task is resumed if it still waits on it, else the entry is stale (the
host threw something into the task meanwhile). A task whose ticket is YIELD: it is resumed. Any other job (a
new task, the callbacks): a worker is to run it.

Invariant: if the ring is not empty, a turn is running or on its way (`_awake`), or a task runs that will
look at the ring before it rests. Whoever fills the ring wakes the host unless it is awake; whoever
rests clears `_awake` first and looks at the ring after.
"""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar

from greenlet import getcurrent

from .callbacks import Callbacks
from .contract import FORK, Hub
from .crew import Crew
from .errors import Closed, NotSupported, WrongContext
from .host import Host
from .originals import monotonic
from .tasks import Task
from .waiting import Ticket
from .workers import Starter, Worker

#: Switches between two looks at the clock, and seconds between two turns of the host. Few enough that
#: tasks of a millisecond each do not keep the host waiting for long.
CREDIT = 32
SLICE = 0.002

#: What a task waits on while it lets the others run: a ticket that can no longer be fired.
YIELD = Ticket(None)  # type: ignore[arg-type]
YIELD.claim()


class Ring(Hub):
    """The scheduling half of LoopHub."""

    host: Host
    worker_class: ClassVar[type[Worker]] = Worker
    starter_class: ClassVar[type[Starter]] = Starter

    def __init__(self) -> None:
        super().__init__()
        self._closed = False
        self._forked_off = False  # closed because it is in a forked child, and has no FORK
        self._ready: deque[Any] = deque()
        self._awake = False
        self._credit = CREDIT
        self._slice_end = 0.0
        self._crew = Crew(self)
        self._idle = self._crew.idle
        self._callbacks = Callbacks(self)

    def _refusal(self, what: str) -> Exception:
        """The error for a verb of a hub that is closed."""
        if self._forked_off:
            return NotSupported(
                f"the {self.name} hub does not work in a forked child: choose one that has {FORK}, or "
                "use no verb that waits before the child execs or exits"
            )
        return Closed(f"the {self.name} hub of this thread is closed: {what}")

    def start(self, task: Task[Any]) -> None:
        """Put a new task at the end of the ring; see `Hub.start`.

        Switches: never. Call from: any thread, signal. Raises: Closed.
        """
        if self._closed:
            raise self._refusal(f"it cannot start {task!r}")
        self.tasks[task] = None
        self._ready.append(task)
        if not self._awake:
            self._wake()

    def enter(self, job: Callbacks) -> None:
        """Have `job.run()` called once by a worker."""
        self._ready.append(job)
        if not self._awake:
            self._wake()

    def fire(self, ticket: Ticket, outcome: Any) -> bool:
        """Claim a ticket and put its task at the end of the ring; see `Hub.fire`.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        try:
            del ticket.armed
        except AttributeError:
            return False
        ticket.outcome = outcome
        self._ready.append(ticket)
        if not self._awake:
            self._wake()
        return True

    def _wake(self) -> None:
        if not self._closed:
            self._awake = True
            self.host.wake()

    def park(self, ticket: Ticket) -> Any:
        """Run others until `ticket` is fired; see `Hub.park`.

        Switches: if it must wait. Call from: hub. Raises: Closed, what the host throws.
        """
        ready = self._ready
        while ticket.outcome is None:
            # As `switch`, without the call: every wait comes by here.
            if ready and self._credit > 0:
                self._credit -= 1
                entry = ready.popleft()
                if type(entry) is not Ticket:
                    if self._enter(entry):
                        continue
                else:
                    task = entry.task
                    if task.ticket is entry:
                        resume = task.resume
                        del entry, task  # or this frame, suspended for long, would keep them
                        resume()  # nothing at all if it is the caller
                    continue
            elif self.switch():
                continue
            self.rest_in(ticket)
        return ticket.outcome

    def rest_in(self, ticket: Ticket) -> None:
        """`rest`, in a wait that something could still end."""
        if self._closed:
            raise self._refusal(f"nothing could end the wait of {ticket.task!r}")
        self.rest()

    def yield_now(self) -> None:
        """Go to the end of the ring; see `Hub.yield_now`.

        Switches: always, if another task is ready. Call from: hub. Raises: what the host throws.
        """
        try:
            task = getcurrent().hubkit_task
        except AttributeError:
            task = self.current()
        if task is None:
            raise WrongContext(f"what runs on the hub itself cannot let others run. {self.remedy}")
        ready = self._ready
        if not ready and self._credit > 0:
            self._credit -= 1
            return
        task.ticket = YIELD
        ready.append(task)
        if not self._awake:
            self._wake()
        try:
            while task.ticket is YIELD:
                if not self.switch():
                    self.rest()
        except BaseException:
            task.ticket = None
            while task in ready:
                ready.remove(task)
            raise

    def switch(self) -> bool:
        """Let the next ready task run; False if there is none, or if it is the host's turn.

        Returns when somebody has switched back, for whatever reason.
        """
        ready = self._ready
        while ready:
            if self._credit <= 0 and not self._renew():
                return False
            self._credit -= 1
            entry = ready.popleft()
            if type(entry) is not Ticket:
                return self._enter(entry)
            task = entry.task
            if task.ticket is entry:
                resume = task.resume
                del entry, task
                resume()
                return True
        return False

    def _enter(self, job: Any) -> bool:
        """Run an entry that is no ticket; False if the host must have its turn first."""
        if job.ticket is YIELD:
            job.ticket = None
            resume = job.resume
        elif self._idle:
            worker = self._idle.pop()
            worker.hubkit_task = job
            resume = worker.resume
            del worker  # what a suspended frame refers to is not used again
        else:
            return self._crew.start(job)
        del job
        resume()
        return True

    def _renew(self) -> bool:
        """Whether the slice lasts; looked at only when the credit is used up."""
        if monotonic() >= self._slice_end:
            return False
        self._credit = CREDIT
        return True

    def rest(self) -> None:
        """Give the CPU to the host; returns when somebody has switched back."""
        raise NotImplementedError

    def next_start(self) -> Any:
        """The next entry, taken out, if no worker has begun it and the credit lasts; else None."""
        ready = self._ready
        if ready and self._credit > 0:
            entry = ready[0]
            if type(entry) is not Ticket and entry.ticket is not YIELD:
                self._credit -= 1
                return ready.popleft()
        return None

    def put_back(self, task: Any) -> None:
        """A task that could not be started after all is the next again."""
        self._ready.appendleft(task)

    def to_main(self, error: BaseException) -> None:
        """What no task is to blame for goes to the main task, as a request; without one it is raised."""
        main = self.main
        if main is None or main.done():
            raise error
        main.interrupt(error)

    def _new_slice(self) -> None:
        self._credit = CREDIT
        self._slice_end = monotonic() + SLICE
