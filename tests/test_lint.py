"""hubkit.testing.lint: each sentence that is checked is broken by a hub or a caller made wrong for it."""

from __future__ import annotations

import inspect
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import lint_faults
import pytest
from lint_faults import FAULTS, Scenario, a_closed_descriptor, two_waiters

from hubkit import Event, checkpoint, current_hub, registry, sleep, spawn, to_thread
from hubkit.contract import MANY_TASKS, READ, Hub
from hubkit.errors import Closed, ContractViolation, InvalidHub, UnknownHub
from hubkit.tasks import Task, new_task
from hubkit.testing import lint, override
from hubkit.testing.linting import clauses
from hubkit.testing.linting.clauses import Clause
from hubkit.testing.linting.hub import LintHub
from hubkit.testing.linting.order import Order, stamp
from hubkit.waiting import WOKEN, Ticket, own_ticket, ticket_for, wait
from hubkit_native.hub import NativeHub

CLAUSES = {name: value for name, value in vars(clauses).items() if isinstance(value, Clause)}
PREFIX = "hubkit.testing.lint:"


@contextmanager
def linted(name: str = "native") -> Iterator[type[LintHub]]:
    hub_class = registry.load(PREFIX + name)
    assert issubclass(hub_class, LintHub)
    hub_class.violations.clear()
    with override(PREFIX + name, grace=0.05):
        yield hub_class
    hub_class.violations.clear()


def found(name: str, scenario: Scenario) -> list[Clause]:
    """What is found when `scenario` runs; it may be ended by a violation, or by what follows from it."""
    with linted(name) as hub_class:
        try:
            scenario()
        except (ContractViolation, KeyError, OSError):
            pass
        return [Clause(each.verb, each.at_fault, each.sentence) for each in hub_class.violations]


# -- the hub --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("clause", "name", "scenario"), FAULTS, ids=[name for _, name, _ in FAULTS])
def test_a_wrong_hub_is_found(clause: Clause, name: str, scenario: Scenario) -> None:
    assert clause in found(f"{lint_faults.__name__}:{name}", scenario)


@pytest.mark.parametrize(
    "scenario", dict.fromkeys(each for *_, each in FAULTS if each is not a_closed_descriptor)
)
@pytest.mark.parametrize("name", ["native", "virtual"])
def test_a_right_hub_is_not(name: str, scenario: Scenario) -> None:
    with linted(name) as hub_class:
        try:
            scenario()
        except Closed:
            pass
        assert hub_class.violations == []


# -- who calls ------------------------------------------------------------------------------------


MISTAKES: list[tuple[Clause, Scenario]] = []


def breaks(clause: Clause) -> Callable[[Scenario], Scenario]:
    def note(scenario: Scenario) -> Scenario:
        MISTAKES.append((clause, scenario))
        return scenario

    return note


def in_callback(call: Callable[[], object]) -> None:
    done = Event()

    def callback() -> None:
        try:
            call()
        except ContractViolation:
            pass
        finally:
            done.set()

    current_hub().call_soon(callback)
    done.wait()


@breaks(clauses.RUN_HERE)
def run_in_another_thread() -> None:
    hub = current_hub()
    to_thread(hub.run, int)


@breaks(clauses.CLOSE_HERE)
def close_in_another_thread() -> None:
    to_thread(current_hub().close)


@breaks(clauses.CLOSE_HERE)
def close_in_a_task() -> None:
    spawn(current_hub().close).result()


@breaks(clauses.YIELD_HERE)
def yield_in_a_callback() -> None:
    in_callback(current_hub().yield_now)


@breaks(clauses.YIELD_HERE)
def yield_in_another_thread() -> None:
    to_thread(current_hub().yield_now)


@breaks(clauses.PARK_HERE)
def park_in_a_callback() -> None:
    ticket = own_ticket()
    in_callback(lambda: wait(ticket, 0.01))


@breaks(clauses.PARK_HERE)
def park_in_another_thread() -> None:
    ticket = own_ticket()
    to_thread(ticket.task.hub.park, ticket)


@breaks(clauses.PARK_OWN)
def park_with_a_ticket_of_another_task() -> None:
    ticket = ticket_for(spawn(int))
    wait(ticket, 0.01)


@breaks(clauses.PARK_OWN)
def park_twice_with_one_ticket() -> None:
    ticket = own_ticket()
    for _ in range(2):
        wait(ticket, 0.001)


@breaks(clauses.FIRE_OUTCOME)
def fire_with_none() -> None:
    current_hub().fire(own_ticket(), None)


@breaks(clauses.FIRE_OWN_HUB)
def fire_on_another_hub() -> None:
    ticket = own_ticket()
    other = type(current_hub())()
    try:
        other.fire(ticket, WOKEN)
    finally:
        other.close()


@breaks(clauses.FIRE_THE_DEAD)
def fire_the_dead() -> None:
    published: list[Ticket] = []
    spawn(lambda: published.append(own_ticket())).join()
    current_hub().fire(published[0], WOKEN)


@breaks(clauses.START_TWICE)
def start_twice() -> None:
    task = spawn(int)
    current_hub().start(task)


@breaks(clauses.START_TWICE)
def start_what_has_ended() -> None:
    task: Task[int] = new_task(current_hub(), int)
    task.run()
    current_hub().start(task)


@breaks(clauses.CALL_BLOCKS)
def block_in_a_callback() -> None:
    in_callback(partial(time.sleep, 0.03))


@breaks(clauses.ARM_HERE)
def arm_in_a_callback() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        in_callback(lambda: current_hub().arm_fd(ours.fileno(), READ, ticket_for(spawn(int))))


@breaks(clauses.ARM_OWN)
def arm_a_ticket_of_another_task() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        current_hub().arm_fd(ours.fileno(), READ, ticket_for(spawn(int)))


