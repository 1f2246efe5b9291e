"""The benchmarks measure what they say: a verb that does nothing fails, and tables show what was missed."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from pathlib import Path
from typing import Any

import pytest

# `benchmarks` is a folder of the checkout, never installed.
sys.path.insert(0, str(Path(__file__).parent.parent))

import hubkit
from benchmarks import measure, plan, report, rounds, rounds_asyncio
from hubkit import testing

SMALL = 2000


class Idle:
    """A task of a library that never runs anything."""

    def join(self) -> None:
        pass


def no_spawn(*args: Any) -> Idle:
    return Idle()


class Inline:
    """A task that runs to its end where it is spawned."""

    def __init__(self, fn: Any, *args: Any) -> None:
        fn(*args)

    def join(self) -> None:
        pass


class Forgetful(deque[Any]):
    """A queue that makes its items up."""

    put = deque.append

    def get(self) -> int:
        return 0


def test_the_same_workloads_for_all() -> None:
    assert rounds.ROUNDS.keys() == rounds_asyncio.ROUNDS.keys()
    assert {workload.name for workload in plan.COMMON} <= rounds.ROUNDS.keys()


@pytest.mark.parametrize("name", rounds.ROUNDS)
def test_hubkit_plays_every_round(name: str) -> None:
    verbs = rounds.Verbs(hubkit.spawn, hubkit.Task.join, hubkit.sleep, hubkit.Queue)
    with testing.override("hubkit_native.hub:NativeHub"):
        assert hubkit.run(rounds.ROUNDS[name], verbs, SMALL) > 0


@pytest.mark.parametrize("name", rounds_asyncio.ROUNDS)
def test_asyncio_plays_every_round(name: str) -> None:
    assert asyncio.run(rounds_asyncio.ROUNDS[name](SMALL)) > 0


@pytest.mark.parametrize("name", rounds.ROUNDS)
def test_tasks_that_never_run_are_found_out(name: str) -> None:
    verbs = rounds.Verbs(no_spawn, Idle.join, lambda seconds: None, Forgetful)
    with pytest.raises(rounds.NotMeasured):
        rounds.ROUNDS[name](verbs, SMALL)


@pytest.mark.parametrize("name", ["sleep", "block", "timer", "crowd"])
def test_a_sleep_that_lets_nobody_else_run_is_found_out(name: str) -> None:
    verbs = rounds.Verbs(Inline, Inline.join, lambda seconds: None, Forgetful)
    with pytest.raises(rounds.NotMeasured):
        rounds.ROUNDS[name](verbs, SMALL)


@pytest.mark.parametrize("name", ["stream", "pingpong"])
def test_a_queue_that_loses_items_is_found_out(name: str) -> None:
    verbs = rounds.Verbs(Inline, Inline.join, lambda seconds: None, Forgetful)
    with pytest.raises(rounds.NotMeasured):
        rounds.ROUNDS[name](verbs, SMALL)


def result(comparison: plan.Comparison, subject: float, reference: float) -> measure.Result:
    mine = [measure.Sample(figure * 1e-9, figure) for figure in (subject, subject * 2, subject)]
    other = [measure.Sample(figure * 1e-9, figure) for figure in (reference, reference * 2, reference)]
    return measure.Result(comparison, mine, other if comparison.reference else [])


def test_the_median_of_pairs_against_the_target() -> None:
    speed = plan.Comparison(plan.SLEEP, plan.NATIVE, "asyncio", target=1.5)
    assert result(speed, 100, 200).median == 2
    assert result(speed, 100, 200).met
    assert not result(speed, 100, 149).met
    share = plan.Comparison(plan.ECHO, plan.NATIVE, "gevent", target=0.75, speed=False)
    assert result(share, 75, 100).met
    assert not result(share, 76, 100).met
    alone = plan.Comparison(plan.ENTRY, plan.NATIVE, target=150, speed=False)
    assert result(alone, 150, 0).met
    assert not result(alone, 151, 0).met


def test_what_was_missed_is_shown() -> None:
    results = {comparison: result(comparison, 100, 100) for comparison in plan.COMPARISONS}
    text = report.document(results)
    assert "1.00 < 1.5" in text
    assert "1.00 ≥ 0.6" in text
    assert "1.00 > 0.75" in text
    assert "100 ≤ 150" in text
    assert len(report.missed(results)) == sum(
        comparison.target is not None and not comparison.met(1.0 if comparison.reference else 100)
        for comparison in plan.COMPARISONS
    )


def test_nothing_is_written_before_all_is_measured() -> None:
    results = {comparison: result(comparison, 100, 100) for comparison in plan.COMPARISONS}
    assert report.complete(results)
    results.pop(plan.COMPARISONS[0])
    assert not report.complete(results)


def test_tables_of_a_part_of_the_plan() -> None:
    floor = plan.Comparison(plan.FLOOR, "greenlet", speed=False)
    results = {floor: result(floor, 100, 0)}
    assert report.ratios(results) == []
    assert any("raw greenlets" in line for line in report.plain(report.others(results)))
    assert any("raw greenlets" in line for line in report.pretty(report.others(results), 100))
