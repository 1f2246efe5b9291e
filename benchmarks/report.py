"""The tables: on the screen, and in docs/benchmarks.md.

What must live here: how results are shown. What this file must not know: how they came about.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from statistics import median

from .measure import Result
from .plan import COMMON, COMPARISONS, FULL, RATIOS, TITLES, WORKLOADS, Comparison, Effort, Workload

Results = Mapping[Comparison, Result]
Row = Sequence[str]

PACKAGES = ("greenlet", "gevent", "eventlet")

HEAD = """\
# Benchmarks

`make bench` measures this and writes it; so does `python -m benchmarks` where hubkit is installed with
its extra `bench`. `--quick` takes under a minute and writes nothing, `--check` fails if a target is
missed, `pytest benchmarks --benchmark-only` takes the options of pytest-benchmark.

## How it is measured

Each contender runs in a process of its own. Short rounds of the two that are compared take turns, A B A
B …; each round is set against the one right after it, and the figure is the median of these pairs: {rounds}
from each of {launches} fresh pairs of processes, for memory one from each of {fresh}. Ratios carry over from
one machine to another, nanoseconds do not. The workloads of hubkit, gevent and eventlet are the same
code (`benchmarks/rounds.py`); asyncio's are the same with `await`. Every round counts what its tasks
did and looks at their order, and fails if that was not what is to be measured.

- sleep(0): 100 tasks let each other run; time for one sleep.
- spawn+join: a task that does not block is spawned and joined, then the next. Spawning 100 before the first
  is joined is measured as well: hubkit then runs them without a switch between.
- blocks once: 100 tasks are spawned, each does one sleep(0), all are joined; time for one task.
- ping-pong: a number goes from one task to another and back through two queues; a round trip.
- stream: put into a queue and get from it again, without waiting; both together.
- spawn+sleep: 1,000 tasks are spawned, each sleeps for 1 ms, all are joined; time for one task. More tasks
  at once than hubkit keeps idle workers need new greenlets, so 5,000 at once are measured as well.
- TCP echo: 64 connections, messages of 100 bytes, one under way on each; the CPU time that the server takes
  for one. The load comes from a separate process without any of these libraries.
- memory: how much a process grows, per task, when 50,000 tasks wait for one event.
- entry of a verb: what each verb of hubkit does first, looking for a pending cancel and finding the hub.
- greenlet switch: the floor under everything here but asyncio.
- new workers: hubkit takes a new greenlet for each task, as gevent and eventlet do, instead of using those
  of ended tasks again.
"""


def others_at_work() -> str:
    """A warning if the machine has other work; to be asked before the first round."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load < cores / 4:
        return ""
    return f"Other programs were at work (load {load:.1f} on {cores} cores): do not trust these figures."


def machine() -> list[str]:
    """What it ran on, without a date."""
    system = f"{platform.system()} on {platform.machine()}"
    compiler = platform.python_compiler()
    return [
        f"{_cpu()}, {os.cpu_count()} cores, {system}",
        f"{platform.python_implementation()} {platform.python_version()} ({compiler}), "
        + ", ".join(f"{name} {version}" for name in PACKAGES if (version := _version(name))),
    ]


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or "unknown CPU"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


# -- tables as rows -------------------------------------------------------------------------------


def ratios(results: Results) -> list[Row]:
    """The table of ratios with its targets, as far as it was measured."""
    rows: list[Row] = [("median ratio", *(workload.title for workload in COMMON))]
    for pair in RATIOS:
        cells = {
            comparison.workload: _against_target(result)
            for comparison, result in results.items()
            if (comparison.subject, comparison.reference) == pair
        }
        if cells.keys() & set(COMMON):
            title = f"{TITLES[pair[0]].removeprefix('hubkit ')} / {TITLES[pair[1]]}"
            rows.append((title, *(cells.get(workload, "") for workload in COMMON)))
    return rows if len(rows) > 1 else []


def others(results: Results) -> list[Row]:
    """What is not in the table of ratios."""
    shown = [
        (result.comparison.workload.title, _of_whom(result.comparison), _against_target(result))
        for result in results.values()
        if result.comparison.target is None or result.comparison.workload not in COMMON
    ]
    return [("measured", "what", "figure"), *shown] if shown else []


