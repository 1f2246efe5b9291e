"""The ready ring: who runs next.

What must live here: the order of ready tasks, switching from one to the next, and when the host is due.
What this file must not know: the host's hooks but `wake` and `switch`, timers, descriptors.

An entry has a `resume`, which switches to its task: a ticket that was fired, that of a task which lets
the others run, or a turn. Where it is None a worker is to begin it: a new task, the callbacks.

Invariant: if the ring is not empty, a turn is running or on its way (`_awake`), or a task runs that will
look at the ring before it rests. Whoever fills the ring wakes the host unless it is awake, or takes the next
entry itself; whoever rests clears `_awake` first and looks at the ring after.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any, ClassVar

from greenlet import getcurrent

from .callbacks import Callbacks
from .contract import FORK, Hub
from .crew import Crew
from .errors import Closed, NotSupported, WrongContext
from .host import Host
from .idleness import threads_at_work
from .originals import monotonic, sleep
from .tasks import Task
from .waiting import WITHDRAWN, Ticket, back_in, nothing
from .workers import Starter, Worker

#: Seconds between two turns of the host.
SLICE = 0.002
#: Switches before the first look at the clock in a slice; then twice as many each time, at most CREDIT. Few
#: at first: tasks that each compute for long do not keep the host waiting for more than these.
FIRST = 4
CREDIT = 32

#: While tasks are always ready: seconds between two breaks for other threads, and of one. A host that only
#: looks whether there is news lets go of the interpreter for an instant: too short for a thread to wake up,
#: and too often for one that waits to have its turn after `sys.getswitchinterval()`.
BREAK_EVERY = 0.01
BREAK = 0.0002


def spent_ticket() -> Ticket:
    """What a task waits on while it lets the others run, and its entry in the ring: nobody can fire it."""
    ticket = Ticket()
    ticket.outcome, ticket.resume = WITHDRAWN, nothing
    ticket.task = None  # type: ignore[assignment]
    return ticket


def _retire(turn: Ticket) -> None:
    """An entry of it may be left in the ring: were it used again, the next yield would end at that one."""
    g = getcurrent()
    try:
        if g.hubkit_turn is turn:
            del g.hubkit_turn
    except AttributeError:  # there is none, or a signal handler has just done so
        pass


class Turn:
    """The entry of a task that queues up: `come` once it has been taken out."""

    __slots__ = ("come", "resume", "task")

    def __init__(self, task: Task[Any]) -> None:
        self.task = task
        self.resume: Callable[[], object] = self._arrive
        self.come = False

    def _arrive(self) -> object:
        self.come = True
        return self.task.resume()  # what a switch returns: not None, see `yield_now`

    def is_over(self) -> None:
        """Its entry may still be in the ring."""
        self.resume = nothing


class Ring(Hub):
    """The scheduling half of LoopHub."""

    host: Host
    first_credit: ClassVar[int] = FIRST
    worker_class: ClassVar[type[Worker]] = Worker
    starter_class: ClassVar[type[Starter]] = Starter

    def __init__(self) -> None:
        super().__init__()
        self._closed = False
        self._forked_off = False  # closed because it is in a forked child, and has no FORK
        self._ready: deque[Any] = deque()
        self._awake = False
        self._credit = self.first_credit
        self.upcoming = self._next_entries()
        self._slice_end = 0.0
        self._next_break = 0.0
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

    def refire(self, ticket: Ticket) -> None:
        """Put a ticket into the ring once more, if it has been there; see `Hub.refire`.

        Switches: never. Call from: hub. Raises: nothing.
        """
        if ticket.outcome is not None:
            _retire(ticket)
            self._ready.append(ticket)
            if not self._awake:
                self._wake()

    def _wake(self) -> None:
        if not self._closed:
            self._awake = True
            self.host.wake()

    def park(self, ticket: Ticket) -> Any:
        """Run others until `ticket` is fired; see `Hub.park`.

        Switches: if it must wait. Call from: hub. Raises: Closed, what the host throws.
        """
        try:
            ticket.resume = ticket.task.resume  # not before: what is thrown here must find who takes it back
            while ticket.outcome is None:
                try:  # as `switch`, without the call: every wait comes by here
                    entry = next(self.upcoming)
                except (IndexError, StopIteration):
                    pass
                else:
                    resume = entry.resume
                    if resume is None:  # as `_begin`
                        if self._idle:
                            worker = self._idle.pop()
                            worker.job = entry
                            resume = worker.resume
                            del worker
                        else:
                            resume = self._crew.start(entry)
                    del entry  # or this frame, suspended for long, would keep it
                    resume()
                    continue
                if not self.switch():
                    self.rest_in(ticket)
        finally:
            ticket.resume = nothing  # its entry may still be in the ring
        return ticket.outcome

    def rest_in(self, wait: Ticket | Turn) -> None:
        """`rest`, in a wait that something could still end."""
        if self._closed:
            raise self._refusal(f"nothing could end the wait of {wait.task!r}")
        self.rest()

    def yield_now(self) -> None:
        """Go to the end of the ring; see `Hub.yield_now`.

        Switches: always, if another task is ready. Call from: hub. Raises: what the host throws.
        """
        g = getcurrent()
        try:
            task = g.hubkit_task
        except AttributeError:
            task = self.current()
        if task is None:
            raise WrongContext(f"what runs on the hub itself cannot let others run. {self.remedy}")
        try:
            turn = g.hubkit_turn
        except AttributeError:
            turn = g.hubkit_turn = spent_ticket()
        outer, before = task.ticket, turn.resume  # of a wait in the middle of which a signal handler yields
        came = None
        try:
            task.ticket, turn.resume = turn, task.resume
            self._ready.append(turn)
            while came is None:  # it is, if an entry was stale or could not be begun
                try:
                    entry = next(self.upcoming)
                except StopIteration:
                    if self._renew():
                        continue
                    break
                except IndexError:  # a signal handler has forked, or closed the hub
                    break
                resume = entry.resume
                if resume is None:
                    resume = self._begin(entry)
                del entry
                came = resume()
            if came is None:
                self._queue_up(task)
        except BaseException:
            _retire(turn)
            raise
        finally:
            task.ticket = outer
            turn.resume = before
            if outer is not None:
                back_in(outer, task)

    def _queue_up(self, task: Task[Any]) -> None:
        """Go to the end of the ring and wait there, whoever has the CPU meanwhile."""
        turn = Turn(task)
        self._ready.append(turn)
        if not self._awake:
            self._wake()
        try:
            while not turn.come:
                if not self.switch():
                    self.rest_in(turn)
        finally:
            turn.is_over()

    def switch(self) -> bool:
        """Let the next ready task run; False if there is none, or if it is the host's turn.

        Returns when somebody has switched back, for whatever reason.
        """
        try:
            entry = next(self.upcoming, None)
            if entry is None:
                if not self._renew():
                    return False
                entry = next(self.upcoming)
        except IndexError:
            return False
        resume = entry.resume
        if resume is None:
            resume = self._begin(entry)
        del entry
        resume()
        return True

    def _begin(self, job: Any) -> Callable[[], object]:
        """Give a worker what has no switch of its own; what switches there."""
        if self._idle:
            worker = self._idle.pop()
            worker.job = job
            return worker.resume  # type: ignore[no-any-return]
        return self._crew.start(job)

    def _next_entries(self) -> Iterator[Any]:
        """The next ones, taken out: IndexError if there is none, StopIteration when it is time for the clock.

        Cheaper than to ask, to count and to take.
        """
        return map(deque.popleft, repeat(self._ready, self._credit))

    def _renew(self) -> bool:
        """Whether the slice lasts; looked at only once its entries are used up."""
        if (now := monotonic()) >= self._slice_end:
            if now >= self._next_break:
                self._next_break = now + BREAK_EVERY
                if threads_at_work():
                    sleep(BREAK)
            return False
        self._credit = min(2 * self._credit, CREDIT)
        self.upcoming = self._next_entries()
        return True

    def rest(self) -> None:
        """Give the CPU to the host; returns when somebody has switched back."""
        raise NotImplementedError

    def give_way(self) -> None:
        """Let others run, or the host; returns when somebody has switched back."""
        if not self.switch():
            self.rest()

    def put_back(self, job: Any) -> None:
        """What could not be begun after all is the next again, and the host has its turn before it."""
        self._ready.appendleft(job)
        self.upcoming = iter(())
        self._slice_end = 0.0

    def to_main(self, error: BaseException) -> None:
        """What no task is to blame for goes to the main task, as a request; without one it is raised."""
        main = self.main
        if main is None or main.done():
            raise error
        main.interrupt(error)

    def _new_slice(self) -> None:
        self._credit = self.first_credit
        self.upcoming = self._next_entries()
        self._slice_end = monotonic() + SLICE
