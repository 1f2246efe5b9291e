"""Readiness of descriptors that is lost, invented, or somebody else's.

What must live here: faults of `arm_fd` and `forget_fd`, and of those who believe them. What this file must
not know: how a hub polls.
"""

from __future__ import annotations

import os
from typing import Any

from hubkit import fds
from hubkit.contract import READ, WRITE, Hub
from hubkit.errors import Busy
from hubkit.registry import this_task
from hubkit.waiting import WOKEN

from .fault import every, fault, wrap


@fault("test_r15_waiting_on_one_descriptor_does_not_disturb_others")
def readiness_lost(hub: type[Hub]) -> None:
    """Each fifth wait for a descriptor is never told that it is ready."""
    strikes = every(5)

    @wrap(hub, "arm_fd")
    def arm_fd(right: Any, self: Any, fd: int, direction: str, ticket: Any) -> None:
        if not strikes():
            right(self, fd, direction, ticket)


@fault("test_r15_a_wait_ends_when_data_come")
def readiness_believed_without_a_look(hub: type[Hub]) -> None:
    """The hub's hints are wrong now and then, as they may be, and the wait takes them for the truth."""

    @wrap(hub, "arm_fd")
    def arm_fd(right: Any, self: Any, fd: int, direction: str, ticket: Any) -> None:
        right(self, fd, direction, ticket)
        self.call_soon(lambda: self.fire(ticket, WOKEN))

    @wrap(fds, "_wait_ready")
    def wait_ready(right: Any, what: Any, direction: str, timeout: Any) -> None:
        fds.wait_armed(this_task(), fds.number_of(what), direction, timeout)


@fault("test_r15_a_number_used_again_is_watched")
def readiness_of_the_old_descriptor(hub: type[Hub]) -> None:
    """The hub watches what a number stood for when it saw it first."""
    first: dict[int, int] = {}

    @wrap(hub, "arm_fd")
    def arm_fd(right: Any, self: Any, fd: int, direction: str, ticket: Any) -> None:
        if fd not in first:
            first[fd] = os.dup(fd)
        right(self, first[fd], direction, ticket)


@fault("test_r15_a_number_used_again_is_watched")
def registration_believed_to_last(hub: type[Hub]) -> None:
    """A number that was watched once is not registered again."""
    seen = set()

    @wrap(hub, "arm_fd")
    def arm_fd(right: Any, self: Any, fd: int, direction: str, ticket: Any) -> None:
        if fd not in seen:
            seen.add(fd)
            right(self, fd, direction, ticket)


@fault("test_r15_a_second_wait_in_the_same_direction_is_busy")
def second_waiter_waits_for_ever(hub: type[Hub]) -> None:
    """A second wait for the same is accepted in silence."""

    @wrap(hub, "arm_fd")
    def arm_fd(right: Any, self: Any, fd: int, direction: str, ticket: Any) -> None:
        try:
            right(self, fd, direction, ticket)
        except Busy:
            pass


@fault("test_r15_a_wait_that_ended_frees_its_place")
def place_not_freed(hub: type[Hub]) -> None:
    """A wait that ended by a time limit or a cancel keeps its place at the descriptor."""
    places: dict[tuple[int, str], Any] = {}

    @wrap(hub, "arm_fd")
    def arm_fd(right: Any, self: Any, fd: int, direction: str, ticket: Any) -> None:
        before = places.get((fd, direction))
        if before is not None and before.outcome is not WOKEN:
            raise Busy("somebody waited here once")
        right(self, fd, direction, ticket)
        places[fd, direction] = ticket


@fault("test_r15_the_two_directions_are_independent")
def directions_confused(hub: type[Hub]) -> None:
    """A descriptor has one waiter, whichever direction he waits for."""
    waiters: dict[int, Any] = {}

    @wrap(hub, "arm_fd")
    def arm_fd(right: Any, self: Any, fd: int, direction: str, ticket: Any) -> None:
        if hasattr(waiters.get(fd), "armed"):
            raise Busy("somebody waits here")
        waiters[fd] = ticket
        right(self, fd, direction, ticket)


@fault("test_r15_a_wait_for_room_ends_when_there_is_some")
def writers_watched_for_reading(hub: type[Hub]) -> None:
    """The hub watches every descriptor for reading."""

    @wrap(hub, "arm_fd")
    def arm_fd(right: Any, self: Any, fd: int, direction: str, ticket: Any) -> None:
        right(self, fd, READ if direction == WRITE else direction, ticket)


@fault(
    "test_r15_notify_closing_wakes_with_closed",
    "test_r15_closing_a_socket_wakes_its_waiters_with_closed",
)
def closing_told_to_nobody(hub: type[Hub]) -> None:
    """`forget_fd` forgets who waits for the descriptor."""

    @wrap(hub, "forget_fd")
    def forget_fd(right: Any, self: Any, fd: int) -> None:
        pass


@fault("test_r15_notify_closing_wakes_with_closed")
def closing_told_as_readiness(hub: type[Hub]) -> None:
    """Who waits for a descriptor that is closed is woken as if it were ready."""

    @wrap(fds, "was_closed")
    def was_closed(right: Any, message: str) -> Exception:
        return TimeoutError(message)


@fault("test_r15_a_second_wait_in_the_same_direction_is_busy")
def second_waiter_takes_the_place(hub: type[Hub]) -> None:
    """A second wait for the same takes the place of the first."""

    @wrap(hub, "arm_fd")
    def arm_fd(right: Any, self: Any, fd: int, direction: str, ticket: Any) -> None:
        try:
            right(self, fd, direction, ticket)
        except Busy:
            self.forget_fd(fd)
            right(self, fd, direction, ticket)
