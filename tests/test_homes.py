"""What a hub lives with: the loop that runs in its thread, or the thread."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from greenlet import getcurrent, greenlet
from scripts import run_script

from hubkit import Future, Task, current_hub, registry, sleep, spawn, testing
from hubkit.contract import Adapter
from hubkit.errors import NotSupported, WrongContext
from hubkit_native.hub import NativeHost, NativeHub


class Loop:
    """Stands for somebody else's: it runs where a test says so."""

    def __init__(self) -> None:
        self.ended = False
        self.greenlet = getcurrent()


class HostOnLoops(NativeHost):
    """Polls by itself where no loop runs."""

    running: Loop | None = None

    @classmethod
    def loop_here(cls) -> object:
        return cls.running

    @property
    def loop_greenlet(self) -> greenlet | None:
        return None if self.hub.loop is None else self.hub.loop.greenlet

    def switch(self) -> None:
        if self.loop_greenlet is None:
            super().switch()
        else:
            self.loop_greenlet.switch()

    def ended(self) -> bool:
        return isinstance(self.hub.loop, Loop) and self.hub.loop.ended


class HubOnLoops(NativeHub):
    host_class = HostOnLoops


def run(loop: Loop | None) -> None:
    """From now on that one runs here."""
    HostOnLoops.running = loop


@pytest.fixture(autouse=True)
def _on_loops() -> Iterator[None]:
    with testing.override(f"{__name__}:HubOnLoops"):
        yield
        run(None)


def test_another_loop_is_another_hub_and_the_same_one_the_same() -> None:
    first, second = Loop(), Loop()
    threads_own = current_hub()
    assert threads_own.loop is None
    run(first)
    registry.serve(None)  # a hub that runs its own loop stays in the cache; there can be no other loop then
    of_first = current_hub()
    assert of_first is not threads_own
    assert of_first.loop is first
    run(second)
    assert current_hub() not in (threads_own, of_first)
    run(first)
    assert current_hub() is of_first
    run(None)
    assert current_hub() is threads_own


def test_looking_for_a_hub_where_a_loop_runs_makes_one() -> None:
    current_hub()  # makes the choice
    registry.serve(None)
    run(Loop())
    assert registry.hub_here() is not None
    found = []
    thread = threading.Thread(target=lambda: found.append(HubOnLoops.here(False)))
    thread.start()
    thread.join()
    assert len(found) == 1
    assert found[0] is not registry.hub_here()


def test_in_its_turn_a_hub_is_found_without_asking_which_loop_runs() -> None:
    run(Loop())
    hub = current_hub()
    seen = []
    assert isinstance(hub, HubOnLoops)
    task = spawn(lambda: seen.append(vars(registry._cache).get("hub")))
    hub.turn()
    assert task.done()
    assert seen == [hub]
    assert vars(registry._cache).get("hub") is None


def test_the_tasks_of_a_loop_that_has_ended_are_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    loop = Loop()
    run(loop)
    hub = current_hub()
    task = spawn(sleep, 3600)
    loop.ended = True
    run(Loop())
    with caplog.at_level(logging.WARNING, "hubkit"):
        assert current_hub() is not hub
        run(Loop())
        current_hub()
    assert [record.getMessage() for record in caplog.records] == [
        f"dropped, as their loop runs no more: {task!r}"
    ]
    assert hub not in registry.hubs()
    with pytest.raises(OSError, match="closed"):
        hub.start(task)


def test_a_loop_that_has_ended_is_not_kept() -> None:
    loop = Loop()
    ref = weakref.ref(loop)
    run(loop)
    current_hub()
    loop.ended = True
    del loop
    run(Loop())
    current_hub()
    gc.collect()
    assert ref() is None


def test_at_exit_nobody_waits_for_the_tasks_of_a_loop_that_no_longer_runs() -> None:
    out = run_script(
        """
        import logging
        from test_homes import HostOnLoops, Loop
        logging.basicConfig(format="%(message)s", stream=sys.stdout)
        HostOnLoops.running = Loop()
        task = spawn(print, "never")
        task.name = "left"
        HostOnLoops.running = None
        spawn(print, "runs").join()
        """,
        "test_homes:HubOnLoops",
        PYTHONPATH=str(Path(__file__).parent),
    )
    assert out == "runs\ndropped, as their loop runs no more: <Task left new>\n"


class LoopOfCoroutines(HostOnLoops):
    greenlet_tasks = False


class HubOfCoroutines(HubOnLoops):
    host_class = LoopOfCoroutines
    remedy = "type the remedy"


def test_the_greenlets_of_a_host_whose_tasks_are_no_greenlets_may_not_wait() -> None:
    run(Loop())
    hosted = greenlet(lambda: current_hub().current())
    assert isinstance(hosted.switch(), Task)
    with testing.override(f"{__name__}:HubOfCoroutines"):
        nobodys = greenlet(lambda: current_hub().current())
        with pytest.raises(WrongContext, match="is not a task"):
            nobodys.switch()
        with pytest.raises(WrongContext, match="type the remedy"):
            sleep(1)


def test_nothing_can_be_awaited_where_there_are_no_coroutines() -> None:
    for ended in (spawn(int), Future[int]()):
        with pytest.raises(NotSupported, match="no coroutines"):
            ended.__await__()


def test_a_host_that_had_to_be_installed_is_detected_before_one_that_is_always_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def adapter(name: str, requires: tuple[str, ...], detect: bool) -> Adapter:
        return Adapter(name, "some.where:Hub", requires, detect=lambda: detect)

    beneath, above, absent = (
        adapter("a-beneath", (), True),
        adapter("b-above", ("somehost",), True),
        adapter("c-absent", ("someother",), False),
    )
    known = {each.name: each for each in (beneath, above, absent)}
    monkeypatch.setattr(registry, "adapters", lambda: known)
    assert registry.detected() is above
    del known[above.name]
    assert registry.detected() is beneath
    del known[beneath.name]
    assert registry.detected() is None
