"""The report: a progress bar per hub while they run, and one table at the end.

What must live here: what people see. What this file must not know: how results come about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table


@dataclass
class Row:
    """One hub's line. Times in seconds, memory in bytes."""

    hub: str
    requests: int = 0
    seconds: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    errors: int = 0
    peak: int | None = None
    examples: list[str] = field(default_factory=list)


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """Yields `begin(hub, requests)`, which adds a bar and returns what moves it.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:

        def begin(hub: str, requests: int) -> Callable[[int], None]:
            bar = progress.add_task(hub, total=requests)
            return lambda done: progress.update(bar, completed=done)

        yield begin


def show(rows: Sequence[Row]) -> None:
    """Print the table, and some of the errors if there were any.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    table = Table()
    table.add_column("hub", overflow="fold")
    for title in ("requests/s", "p50", "p99", "errors", "peak memory"):
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(
            row.hub,
            f"{row.requests / row.seconds:.0f}" if row.seconds else "-",
            f"{row.p50 * 1000:.1f} ms",
            f"{row.p99 * 1000:.1f} ms",
            str(row.errors),
            "-" if row.peak is None else f"{row.peak / 2**20:.1f} MiB",
            style="red" if row.errors else "",
        )
    console = Console()
    console.print(table)
    for row in rows:
        for example in row.examples:
            console.print(f"{row.hub}: {example}", style="red", markup=False)
