"""The benchmarks as pytest-benchmark sees them: one test for each side of each comparison.

The rounds run in processes of their own, in turn, and are measured there; what pytest-benchmark is
given is a clock that goes on by what an operation took in each of them. So its statistics are of
nanoseconds per operation in the contender, free of the pipe between.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from .conftest import Laboratory
from .measure import Sample
from .plan import COMPARISONS, NEEDS, TITLES, Comparison


class Replay:
    """A clock that goes on by one sample at each step."""

    def __init__(self) -> None:
        self._now = 0.0
        self._samples: Iterator[Sample] = iter(())

    def load(self, samples: list[Sample]) -> None:
        """Begin with the first of `samples`."""
        self._samples = iter(samples)

    def step(self) -> None:
        """The operation that pytest-benchmark times."""
        self._now += next(self._samples).seconds

    def read(self) -> float:
        """The time in seconds."""
        return self._now


REPLAY = Replay()


def _title(comparison: Comparison, side: str) -> str:
    others = "".join(f" beside {other}" for other in comparison.contenders if other != side)
    return f"{comparison.workload.name}: {side}{others}"


@pytest.mark.parametrize(
    ("comparison", "side"),
    [
        pytest.param(comparison, side, id=_title(comparison, side))
        for comparison in COMPARISONS
        for side in comparison.contenders
    ],
)
@pytest.mark.benchmark(timer=REPLAY.read)
def test_speed(comparison: Comparison, side: str, laboratory: Laboratory, benchmark: Any) -> None:
    for contender in comparison.contenders:
        module = NEEDS.get(contender)
        if module and find_spec(module) is None:
            pytest.skip(f"{module} is not installed; type: pip install 'hubkit[bench]'")
    samples = dict(laboratory.result(comparison).sides())[side]
    REPLAY.load(samples)
    benchmark.group = comparison.workload.title
    benchmark.name = TITLES[side]
    benchmark.extra_info[comparison.workload.unit] = [sample.figure for sample in samples]
    benchmark.pedantic(REPLAY.step, rounds=len(samples))
