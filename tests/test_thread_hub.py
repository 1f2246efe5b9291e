"""ThreadHub: the contract on OS threads. Descriptors, signals and ends are in test_thread_hub_outside."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from hubkit import (
    Cancelled,
    Closed,
    Task,
    WrongContext,
    all_tasks,
    blocking,
    current_hub,
    current_task,
    move_on_after,
    registry,
    run,
    sleep,
    spawn,
    spawn_later,
    testing,
    thread_hub,
    timeout,
    worker_threads,
)
from hubkit.callback_thread import CallbackThread
from hubkit.contract import DEADLOCK, FIFO_LOCKS, FORK, MANY_TASKS, ORDERED_YIELD, PATCH, Adapter
from hubkit.tasks import new_task
from hubkit.thread_hub import ThreadHub
from hubkit.waiting import (
    CLOSED,
    INTERRUPT,
    TIMED_OUT,
    WOKEN,
    Ticket,
    WaitQueue,
    latched,
    own_ticket,
    ticket_for,
    wait,
)
from hubkit_conformance.tools import LONG, PATIENCE, SHORT, finish, not_before, parked, until

HUB = "hubkit.thread_hub:ThreadHub"


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadHub]:
    """A fresh one, whatever hosts other tests have left at work in this thread."""
    monkeypatch.setattr(registry, "adapters", dict)
    with testing.override(HUB, grace=10):
        found = current_hub()
        assert isinstance(found, ThreadHub)
        yield found


def park(seconds: float | None = None, **how: Any) -> Any:
    return wait(own_ticket(), seconds, **how)


def in_thread(fn: Callable[[], Any]) -> Any:
    """What `fn` returns in a plain thread."""
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(fn()))
    thread.start()
    thread.join(PATIENCE)
    assert got, "the thread failed, or still runs"
    return got[0]


# -- which hub, which task ------------------------------------------------------------------------


def test_what_it_claims() -> None:
    assert ThreadHub.name == "threads"
    for claimed in FIFO_LOCKS, FORK, PATCH:
        assert ThreadHub.supports(claimed)
    for unclaimed in DEADLOCK, MANY_TASKS, ORDERED_YIELD:
        assert not ThreadHub.supports(unclaimed)


def test_the_registered_hub_is_this_one() -> None:
    from hubkit_threads import adapter

    assert registry._import(adapter.hub, adapter.name) is ThreadHub
    assert adapter.name == ThreadHub.name == registry.DEFAULTS.library
    assert not registry.missing(adapter)
    assert not adapter.detect()


def test_a_thread_has_a_hub_once_it_spawns(hub: ThreadHub) -> None:
    def plain() -> tuple[Any, ...]:
        before = ThreadHub.here(False), current_hub()
        task = spawn(current_hub)
        return (*before, ThreadHub.here(False), current_hub(), task.result(PATIENCE))

    none, waiting, own, current, in_task = in_thread(plain)
    assert none is None
    assert waiting is ThreadHub.shared()
    assert own is current is in_task is not hub
    assert own is not waiting


def test_a_task_and_what_it_spawns_belong_to_one_hub(hub: ThreadHub) -> None:
    def child() -> tuple[Any, ...]:
        grandchild = spawn(current_hub)
        listed = grandchild in all_tasks() or grandchild.done()
        return current_hub(), grandchild.hub, grandchild.result(PATIENCE), listed

    assert spawn(child).result(PATIENCE) == (hub, hub, hub, True)


def test_every_thread_is_one_task_the_same_each_time(hub: ThreadHub) -> None:
    assert current_task() is current_task() is hub.main
    task = spawn(lambda: (current_task(), current_task()))
    assert task.result(PATIENCE) == (task, task)
    first, second = in_thread(lambda: (current_task(), current_task()))
    assert first is second is not current_task()
    assert first not in all_tasks()


def test_the_main_threads_task_is_known_before_it_has_asked() -> None:
    with testing.override(HUB):
        task = spawn(lambda: current_hub().main)
        time.sleep(SHORT)  # natively: no verb of hubkit has made the task yet
        assert task.result(PATIENCE) is current_task()


def test_each_task_has_a_thread_of_its_own_and_idle_ones_are_used_again() -> None:
    ready, go = threading.Barrier(5), threading.Event()

    def at_once() -> int:
        ready.wait(PATIENCE)
        go.wait(PATIENCE)
        return threading.get_ident()

    tasks = [spawn(at_once) for _ in range(4)]
    ready.wait(PATIENCE)
    assert [type(task.carrier) for task in tasks] == [int] * 4
    go.set()
    assert len({task.result(PATIENCE) for task in tasks} | {threading.get_ident()}) == 5
    one_by_one = set()
    for _ in range(20):
        one_by_one.add(spawn(threading.get_ident).result(PATIENCE))
        until(lambda: worker_threads._idle)
    assert len(one_by_one) < 20


def test_when_there_are_no_more_threads_spawn_fails_and_nothing_else(
    hub: ThreadHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn(int).join()

    def refuse(job: object) -> None:
        raise RuntimeError("no further thread")

    with monkeypatch.context() as patched:
        patched.setattr(thread_hub, "run_in_thread", refuse)
        with pytest.raises(RuntimeError, match="no further thread"):
            spawn(int)
    assert all_tasks() == []
    assert spawn(lambda: "fine").result(PATIENCE) == "fine"


# -- a task's life --------------------------------------------------------------------------------


def test_result_and_error_reach_the_joiner() -> None:
    error = KeyError("of the task")

    def fail() -> None:
        raise error

    assert spawn(divmod, 7, 2).result(PATIENCE) == (3, 1)
    task = spawn(fail)
    assert task.exception(PATIENCE) is error
    assert task not in all_tasks()


def test_the_outcome_is_there_as_soon_as_the_task_is_done() -> None:
    class Fault(Exception):
        pass

    def fail() -> None:
        raise Fault

    for _ in range(300):
        task = spawn(fail)
        while not task.done():
            pass
        with pytest.raises(Fault):
            task.result()


def test_cancel_ends_a_wait_at_once() -> None:
    task = spawn(park)
    parked(task)
    assert task.cancel() is True
    finish(task)
    assert task.cancelled()
    assert task.cancel() is False


def test_a_task_that_has_not_started_never_runs(hub: ThreadHub, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Callable[[], object]] = []
    ran: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(thread_hub, "run_in_thread", jobs.append)
        task = spawn(ran.append, 1)
    assert task.cancel() is True
    worker_threads.run_in_thread(jobs[0])
    assert task.join(PATIENCE)
    assert task.cancelled()
    assert ran == []


def test_a_cancel_before_the_wait_is_raised_by_it() -> None:
    asked = threading.Event()

    def work() -> None:
        asked.wait(PATIENCE)
        park()

    task = spawn(work)
    task.cancel()
    asked.set()
    finish(task)
    assert task.cancelled()


def test_cancel_in_the_instant_of_the_end_leaves_nothing_behind() -> None:
    for _ in range(300):
        task = spawn(int)
        while task.cancel():
            pass
        assert task not in latched


def test_a_timeout_ends_a_wait_in_any_task() -> None:
    def work() -> bool:
        with not_before(SHORT), move_on_after(SHORT) as scope:
            park()
        return scope.expired

    tasks = [spawn(work) for _ in range(5)]
    assert [task.result(PATIENCE) for task in tasks] == [True] * 5
    with pytest.raises(TimeoutError), timeout(SHORT):
        sleep(LONG)


def test_a_scope_that_is_left_hits_nobody() -> None:
    for _ in range(300):
        with move_on_after(0.0005):
            time.sleep(random.uniform(0.0, 0.001))
        sleep(0)  # raises if a request was not revoked


def test_yield_lets_other_threads_run_and_is_refused_in_a_callback(hub: ThreadHub) -> None:
    hub.yield_now()
    refused: list[BaseException] = []

    def callback() -> None:
        try:
            hub.yield_now()
        except WrongContext as error:
            refused.append(error)

    hub.call_soon(callback)
    until(lambda: refused)


# -- park and fire --------------------------------------------------------------------------------


def test_park_returns_at_once_what_was_fired_before(hub: ThreadHub) -> None:
    ticket = own_ticket()
    assert hub.fire(ticket, "before") is True
    assert hub.fire(ticket, "too late") is False
    assert wait(ticket) == "before"


def test_one_of_all_who_fire_wins_and_its_outcome_is_the_waits(hub: ThreadHub) -> None:
    for _ in range(50):
        ticket = own_ticket()
        start = threading.Barrier(4)
        won: list[int] = []

        def fire(number: int, ticket: Ticket = ticket, start: Any = start, won: Any = won) -> None:
            start.wait(PATIENCE)
            if hub.fire(ticket, number):
                won.append(number)

        threads = [threading.Thread(target=fire, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        outcome = wait(ticket)
        for thread in threads:
            thread.join()
        assert won == [outcome]


def test_only_its_own_task_may_wait_on_a_ticket(hub: ThreadHub) -> None:
    ticket = ticket_for(spawn(int))
    with pytest.raises(WrongContext):
        hub.park(ticket)


def test_waits_leave_nothing_behind(hub: ThreadHub) -> None:
    task = spawn(park)
    parked(task)
    task.cancel()
    finish(task)
    assert park(0.001) is TIMED_OUT
    until(lambda: not blocking._wake)
    assert thread_hub._deadlines == {}


def test_a_finalizer_may_fire_at_any_point(hub: ThreadHub) -> None:
    fired: list[bool] = []

    class Firer:
        def __init__(self, ticket: Ticket) -> None:
            self.cycle = self
            self.ticket = ticket

        def __del__(self) -> None:
            fired.append(hub.fire(self.ticket, WOKEN))

    def waiter() -> Any:
        ticket = own_ticket()
        Firer(ticket)  # garbage from here on: the collector of any thread will find it
        return wait(ticket, PATIENCE)

    tasks = [spawn(waiter) for _ in range(20)]
    until(lambda: gc.collect() is None or all(task.done() for task in tasks))
    assert [task.result() for task in tasks] == [WOKEN] * 20
    assert fired == [True] * 20


def test_nothing_is_lost_when_wake_up_cancel_and_timeout_meet(hub: ThreadHub) -> None:
    """Tokens go through a queue of waiters that give up all the time; each comes back exactly once."""
    queue, received, stop = WaitQueue(), [], threading.Event()
    tokens = list(range(400))
    returned: list[int] = []

    def waiter() -> None:
        while not stop.is_set():
            with move_on_after(random.uniform(0, 0.002)):
                ticket = own_ticket()
                queue.add(ticket)
                place = SimpleNamespace(_withdraw=queue.discard, _undo=returned.append)
                outcome = wait(ticket, random.uniform(0, 0.002), place)
                if outcome is not TIMED_OUT:
                    received.append(outcome)

    def guarded() -> None:
        while not stop.is_set():
            try:
                waiter()
            except Cancelled:
                pass

    tasks = [spawn(guarded) for _ in range(6)]
    given = 0
    for token in tokens:
        random.choice(tasks).cancel()
        given += 1
        while not queue.wake_one(token):
            sleep(0)
    stop.set()
    for task in tasks:
        while not task.join(0.05):
            queue.wake_all(-1)
    assert sorted(token for token in received + returned if token != -1) == tokens
    assert given == len(tokens)


# -- time -----------------------------------------------------------------------------------------


def test_timers_run_in_order_and_not_early(hub: ThreadHub) -> None:
    order: list[Any] = []
    now = hub.now()
    for number, delay in enumerate([0.03, 0.01, 0.02, 0.01, 0.01]):
        hub.call_at(
            now + delay, lambda mark=(delay, number): order.append((*mark, hub.now() >= now + mark[0]))
        )
    until(lambda: len(order) == 5)
    assert [number for _, number, _ in order] == [1, 3, 4, 2, 0]
    assert all(in_time for *_, in_time in order)


def test_an_earlier_timer_comes_before_one_that_is_slept_for(hub: ThreadHub) -> None:
    order: list[str] = []
    timer = hub.call_at(hub.now() + LONG, lambda: order.append("late"))
    sleep(SHORT)  # most likely the thread sleeps for it by now
    hub.call_at(hub.now() + 0.01, lambda: order.append("early"))
    until(lambda: order == ["early"])
    timer.cancel()


def test_a_cancelled_timer_does_not_run(hub: ThreadHub) -> None:
    order: list[str] = []
    timer = hub.call_at(hub.now() + 0.01, lambda: order.append("cancelled"))
    timer.cancel()
    timer.cancel()
    hub.call_at(hub.now() + 0.02, lambda: order.append("ran"))
    until(lambda: order)
    timer.cancel()
    assert order == ["ran"]


def test_a_ticket_is_a_callback_for_a_time(hub: ThreadHub) -> None:
    ticket = own_ticket()
    hub.call_at(hub.now() + 0.01, ticket)
    assert wait(ticket) is TIMED_OUT

    def somebody_elses() -> None:
        hub.call_at(hub.now() + 0.01, ticket)

    ticket = own_ticket()
    spawn(somebody_elses)
    assert wait(ticket, PATIENCE) is TIMED_OUT


def test_two_timers_on_one_ticket_fire_at_the_earlier(hub: ThreadHub) -> None:
    ticket = own_ticket()
    late = hub.call_at(hub.now() + LONG, ticket)
    hub.call_at(hub.now() + 0.01, ticket)
    assert wait(ticket) is TIMED_OUT
    late.cancel()


def test_a_timed_wait_needs_no_thread_but_its_own(hub: ThreadHub) -> None:
    before = len(worker_threads._threads)
    for _ in range(20):
        assert park(0.001) is TIMED_OUT
    assert len(worker_threads._threads) <= before


def test_spawn_later_starts_in_time_and_a_cancel_does_not_wait_for_it() -> None:
    with not_before(SHORT):
        assert spawn_later(SHORT, lambda: "ran").result(PATIENCE) == "ran"
    task = spawn_later(LONG, int)
    task.cancel()
    finish(task)
    assert task.cancelled()


def test_very_long_and_endless_times_are_fine(hub: ThreadHub) -> None:
    tasks = [spawn(park, seconds) for seconds in (1e9, 1e20, float("inf"))]
    parked(*tasks)
    timer = hub.call_at(hub.now() + 1e20, int)
    for task in tasks:
        task.cancel()
    finish(*tasks)
    timer.cancel()


# -- callbacks ------------------------------------------------------------------------------------

variable = contextvars.ContextVar("variable", default="default")


def test_callbacks_run_once_in_order_one_at_a_time_and_never_inline(hub: ThreadHub) -> None:
    inside: list[int] = []
    order: list[int] = []
    faults: list[list[int]] = []
    hold = threading.Event()

    def callback(number: int) -> None:
        hold.wait(PATIENCE)
        inside.append(number)
        if inside != [number]:
            faults.append(list(inside))
        inside.pop()
        order.append(number)

    for number in range(50):
        hub.call_soon(lambda number=number: callback(number))
    assert order == []
    hold.set()
    until(lambda: len(order) == 50)
    assert order == list(range(50))
    assert faults == []


def test_callbacks_from_many_threads_keep_each_threads_order(hub: ThreadHub) -> None:
    order: list[tuple[int, int]] = []

    def ask(name: int) -> None:
        for number in range(200):
            hub.call_soon(lambda number=number: order.append((name, number)))

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len(order) == 800)
    for name in range(4):
        assert [number for who, number in order if who == name] == list(range(200))


def test_a_callback_has_the_callers_context_and_hub_and_no_task(hub: ThreadHub) -> None:
    seen: list[Any] = []
    variable.set("of the caller")
    hub.call_soon(lambda: seen.append((variable.get(), current_task(), current_hub())))
    hub.call_at(hub.now(), lambda: seen.append((variable.get(), current_task(), current_hub())))
    variable.set("afterwards")
    until(lambda: len(seen) == 2)
    variable.set("default")
    assert seen == [("of the caller", None, hub)] * 2


def test_a_verb_that_must_wait_is_refused_in_a_callback_and_spawn_is_not(hub: ThreadHub) -> None:
    refused: list[str] = []
    blocked = spawn(park)
    spawned: list[Task[Any]] = []

    def callback() -> None:
        for verb in (blocked.join, lambda: sleep(1), park):
            try:
                verb()
            except WrongContext as error:
                refused.append(str(error))
        spawned.append(spawn(lambda: "from a callback"))

    hub.call_soon(callback)
    until(lambda: spawned)
    assert len(refused) == 3
    assert all("spawn" in message for message in refused)
    assert spawned[0].result(PATIENCE) == "from a callback"
    assert spawned[0].hub is hub
    blocked.cancel()


def test_an_error_in_a_callback_is_logged_and_harms_nobody(
    hub: ThreadHub, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []
    with caplog.at_level(logging.ERROR, "hubkit"):
        hub.call_soon(lambda: {}["missing"])
        hub.call_soon(lambda: ran.append("next"))
        until(lambda: ran)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [KeyError]


def test_ctrl_c_in_a_callback_goes_to_the_main_task(hub: ThreadHub) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    hub.call_soon(interrupted)
    with pytest.raises(KeyboardInterrupt):
        sleep(LONG)


def test_what_is_no_callback_is_an_error_at_the_call(hub: ThreadHub) -> None:
    with pytest.raises(TypeError):
        hub.call_soon("not callable")  # type: ignore[arg-type]


def test_the_callback_thread_counts_as_idle_while_it_rests(hub: ThreadHub) -> None:
    callbacks = CallbackThread()  # other tests may have left timers with the hubs' own
    rests = worker_threads._idle_jobs[-1]  # and so it will be counted from here on: its thread does not end
    assert not rests(), "there is no thread yet"
    callbacks.call_soon(hub, contextvars.copy_context(), int)
    until(rests)
    timer = callbacks.call_at(hub, hub.now() + LONG, int)
    assert not rests()
    timer.cancel()
    callbacks.call_soon(hub, contextvars.copy_context(), int)
    until(rests)


# -- the main task --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_goes_from_a_task_to_a_main_that_waits(kind: type[BaseException]) -> None:
    def end() -> None:
        raise kind("from a task")

    task = spawn_later(SHORT, end)
    with pytest.raises(kind, match="from a task"):
        sleep(LONG)
    finish(task)


def test_what_ends_a_program_is_raised_by_the_next_wait_of_a_main_that_does_not() -> None:
    def end() -> None:
        raise SystemExit("from a task")

    task = spawn(end)
    while not task.done():
        time.sleep(0.001)
    with pytest.raises(SystemExit):
        sleep(0)


def test_with_run_it_goes_to_the_function_that_is_run() -> None:
    def end() -> None:
        raise SystemExit("from a task")

    def main() -> str:
        assert current_hub().main is current_task()
        spawn(end)
        try:
            sleep(LONG)
        except SystemExit:
            return "main got it"
        return "main slept"

    assert in_thread(lambda: run(main)) == "main got it"
    sleep(0)  # and the main thread did not


# -- run and close --------------------------------------------------------------------------------


def test_run_serves_its_function_and_may_be_called_again(hub: ThreadHub) -> None:
    def main(number: int) -> tuple[int, Any]:
        return spawn(lambda: number).result(PATIENCE), current_hub()

    hubs = []
    for number in range(3):
        value, served = in_thread(lambda number=number: run(main, number))
        assert value == number
        hubs.append(served)
    assert len(set(hubs)) == 3
    fresh = ThreadHub()
    assert fresh.run(current_hub) is fresh
    assert current_hub() is hub


def test_run_inside_of_run_or_a_task_is_refused(hub: ThreadHub) -> None:
    fresh = ThreadHub()
    with pytest.raises(RuntimeError, match="runs"):
        fresh.run(lambda: fresh.run(int))
    assert isinstance(spawn(fresh.run, int).exception(PATIENCE), RuntimeError)
    refused: list[BaseException] = []

    def callback() -> None:
        try:
            fresh.run(int)
        except RuntimeError as error:
            refused.append(error)

    hub.call_soon(callback)
    until(lambda: refused)
    assert fresh.run(lambda: "fine") == "fine"


def test_programs_in_several_threads_end_only_their_own_tasks() -> None:
    both, first_ended = threading.Barrier(2), threading.Event()

    def first() -> str:
        task = spawn(sleep, LONG)
        both.wait(PATIENCE)
        return task.name

    def second() -> bool:
        task = spawn(sleep, LONG)
        both.wait(PATIENCE)
        first_ended.wait(PATIENCE)
        return task.done()

    got: list[bool] = []
    thread = threading.Thread(target=lambda: got.append(run(second)))
    thread.start()
    in_thread(lambda: run(first))
    first_ended.set()
    thread.join(PATIENCE)
    assert got == [False]


def test_a_closed_hub_refuses_every_verb(hub: ThreadHub) -> None:
    closed = ThreadHub()
    closed.close()
    closed.close()
    for verb in (
        lambda: closed.start(new_task(closed, int)),
        lambda: closed.call_soon(int),
        lambda: closed.call_at(closed.now(), int),
        lambda: closed.arm_fd(0, "read", own_ticket()),
        lambda: closed.park(own_ticket()),
        lambda: closed.run(int),
    ):
        with pytest.raises(Closed):
            verb()
    assert closed.now() > 0
    closed.forget_fd(0)


def test_a_dropped_task_finds_its_hub_closed_and_its_joiners_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    dropping = ThreadHub()
    go = threading.Event()

    def work() -> None:
        go.wait(PATIENCE)
        park()

    task: Task[None] = new_task(dropping, work)
    dropping.start(task)
    task.add_done_callback(lambda _: None)
    joiner = spawn(task.join)
    parked(joiner)
    dropping.close()
    assert list(dropping.tasks) == []
    with caplog.at_level(logging.CRITICAL, "hubkit"):
        go.set()
        assert joiner.result(PATIENCE) is True
    assert isinstance(task.exception(), Closed)


def test_after_close_a_thread_gets_a_new_hub_and_task(hub: ThreadHub) -> None:
    def plain() -> tuple[Any, ...]:
        spawn(int).join()
        first, task = current_hub(), current_task()
        first.close()
        return first, task, current_hub(), spawn(current_hub).result(PATIENCE), park(0.001)

    first, _, _, second, outcome = in_thread(plain)
    assert first is not second
    assert outcome is TIMED_OUT


def test_patching_reports_that_there_is_nothing_to_do() -> None:
    report = ThreadHub.patch()
    assert all("nothing to patch" in text for text in report.values())
    assert not ThreadHub.is_patched("socket")
    assert ThreadHub.original("time", "sleep") is time.sleep


# -- T16: not in somebody else's loop -------------------------------------------------------------


def test_a_wait_in_a_running_asyncio_loop_is_refused_and_says_what_to_type(hub: ThreadHub) -> None:
    async def main() -> tuple[str, Any]:
        task = spawn(lambda: "value")
        while not task.done():
            await asyncio.sleep(0.001)
        assert task.result() == "value", "what need not wait is allowed"
        blocked = spawn(park)
        with pytest.raises(WrongContext) as caught:
            blocked.join()
        blocked.cancel()
        return str(caught.value), await asyncio.to_thread(blocked.join, PATIENCE)

    message, joined = asyncio.run(main())
    assert "await asyncio.to_thread(" in message
    assert joined is True
    assert park(0.001) is TIMED_OUT


def test_a_task_may_not_stop_an_asyncio_loop_of_its_own_either() -> None:
    async def main() -> None:
        park(PATIENCE)

    assert isinstance(spawn(asyncio.run, main()).exception(PATIENCE), WrongContext)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The threads in which a certain host is at work."""
    threads: list[int] = []
    adapter = Adapter(name="somehost", hub="some.where:Hub", detect=lambda: threading.get_ident() in threads)
    monkeypatch.setattr(registry, "adapters", lambda: {adapter.name: adapter})
    return threads


