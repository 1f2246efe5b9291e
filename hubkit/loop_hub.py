"""LoopHub: hubkit's own greenlet scheduler, a guest on any event loop.

What must live here: the guest's turns, timers and descriptors, and adopting the host's greenlets. What
this file must not know: which host; what tasks wait for; the order of the ring (ring.py).

A task that must wait switches straight to the next ready one; only when none is ready, or the guest has
run for a slice, the host gets the CPU.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, ClassVar, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

from . import idleness, registry
from .callbacks import Callbacks
from .contract import FORK, INTERRUPT_HOST
from .errors import Closed, WrongContext
from .homes import homes_here
from .host import Host
from .naming import name_of
from .originals import get_ident, monotonic
from .poller import Poller, StreamRecord, make_poller
from .ring import Ring
from .tasks import Task, adopt
from .timers import LONGEST, Timer, Timers
from .waiting import Ticket
from .workers import Worker

T = TypeVar("T")


class LoopHub(Ring):
    """The contract on greenlets; a subclass names its host."""

    host_class: ClassVar[type[Host]]
    kill_errors = (GreenletExit,)

    def __init__(self) -> None:
        super().__init__()
        self.thread = get_ident()
        self.loop = self.host_class.loop_here()
        self._timers = Timers()
        self._alarm: float | None = None
        self._throws: deque[Task[Any]] = deque()
        self._adopted: list[greenlet] = []
        self._io_ready = False
        self._in_turn = False
        self.poller: Poller = make_poller(self.fire)
        self.host = self.host_class(self)
        self._holds = self.host_class.hold is not Host.hold  # else nobody need know who could wake us
        self.host.watch(self.poller.fileno())
        registry.remember(self)

    # -- finding ----------------------------------------------------------------------------------

    @classmethod
    def here(cls, create: bool) -> LoopHub | None:
        """The hub of the loop that runs here, else of the thread; see `Hub.here`.

        Switches: never. Call from: any thread. Raises: whatever the host raises when it is set up.
        """
        return homes_here().find(cls, create)

    def current(self) -> Task[Any] | None:
        """The calling greenlet's task; see `Hub.current`.

        Switches: never. Call from: any thread. Raises: WrongContext in a greenlet that is nobody's.
        """
        try:
            return getcurrent().hubkit_task  # type: ignore[no-any-return]
        except AttributeError:
            pass
        return self._adopt(getcurrent())

    def _adopt(self, g: greenlet) -> Task[Any] | None:
        loop = self.host.loop_greenlet
        if g is loop:
            return None
        hosted = self.host.greenlet_tasks and g.parent is loop
        if not hosted and (g.parent is not None or self.loop is not None):
            raise WrongContext(
                f"{g!r} is not a task: it was started by another greenlet, which would be resumed in its "
                "place. Start it with hubkit.spawn(), or call hubkit from the greenlet that started it"
            )
        task = adopt(self, g)
        task.resume = g.switch
        g.hubkit_task = task
        if g.parent is None:
            self._adopted.append(g)
            if self.main is None:
                self.main = task
        return task

    def disown(self, g: greenlet) -> None:
        """`g` is no task from here on: the host's loop has begun to run in it. For hosts."""
        task = vars(g).pop("hubkit_task", None)
        if task is not None:
            self._adopted.remove(g)
            if task is self.main:
                self.main = None

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
        self._crew.dismiss()
        for g in self._adopted:
            vars(g).pop("hubkit_task", None)

    def closed(self) -> bool:
        """Whether the hub is closed, or its thread has ended."""
        return self._closed

    def free(self, leave: Callable[[], None]) -> None:
        """Give back the descriptors and leave the host, when the hub closes or its thread has ended."""
        if not self._closed:
            self._closed = True
            self._ready.clear()  # a loop may run once more to be left
            registry.forget(self)
            if get_ident() == self.thread:  # a loop is left in its own thread, or not at all
                leave()
                self.poller.close()

    def _forget_tasks(self, but: Task[Any] | None) -> None:
        """Suspended greenlets are kept for ever: freeing one would unwind it."""
        self._crew.drop(but)
        self.tasks = {task: None for task in self.tasks if task is but}
        self._ready.clear()
        self._throws.clear()
        self._callbacks = Callbacks(self)

    def now(self) -> float:
        """Seconds of `time.monotonic`; a subclass with another clock overrides this and nothing else.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        return monotonic()

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

    # -- turns ----------------------------------------------------------------------------------

    def turn(self) -> None:
        """Run ready tasks for one slice. Called by the host in its loop's greenlet."""
        if self._closed:
            return
        self._awake = self._in_turn = True
        if self.loop is not None:
            registry.serve(self)
        self._new_slice()
        try:
            while self._throws:
                self._throw(self._throws.popleft())
            if self._io_ready:
                self._io_ready = False
                self.poller.poll(0)
            self._fire_due()
            while self.switch():
                pass
        finally:
            if self.loop is not None:
                registry.serve(None)
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
        self._awake = self._in_turn = False
        if self._ready or self._throws:
            self._wake()
        else:
            self._settle()

    def _settle(self) -> None:
        """Before the host's loop may sleep: the alarm, and whether it must stay alive for us."""
        if self._closed:
            return
        when = self._timers.next()
        if self._holds:
            hold = when is None and self.poller.has_waiters()
            if when is None and not hold and idleness.outsiders():
                when = self._time_to_look_again()  # an alarm keeps the loop alive as well
            self.host.hold(hold)
        if when != self._alarm:
            self._alarm = when
            self.host.set_alarm(None if when is None else min(when, self.now() + LONGEST))

    def _time_to_look_again(self) -> float:
        """When to see whether those who might wake a task are still there: they may end without a word."""
        latest = self.now() + idleness.RECHECK
        return latest if self._alarm is None else min(self._alarm, latest)

    def rest(self) -> None:
        """Give the CPU to the host; returns when somebody has switched back."""
        if not self._awake:
            self._settle()
        elif not self._in_turn:
            self.host.hold(True)  # the loop must live until the turn that another thread has asked for
        loop = self.host.loop_greenlet
        if loop is not None and loop.dead:  # to switch there would return at once, for ever
            raise Closed(f"the loop of the {self.name} hub has ended: nothing could end this wait")
        try:
            self.host.switch()
        except self.host.exhausted:
            raise idleness.deadlock(self) from None

    # -- callbacks and timers ---------------------------------------------------------------------

    def call_soon(self, fn: Callable[[], object]) -> None:
        """Queue `fn` for hub context; see `Hub.call_soon`.

        Switches: never. Call from: any thread, signal. Raises: TypeError, Closed.
        """
        if not callable(fn):
            raise TypeError(f"call_soon() takes a function without arguments, not {fn!r}")
        if self._closed:
            raise self._refusal(f"it cannot call {name_of(fn)}")
        self._callbacks.add(copy_context(), fn)

    def call_at(self, when: float, fn: Callable[[], object]) -> Timer:
        """Queue `fn` for a time; see `Hub.call_at`.

        Switches: never. Call from: any thread. Raises: Closed.
        """
        if self._closed:
            raise self._refusal("it cannot wait for a time")
        timers = self._timers
        timer = Timer()  # as `Timer.set`: every wait with a timeout comes by here
        timer.when = when
        timer.fn = fn
        timer.timers = timers
        timer.context = None if type(fn) is Ticket else copy_context()
        if get_ident() == self.thread:
            if timers.add(timer) and not self._awake:
                self._wake()  # the turn sets the alarm
        else:
            self.call_soon(lambda: self._add_timer(timer))
        return timer

    def _add_timer(self, timer: Timer) -> None:
        if self._timers.add(timer) and not self._awake:
            self._wake()  # the turn sets the alarm

    def _fire_due(self) -> None:
        if self._timers:
            self._timers.run_due(self.now(), self.fire, self._callbacks.add)

    # -- descriptors ------------------------------------------------------------------------------

    def arm_fd(self, fd: int, direction: str, ticket: Ticket) -> None:
        """Fire `ticket` when `fd` is ready; see `Hub.arm_fd`.

        Switches: never. Call from: hub. Raises: Busy, OSError, Closed.
        """
        if self._closed:
            raise self._refusal("it cannot watch a descriptor")
        self.poller.arm(fd, direction, ticket)

    def forget_fd(self, fd: int) -> None:
        """Wake the waiters of `fd` with CLOSED; see `Hub.forget_fd`.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        self.poller.forget(fd)

    def own_stream(self, fd: int) -> StreamRecord | None:
        """The record of a stream socket that hubkit made; see `Hub.own_stream`."""
        return self.poller.own(fd)

    # -- fork -------------------------------------------------------------------------------------

    def after_fork(self) -> None:
        """In the child, in the task that forked: keep that one and forget the rest, without unwinding.

        The inherited poller is closed and not otherwise touched: it is the parent's as well.
        """
        if self.thread != get_ident():  # its thread does not exist here
            self._closed = True
            return
        if not self.supports(FORK):
            self._closed = self._forked_off = True
            return
        task = self.current()
        self._forget_tasks(but=task)
        self._crew.forked = task if task is not None and isinstance(task.carrier, Worker) else None
        self.main = task
        self._timers.keep(lambda timer: getattr(getattr(timer.fn, "__self__", None), "task", None) is task)
        self.poller.close()
        self.poller = make_poller(self.fire)
        self.host.after_fork()
        self.host.watch(self.poller.fileno())
