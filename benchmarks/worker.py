"""The process of one contender: `python -m benchmarks.worker NAME`.

Reads one command a line, {"workload": …, "count": …}, and answers with one line of what the round has
found. What must live here: the pipe. What this file must not know: the workloads.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import Any

from .contenders import CONTENDERS


def main(name: str) -> None:
    """Run rounds until the parent closes the pipe."""
    # The pipe is this one's alone: what a library prints goes to stderr.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def say(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")

    play = CONTENDERS[name]()
    for line in sys.stdin:
        command = json.loads(line)
        gc.collect()
        say(play(command["workload"], command["count"], say))


if __name__ == "__main__":
    main(sys.argv[1])
