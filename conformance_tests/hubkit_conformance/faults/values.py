"""Queues, channels and futures that lose, double or reorder what they pass on.

What must live here: faults of what carries values. What this file must not know: locks; how a hub runs.
"""

from __future__ import annotations

import _thread
from collections import deque
from queue import Empty
from typing import Any

from hubkit import Channel, Future, PriorityQueue, Queue, ShutDown, SimpleQueue, spawn
from hubkit.contract import HOST_MIX, Hub
from hubkit.errors import InvalidState
from hubkit.waiting import own_ticket

from .fault import Replace, fault, wrap


def each_queue(verb: str) -> Replace:
    """Wraps a method of `Queue` and of `SimpleQueue`, of which it may have its own."""

    def replace(wrong: Any) -> None:
        for kind in (SimpleQueue, Queue):
            if verb in vars(kind):
                wrap(kind, verb)(wrong)

    return replace


@fault(
    "test_r05_an_item_that_meets_a_cancel_stays_or_arrives",
    "test_r05_an_item_that_meets_an_expiry_in_one_instant_stays_or_arrives",
)
def put_loses_an_item_that_meets_an_interrupt(hub: type[Hub]) -> None:
    """An item put in the instant in which its getter is interrupted is gone."""

    @each_queue("put")
    def put(right: Any, self: Any, *args: Any, **kwargs: Any) -> None:
        if self._getters and not hasattr(self._getters.tickets[0], "armed"):
            return
        right(self, *args, **kwargs)


@fault("test_r05_an_item_that_meets_a_cancel_stays_or_arrives")
def put_doubles_an_item_for_who_waits(hub: type[Hub]) -> None:
    """An item that was handed to a getter is in the queue as well."""

    @each_queue("put")
    def put(right: Any, self: Any, item: Any, *args: Any, **kwargs: Any) -> None:
        waiting = len(self._getters)
        right(self, item, *args, **kwargs)
        if len(self._getters) < waiting:
            self._items.append(item)


@fault("test_r05_a_get_that_timed_out_leaves_no_trace")
def get_leaves_a_ghost(hub: type[Hub]) -> None:
    """A getter whose time was over stays in line, and the next item is spent on it."""

    @each_queue("get")
    def get(right: Any, self: Any, block: bool = True, timeout: Any = None) -> Any:
        try:
            return right(self, block, timeout)
        except Empty:
            if block:
                self._getters.add(own_ticket())
            raise


@fault("test_r05_a_put_that_was_cancelled_has_not_put")
def cancelled_put_has_put(hub: type[Hub]) -> None:
    """A put that ends by an exception leaves its item in the queue."""

    @wrap(Queue, "put")
    def put(right: Any, self: Any, item: Any, block: bool = True, timeout: Any = None) -> None:
        try:
            right(self, item, block, timeout)
        except Exception:
            raise
        except BaseException:
            self._items.append(item)
            raise


@fault(
    "test_r05_an_item_handed_to_a_killed_task_goes_back_to_the_head",
    "test_r05_an_item_handed_to_a_killed_task_reaches_the_next_getter",
    needs=(HOST_MIX,),
)
def item_dies_with_a_killed_getter(hub: type[Hub]) -> None:
    """What was handed to a getter into which the host throws does not go back."""

    @each_queue("_undo")
    def undo(right: Any, self: Any, outcome: Any) -> None:
        pass


@fault("test_r05_an_item_handed_to_a_killed_task_goes_back_to_the_head", needs=(HOST_MIX,))
def item_goes_back_to_the_tail(hub: type[Hub]) -> None:
    """What was handed to a killed getter goes back to the wrong end."""

    @each_queue("_undo")
    def undo(right: Any, self: Any, outcome: Any) -> None:
        self.put(outcome[0])


@fault("test_r12_a_bounded_queue_never_holds_more_than_its_size")
def queue_holds_one_too_many(hub: type[Hub]) -> None:
    """A bounded queue has room for one more."""

    @wrap(Queue, "__init__")
    def init(right: Any, self: Any, maxsize: int = 0) -> None:
        right(self, maxsize + 1 if maxsize > 0 else maxsize)
        self.maxsize = maxsize