def details(results: Results) -> list[Row]:
    """Every comparison: what each of the two took, and how the pairs spread."""
    rows: list[Row] = [("workload", "contender", "takes", "reference", "takes", "median", "quartiles")]
    for result in results.values():
        comparison, unit = result.comparison, result.comparison.workload.unit
        low, high = result.quartiles
        rows.append(
            (
                comparison.workload.title,
                TITLES[comparison.subject],
                f"{median(s.figure for s in result.subject):,.0f} {unit}",
                TITLES[comparison.reference] if comparison.reference else "",
                f"{median(s.figure for s in result.reference):,.0f} {unit}" if result.reference else "",
                _figure(comparison, result.median),
                f"{_figure(comparison, low)} to {_figure(comparison, high)}",
            )
        )
    return rows


def throughput(results: Results) -> list[str]:
    """Requests a second, which the CPU time per request does not show."""
    lines = []
    for result in results.values():
        for contender, samples in result.sides():
            if "requests_per_second" in samples[0].extra:
                rate = median(sample.extra["requests_per_second"] for sample in samples)
                client = median(sample.extra["client_cpu_ns"] for sample in samples)
                title = TITLES[contender]
                lines.append(f"{title}: {rate:,.0f} requests/s (client: {client:,.0f} ns of CPU for each)")
    return lines


def missed(results: Results) -> list[str]:
    """One line for each target that was not reached."""
    return [
        f"{comparison.name}: {_figure(comparison, result.median)}, target {_target(comparison)}"
        for comparison, result in results.items()
        if not result.met
    ]


def _of_whom(comparison: Comparison) -> str:
    subject = TITLES[comparison.subject]
    if comparison.reference is None:
        return f"{subject}, {comparison.workload.unit}"
    relation = "times as fast as" if comparison.speed else f"{comparison.workload.unit}, as a share of"
    return f"{subject}, {relation} {TITLES[comparison.reference]}"


def _figure(comparison: Comparison, value: float) -> str:
    return f"{value:.0f}" if comparison.reference is None else f"{value:.2f}"


def _target(comparison: Comparison) -> str:
    assert comparison.target is not None
    return f"{'at least' if comparison.speed else 'at most'} {comparison.target:g}"


def _against_target(result: Result) -> str:
    figure = _figure(result.comparison, result.median)
    if result.comparison.target is None:
        return figure
    signs = ("<", "≥") if result.comparison.speed else (">", "≤")
    return f"{figure} {signs[result.met]} {result.comparison.target:g}"


# -- tables as text -------------------------------------------------------------------------------


def plain(rows: Sequence[Row]) -> list[str]:
    """Lines for a screen."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def pretty(rows: Sequence[Row], width: int) -> list[str]:
    """Lines for a screen, by rich where it is installed."""
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        return plain(rows)
    table = Table(*rows[0])
    for row in rows[1:]:
        table.add_row(*row)
    console = Console(width=width)
    with console.capture() as capture:
        console.print(table)
    return capture.get().splitlines()


def markdown(rows: Sequence[Row]) -> list[str]:
    """Lines for a document."""
    return [
        f"| {' | '.join(rows[0])} |",
        "|---" * len(rows[0]) + "|",
        *(f"| {' | '.join(row)} |" for row in rows[1:]),
    ]


def complete(results: Results) -> bool:
    """Whether everything in the plan was measured."""
    return set(results) == set(COMPARISONS)


def document(results: Results, warning: str = "", effort: Effort = FULL) -> str:
    """docs/benchmarks.md."""
    lines = [
        HEAD.format(launches=effort.launches, rounds=effort.rounds, fresh=effort.fresh),
        "## Machine",
        "",
        *(f"- {line}" for line in [*machine(), *filter(None, [warning])]),
        "",
        "## Ratios",
        "",
        "How many times as fast as what stands after the slash, and the target.",
        "",
        *markdown(ratios(results)),
        "",
        *markdown(others(results)),
        "",
        *(f"- {line}" for line in throughput(results)),
        "",
        "## Every comparison",
        "",
        "Medians of all rounds; the last two columns are of the pairs.",
        "",
        *markdown(details(_in_order(results, WORKLOADS))),
    ]
    return "\n".join(lines) + "\n"


def _in_order(results: Results, workloads: Iterable[Workload]) -> Results:
    return {
        comparison: result
        for workload in workloads
        for comparison, result in results.items()
        if comparison.workload is workload
    }
