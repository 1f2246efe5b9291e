"""What messages call a callback: by the user's own function, whatever hubkit has wrapped it in."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextvars import copy_context
from functools import partial

import pytest

from hubkit import Event, Future, checkpoint, current_hub, registry, spawn, testing
from hubkit.contract import Hub
from hubkit.errors import Closed
from hubkit.naming import name_of
from hubkit_conformance.tools import SHORT, until

HUBS = ("native", "threads", "hubkit.testing.lint:native", "hubkit.testing.lint:threads")


class Service:
    def handle(self, *_: object) -> None:
        raise KeyError("no such service")

    def __call__(self) -> None:
        pass

    def __repr__(self) -> str:
        return "<Service>"


def failing(*_: object) -> None:
    raise KeyError("nothing there")


@pytest.mark.parametrize(
    ("fn", "name"),
    [
        (failing, f"{__name__}.failing"),
        (partial(failing, 1), f"{__name__}.failing"),
        (partial(copy_context().run, failing, 1), f"{__name__}.failing"),
        (partial(copy_context().run, partial(Service().handle, 1)), f"{__name__}.Service.handle"),
        (partial(copy_context().run), "Context.run"),
        (Service, f"{__name__}.Service"),
        (Service(), "<Service>"),
        (partial(time.sleep, 1), "time.sleep"),
        ([].append, "list.append"),
        ([].__len__, "list.__len__"),
        (7, "7"),
    ],
)
def test_it_is_that_of_the_function_inside(fn: object, name: str) -> None:
    assert name_of(fn) == name


def test_an_object_that_cannot_say_what_it_is_is_named_all_the_same() -> None:
    class Mute:
        def __repr__(self) -> str:
            raise KeyError("no name")

        def __call__(self) -> None:
            pass

    mute = Mute()
    assert name_of(partial(mute)) == object.__repr__(mute)


def soon(hub: Hub, fn: Callable[..., object]) -> None:
    hub.call_soon(fn)


def at_its_time(hub: Hub, fn: Callable[..., object]) -> None:
    hub.call_at(hub.now(), fn)


def when_done(hub: Hub, fn: Callable[..., object]) -> None:
    spawn(int).add_done_callback(fn)


@pytest.mark.parametrize("register", [soon, at_its_time, when_done])
@pytest.mark.parametrize("hub", HUBS)
def test_a_callback_that_failed_is_logged_by_its_name(
    hub: str, register: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "hubkit"), testing.override(hub):
        for fn in (failing, partial(failing, 1), Service().handle):
            register(current_hub(), fn)
        until(lambda: len(caplog.records) == 3)
    assert sorted(record.getMessage() for record in caplog.records) == [
        f"the callback {__name__}.Service.handle failed",
        f"the callback {__name__}.failing failed",
        f"the callback {__name__}.failing failed",
    ]


@pytest.mark.parametrize("hub", HUBS[:2])
def test_a_callback_that_comes_too_late_is_told_by_its_name(
    hub: str, caplog: pytest.LogCaptureFixture
) -> None:
    future: Future[int] = Future()
    with testing.override(hub):
        closed = current_hub()
        future.add_done_callback(Service().handle)
    with pytest.raises(Closed, match=rf"cannot call {__name__}\.failing"):
        closed.call_soon(partial(failing, 1))
    with caplog.at_level(logging.ERROR, "hubkit"):
        future.set_result(1)
    (record,) = caplog.records
    assert record.getMessage().endswith(f"the hub that was to call {__name__}.Service.handle is closed")


@pytest.mark.parametrize("register", [soon, at_its_time, when_done])
def test_lint_tells_which_callback_blocks(register: Callable[..., None]) -> None:
    done = Event()

    def block(*_: object) -> None:
        time.sleep(SHORT)
        done.set()

    hub_class = testing.lint(registry.load("native"), SHORT / 2)
    try:
        with testing.override(hub_class):
            register(current_hub(), partial(block, 1))
            done.wait()
            checkpoint()
        assert f"{block.__module__}.{block.__qualname__} took " in str(hub_class.violations[0])
    finally:
        hub_class.violations.clear()
