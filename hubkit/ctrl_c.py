"""Ctrl-C: where it is raised while a program runs.

Python raises KeyboardInterrupt between any two steps of the code that has the CPU. Within hubkit's own that
would lose what is on its way there: a waiter that has been taken out of a line and not been woken yet. So
there it becomes a request to the main task; a program's own code is interrupted where it is.

What must live here: the handler of SIGINT, and whose code it has met. What this file must not know: how a
request is delivered.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import CodeType, FrameType, TracebackType

from .callbacks import Callbacks
from .contract import Hub
from .originals import monotonic
from .tasks import Task

#: Seconds after which another Ctrl-C is raised wherever it comes, if nobody has taken the first.
PATIENCE = 1.0

#: What calls the functions of a program, and does nothing else meanwhile.
_DOORS = {Task.run.__code__, Callbacks.run.__code__}


class CtrlC:
    """The handler of SIGINT in the block, if it is the main thread's and nobody else has set one.

    `door` is the code that calls the program; `find` finds the hub, once there is one.
    """

    def __init__(self, door: CodeType, find: Callable[[], Hub | None]) -> None:
        self._door = door
        self._find = find
        self._request: KeyboardInterrupt | None = None  # the last one that was made
        self._asked = 0.0

    def __enter__(self) -> None:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            try:
                signal.signal(signal.SIGINT, self)
            except ValueError:  # not the main thread
                pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if signal.getsignal(signal.SIGINT) is self:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._is_open() and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt  # the program has ended before it was delivered

    def __call__(self, number: int, frame: FrameType | None) -> None:
        hub = self._find()
        main = None if hub is None else hub.main
        if hub is None or main is None or main.done() or not self._is_at_work(hub, frame):
            raise KeyboardInterrupt
        if self._is_open():
            if monotonic() - self._asked < PATIENCE:
                return
            raise KeyboardInterrupt
        self._request, self._asked = KeyboardInterrupt(), monotonic()
        main.interrupt(self._request)

    def _is_open(self) -> bool:
        """Whether a request was made that has not been raised."""
        return self._request is not None and self._request.__traceback__ is None

    def _is_at_work(self, hub: Hub, frame: FrameType | None) -> bool:
        """Whether it has met hubkit or the hub, or what they have called in the middle of something."""
        ours = {cls.__module__.partition(".")[0] for cls in type(hub).__mro__} - {"__main__"}
        called = frame
        while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] not in ours:
            frame = frame.f_back
        if frame is None or frame.f_code is self._door:
            return False
        return frame is called or frame.f_code not in _DOORS
