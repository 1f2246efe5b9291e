"""Ctrl-C: where it is raised while a program runs.

Python raises KeyboardInterrupt between any two steps of the code that has the CPU. Within hubkit's own that
would lose what is on its way there: a waiter that has been taken out of a line and not been woken yet. So
there it becomes a request to the main task; a program's own code is interrupted where it is.

What must live here: the handler of SIGINT, and whose code it has met. What this file must not know: how a
request is delivered.
"""

from __future__ import annotations

import os
import signal
from types import CodeType, FrameType, TracebackType
from typing import Any

from greenlet import getcurrent

from .callbacks import Callbacks
from .contract import Hub
from .host import Host
from .originals import monotonic
from .tasks import Task
from .timers import Timer
from .waiting import unlatch

#: Seconds after which another Ctrl-C is raised wherever it comes, if nobody has taken the first.
PATIENCE = 1.0

#: What calls a program's functions. Where no other frame stands on it, it is at work itself.
_DOORS = {Task.run.__code__, Callbacks.run.__code__, Timer.__call__.__code__}

#: Parts of hubkit that are programs themselves.
_PROGRAMS = ("hubkit.pipeline", "hubkit.demo", "hubkit.cli")


class CtrlC:
    """The handler of SIGINT in the block, if it is the main thread's and nobody else has set one.

    `door` is the code that calls the program, and nothing that must not be interrupted.
    """

    def __init__(self, hub: Hub, door: CodeType) -> None:
        self._hub = hub
        self._door = door
        self._before: Any = None  # the handler that it stands in for; None: it does not
        self._process = os.getpid()
        self._asked: Task[Any] | None = None  # who was last made a request
        self._asked_at = 0.0
        self._ends = False
        self._came_late = False

    def ends(self) -> None:
        """The program has ended: what comes from here on is raised at the end of the block."""
        self._ends = True

    def __enter__(self) -> CtrlC:
        before: Any = signal.getsignal(signal.SIGINT)
        if before is signal.default_int_handler or gives_way(before):
            try:
                signal.signal(signal.SIGINT, self)
            except ValueError:  # not the main thread
                return self
            self._before = before
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        handler: object = signal.getsignal(signal.SIGINT)
        if handler is self:
            signal.signal(signal.SIGINT, self._before)
        self._before = None  # whoever has taken it over may put it back, and Ctrl-C is as Python has it
        late = self._came_late or bool(self._open())
        self._revoke()
        if late and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt

    @property
    def hubkit_gives_way(self) -> bool:
        """See `gives_way`."""
        return self._before is None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        here = self._before is not None and os.getpid() == self._process
        if here and self._ends and not self._came_late:
            self._came_late = True
            return
        main = self._hub.main if here else None
        if main is None or main.done():
            raise KeyboardInterrupt
        at_work, is_open = self._is_at_work(frame), bool(self._open())
        if is_open and monotonic() - self._asked_at < PATIENCE and (at_work or main.ticket is not None):
            return  # it is the same one
        if at_work and not is_open:
            self._asked, self._asked_at = main, monotonic()
            main.interrupt(KeyboardInterrupt())
            return
        if is_open and main.ticket is None:  # else it has ended the wait that main is in
            self._revoke()
        raise KeyboardInterrupt

    def _open(self) -> list[BaseException]:
        """The requests that were made and have not been delivered."""
        main = self._asked
        return [] if main is None else [error for error in main._requests if type(error) is KeyboardInterrupt]

    def _revoke(self) -> None:
        main = self._asked
        if main is not None:
            for error in self._open():
                main._requests.remove(error)
            unlatch(main)

    def _is_at_work(self, frame: FrameType | None) -> bool:
        """Whether it has met hubkit, the hub or its loop, or what these call in the middle of something."""
        hub = self._hub
        host = getattr(hub, "host", None)
        if host is not None and hub.loop is None and getcurrent() is host.loop_greenlet:
            return True
        modules = {cls.__module__ for cls in type(hub).__mro__ if issubclass(cls, Hub)}
        modules.update(cls.__module__ for cls in type(host).__mro__ if issubclass(cls, Host))
        called = frame
        while frame is not None and not _is_of(frame, modules):
            frame = frame.f_back
        if frame is None or frame.f_code is self._door:
            return False
        return frame is called or frame.f_code not in _DOORS


def gives_way(handler: object) -> bool:
    """Whether a handler of SIGINT is one of hubkit's that does what Python's own does."""
    return getattr(getattr(handler, "__self__", handler), "hubkit_gives_way", False) is True


def _is_of(frame: FrameType, modules: set[str]) -> bool:
    """Whether a frame is hubkit's, an adapter's, or of one of these modules."""
    name = str(frame.f_globals.get("__name__"))
    package = name.partition(".")[0]
    if package == "hubkit":
        return not name.startswith(_PROGRAMS)
    return name in modules or (package.startswith("hubkit_") and f"{package}.hub" in modules)
