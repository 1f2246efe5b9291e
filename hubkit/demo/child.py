"""Child: a Python process of the demo, from its ready line to its end.

What must live here: starting, talking by lines, ending by pid. What this file must not know: what the
process does.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from types import TracebackType

from hubkit import registry

from .interrupts import Interrupts

START_SECONDS = 30.0
END_SECONDS = 15.0


class ChildFailed(Exception):
    """The process did not do what it was started for."""


class Child:
    """`python -m module arguments` on the hub called `hub`; the block's end is the process's end.

    Only waits for its output let `interrupts` in: no process is forgotten, and each is ended to the end.

    Switches: never. Call from: any thread. Raises: OSError.
    """

    def __init__(self, interrupts: Interrupts, module: str, hub: str, *arguments: str) -> None:
        self._interrupts = interrupts
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, registry.VARIABLE: hub},
            start_new_session=True,  # Ctrl-C is for the starter, who ends it in order
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    def expect(self, word: str, seconds: float = START_SECONDS) -> str:
        """What follows `word` on the next line.

        Switches: never; it blocks the thread. Call from: any thread. Raises: ChildFailed; KeyboardInterrupt.
        """
        line = self._interrupts.let_in(lambda: self._line_within(seconds))
        said, _, rest = line.partition(" ")
        if said != word:
            self._process.poll()
            raise ChildFailed(f"{self._module} said {line!r} where {word!r} was expected")
        return rest

    def _line_within(self, seconds: float) -> str:
        output = self._process.stdout
        assert output is not None
        readable, _, _ = select.select([output], [], [], seconds)
        return output.readline().decode().strip() if readable else ""

    def lines(self) -> Iterator[tuple[str, str]]:
        """First word and rest of each line, until the process closes its output.

        Switches: never; it blocks the thread. Call from: any thread. Raises: KeyboardInterrupt.
        """
        assert self._process.stdout is not None
        while line := self._interrupts.let_in(self._process.stdout.readline):
            word, _, rest = line.decode().strip().partition(" ")
            yield word, rest

    def end(self) -> int | None:
        """Have the process end, by its pid, and wait for it; the number it leaves as `peak`, if any.

        Switches: never; it blocks the thread. Call from: any thread. Raises: nothing.
        """
        process = self._process
        if process.stdout is None or process.stdout.closed:
            return None
        process.terminate()
        try:
            output, _ = process.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
        for line in output.decode().splitlines():
            word, _, rest = line.partition(" ")
            if word == "peak":
                return int(rest)
        return None
