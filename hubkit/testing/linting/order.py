"""Order: what must come in the order in which it was asked for.

What must live here: which of two requests came first, where several threads ask at once. What this file
must not know: what is asked for.

Only a request that had returned before the other began was certainly first. So each has two stamps, and
of two that overlap either may come first.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")

_stamps = count()


def stamp() -> int:
    """A number greater than all before it. Any thread."""
    return next(_stamps)


class Order(Generic[T]):
    """Requests that have been made and whose answer has not come. Any thread may call anything."""

    def __init__(self) -> None:
        self._began: dict[T, int] = {}
        self._returned: OrderedDict[T, int] = OrderedDict()  # to find the first takes no time
        self._answered: dict[T, None] = {}  # before the request has returned

    def begins(self, item: T) -> None:
        """`item` is about to be asked for."""
        self._began[item] = stamp()

    def returns(self, item: T) -> None:
        """It has been asked for; the answer may have come already."""
        self._returned[item] = stamp()
        if item in self._answered:
            self.forget(item)

    def answer(self, item: T) -> T | None:
        """The answer for `item` has come: another that was certainly asked for before and has none yet."""
        began = self._began.pop(item, None)
        self._answered[item] = None  # first this, then the look: see `returns`
        if self._returned.pop(item, None) is not None or began is None:
            self._answered.pop(item, None)
        return None if began is None else self.first_before(began)

    def first_before(self, when: int) -> T | None:
        """The first request that had returned before the stamp `when` and has no answer yet."""
        while True:
            try:
                item = next(iter(self._returned))
                return item if self._returned[item] < when else None
            except StopIteration:
                return None
            except (KeyError, RuntimeError):  # it has just been answered, in another thread
                continue

    def forget(self, item: T) -> None:
        """`item` needs no answer any more."""
        self._began.pop(item, None)
        self._returned.pop(item, None)
        self._answered.pop(item, None)

    def is_empty(self) -> bool:
        """Whether nothing has been asked for that still matters."""
        return not (self._began or self._returned or self._answered)
