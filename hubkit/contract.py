"""The hub contract: what a hub must supply and what hubkit builds on, and nothing else.

What must live here: the twelve verbs, the capabilities, and the little bookkeeping that every hub
shares. What this file must not know: any concrete hub, greenlets, threads.

The words MUST, MAY and NEVER are meant as in RFC 2119. Times are seconds as floats. A *task* is a
unit of execution with its own stack; its *carrier* (a greenlet, an OS thread) is the hub's affair.
*Hub context* is where callbacks run: there `current()` is None and nothing may wait.

A hub author who has an event loop should not start here but with `hubkit.loop_hub`, whose host
hooks are a quarter of this and whose scheduler is already held to every rule.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from .errors import NotSupported

if TYPE_CHECKING:
    from .tasks import Task
    from .waiting import Ticket
    from .watched import Watched

T = TypeVar("T")

READ = "read"
WRITE = "write"

INTERRUPT_HOST = "INTERRUPT_HOST"  # a cancel also reaches waits in the host's own verbs
ORDERED_YIELD = "ORDERED_YIELD"  # yield_now lets every other ready task run once, in order
FIFO_LOCKS = "FIFO_LOCKS"  # locks and permits are handed over in order of arrival
MANY_TASKS = "MANY_TASKS"  # 100,000 tasks at once
DEADLOCK = "DEADLOCK"  # a hub with nothing left to wait for says so
FORK = "FORK"  # usable in the child after os.fork() in a task
PATCH = "PATCH"  # can make the standard library cooperative
HOST_MIX = "HOST_MIX"  # the host's own tasks run beside hubkit's
PER_THREAD = "PER_THREAD"  # a hub in every thread
RESTARTABLE = "RESTARTABLE"  # run() may be called again after it returned
VIRTUAL_TIME = "VIRTUAL_TIME"  # the clock jumps when every task waits

#: Every capability there is. A test asks for one of these, never for a hub's name.
CAPABILITIES = frozenset(
    (
        INTERRUPT_HOST,
        ORDERED_YIELD,
        FIFO_LOCKS,
        MANY_TASKS,
        DEADLOCK,
        FORK,
        PATCH,
        HOST_MIX,
        PER_THREAD,
        RESTARTABLE,
        VIRTUAL_TIME,
    )
)


class TimerHandle(Protocol):
    """What `Hub.call_at` returns."""

    def cancel(self) -> None:
        """Forget the call. Idempotent; harmless after it has run. Any thread may call it."""


class Hub(abc.ABC):
    """Runs tasks and wakes them. One instance serves one thread, one loop, or the whole process."""

    #: The name under which users choose the hub.
    name: ClassVar[str]
    #: Which of `CAPABILITIES` this hub keeps. A claim that is not kept fails the conformance suite.
    capabilities: ClassVar[frozenset[str]]
    #: Exceptions by which the host kills a carrier: such an end counts as cancelled, not as failed.
    kill_errors: ClassVar[tuple[type[BaseException], ...]] = ()
    #: What to type where a call that must wait was made in hub context; the end of an error.
    remedy: ClassVar[str] = "Spawn a task from the callback: hubkit.spawn(fn)"

    def __init__(self) -> None:
        #: The task that KeyboardInterrupt, SystemExit and Deadlock go to; None: the host decides.
        self.main: Task[Any] | None = None
        #: Every task that was started and has not finished, in order of start.
        self.tasks: dict[Task[Any], None] = {}
        #: The thread (its ident) in which alone tasks can run; None: each has one of its own.
        self.thread: int | None = None
        #: The running event loop that it lives with; None: it lives with its thread, or the process.
        self.loop: object = None

    # -- finding a hub ----------------------------------------------------------------------------

    @classmethod
    @abc.abstractmethod
    def here(cls, create: bool) -> Hub | None:
        """The hub that serves the loop that runs in the caller's thread, else the thread.

        With `create` it MUST make one if there is none; without, it MUST return None instead, unless
        waiting in this thread by any other means would block a running host: then it makes one.

        Switches: never. Call from: any thread. Raises: NotSupported.
        """

    # -- life -------------------------------------------------------------------------------------

    @abc.abstractmethod
    def run(self, main: Callable[[], T]) -> T:
        """Call `main()` as the main task, in the caller's carrier or one of the hub's own.

        MUST return its value or raise its error once it has ended, and MUST keep waking tasks until
        then. Tasks that are left stay as they are: ending them is the caller's work.

        Switches: if it must wait. Call from: a thread that runs no task. Raises: RuntimeError if this
        hub already runs.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Free descriptors and carriers. Tasks that are left are dropped, never unwound. Idempotent.

        Every later verb that would start, park or arm MUST raise Closed.

        Switches: never. Call from: the hub's thread, outside its tasks. Raises: nothing.
        """

    @abc.abstractmethod
    def now(self) -> float:
        """Seconds on this hub's monotonic clock.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """

    # -- tasks ------------------------------------------------------------------------------------

    @abc.abstractmethod
    def current(self) -> Task[Any] | None:
        """The task that the calling carrier runs; None in hub context.

        MUST be derived from the running greenlet or thread, NEVER from a global. A carrier that the
        hub did not make but may serve (the thread's main one, the host's own tasks) is adopted: it
        gets a Task of its own, the same one each time.

        Switches: never. Call from: any thread. Raises: WrongContext in a carrier that cannot wait here.
        """

    @abc.abstractmethod
    def start(self, task: Task[Any]) -> None:
        """Make a new task runnable: `task.run()` MUST be called once, on a carrier of its own, in FIFO
        order with all that is runnable, and NEVER before `start` returns (a hub of OS threads MAY). The
        caller MUST NOT start a task twice.

        Switches: never. Call from: any thread, signal. Raises: Closed.
        """

    @abc.abstractmethod
    def yield_now(self) -> None:
        """Let every other ready task run once, and due timers and descriptors be noticed.

        Switches: always, if another task is ready. Call from: hub. Raises: whatever the host throws.
        """

    # -- waiting ----------------------------------------------------------------------------------

    @abc.abstractmethod
    def park(self, ticket: Ticket) -> Any:
        """Suspend the calling task until `ticket` is fired and return the ticket's outcome.

        MUST return at once if it has been fired already. MUST NOT return before it was fired. MAY
        raise anything at any time: the host may throw into a waiting task, also into one whose ticket
        has just been fired. Only `hubkit.waiting.wait` calls it, in the ticket's own task and once for
        each ticket.

        Switches: if it must wait. Call from: hub. Raises: WrongContext in hub context, Closed.
        """

    @abc.abstractmethod
    def fire(self, ticket: Ticket, outcome: Any) -> bool:
        """Claim `ticket` with `outcome`; True for exactly one of all who try.

        The winner's outcome is what `park` returns, and the task MUST become runnable, in FIFO order.
        NEVER blocks, switches or raises. The outcome MUST NOT be None and the hub MUST be that of the
        ticket's task, which MUST NOT have ended: who gives up a wait claims its ticket.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """

    # -- callbacks --------------------------------------------------------------------------------

    @abc.abstractmethod
    def call_soon(self, fn: Callable[[], object]) -> None:
        """Call `fn()` in hub context: once, in order, never inline, with the context of the caller.

        An error in `fn` MUST be logged and MUST NOT harm the hub or any task. `fn` MUST NOT block: nothing
        else runs meanwhile.

        Switches: never. Call from: any thread, signal. Raises: Closed.
        """

    @abc.abstractmethod
    def call_at(self, when: float, fn: Callable[[], object]) -> TimerHandle:
        """Call `fn()` in hub context as soon as `now() >= when`, NEVER earlier, equal times in order.

        `fn` is often a `Ticket`; calling it fires it, and a hub MAY do that without hub context.

        Switches: never. Call from: any thread. Raises: Closed.
        """

    # -- descriptors ------------------------------------------------------------------------------

    @abc.abstractmethod
    def arm_fd(self, fd: int, direction: str, ticket: Ticket) -> None:
        """Fire `ticket` with WOKEN when `fd` is ready for `direction` (READ or WRITE), once.

        Readiness MAY be spurious: the caller tries again. A hang-up or error counts as ready. A
        descriptor that cannot be polled (a regular file) is always ready. A dead ticket (timed out,
        cancelled) frees its place; a live one in the same direction MUST raise Busy. The ticket MUST be
        the calling task's. The descriptor may have been closed in this very instant, by another thread.

        Switches: never. Call from: hub. Raises: Busy, OSError (EBADF), Closed, NotSupported.
        """

    @abc.abstractmethod
    def forget_fd(self, fd: int) -> None:
        """`fd` is about to be closed or handed away: fire its waiters with CLOSED, drop every
        registration. MUST be harmless for a descriptor that nobody waits for.

        Switches: never. Call from: any thread. Raises: nothing.
        """

    # -- shared by every hub, not verbs -----------------------------------------------------------

    @classmethod
    def supports(cls, capability: str) -> bool:
        """Whether the hub keeps `capability`, one of `hubkit.contract.CAPABILITIES`.

        Switches: never. Call from: any thread. Raises: ValueError for a name that is no capability.
        """
        if capability not in CAPABILITIES:
            raise ValueError(
                f"unknown capability {capability!r}; there are {', '.join(sorted(CAPABILITIES))}"
            )
        return capability in cls.capabilities

    @classmethod
    def require(cls, capability: str, remedy: str = "choose another hub") -> None:
        """Raise NotSupported, naming the remedy, unless the hub keeps `capability`."""
        if not cls.supports(capability):
            raise NotSupported(f"the {cls.name} hub has no {capability}: {remedy}")

    @classmethod
    def patch(cls) -> dict[str, str]:
        """Make the standard library cooperative; what was done, module by module."""
        raise NotSupported(f"the {cls.name} hub cannot patch the standard library")

    @classmethod
    def is_patched(cls, module: str) -> bool:
        """Whether this hub's patcher has replaced parts of the standard module of that name."""
        return False

    @classmethod
    def original(cls, module: str, attribute: str) -> Any:
        """The unpatched `module.attribute`."""
        return getattr(__import__(module, fromlist=[attribute]), attribute)

    #: Who keeps the records of `own_stream`: one is good for as long as its `poller` is this.
    poller: Any = None

    def own_stream(self, fd: int) -> Any:
        """What the hub's poller keeps of a stream socket that hubkit made (hubkit.poller.StreamRecord):
        hints that spare system calls. None if it keeps nothing."""
        return None

    def awaited(self, what: Watched) -> Generator[Any, Any, Any]:
        """What `await what` does in a coroutine of the loop that the hub is a guest of.

        Switches: never. Call from: hub context. Raises: NotSupported where there are no coroutines.
        """
        raise NotSupported(f"the {self.name} hub has no coroutines to await {what!r} in: call its result()")

    def after_fork(self) -> None:
        """Called in a forked child: keep the task that forked, drop the others without unwinding."""

    def steer(self, steering: Steering) -> None:
        """Let `steering` say which ready task runs next, and where one is stopped for another. For tests.

        Switches: never. Call from: the hub's thread, before its first task. Raises: NotSupported.
        """
        raise NotSupported(
            f"on the {self.name} hub nobody else can say who runs next: choose one that has {VIRTUAL_TIME}"
        )

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on a simulated clock, as if the caller had computed for so long. For tests.

        Switches: never. Call from: the hub's thread. Raises: NotSupported.
        """
        raise NotSupported(f"the {self.name} hub's clock is the world's: choose one that has {VIRTUAL_TIME}")

    def at_verb(self, task: Task[Any]) -> None:
        """`task`, the caller, is at the entry of a verb that can wait: a steered hub may let others run.

        Called only while something is in `waiting.latched`, which costs the other hubs nothing.
        """

    def refire(self, ticket: Ticket) -> None:
        """A signal handler in `ticket`'s task has waited in the middle of the task's own wait on `ticket`. A
        hub that may have taken the wake-up of the one wait for that of the other MUST give it again.

        Switches: never. Call from: hub. Raises: nothing.
        """

    def interrupt_host(self, task: Task[Any]) -> bool:
        """Deliver `task`'s request inside a wait of the host's own; False if the hub cannot."""
        return False


#: The verbs that a hub class must define, for the check at registration.
VERBS = tuple(sorted(Hub.__abstractmethods__))


class Steering(Protocol):
    """Decides in the place of a hub's own order; see `Hub.steer`. Its answers must not depend on chance
    that cannot be repeated. Called in the greenlet of who runs until then: it must not wait."""

    #: Whether the clock may move on to the next timer although tasks are ready.
    time_passes: bool

    def next(self, ready: Sequence[Any], timers: bool) -> int:
        """Which of the ready tasks (or what runs callbacks) is next; 0 is the one whose turn it is.

        `len(ready)`, if there are `timers` and time may pass: first the next timer is due.
        """

    def preempt(self, task: Task[Any], ready: Sequence[Any], timers: bool) -> int:
        """0: `task` goes on into the verb that it has called; n: `ready[n - 1]` runs before it.

        `len(ready) + 1`, if there are `timers` and time may pass: the next timer is due, then it goes on.
        """


class Owner(Protocol):
    """What a task may belong to: told inline, in the ending task, so it must not wait or raise."""

    def task_ended(self, task: Task[Any]) -> bool:
        """Take note that `task` is done; True if its error, if any, has been taken care of."""


@dataclass(frozen=True)
class Variant:
    """What else there is to choose on a hub's host: another event loop, another poller. The conformance
    suite runs once for each."""

    name: str
    environment: Mapping[str, str] = field(
        default_factory=dict
    )  #: variables, set before the host is imported
    requires: tuple[str, ...] = ()  #: importable modules that it needs beside the hub's
    install: str = ""  #: the line that installs them


@dataclass(frozen=True)
class Adapter:
    """What an entry point of the group `hubkit.hubs` names: how to find a hub without importing it."""

    name: str
    hub: str  #: "module:Class", imported when the hub is chosen
    requires: tuple[str, ...] = ()  #: importable modules that it runs on
    install: str = ""  #: the line that installs them
    distribution: str = ""  #: whose version `hubkit hubs` prints
    detect: Callable[[], bool] = field(default=lambda: False)  #: MUST look only at imported modules
    variants: tuple[Variant, ...] = ()
    for_tests: bool = False  #: no hub to serve the world with: its clock is not the world's