@pytest.mark.parametrize(
    ("clause", "scenario"), MISTAKES, ids=[scenario.__name__ for _, scenario in MISTAKES]
)
def test_a_wrong_caller_is_found(clause: Clause, scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBKIT_LINT_CALLBACK", "0.02")
    assert found("native", scenario) == [clause]


# -- what is said ---------------------------------------------------------------------------------


def test_every_clause_is_broken_by_somebody() -> None:
    broken = {clause for clause, *_ in FAULTS} | {clause for clause, _ in MISTAKES}
    assert [name for name, clause in CLAUSES.items() if clause not in broken] == []


@pytest.mark.parametrize("clause", CLAUSES.values(), ids=CLAUSES)
def test_a_clause_is_a_sentence_of_the_contract(clause: Clause) -> None:
    text = inspect.getdoc(getattr(Hub, clause.verb))
    assert text is not None
    if clause is clauses.AT_CANCELLED:
        from hubkit.contract import TimerHandle

        text = inspect.getdoc(TimerHandle.cancel)
        assert text is not None
    assert clause.sentence in " ".join(text.split())


def test_a_violation_names_the_verb_the_culprit_and_the_sentence(caplog: pytest.LogCaptureFixture) -> None:
    with linted():
        with pytest.raises(ContractViolation) as caught:
            park_with_a_ticket_of_another_task()
    violation = caught.value
    assert (violation.verb, violation.at_fault) == ("park", "caller")
    text = str(violation)
    assert "the caller broke the contract of Hub.park, \"in the ticket's own task and once for each" in text
    assert "parks with a ticket of <Task int-" in text
    (record,) = (record for record in caplog.records if record.name == "hubkit.lint")
    assert text in record.getMessage()
    assert park_with_a_ticket_of_another_task.__name__ in (record.stack_info or "")


def test_a_fault_where_nothing_may_be_raised_is_logged_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    with linted() as hub_class:
        fire_the_dead()
        assert [violation.verb for violation in hub_class.violations] == ["fire"]
    assert "ContractViolation" in caplog.text


# -- making one -----------------------------------------------------------------------------------


def test_the_class_is_a_hub_like_the_one_that_it_checks() -> None:
    made = lint(NativeHub)
    assert issubclass(made, NativeHub)
    assert (made.name, made.thread if hasattr(made, "thread") else None) == (NativeHub.name, None)
    assert made.capabilities == NativeHub.capabilities - {MANY_TASKS}
    assert lint(NativeHub) is made is lint(made)
    assert lint(NativeHub, 5) is not made
    assert registry.load(registry._spelling(made)) is registry.load(PREFIX + "native") is made


def test_bad_input_is_told_what_is_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidHub):
        lint(int)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="longest_callback='1'"):
        lint(NativeHub, "1")  # type: ignore[arg-type]
    for number in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="more than 0"):
            lint(NativeHub, number)
    with pytest.raises(UnknownHub, match=r"installed: .*native"):
        registry.load(PREFIX + "nativ")
    monkeypatch.setenv("HUBKIT_LINT_CALLBACK", "soon")
    with pytest.raises(ValueError, match="HUBKIT_LINT_CALLBACK must be a number of seconds, not 'soon'"):
        registry.load(PREFIX + "native")


def test_a_program_is_linted_by_the_variable() -> None:
    program = (
        "import hubkit, logging, time\n"
        "def main():\n"
        "    hub = hubkit.current_hub()\n"
        "    hub.call_soon(lambda: time.sleep(0.1))\n"
        "    hubkit.sleep(0.01)\n"
        "    return type(hub).__name__\n"
        "print(hubkit.run(main))\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "HUBKIT_BACKEND": PREFIX + "native", "HUBKIT_LINT_CALLBACK": "0.05"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert finished.stdout == "LintNativeHub\n"
    assert 'broke the contract of Hub.call_soon, "`fn` MUST NOT block' in finished.stderr


def test_tasks_of_a_linted_hub_keep_no_garbage() -> None:
    """The wrappers of tasks and callbacks refer to nothing that has ended."""
    import gc
    import weakref

    class Thing:
        pass

    def fail(thing: Thing) -> None:
        raise KeyError(thing)

    with linted() as hub_class:
        gc.collect()
        gc.disable()
        try:
            thing = Thing()
            ref = weakref.ref(thing)
            task = spawn(fail, thing)
            assert isinstance(task.exception(), KeyError)
            current_hub().call_soon(partial(bool, thing))
            sleep(0.001)
            del task, thing
            checkpoint()
            assert ref() is None
        finally:
            gc.enable()
        assert hub_class.violations == []


# -- order ----------------------------------------------------------------------------------------


def test_of_two_requests_that_overlap_either_may_come_first() -> None:
    order: Order[str] = Order()
    order.begins("a")
    order.begins("b")
    order.returns("a")
    order.returns("b")
    assert order.answer("b") is None
    order.begins("c")
    order.returns("c")
    assert order.answer("c") == "a"
    assert order.answer("a") is None
    assert order.first_before(stamp()) is None


def test_an_answer_that_comes_before_its_request_has_returned_is_one() -> None:
    order: Order[str] = Order()
    order.begins("a")
    assert order.answer("a") is None
    order.returns("a")
    assert order.first_before(stamp()) is None


def test_wake_ups_by_other_threads_are_no_violation() -> None:
    with linted() as hub_class:
        events = [Event() for _ in range(50)]
        tasks = [spawn(event.wait) for event in events]
        checkpoint()
        threads = [threading.Thread(target=event.set) for event in events]
        for thread in threads:
            thread.start()
        two_waiters()
        for task in tasks:
            assert task.result()
        for thread in threads:
            to_thread(thread.join)
        assert hub_class.violations == []
