"""What the tests of programs that use hubkit need: another hub for a while, and who waits for what.

lint       a hub that checks its contract while a program runs
override   run a block on another hub
explore    run a program under many schedules
clock      look at simulated time, and let it pass
tasks      every task of every hub with its stack
"""

from .explore import Explored, RaceFound, explore
from .lint import lint
from .override import override
from .tasks import format_tasks
from .virtual_clock import VirtualClock

__all__ = ["Explored", "RaceFound", "VirtualClock", "explore", "format_tasks", "lint", "override"]
