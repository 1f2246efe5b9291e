"""Interrupts: Ctrl-C held back, and let in where it can do no harm.

What must live here: holding SIGINT back, and the places that let it in. What this file must not know: what
is done meanwhile.

Python raises KeyboardInterrupt between any two instructions: also between the start of a process and the
first line that could end it again, and in the middle of ending it. So while processes are looked after an
interrupt is only noted, and comes where nothing is half done: in a wait for their output. The first one
that ends such a wait is the last one, so that the clean-up is left alone.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


class Interrupts:
    """In the block SIGINT does what it did before only inside `let_in`, or when the block has ended well.

    Switches: never. Call from: the main thread. Raises: what the handler of SIGINT raises.
    """

    def __init__(self) -> None:
        self._handler: Any = None  # the one before; None if there is none to be held back
        self._open = False
        self._noted = False

    def __enter__(self) -> Interrupts:
        before = signal.getsignal(signal.SIGINT)
        if callable(before):  # else it is ignored, or ends the process at once
            self._handler = before
            signal.signal(signal.SIGINT, self._take)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
            if self._noted and error is None:
                self._handler(signal.SIGINT, None)

    def let_in(self, wait: Callable[[], T]) -> T:
        """Call `wait()`, which an interrupt may end; one that was noted before comes now.

        Switches: never; it blocks the thread. Call from: the main thread. Raises: what the handler of SIGINT
        raises, and what `wait` does.
        """
        self._open = True
        try:
            if self._noted:
                self._noted = False
                self._take(signal.SIGINT, None)
            return wait()
        finally:
            self._open = False

    def _take(self, signum: int, frame: FrameType | None) -> None:
        if self._open:
            self._open = False  # before it raises: no second one before `finally`
            self._handler(signum, frame)
        else:
            self._noted = True
