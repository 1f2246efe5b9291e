"""Running a comparison: two processes, short rounds in turn, one after the other.

What must live here: the children and the order of rounds. What this file must not know: what a workload
does, what a figure should be.

Whatever else the machine does falls on neighbouring rounds alike, so each round of one contender is set
against the round of the other that came right after it, and the median of these pairs is the figure.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from .plan import ECHO, Comparison, Effort, Workload

ROOT = Path(__file__).parent.parent
#: Seconds after which a round is taken to hang; the longest takes about three.
LIMIT = 60.0


class Child:
    """A process that answers each line with a line."""

    def __init__(self, *arguments: str) -> None:
        self.name = " ".join(arguments)
        environment = {name: value for name, value in os.environ.items() if name != "HUBKIT_BACKEND"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def tell(self, **message: Any) -> None:
        """Send one line."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """The next line; an error if it does not come."""
        pipe = self._process.stdout
        assert pipe is not None
        if not select.select([pipe], [], [], LIMIT)[0]:
            raise RuntimeError(f"{self.name} has not answered for {LIMIT:g} s")
        line = pipe.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with status {self._process.wait()}; see above for why")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def child(*arguments: str) -> Iterator[Child]:
    """A child that is gone after the block."""
    it = Child(*arguments)
    try:
        yield it
    finally:
        it.close()


@dataclass
class Sample:
    """What one round has found, for one operation."""

    seconds: float
    figure: float  #: what is compared: nanoseconds or bytes
    extra: dict[str, float] = field(default_factory=dict)


@dataclass
class Result:
    """All rounds of a comparison; the n-th of one belongs to the n-th of the other."""

    comparison: Comparison
    subject: list[Sample]
    reference: list[Sample]

    def sides(self) -> list[tuple[str, list[Sample]]]:
        """Each contender with its rounds."""
        both = [(self.comparison.subject, self.subject)]
        if self.comparison.reference is not None:
            both.append((self.comparison.reference, self.reference))
        return both

    @property
    def values(self) -> list[float]:
        """The figure of each pair."""
        references: list[Any] = list(self.reference) or [None] * len(self.subject)
        return [
            self.comparison.value(mine.figure, None if other is None else other.figure)
            for mine, other in zip(self.subject, references, strict=True)
        ]

    @property
    def median(self) -> float:
        """The figure."""
        return median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Half of all pairs lie between these."""
        values = self.values
        if len(values) < 2:
            return values[0], values[0]
        low, _, high = quantiles(values, n=4, method="inclusive")
        return low, high

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.comparison.met(self.median)


class Runner:
    """A contender's process, and the client of its echo server."""

    def __init__(self, stack: ExitStack, contender: str, workload: Workload) -> None:
        self._workload = workload
        self._child = stack.enter_context(child("benchmarks.worker", contender))
        self._client: Child | None = None
        if workload is ECHO:
            self._client = stack.enter_context(child("benchmarks.echo_client"))

    def round(self, count: int) -> Sample:
        """Run one round."""
        self._child.tell(workload=self._workload.name, count=count)
        extra = {} if self._client is None else self._load(self._client, count)
        found = self._child.hear()
        if found["count"] != count:
            raise RuntimeError(f"{self._child.name} did {found['count']} operations instead of {count}")
        nanoseconds = found["ns"] / count
        return Sample(nanoseconds * 1e-9, found.get("bytes", nanoseconds), extra)

    def _load(self, client: Child, count: int) -> dict[str, float]:
        client.tell(port=self._child.hear()["port"], count=count)
        found = client.hear()
        return {"requests_per_second": count / found["seconds"], "client_cpu_ns": found["cpu"] / count * 1e9}


def measure(comparison: Comparison, effort: Effort) -> Result:
    """Run a comparison: A B A B …, in as many fresh pairs of processes as `effort` says."""
    workload = comparison.workload
    names = comparison.contenders
    samples: list[list[Sample]] = [[] for _ in names]
    launches, rounds = (effort.fresh, 1) if workload.fresh else (effort.launches, effort.rounds)
    for _ in range(launches):
        with ExitStack() as stack:
            runners = [Runner(stack, name, workload) for name in names]
            count = effort.count(workload)
            if not workload.fresh:
                for runner in runners:
                    runner.round(count)  # for warmth
            for _ in range(rounds):
                for mine, runner in zip(samples, runners, strict=True):
                    mine.append(runner.round(count))
    return Result(comparison, samples[0], samples[1] if len(samples) > 1 else [])
