"""The starter, as a process of the demo sees it: who reads its lines.

What must live here: telling the starter something. What this file must not know: what there is to tell.
"""

from __future__ import annotations

import os
import sys


def tell(word: str, *rest: object) -> None:
    """Write a line to the process that started this one. If that has gone there is nothing left to do.

    Switches: never. Call from: hub, any thread. Raises: SystemExit if nobody reads any more.
    """
    try:
        print(word, *rest, flush=True)
    except BrokenPipeError:
        # What could not be written is tried again at exit, and would be complained of there.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        raise SystemExit(1) from None
