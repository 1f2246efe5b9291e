"""python -m hubkit_conformance.faults: the suite against every fault, and which test finds which.

What must live here: the choice of faults and hubs, and the table. What this file must not know: how a trial
is made. The status is 1 if a fault was not found by one of the tests that are there to find it.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import monotonic

from hubkit import registry
from hubkit.errors import HubError

from ..loading import load
from . import CONTROL, FAULTS, Fault
from .trial import RULES, Verdict, places, run

COLUMNS = "{:42} {:9} {:9} {}"


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    options = _parse(arguments)
    faults = [FAULTS[name] for name in options.fault] or list(FAULTS.values())
    if options.list:
        for fault in faults:
            print(COLUMNS.format(fault.name, "", fault.rules, fault.text))
        return 0
    started = monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some hosts warn of themselves when they are imported
        hubs = {fault.name: _hub_for(fault, options.hub) for fault in faults}
    wanting = [] if options.no_control else _control(faults, hubs)
    print(COLUMNS.format("fault", "hub", "rule", "found by"))
    with ThreadPoolExecutor(options.jobs) as pool:
        verdicts = pool.map(lambda fault: _try(fault, hubs[fault.name]), faults)
        for fault, verdict in zip(faults, verdicts, strict=True):
            hub = hubs[fault.name]
            print(COLUMNS.format(fault.name, hub or "-", fault.rules, _told(verdict)), flush=True)
            survived = hub is not None and not verdict.found
            if options.verbose or survived:
                print(verdict.output)
            if survived:
                wanting.append(fault.name)
    tried = sum(hub is not None for hub in hubs.values())
    outcome = f"not found: {', '.join(wanting)}" if wanting else "all found"
    print(f"\n{tried} faults in {monotonic() - started:.0f} s, {outcome}")
    return 1 if wanting else 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m hubkit_conformance.faults",
        description="Make hubs and primitives wrong in one way after the other: the suite must find each.",
    )
    parser.add_argument("fault", nargs="*", metavar="FAULT", help="which ones; all if none is named")
    parser.add_argument("--hub", default=registry.DEFAULTS.program, help="the hub that is made wrong")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at the same time")
    parser.add_argument("--no-control", action="store_true", help="do not try the same tests without a fault")
    parser.add_argument("--list", action="store_true", help="say what each does, and do not try them")
    parser.add_argument("--verbose", action="store_true", help="show what the failing tests say")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.fault if name not in FAULTS]:
        parser.error(f"there is no fault called {', '.join(unknown)}; type --list to see them")
    try:
        load(options.hub)
    except HubError as error:
        parser.error(str(error))
    return options


def _hub_for(fault: Fault, wanted: str) -> str | None:
    """The wanted hub, or else the one that claims most of those that can be wrong in this way, if any."""
    if fault.suits(load(wanted)):
        return wanted
    others = [name for name in registry.available_hubs() if fault.suits(load(name))]
    return max(others, key=lambda name: len(load(name).capabilities), default=None)


def _control(faults: list[Fault], hubs: dict[str, str | None]) -> list[str]:
    """Without a fault the tests that are to fail must pass: say of each hub on which they do not."""
    place = places()
    wanting = []
    for hub in dict.fromkeys(filter(None, hubs.values())):
        tests = {place[test]: None for fault in faults if hubs[fault.name] == hub for test in fault.tests}
        verdict = run(hub, CONTROL, list(tests), stop=False)
        print(f"without a fault {hub}: {verdict.why}, {verdict.seconds:.0f} s", flush=True)
        if verdict.status != 0:
            print(verdict.output)
            wanting.append(f"{hub} without a fault")
    return wanting


def _try(fault: Fault, hub: str | None) -> Verdict:
    if hub is None:
        return Verdict(why="no hub is installed that could be wrong in this way")
    place = places()
    tests = [place[test] for test in fault.tests]
    verdict = run(hub, fault.name, tests)
    if verdict.broke_down:  # is it the machine, or the fault?
        print(f"{fault.name}, once more, as {verdict.why}:\n{verdict.output}", flush=True)
        verdict = run(hub, fault.name, tests)
    if verdict.found:
        return verdict
    others = run(hub, fault.name, [str(RULES)])
    found = others.by or f"none of the others does: {others.why}"
    return replace(verdict, why=f"SURVIVED, {verdict.why}; who would find it: {found}")


def _told(verdict: Verdict) -> str:
    if not verdict.found:
        return verdict.why
    return f"{verdict.by}, {verdict.seconds:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
