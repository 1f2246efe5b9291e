"""hubkit.testing: override and format_tasks."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from itertools import islice
from types import FrameType
from typing import Any

import pytest

from hubkit import registry, testing
from hubkit.contract import Adapter, Hub
from hubkit.errors import UnknownHub
from hubkit.futures import Future
from hubkit.registry import current_hub
from hubkit.running import sleep
from hubkit.spawning import current_task, spawn, spawn_later
from hubkit.testing.frames import without_runner
from hubkit.waiting import latched
from hubkit_conformance.tools import LONG, PATIENCE, parked


def test_override_sets_the_choice_aside_and_puts_it_back(hub: Hub, adapter: Adapter) -> None:
    task = spawn(sleep, LONG)
    choice, chosen = registry._choice, registry.chosen()
    with testing.override("hubkit.thread_hub:ThreadHub") as hub_class:
        assert registry.chosen() == hub_class.name == "threads"
        assert (current_hub() is hub) == (adapter.name == "threads"), "one of its kind serves inside, too"
        with pytest.raises(TypeError, match="takes a hub's name"):
            registry.use(5)  # type: ignore[arg-type]
        with pytest.raises(registry.HubAlreadyChosen, match=r"hubkit\.testing\.override"):
            registry.use("module:Other")
    assert registry.chosen() == chosen
    assert registry._choice is choice
    assert current_hub() is hub
    assert not task.done()


def test_override_ends_what_was_left_inside(adapter: Adapter) -> None:
    trace = []

    def cleaning() -> None:
        try:
            sleep(LONG)
        finally:
            sleep(0.001)
            trace.append("cleaned up")

    with testing.override(adapter.hub):
        inside = current_hub()
        parked(spawn(cleaning))
        spawn_later(LONG, trace.append, "never")
    assert trace == ["cleaned up"]
    assert inside not in registry.hubs()
    assert not latched


def test_override_puts_back_after_an_error(adapter: Adapter) -> None:
    choice = registry._choice
    with pytest.raises(KeyError):
        with testing.override(adapter.hub):
            raise KeyError
    assert registry._choice is choice
    with pytest.raises(UnknownHub):
        with testing.override("no such hub"):
            pytest.fail("entered")
    assert registry._choice is choice


def test_override_in_override(adapter: Adapter) -> None:
    with testing.override(adapter.hub):
        outer = current_hub()
        with testing.override(adapter.hub):
            assert spawn(int).result(PATIENCE) == 0
        assert current_hub() is outer
        assert spawn(int).result(PATIENCE) == 0


def test_override_by_another_hub_has_a_main_task_of_its_own(adapter: Adapter) -> None:
    with testing.override(adapter.hub):
        outer = current_task()
        spawn(int).join()
        with testing.override("virtual"):
            inner = current_task()
            assert inner is not None
            assert inner.hub is current_hub()
            assert (inner is outer) == (adapter.name == "virtual")
            sleep(LONG)
        assert current_task() is outer
        assert spawn(int).result(PATIENCE) == 0


def test_format_tasks_tells_what_each_waits_for_and_where(hub: Hub) -> None:
    future: Future[int] = Future()

    def outer_function() -> int:
        return future.result()

    task = spawn(outer_function)
    task.name = "mine"
    parked(task)
    text = testing.format_tasks()
    block = text[text.index("<Task mine waiting>") :]
    first, _, stack = block.partition("\n")
    assert first == f"<Task mine waiting> in Future.result() of {future!r}"
    assert stack.splitlines()[0].endswith("in outer_function")
    assert "hub.park" not in stack, "how it is suspended is nobody's concern"
    assert f"hub {hub.name}: 1 tasks" in text
    assert "in test_format_tasks_tells_what_each_waits_for_and_where" in text, "the main task's own stack"
    future.set_result(1)


@pytest.mark.parametrize(
    ("modules", "left"),
    [
        ("__main__ _pytest.config pluggy._hooks _pytest.python tests.test_it app", "tests.test_it app"),
        ("runpy __main__ unittest.main unittest.case test_it", "test_it"),
        ("__main__ execnet.gateway_base __channelexec__ xdist.remote _pytest.runner app", "app"),
        ("__main__ _pytest.config test_it pluggy _pytest.python", "test_it pluggy _pytest.python"),
        ("__main__ pluggy._hooks app", "__main__ pluggy._hooks app"),
        ("runpy __main__ app", "runpy __main__ app"),
        ("pytester unittests", "pytester unittests"),
        ("__main__ _pytest.main", "__main__ _pytest.main"),
        ("", ""),
    ],
)
def test_the_frames_of_a_test_runner_are_left_out(modules: str, left: str) -> None:
    names = modules.split()
    kept = without_runner(calls(names))
    assert [frame.f_globals["__name__"] for frame in kept] == left.split()


def calls(modules: list[str]) -> list[FrameType]:
    """The frames, outermost first, of functions of these modules that call one another."""

    def stack() -> list[FrameType]:
        innermost = traceback.walk_stack(sys._getframe(1))
        return [frame for frame, _ in islice(innermost, len(modules))][::-1]

    called: Callable[[], list[FrameType]] = stack
    for name in reversed(modules):
        scope: dict[str, Any] = {"__name__": name, "called": called}
        exec("def call(): return called()", scope)
        called = scope["call"]
    return called()


def test_format_tasks_of_tasks_that_have_no_stack(hub: Hub) -> None:
    task = spawn_later(LONG, int)
    assert f"{task!r} has not started" in testing.format_tasks()


def test_format_tasks_makes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_choice", None)
    monkeypatch.setattr(registry, "_cache", registry.ThreadLocal())
    monkeypatch.setattr(registry, "_alive", {})
    assert testing.format_tasks() == "there is no hub"
    assert registry.chosen() is None


@pytest.mark.parametrize("name", ["nativ", ":", "native:"])
def test_a_wrong_name_in_the_environment_is_told_with_where_it_came_from(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import hubkit\nhubkit.Queue().get()"],
        env={**os.environ, registry.VARIABLE: name},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert f"(chosen by the environment variable {registry.VARIABLE}={name})" in done.stderr
    assert "AttributeError" not in done.stderr, "how the hub is looked for is nobody's concern"
