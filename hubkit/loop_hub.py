"""LoopHub: hubkit's own greenlet scheduler, a guest on any event loop.

What must live here: the ready ring, who runs next, and when the host has its turn. What this file must
not know: which host; what tasks wait for.

A task that must wait switches straight to the next ready one; only when none is ready, or the guest has
run for a slice, the host gets the CPU. An entry of the ring is (task, ticket): the task is resumed if it
still waits on that ticket, else the entry is stale (the host threw something into the task meanwhile).
(task, None) starts a task.

Invariant: if the ring is not empty, a turn is running or on its way (`_awake`), or a task runs that will
look at the ring before it rests. Whoever fills the ring wakes the host unless it is awake; whoever
rests clears `_awake` first and looks at the ring after.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, ClassVar, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

from . import forking, idleness, registry
from .contract import INTERRUPT_HOST, Hub
from .errors import Closed, WrongContext
from .host import Host
from .originals import ThreadLocal, get_ident, monotonic
from .poller import Poller, StreamRecord, make_poller
from .tasks import Task, adopt
from .timers import Timer, Timers
from .waiting import INTERRUPT, TIMED_OUT, Ticket
from .workers import MAX_IDLE, Starter, Worker, start

T = TypeVar("T")

#: Switches between two looks at the clock, and seconds between two turns of the host. Few enough that
#: tasks of a millisecond each do not keep the host waiting for long.
CREDIT = 32
SLICE = 0.002

_log = logging.getLogger("hubkit")
_hubs = ThreadLocal()  # .by_class: this thread's hubs; .sentinel: closes them when the thread ends


class _Sentinel:
    """Freed with its thread. Nothing that a suspended greenlet can reach refers to it."""

    def __init__(self) -> None:
        self.hubs: list[LoopHub] = []

    def __del__(self) -> None:
        if not sys.is_finalizing():  # then the whole process gives back what it has
            for hub in self.hubs:
                hub.free(hub.host.abandon)


#: What a task waits on while it lets the others run: a ticket that can no longer be fired.
YIELD = Ticket(None)  # type: ignore[arg-type]
YIELD.claim()


class _Callbacks:
    """All callbacks that are due, carried by a worker like a task; `current()` is None meanwhile."""

    __slots__ = ("carrier", "context", "due", "hub", "ringed")

    def __init__(self, hub: LoopHub) -> None:
        self.hub = hub
        self.carrier: Any = None
        self.context: Context | None = None
        self.ringed = False
        self.due: deque[tuple[Context, Callable[[], object]]] = deque()

    def add(self, context: Context, fn: Callable[[], object]) -> None:
        self.due.append((context, fn))
        if not self.ringed:
            self.ringed = True
            self.hub.ring(self)

    def run(self) -> None:
        self.carrier.hubkit_task = None
        self.ringed = False
        for _ in range(len(self.due)):
            context, fn = self.due.popleft()
            try:
                context.run(fn)
            except (KeyboardInterrupt, SystemExit) as error:
                self.hub.to_main(error)
            except BaseException as error:
                _log.error("the callback %r failed", fn, exc_info=error)
        if self.due and not self.ringed:
            self.ringed = True
            self.hub.ring(self)


class LoopHub(Hub):
    """The contract on greenlets; a subclass names its host."""

    host_class: ClassVar[type[Host]]
    kill_errors = (GreenletExit,)

    def __init__(self) -> None:
        super().__init__()
        self._closed = False
        self._forked: Task[Any] | None = None  # in a forked child: the process ends with it
        self._ready: deque[tuple[Any, Ticket | None]] = deque()
        self._awake = False
        self._credit = CREDIT
        self._slice_end = 0.0
        self._thread = get_ident()
        self._timers = Timers()
        self._alarm: float | None = None
        self._callbacks = _Callbacks(self)
        self._throws: deque[Task[Any]] = deque()
        self._workers: set[Worker] = set()
        self._idle: list[Worker] = []
        self._adopted: list[greenlet] = []
        self._starter: Starter | None = None
        self._io_ready = False
        self._poller: Poller = make_poller(self.fire)
        self.host = self.host_class(self)
        self.host.watch(self._poller.fileno())
        registry.remember(self)

    # -- finding ----------------------------------------------------------------------------------

    @classmethod
    def here(cls, create: bool) -> LoopHub | None:
        """This thread's hub of this class; see `Hub.here`.

        Switches: never. Call from: any thread. Raises: whatever the host raises when it is set up.
        """
        by_class: dict[type[LoopHub], LoopHub]
        try:
            by_class = _hubs.by_class
        except AttributeError:
            by_class = _hubs.by_class = {}
            _hubs.sentinel = _Sentinel()
        hub = by_class.get(cls)
        if hub is not None and not hub._closed:
            return hub
        if not create and not cls.host_class.alive_here():
            return None
        hub = by_class[cls] = cls()
        _hubs.sentinel.hubs.append(hub)
        return hub

    def current(self) -> Task[Any] | None:
        """The calling greenlet's task; see `Hub.current`.

        Switches: never. Call from: any thread. Raises: WrongContext in a greenlet that is nobody's.
        """
        try:
            return getcurrent().hubkit_task  # type: ignore[attr-defined, no-any-return]
        except AttributeError:
            return self._adopt(getcurrent())

    def _adopt(self, g: greenlet) -> Task[Any] | None:
        loop = self.host.loop_greenlet
        if g is loop:
            return None
        if g.parent is not None and g.parent is not loop:
            raise WrongContext(
                f"{g!r} is not a task: it was started by another greenlet, which would be resumed in its "
                "place. Start it with hubkit.spawn(), or call hubkit from the greenlet that started it"
            )
        task = adopt(self, g)
        g.hubkit_task = task  # type: ignore[attr-defined]
        g.holders = 0  # type: ignore[attr-defined]
        if g.parent is None:
            self._adopted.append(g)
            if self.main is None:
                self.main = task
        return task

    # -- life -------------------------------------------------------------------------------------

    def run(self, main: Callable[[], T]) -> T:
        """Call `main` as the main task; see `Hub.run`.

        Switches: if it must wait. Call from: the thread's main greenlet or one of the host's tasks.
        Raises: what `main` raises.
        """
        return self.host.run(lambda: self._run_main(main))

    def _run_main(self, main: Callable[[], T]) -> T:
        before = self.main
        self.main = self.current()
        try:
            return main()
        finally:
            self.main = before

    def close(self) -> None:
        """Free what the hub holds; see `Hub.close`.

        Switches: never. Call from: the hub's thread, outside its tasks. Raises: nothing.
        """
        if self._closed:
            return
        self.free(self.host.close)
        self._forget_tasks(but=None)
        self._idle.clear()
        for g in self._adopted:
            vars(g).pop("hubkit_task", None)
            vars(g).pop("holders", None)

    def free(self, leave: Callable[[], None]) -> None:
        """Give back the descriptors and leave the host, when the hub closes or its thread has ended."""
        if not self._closed:
            self._closed = True
            registry.forget(self)
            leave()
            self._poller.close()

    def _forget_tasks(self, but: Task[Any] | None) -> None:
        """Suspended greenlets are kept for ever: freeing one would unwind it."""
        kept = {*self._idle, but.carrier if but is not None else None}
        forking.keep(worker for worker in self._workers if worker not in kept)
        self._workers.intersection_update(kept)
        self.tasks = {task: None for task in self.tasks if task is but}
        self._ready.clear()
        self._throws.clear()
        self._callbacks = _Callbacks(self)

    def now(self) -> float:
        """Seconds of `time.monotonic`.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        return monotonic()

    # -- the ring ---------------------------------------------------------------------------------

    def start(self, task: Task[Any]) -> None:
        """Put a new task at the end of the ring; see `Hub.start`.

        Switches: never. Call from: any thread, signal. Raises: Closed.
        """
        if self._closed:
            raise Closed(f"the {self.name} hub of this thread is closed: it cannot start {task!r}")
        self.tasks[task] = None
        self._ready.append((task, None))
        if not self._awake:
            self._wake()

    def ring(self, job: _Callbacks) -> None:
        """Have `job.run()` called once by a worker."""
        self._ready.append((job, None))
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
        self._ready.append((ticket.task, ticket))
        if not self._awake:
            self._wake()
        return True

    def _wake(self) -> None:
        if not self._closed:
            self._awake = True
            self.host.wake()

    def park(self, ticket: Ticket) -> Any:
        """Run others until `ticket` is fired; see `Hub.park`.

        Switches: if it must wait. Call from: hub. Raises: WrongContext, Closed, what the host throws.
        """
        g = getcurrent()
        if ticket.task.carrier is not g:
            raise WrongContext("only the task that a ticket was made for can wait on it")
        if self._closed:
            raise Closed(f"the {self.name} hub of this thread is closed: nothing could end this wait")
        while ticket.outcome is None:
            if not self._switch(g):
                self._rest()
        return ticket.outcome

    def yield_now(self) -> None:
        """Go to the end of the ring; see `Hub.yield_now`.

        Switches: always, if another task is ready. Call from: hub. Raises: what the host throws.
        """
        task = self.current()
        if task is None:
            raise WrongContext("a callback cannot let others run: spawn a task from it")
        ready = self._ready
        if not ready and self._credit > 0:
            self._credit -= 1
            return
        task.ticket = YIELD
        ready.append((task, YIELD))
        if not self._awake:
            self._wake()
        g = task.carrier
        try:
            while task.ticket is YIELD:
                if not self._switch(g):
                    self._rest()
        except BaseException:
            task.ticket = None
            while (task, YIELD) in ready:
                ready.remove((task, YIELD))
            raise

    def _switch(self, g: greenlet) -> bool:
        """Let the next ready task run; False if there is none, or if it is the host's turn.

        `g` is the calling greenlet. Returns when somebody has switched back, for whatever reason.
        """
        ready = self._ready
        while ready:
            if self._credit <= 0 and not self._renew():
                return False
            self._credit -= 1
            task, ticket = ready.popleft()
            if ticket is None:
                return self._carry_by_another(task, g)
            if task.ticket is ticket:
                task.ticket = None
                carrier = task.carrier
                if carrier is not g:
                    carrier.holders += 1  # see Worker.reusable
                    try:
                        carrier.switch()
                    finally:
                        carrier.holders -= 1
                return True
        return False

    def _renew(self) -> bool:
        """Whether the slice lasts; looked at only when the credit is used up."""
        if monotonic() >= self._slice_end:
            return False
        self._credit = CREDIT
        return True

    def _new_slice(self) -> None:
        self._credit = CREDIT
        self._slice_end = monotonic() + SLICE

    # -- carrying tasks ---------------------------------------------------------------------------

    def _carry_by_another(self, task: Any, g: greenlet) -> bool:
        """Have a worker other than `g` run a new task; False if the host must have its turn first."""
        if self._idle:
            carrier = self._idle.pop()
            carrier.hubkit_task = task
            carrier.holders += 1
            try:
                carrier.switch()
            finally:
                carrier.holders -= 1
            return True
        starter = self._starter
        new = starter is None or starter.dead
        if new:
            loop = self.host.loop_greenlet
            if loop is not None and g is not loop:
                self._ready.appendleft((task, None))
                return False  # the loop's own greenlet has the smallest stack to start from
            starter = self._starter = Starter(self._worker_ended, self._stray)
        assert starter is not None
        worker = Worker(self, starter)
        worker.hubkit_task = task
        self._workers.add(worker)
        starter.order = worker
        if new:
            del worker
            start(starter)
        elif g is not starter:
            del worker  # so that this frame does not refer to it while it is suspended
            starter.switch()
        return True

    def carry(self, worker: Worker) -> None:
        """The life of a worker: one task after another until one leaves something behind."""
        worker.begin()
        task = worker.hubkit_task
        while task is not None:
            try:
                task.carrier = worker
                worker.gr_context = task.context
                task.run()
                task.carrier = None
                if task is self._forked:
                    forking.end_process(task)
                worker.hubkit_task = task = None
                if worker.reusable():
                    task = self._next_for(worker)
            except GreenletExit:
                break
            except BaseException as error:  # thrown at a worker between two tasks
                worker.hubkit_task = task = None
                self.to_main(error)
        self._workers.discard(worker)

    def _next_for(self, worker: Worker) -> Any:
        """The next task for an idle worker; None if there are enough idle ones without it."""
        ready = self._ready
        while True:
            if ready and ready[0][1] is None and self._credit > 0:
                self._credit -= 1
                task = worker.hubkit_task = ready.popleft()[0]
                return task
            if len(self._idle) >= MAX_IDLE:
                return None
            worker.gr_context = None
            self._idle.append(worker)
            if not self._switch(worker):
                self._rest()
            task = worker.hubkit_task
            if task is not None:  # by _carry_by_another, which has taken it off the idle list
                return task
            self._idle.remove(worker)

    def _worker_ended(self) -> None:
        """Runs in the starter: a worker has ended and left the CPU to its parent."""
        starter = self._starter
        assert starter is not None
        if not self._switch(starter):
            self._rest()

    def _stray(self, error: BaseException) -> None:
        """An error that was thrown at no living task."""
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            self.to_main(error)
        else:
            _log.warning("an error was thrown at a task that had ended", exc_info=error)

    def to_main(self, error: BaseException) -> None:
        """What no task is to blame for goes to the main task, as a request; without one it is raised."""
        main = self.main
        if main is None or main.done():
            raise error
        main.interrupt(error)

    def interrupt_host(self, task: Task[Any]) -> bool:
        """Throw the request into the host's own wait in the next turn; see `Hub.interrupt_host`."""
        if INTERRUPT_HOST not in self.capabilities:
            return False
        self._throws.append(task)
        if not self._awake:
            self._wake()
        return True

    def _throw(self, task: Task[Any]) -> None:
        """In the loop's greenlet, so `task` is suspended: in a wait of the host's if it has no ticket."""
        if task.ticket is None and task.carrier is not None and not task.done():
            request = task.take()
            if request is not None:
                task.carrier.throw(request)

    # -- resting ----------------------------------------------------------------------------------

    def turn(self) -> None:
        """Run ready tasks for one slice. Called by the host in its loop's greenlet."""
        if self._closed:
            return
        self._awake = True
        self._new_slice()
        try:
            while self._throws:
                self._throw(self._throws.popleft())
            if self._io_ready:
                self._io_ready = False
                self._poller.poll(0)
            self._fire_due()
            g = getcurrent()
            while self._switch(g):
                pass
        finally:
            self._end_turn()

    def on_readable(self) -> None:
        """The poller has news. Called by the host in its loop's greenlet."""
        self._io_ready = True
        self.turn()

    def on_alarm(self) -> None:
        """The alarm went off, and is set no longer. Called by the host in its loop's greenlet."""
        self._alarm = None
        self.turn()

    def _end_turn(self) -> None:
        self._awake = False
        if self._ready or self._throws:
            self._wake()
        else:
            self._settle()

    def _settle(self) -> None:
        """Before the host's loop may sleep: the alarm, and whether it must stay alive for us."""
        if self._closed:
            return
        when = self._timers.next()
        if when != self._alarm:
            self._alarm = when
            self.host.set_alarm(when)
        self.host.hold(when is None and (self._poller.has_waiters() or idleness.outsiders()))

    def _rest(self) -> None:
        """Give the CPU to the host; returns when somebody has switched back."""
        if not self._awake:
            self._settle()
        try:
            self.host.switch()
        except self.host.exhausted:
            raise idleness.deadlock(self) from None

    def poll_in_place(self) -> None:
        """Sleep until a descriptor, timer, signal or other thread has news. For hosts without a loop.

        Only the poll itself runs in the calling greenlet. It belongs to an innocent task, so that is
        hub context meanwhile, and what a signal handler raises goes to the main task.
        """
        g: Any = getcurrent()
        task, g.hubkit_task = g.hubkit_task, None
        self._awake = False
        try:
            self._poller.poll(self._patience(g))
        except BaseException as error:
            if task is not None and task is self.main:
                raise
            self._awake = True
            self.to_main(error)
        finally:
            self._awake = True
            g.hubkit_task = task
        self._fire_due()
        self._new_slice()

    def _patience(self, g: greenlet) -> float | None:
        """How long to poll. Read after `_awake` was cleared, so nothing comes unnoticed."""
        if self._ready:
            return 0
        when = self._timers.next()
        if when is not None:
            return max(0.0, when - monotonic())
        if self._poller.has_waiters():
            return None
        if not idleness.outsiders():
            self._die_of_deadlock(g)
        return idleness.RECHECK

    def _die_of_deadlock(self, g: greenlet) -> None:
        main = self.main
        if main is not None and main.ticket is not None:
            error = idleness.deadlock(self)
            if main.carrier is g:
                raise error
            main.interrupt(error)
            if main.ticket.outcome is None:  # shielded: nothing else will ever end this wait
                self.fire(main.ticket, INTERRUPT)

    # -- callbacks and timers ---------------------------------------------------------------------

    def call_soon(self, fn: Callable[[], object]) -> None:
        """Queue `fn` for hub context; see `Hub.call_soon`.

        Switches: never. Call from: any thread, signal. Raises: TypeError, Closed.
        """
        if not callable(fn):
            raise TypeError(f"call_soon() takes a function without arguments, not {fn!r}")
        if self._closed:
            raise Closed(f"the {self.name} hub of this thread is closed: it cannot call {fn!r}")
        self._callbacks.add(copy_context(), fn)

    def call_at(self, when: float, fn: Callable[[], object]) -> Timer:
        """Queue `fn` for a time; see `Hub.call_at`.

        Switches: never. Call from: any thread. Raises: Closed.
        """
        if self._closed:
            raise Closed(f"the {self.name} hub of this thread is closed: it cannot wait for a time")
        timer = Timer(when, fn, self._timers)
        if get_ident() == self._thread:
            self._add_timer(timer)
        else:
            self.call_soon(lambda: self._add_timer(timer))
        return timer

    def _add_timer(self, timer: Timer) -> None:
        if self._timers.add(timer) and not self._awake:
            self._wake()  # the turn sets the alarm

    def _fire_due(self) -> None:
        timers = self._timers
        if not timers:
            return
        now = monotonic()
        while (timer := timers.pop_due(now)) is not None:
            fn, timer.fn = timer.fn, None
            if type(fn) is Ticket:
                self.fire(fn, TIMED_OUT)
            elif fn is not None and timer.context is not None:
                self._callbacks.add(timer.context, fn)

    # -- descriptors ------------------------------------------------------------------------------

    def arm_fd(self, fd: int, direction: str, ticket: Ticket) -> None:
        """Fire `ticket` when `fd` is ready; see `Hub.arm_fd`.

        Switches: never. Call from: hub. Raises: Busy, OSError, Closed.
        """
        if self._closed:
            raise Closed(f"the {self.name} hub of this thread is closed: it cannot watch a descriptor")
        self._poller.arm(fd, direction, ticket)

    def forget_fd(self, fd: int) -> None:
        """Wake the waiters of `fd` with CLOSED; see `Hub.forget_fd`.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        self._poller.forget(fd)

    def own_stream(self, fd: int) -> StreamRecord | None:
        """The record of a stream socket that hubkit made; see `Hub.own_stream`."""
        return self._poller.own(fd)

    def add_wake(self, fd: int, drain: Callable[[], object]) -> None:
        """End `poll_in_place` when `fd` is readable. For hosts without a loop."""
        self._poller.add_wake(fd, drain)

    # -- fork -------------------------------------------------------------------------------------

    def after_fork(self) -> None:
        """In the child, in the task that forked: keep that one and forget the rest, without unwinding.

        The inherited poller is closed and not otherwise touched: it is the parent's as well.
        """
        if self._thread != get_ident():  # its thread does not exist here
            self._closed = True
            return
        task = self.current()
        self._forget_tasks(but=task)
        self._forked = task if task is not None and isinstance(task.carrier, Worker) else None
        self.main = task
        self._timers.keep(lambda timer: getattr(getattr(timer.fn, "__self__", None), "task", None) is task)
        self._poller.close()
        self._poller = make_poller(self.fire)
        self.host.after_fork()
        self.host.watch(self._poller.fileno())
