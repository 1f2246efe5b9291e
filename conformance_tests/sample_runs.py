"""Runs as the suite might have found them, for the tests of reports."""

from __future__ import annotations

from hubkit_conformance.results import FAILED, PASSED, SKIPPED, Outcome, Run
from hubkit_conformance.rules import RULES

STACK = (
    'queues.py:84: in get\n    """```"""\nE   assert 1 < "<script>document.title = \'bad\'</script>" & more'
)

OUTPUT = "-- Captured log call\nERROR <hubkit> task-1"


def kept_run() -> Run:
    """Every rule is kept, two tests are skipped."""
    run = Run(
        "gevent",
        "libuv",
        capabilities=["DEADLOCK", "HOST_MIX"],
        environment={"Python": "CPython 3.12.1", "gevent": "26.9", "GEVENT_LOOP": "libuv-cffi"},
        started="2026-01-02T03:04:05+00:00",
        seconds=12.5,
    )
    for rule in RULES:
        label = rule.label.lower()
        run.outcomes += [Outcome(f"test_{label}_{what}", rule.label, PASSED, 0.25) for what in ("one", "two")]
    run.outcomes += [
        Outcome("test_r19_child", "R19", SKIPPED, lacks=("FORK",), reason="it does not claim FORK"),
        Outcome("test_r16_idle", "R16", SKIPPED, claims=("DEADLOCK",), reason="it claims DEADLOCK"),
    ]
    return run


def broken_run() -> Run:
    """Two rules are broken."""
    run = kept_run()
    run.hub, run.variant = "native", ""
    for label in ("R05", "R17"):
        name = f"test_{label.lower()}_a_value_is_not_lost[Queue.get-{'long' * 20}]"
        run.outcomes.append(
            Outcome(
                name, label, FAILED, 0.3, stack=STACK, output="-- Captured log call\nERROR <hubkit> task-1"
            )
        )
    return run
