"""Numbers that callers give: how many of something.

What must live here: what counts as a number of things, and the error for what does not. What this file must
not know: what is counted. Seconds are checked in waiting.py.
"""

from __future__ import annotations

from operator import index
from typing import Any


def count_of(value: Any, rule: str, least: int | None = None) -> int:
    """`value` as a whole number, of `least` or more; `rule` says so in the error: "size must be …".

    Switches: never. Call from: any thread. Raises: TypeError for what is no whole number, ValueError.
    """
    try:
        number = index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):  # True is 1, but nobody means it
        raise TypeError(f"{rule}, not {value!r}")
    if least is not None and number < least:
        raise ValueError(f"{rule}, not {value!r}")
    return number