@fault("test_r12_a_queue_of_size_zero_or_less_is_unbounded")
def queue_of_size_zero_is_bounded(hub: type[Hub]) -> None:
    """`Queue(0)` has room for one."""

    @wrap(Queue, "__init__")
    def init(right: Any, self: Any, maxsize: int = 0) -> None:
        right(self, max(1, maxsize))


@fault("test_r12_shutdown_ends_every_wait")
def shutdown_leaves_the_waiting_waiting(hub: type[Hub]) -> None:
    """`shutdown` refuses who comes later, and forgets who waits."""

    @wrap(Queue, "shutdown")
    def shutdown(right: Any, self: Any, immediate: bool = False) -> None:
        self._closed = True


@fault("test_r12_an_immediate_shutdown_throws_away_what_is_left")
def immediate_shutdown_keeps_items(hub: type[Hub]) -> None:
    """`shutdown(immediate=True)` is as `shutdown()`."""

    @wrap(Queue, "shutdown")
    def shutdown(right: Any, self: Any, immediate: bool = False) -> None:
        right(self)


@fault("test_r12_a_queue_that_was_shut_down_gives_what_is_left_and_ends")
def shutdown_loses_what_is_left(hub: type[Hub]) -> None:
    """A queue that was shut down gives nothing more."""

    @each_queue("get")
    def get(right: Any, self: Any, block: bool = True, timeout: Any = None) -> Any:
        if self._closed:
            raise ShutDown
        return right(self, block, timeout)


@fault("test_r12_join_waits_until_every_item_is_done")
def queue_join_does_not_wait(hub: type[Hub]) -> None:
    """`Queue.join` returns at once."""

    @wrap(Queue, "join")
    def join(right: Any, self: Any, timeout: Any = None) -> bool:
        return True


@fault("test_r12_each_queue_has_its_order")
def priority_queue_has_no_priorities(hub: type[Hub]) -> None:
    """A PriorityQueue gives its items in the order of their coming."""

    @wrap(PriorityQueue, "_container")
    def container(right: Any, self: Any) -> Any:
        return deque()


@fault("test_r17_a_finalizer_may_interrupt_the_very_call_that_it_makes")
def put_takes_a_lock(hub: type[Hub]) -> None:
    """`put` holds a lock of the operating system: a finalizer that comes in between waits for ever."""
    lock = _thread.allocate_lock()

    @each_queue("put")
    def put(right: Any, self: Any, *args: Any, **kwargs: Any) -> None:
        with lock:
            right(self, *list(args), **kwargs)


@fault("test_r12_a_channel_has_no_room")
def channel_put_does_not_wait(hub: type[Hub]) -> None:
    """`Channel.put` returns before anybody took the item."""

    @wrap(Channel, "put")
    def put(right: Any, self: Any, item: Any, block: bool = True, timeout: Any = None) -> None:
        if block and timeout is None:
            spawn(right, self, item)
        else:
            right(self, item, block, timeout)


@fault("test_r05_a_channels_put_that_was_cancelled_has_not_put")
def cancelled_channel_put_has_put(hub: type[Hub]) -> None:
    """A putter that was cancelled leaves its item in the channel."""

    @wrap(Channel, "put")
    def put(right: Any, self: Any, item: Any, block: bool = True, timeout: Any = None) -> None:
        try:
            right(self, item, block, timeout)
        except Exception:
            raise
        except BaseException:
            self._owed.append(item)
            raise


@fault("test_r12_closing_a_channel_ends_every_wait")
def channel_close_leaves_the_waiting_waiting(hub: type[Hub]) -> None:
    """`Channel.close` refuses who comes later, and forgets who waits."""

    @wrap(Channel, "close")
    def close(right: Any, self: Any) -> None:
        self._closed = True


@fault("test_r10_a_future_has_one_outcome")
def future_takes_a_second_outcome(hub: type[Hub]) -> None:
    """The last outcome given to a future replaces the first."""

    @wrap(Future, "_supply")
    def supply(right: Any, self: Any, outcome: Any) -> None:
        try:
            right(self, outcome)
        except InvalidState:
            self._outcomes[None] = outcome
