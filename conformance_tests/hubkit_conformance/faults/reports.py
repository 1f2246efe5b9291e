"""Callbacks, results and errors that do not arrive as they should.

What must live here: faults of how the end of a call is told. What this file must not know: how it runs.
"""

from __future__ import annotations

import logging
from contextvars import Context, copy_context
from typing import Any

from hubkit import Cancelled, Task, TaskCancelled
from hubkit.contract import ORDERED_YIELD, Hub
from hubkit.waiting import Ticket

from .fault import every, fault, wrap

ONCE = "test_r13_call_soon_calls_once_in_order_and_in_hub_context"


@fault(ONCE)
def callback_doubled(hub: type[Hub]) -> None:
    """`call_soon` calls twice."""

    @wrap(hub, "call_soon")
    def call_soon(right: Any, self: Any, fn: Any) -> None:
        right(self, fn)
        right(self, fn)


@fault(ONCE)
def callback_lost(hub: type[Hub]) -> None:
    """Each fourth call of `call_soon` is forgotten."""
    strikes = every(4)

    @wrap(hub, "call_soon")
    def call_soon(right: Any, self: Any, fn: Any) -> None:
        if not strikes():
            right(self, fn)


@fault(ONCE, needs=(ORDERED_YIELD,))
def callbacks_in_reverse(hub: type[Hub]) -> None:
    """Of the callbacks that are due the youngest is called first."""
    due: list[Any] = []

    @wrap(hub, "call_soon")
    def call_soon(right: Any, self: Any, fn: Any) -> None:
        context = copy_context()
        due.append(lambda: context.run(fn))
        right(self, lambda: due.pop()())


@fault("test_r13_call_soon_never_calls_inline", ONCE)
def callback_inline(hub: type[Hub]) -> None:
    """`call_soon` calls before it returns."""

    @wrap(hub, "call_soon")
    def call_soon(right: Any, self: Any, fn: Any) -> None:
        copy_context().run(fn)


@fault("test_r13_a_callback_runs_in_its_registrants_context")
def callback_without_context(hub: type[Hub]) -> None:
    """A callback runs in an empty context."""

    @wrap(hub, "call_soon")
    def call_soon(right: Any, self: Any, fn: Any) -> None:
        right(self, lambda: Context().run(fn))

    @wrap(Task, "add_done_callback")
    def add_done_callback(right: Any, self: Any, fn: Any) -> None:
        Context().run(right, self, fn)

    @wrap(hub, "call_at")
    def call_at(right: Any, self: Any, when: float, fn: Any) -> Any:
        return right(self, when, fn) if type(fn) is Ticket else Context().run(right, self, when, fn)


@fault("test_r13_an_error_in_a_callback_is_logged_and_harms_nobody")
def callback_error_swallowed(hub: type[Hub]) -> None:
    """Nobody hears of an error in a callback."""

    @wrap(hub, "call_soon")
    def call_soon(right: Any, self: Any, fn: Any) -> None:
        def call() -> None:
            try:
                fn()
            except Exception:
                pass

        right(self, call)


@fault("test_r13_a_done_callback_registered_after_the_end_is_called_but_not_inline")
def late_done_callback_forgotten(hub: type[Hub]) -> None:
    """A done callback that is registered after the end is never called."""

    @wrap(Task, "add_done_callback")
    def add_done_callback(right: Any, self: Any, fn: Any) -> None:
        if not self.done():
            right(self, fn)


@fault("test_r13_a_done_callback_registered_after_the_end_is_called_but_not_inline")
def late_done_callback_inline(hub: type[Hub]) -> None:
    """A done callback that is registered after the end is called on the spot."""

    @wrap(Task, "add_done_callback")
    def add_done_callback(right: Any, self: Any, fn: Any) -> None:
        if self.done():
            fn(self)
        else:
            right(self, fn)


@fault("test_r13_one_registration_one_call")
def same_done_callback_called_once(hub: type[Hub]) -> None:
    """A function registered three times is called once."""
    registered = set()

    @wrap(Task, "add_done_callback")
    def add_done_callback(right: Any, self: Any, fn: Any) -> None:
        if (self, fn) not in registered:
            registered.add((self, fn))
            right(self, fn)