def test_a_wait_where_a_host_is_at_work_is_refused_and_says_what_to_type(host: list[int]) -> None:
    assert park(0.001) is TIMED_OUT
    host.append(threading.get_ident())
    task = spawn(sleep, 0.001)
    with pytest.raises(WrongContext, match=r"hubkit\.use\('somehost'\)"):
        task.join()
    host.clear()
    assert task.join(PATIENCE)


def test_a_task_is_not_asked_about_hosts(host: list[int]) -> None:
    def work() -> Any:
        host.append(threading.get_ident())
        return park(0.001)

    assert spawn(work).result(PATIENCE) is TIMED_OUT


def test_where_another_hub_was_chosen_its_own_word_counts(host: list[int]) -> None:
    with testing.override("hubkit_native.hub:NativeHub"):

        def plain() -> Any:
            host.append(threading.get_ident())
            assert isinstance(current_hub(), ThreadHub)
            return park(0.001)

        assert in_thread(plain) is TIMED_OUT


def test_a_refused_wait_leaves_its_descriptor_free(host: list[int]) -> None:
    import os

    read_end, write_end = os.pipe()
    try:
        host.append(threading.get_ident())
        ticket = own_ticket()
        current_hub().arm_fd(read_end, "read", ticket)
        with pytest.raises(WrongContext):
            wait(ticket)
        assert blocking._waiters == {}
    finally:
        os.close(read_end)
        os.close(write_end)


