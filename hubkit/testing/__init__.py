"""What the tests of programs that use hubkit need: another hub for a while, and who waits for what.

lint       a hub that checks its contract while a program runs
override   run a block on another hub
tasks      every task of every hub with its stack
"""

from .lint import lint
from .override import override
from .tasks import format_tasks

__all__ = ["format_tasks", "lint", "override"]
