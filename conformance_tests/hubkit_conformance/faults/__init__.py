"""Faults: wrong hubs and wrong primitives, made of right ones, that the suite must find.

    python -m hubkit_conformance.faults                      # all of them: which test finds which
    pytest --pyargs hubkit_conformance --hubkit-hub NAME --hubkit-fault FAULT

A suite that cannot fail proves nothing. Each fault here breaks one promise in one way, runs in a process of
its own, and names the tests that must fail for it. What must live here: the list. What this file must not
know: what each does.
"""

from __future__ import annotations

import os

from hubkit.contract import Hub

from ..child import FAULT
from . import (  # noqa: F401 (each enters its faults when it is imported)
    claims,
    contexts,
    descriptors,
    groups,
    locks,
    neighbours,
    reports,
    requests,
    timers,
    values,
    wake_ups,
)
from .fault import FAULTS, Fault

__all__ = ["CONTROL", "FAULTS", "PATIENCE", "Fault", "install"]

#: The name of no fault: all is as in a run with a fault, but right.
CONTROL = "none"
#: Seconds of patience that the tests have in a process with a fault, where it is often spent.
PATIENCE = 2.0


def install(name: str, hub_class: type[Hub]) -> None:
    """Make `hub_class`, or what runs on it, wrong: for the rest of this process, and for its scenarios."""
    from .. import tools

    os.environ[FAULT] = name
    tools.PATIENCE = PATIENCE
    if name == CONTROL:
        return
    try:
        fault = FAULTS[name]
    except KeyError:
        raise LookupError(f"there is no fault called {name!r}; there are {', '.join(FAULTS)}") from None
    if not fault.suits(hub_class):
        raise LookupError(f"the hub {hub_class.name!r} cannot be wrong in this way: {fault.text}")
    fault.install(hub_class)
