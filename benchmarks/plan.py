"""What is compared with what, how much of it, and what hubkit means to reach.

What must live here: workloads, pairs and targets, as data. What this file must not know: how a round is
run or shown.
"""

from __future__ import annotations

from dataclasses import dataclass

NATIVE, ON_GEVENT, ON_EVENTLET = "hubkit-native", "hubkit-gevent", "hubkit-eventlet"
NEW_WORKERS = "hubkit-native-new-workers"

#: How contenders are called in tables.
TITLES = {
    "gevent": "gevent",
    "eventlet": "eventlet",
    "asyncio": "asyncio",
    "greenlet": "raw greenlets",
    ON_GEVENT: "hubkit on gevent",
    ON_EVENTLET: "hubkit on eventlet",
    NATIVE: "hubkit native",
    NEW_WORKERS: "hubkit native, new workers",
}

#: What a contender needs to be installed, by its name for import.
NEEDS = {
    "gevent": "gevent",
    ON_GEVENT: "gevent",
    "eventlet": "eventlet",
    ON_EVENTLET: "eventlet",
}


@dataclass(frozen=True)
class Workload:
    """One kind of operation."""

    name: str
    title: str
    count: int  #: operations in a round; a few hundredths of a second on the slowest contender
    unit: str = "ns"
    fresh: bool = False  #: each round in a new process, for what a round leaves behind


SLEEP = Workload("sleep", "sleep(0)", 40_000)
SPAWN = Workload("spawn", "spawn+join", 4_000)
BATCH = Workload("batch", "spawn+join, 100 at once", 4_000)
BLOCK = Workload("block", "blocks once", 4_000)
PINGPONG = Workload("pingpong", "ping-pong", 8_000)
STREAM = Workload("stream", "stream", 150_000)
TIMER = Workload("timer", "spawn+sleep", 4_000)
CROWD = Workload("crowd", "spawn+sleep, 5,000 at once", 5_000)
ECHO = Workload("echo", "TCP echo", 12_800, unit="ns of CPU")
MEMORY = Workload("memory", "memory", 50_000, unit="bytes", fresh=True)
ENTRY = Workload("entry", "entry of a verb", 400_000)
FLOOR = Workload("floor", "greenlet switch", 200_000)

#: The table of ratios, in its order.
COMMON = (SLEEP, SPAWN, BLOCK, PINGPONG, STREAM, TIMER)
WORKLOADS = (*COMMON, BATCH, CROWD, ECHO, MEMORY, ENTRY, FLOOR)


@dataclass(frozen=True)
class Comparison:
    """One cell: a contender, what it is measured against, and the target."""

    workload: Workload
    subject: str
    reference: str | None = None
    target: float | None = None
    #: True: how many times as fast as the reference, at least `target`. False: what it takes as a share
    #: of what the reference takes, or without one what it takes, at most `target`.
    speed: bool = True

    @property
    def name(self) -> str:
        """For people and test ids."""
        return f"{self.workload.name}:{self.subject}" + (f"/{self.reference}" if self.reference else "")

    @property
    def contenders(self) -> list[str]:
        """Who takes part."""
        return [self.subject] if self.reference is None else [self.subject, self.reference]

    def value(self, subject: float, reference: float | None) -> float:
        """The figure of one pair of rounds."""
        if reference is None:
            return subject
        return reference / subject if self.speed else subject / reference

    def met(self, value: float) -> bool:
        """Whether `value` reaches the target."""
        if self.target is None:
            return True
        return value >= self.target if self.speed else value <= self.target


#: Medians of pairs that pure Python must reach, in the order of COMMON.
RATIOS = {
    (ON_GEVENT, "gevent"): (1.5, 5, 2, 2, 0.6, 2.5),
    (ON_EVENTLET, "eventlet"): (3, 5, 2, 4, 1.0, 3),
    (NATIVE, "asyncio"): (1.5, 3, 1.2, 4, 2, 1.5),
}

COMPARISONS = (
    *(
        Comparison(workload, subject, reference, target)
        for (subject, reference), targets in RATIOS.items()
        for workload, target in zip(COMMON, targets, strict=True)
    ),
    *(Comparison(workload, *pair) for workload in (BATCH, CROWD) for pair in RATIOS),
    Comparison(ECHO, NATIVE, "gevent", 0.75, speed=False),
    Comparison(ECHO, ON_GEVENT, "gevent", speed=False),
    Comparison(MEMORY, NATIVE, "gevent", 1.0, speed=False),
    Comparison(MEMORY, ON_GEVENT, "gevent", 1.0, speed=False),
    Comparison(ENTRY, NATIVE, target=150, speed=False),
    Comparison(FLOOR, "greenlet", speed=False),
    # What using workers again is worth.
    Comparison(SPAWN, NATIVE, NEW_WORKERS),
    Comparison(BLOCK, NATIVE, NEW_WORKERS),
)


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    launches: int  #: fresh pairs of processes: where things lie in memory differs from one to the next
    rounds: int  #: pairs of rounds in each
    fresh: int  #: pairs of processes where each is good for one round only
    share: float = 1  #: of the operations in a round

    def count(self, workload: Workload) -> int:
        """Operations in a round; those that depend on how many tasks there are keep the number."""
        return workload.count if workload in (MEMORY, CROWD) else int(workload.count * self.share)


FULL = Effort(launches=5, rounds=9, fresh=3)
QUICK = Effort(launches=2, rounds=5, fresh=1, share=0.5)
