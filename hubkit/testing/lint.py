"""Lint: any hub, made to check that it and those who call it keep the contract.

What must live here: making such a class, and its name for where a hub is given by name. What this file must
not know: what is checked (linting/).

    HUBKIT_BACKEND=hubkit.testing.lint:NAME python program.py
    hubkit conformance --lint NAME

NAME is a registered hub or itself a "module:Class".
"""

from __future__ import annotations

import os
from math import isnan
from typing import Any

from .. import registry
from ..contract import MANY_TASKS, Hub
from .linting.hub import LintHub

#: Seconds that a callback may take, for hubs that are linted by name.
VARIABLE = "HUBKIT_LINT_CALLBACK"
DEFAULT = 1.0
#: Before the name of a hub: that hub, linted.
PREFIX = f"{__name__}:"

_made: dict[tuple[type[Hub], float], type[LintHub]] = {}


def lint(hub_class: type[Hub], longest_callback: float = DEFAULT) -> type[LintHub]:
    """A subclass of `hub_class` that checks both sides of the hub contract while a program runs.

    What it finds is logged as a `ContractViolation` to the logger `hubkit.lint` with the stack, appended
    to the class attribute `violations`, and raised where the verb may raise. A callback that takes more
    than `longest_callback` seconds is one. The same arguments give the same class.

    Switches: never. Call from: any thread. Raises: InvalidHub; TypeError or ValueError for a time that
    is none.
    """
    registry.check(hub_class)
    seconds = _checked(longest_callback, f"longest_callback={longest_callback!r}")
    if issubclass(hub_class, LintHub):
        hub_class = hub_class.checked
    made = _made.get((hub_class, seconds))
    if made is None:
        made = _made.setdefault((hub_class, seconds), _make(hub_class, seconds))
    return made


def _make(hub_class: type[Hub], seconds: float) -> type[LintHub]:
    package = hub_class.__module__.rpartition(".")[0]
    attributes: dict[str, Any] = {
        "__doc__": f"{hub_class.__qualname__}, which checks the contract.",
        "__module__": __name__,
        "__qualname__": f"{hub_class.__module__}:{hub_class.__qualname__}",
        "capabilities": hub_class.capabilities - {MANY_TASKS},  # it takes notes on each
        "checked": hub_class,
        "longest_callback": seconds,
        "violations": [],
        "testing": getattr(hub_class, "testing", f"{package}.testing" if package else ""),
    }
    return type(f"Lint{hub_class.__name__}", (LintHub, hub_class), attributes)


def _checked(seconds: float, what: str) -> float:
    try:
        number = seconds + 0.0
    except TypeError:
        raise TypeError(f"a callback may take some number of seconds; {what} is none") from None
    if isnan(number) or number <= 0:
        raise ValueError(f"a callback may take some seconds, more than 0; {what} says otherwise")
    return number


def __getattr__(name: str) -> type[LintHub]:
    """The linted class of the hub `name`: what the registry asks for, given "hubkit.testing.lint:name"."""
    if name.startswith("_"):
        raise AttributeError(name)
    text = os.environ.get(VARIABLE, "")
    try:
        seconds = float(text or DEFAULT)
    except ValueError:
        raise ValueError(f"{VARIABLE} must be a number of seconds, not {text!r}") from None
    return lint(registry.load(name), _checked(seconds, f"{VARIABLE}={text}"))
