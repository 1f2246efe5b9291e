"""What a seeded fault is, and the means to write one in a few lines.

What must live here: the register of faults, and how a right method is wrapped by a wrong one. What this file
must not know: any fault; any hub.

A fault is a function that takes the class of a right hub and makes that hub, or one of the primitives,
wrong in this process. Its name is its title, its docstring says what is wrong, and with it stand the tests
that must fail because of it. It is applied before anything is made, and never taken back: each fault gets a
process of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from itertools import count
from typing import Any

from hubkit.contract import Hub

#: Takes the class of the hub; as `Any`, for a fault may meddle with what only some classes have.
Install = Callable[[Any], None]

#: Puts a function in the place of a method.
Replace = Callable[[Callable[..., Any]], None]

FAULTS: dict[str, Fault] = {}


@dataclass(frozen=True)
class Fault:
    """One way to be wrong."""

    name: str
    text: str
    install: Install
    tests: tuple[str, ...]  #: functions; the first to fail has found it
    needs: tuple[str, ...] = ()  #: capabilities without which a hub cannot be wrong in this way
    lacks: tuple[str, ...] = ()  #: capabilities with which it cannot
    base: type[Any] = Hub  #: whose innards it meddles with

    @property
    def rules(self) -> str:
        """The rules that it breaks: "R03, R05"."""
        found = (re.match(r"test_(r\d\d)_", test) for test in self.tests)
        return ", ".join(sorted({match[1].upper() for match in found if match}))

    def suits(self, hub_class: type[Hub]) -> bool:
        """Whether a hub of this class can be made wrong in this way."""
        return (
            issubclass(hub_class, self.base)
            and all(map(hub_class.supports, self.needs))
            and not any(map(hub_class.supports, self.lacks))
        )


def fault(
    *tests: str, needs: tuple[str, ...] = (), lacks: tuple[str, ...] = (), base: type[Any] = Hub
) -> Callable[[Install], Install]:
    """Enter the decorated function among the faults; `tests` are those that find it."""

    def enter(install: Install) -> Install:
        name = install.__name__.replace("_", "-")
        assert name not in FAULTS, f"there are two faults called {name}"
        assert install.__doc__, f"{name} does not say what is wrong"
        FAULTS[name] = Fault(name, install.__doc__, install, tests, needs, lacks, base)
        return install

    return enter


def wrap(owner: Any, name: str) -> Replace:
    """Put the decorated function in the place of `owner.name` (a class's method, a module's function).

    It is given the right one first, and then what the caller gave. Other names of the same method
    (`__enter__ = acquire`) follow.
    """

    def replace(wrong: Callable[..., Any]) -> None:
        right = getattr(owner, name)
        plain = vars(owner).get(name, right)

        @wraps(right)
        def instead(*args: Any, **kwargs: Any) -> Any:
            return wrong(right, *args, **kwargs)

        for alias in [name, *(alias for alias, value in vars(owner).items() if value is plain)]:
            setattr(owner, alias, instead)

    return replace


def claim(hub: type[Hub], capability: str) -> None:
    """Let the hub say that it keeps `capability`."""
    hub.capabilities = hub.capabilities | {capability}


def every(number: int) -> Callable[[], bool]:
    """True in each `number`-th call: a fault that strikes now and then."""
    calls = count(1)
    return lambda: next(calls) % number == 0