def test_a_plain_thread_beside_another_hub_is_woken_by_it_and_wakes_it() -> None:
    with testing.override("hubkit_native.hub:NativeHub"):
        tickets: list[Ticket] = []

        def plain() -> Any:
            tickets.append(own_ticket())
            return wait(tickets[0], PATIENCE)

        got: list[Any] = []
        thread = threading.Thread(target=lambda: got.append(plain()))
        thread.start()
        until(lambda: tickets)
        tickets[0].task.hub.fire(tickets[0], "from a task")
        mine = own_ticket()
        waker = threading.Thread(target=lambda: mine.task.hub.fire(mine, "from a thread"))
        waker.start()
        assert wait(mine, PATIENCE) == "from a thread"
        thread.join(PATIENCE)
        assert got == ["from a task"]
        assert not {CLOSED, INTERRUPT} & set(got)


def test_a_timer_that_was_cancelled_keeps_no_thread_busy() -> None:
    # For as long as it was meant to last it was taken for somebody who may still wake another hub's tasks.
    hub = current_hub()
    until(lambda: worker_threads.busy_count() == 0)
    timer = hub.call_at(hub.now() + LONG, int)
    assert worker_threads.busy_count() == 1
    until(lambda: thread_hub._callbacks._asleep_until == timer.when)
    assert worker_threads.busy_count() == 1
    timer.cancel()
    until(lambda: worker_threads.busy_count() == 0)