# -- results and errors ---------------------------------------------------------------------------


@fault("test_r08_result_raises_the_very_error_as_often_as_asked")
def error_swallowed(hub: type[Hub]) -> None:
    """`result` of a task that failed returns None."""

    @wrap(Task, "result")
    def result(right: Any, self: Any, timeout: Any = None) -> Any:
        self._wait_done(timeout)
        return None if self._error is not None and not self.cancelled() else right(self, timeout)


@fault("test_r08_result_raises_the_very_error_as_often_as_asked")
def error_raised_once(hub: type[Hub]) -> None:
    """Who asks for an error a second time gets none."""

    @wrap(Task, "result")
    def result(right: Any, self: Any, timeout: Any = None) -> Any:
        try:
            return right(self, timeout)
        except Exception:
            if self.done() and not self.cancelled():
                self._error, self._value = None, None
            raise


@fault("test_r08_an_error_that_nobody_waits_for_is_logged_once")
def error_logged_twice(hub: type[Hub]) -> None:
    """An error that nobody waits for is logged twice."""
    log = logging.getLogger("hubkit")

    @wrap(log, "error")
    def error(right: Any, *args: Any, **kwargs: Any) -> None:
        right(*args, **kwargs)
        right(*args, **kwargs)


@fault("test_r08_an_error_that_nobody_waits_for_is_logged_once")
def error_not_logged(hub: type[Hub]) -> None:
    """Nobody hears of an error that nobody waits for."""
    log = logging.getLogger("hubkit")

    @wrap(log, "error")
    def error(right: Any, *args: Any, **kwargs: Any) -> None:
        pass


@fault("test_r08_an_error_that_somebody_waits_for_is_not_logged")
def error_logged_though_awaited(hub: type[Hub]) -> None:
    """Every error is logged, whoever waits for it."""

    @wrap(Task, "_end_badly")
    def end_badly(right: Any, self: Any, error: BaseException) -> bool:
        if self._watchers and isinstance(error, Exception):
            logging.getLogger("hubkit").error("%s failed", self, exc_info=error)
        return bool(right(self, error))


@fault("test_r08_an_error_harms_nobody_else")
def error_harms_main(hub: type[Hub]) -> None:
    """An error that ends a task is raised in the main task too."""

    @wrap(Task, "_end_badly")
    def end_badly(right: Any, self: Any, error: BaseException) -> bool:
        main = self.hub.main
        if isinstance(error, Exception) and main is not None and main is not self:
            main.interrupt(error)
        return bool(right(self, error))


@fault("test_r08_what_is_meant_for_the_process_goes_to_the_main_task")
def ctrl_c_stays_with_a_task(hub: type[Hub]) -> None:
    """KeyboardInterrupt and SystemExit end the task that met them, and nothing else."""

    @wrap(Task, "_end_badly")
    def end_badly(right: Any, self: Any, error: BaseException) -> bool:
        main, self.hub.main = self.hub.main, None
        try:
            return bool(right(self, error))
        finally:
            self.hub.main = main


@fault(
    "test_r08_a_cancelled_task_does_not_cancel_who_asks",
    "test_r08_who_waits_for_a_task_that_is_cancelled_is_not_cancelled",
)
def cancel_spreads_to_who_asks(hub: type[Hub]) -> None:
    """`result` of a cancelled task raises Cancelled."""

    @wrap(Task, "result")
    def result(right: Any, self: Any, timeout: Any = None) -> Any:
        try:
            return right(self, timeout)
        except TaskCancelled:
            raise Cancelled(self) from None


@fault("test_r20_run_returns_the_value_or_raises_the_error")
def run_swallows_the_error(hub: type[Hub]) -> None:
    """`run` returns None if its function fails."""

    @wrap(hub, "run")
    def run(right: Any, self: Any, main: Any) -> Any:
        try:
            return right(self, main)
        except Exception:
            return None
