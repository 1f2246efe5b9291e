"""The ready ring: entries that are stale, and a signal handler that waits in the middle of a wait."""

from __future__ import annotations

import pytest
from scripts import PRELUDE, run_script

on_loops = pytest.mark.parametrize("hub", ["native", "asyncio"])

#: A ring that signal handlers come between: each time an entry has been put in, one of them is called.
INTERRUPTED = (
    PRELUDE
    + """
from collections import deque
handlers = []
class Interrupted(deque):
    def append(self, entry):
        super().append(entry)
        if handlers:
            handlers.pop()()
hub = current_hub()
hub._ready = Interrupted(hub._ready)
hub._upcoming = iter(())
"""
)


@on_loops
def test_a_signal_handler_may_yield_in_the_middle_of_a_yield(hub: str) -> None:
    out = run_script(
        """
        log = []
        def other(name):
            for turn in range(3):
                log.append(name)
                hubkit.sleep(0)
        tasks = [spawn(other, name) for name in "ab"]
        handlers.append(lambda: (hubkit.sleep(0), log.append("handler")))
        for turn in range(4):
            hubkit.sleep(0)
            log.append("main")
        print(all(task.join(5) for task in tasks), *log)
        """,
        hub,
        prelude=INTERRUPTED,
    )
    done, *log = out.split()
    assert done == "True"
    assert log.index("handler") < log.index("main")
    assert sorted(log) == sorted([*"ab" * 3, *["main"] * 4, "handler"])


@on_loops
def test_a_signal_handler_may_wait_in_the_middle_of_a_yield(hub: str) -> None:
    out = run_script(
        """
        task = spawn(hubkit.sleep, 0.01)
        handlers.append(lambda: task.join())
        hubkit.sleep(0)
        print(task.done())
        """,
        hub,
        prelude=INTERRUPTED,
    )
    assert out == "True\n"


@on_loops
def test_a_signal_handler_may_use_up_the_wake_up_of_the_wait_below_it(hub: str) -> None:
    out = run_script(
        """
        class Upcoming:
            "What is next in the ring; a signal handler comes between the look for a wake-up and this one."
            def __next__(self):
                hub._upcoming = iter(())
                hub._renew() or hub._new_slice()
                event.set()
                hubkit.sleep(0)
                return next(hub._upcoming)
        hub, event = current_hub(), hubkit.Event()
        tasks = [spawn(hubkit.sleep, 0) for _ in range(3)]
        hub._upcoming = Upcoming()
        print(event.wait(5), all(task.join(5) for task in tasks))
        """,
        hub,
    )
    assert out == "True True\n"


@on_loops
def test_a_signal_handler_may_have_a_worker_made_while_one_is_being_made(hub: str) -> None:
    out = run_script(
        """
        crew, handlers = current_hub()._crew, []
        right = crew.start
        def start(job):
            begin = right(job)
            if handlers:
                handlers.pop()()
            return begin
        crew.start = start
        spawn(bool).join()
        held = [spawn(hubkit.sleep, 0.02) for _ in range(3)]
        handlers.append(lambda: held.append(spawn(hubkit.sleep, 0)) or held[-1].join())
        print(all(task.join(5) for task in held), len(held))
        """,
        hub,
    )
    assert out == "True 4\n"


@on_loops
def test_a_cancel_that_finds_a_handlers_yield_ends_the_wait_below_it(hub: str) -> None:
    out = run_script(
        """
        def victim():
            ticket = Ticket(this_task())
            this_task().ticket = ticket  # as in a wait
            current_hub().yield_now()  # as a signal handler does
            return this_task().ticket is ticket, str(ticket.outcome)
        task = spawn(victim)
        let_run(1)
        task.cancel()
        print(task.result(5))
        """,
        hub,
    )
    assert out == "(True, 'INTERRUPT')\n"


@on_loops
def test_whoever_switches_to_a_yielding_task_from_outside_leaves_no_stale_entry(hub: str) -> None:
    out = run_script(
        """
        log = []
        def yields():
            hubkit.sleep(0)
            log.append("resumed")
            hubkit.sleep(0.05)
            log.append("slept")
        task = spawn(yields)
        let_run(1)
        spawn(lambda: task.resume() and None)
        start = hubkit.now()
        print(task.join(5), hubkit.now() - start > 0.04, *log)
        """,
        hub,
    )
    assert out == "True True resumed slept\n"


@on_loops
def test_a_parked_task_does_not_keep_the_task_that_ran_in_its_place(hub: str) -> None:
    out = run_script(
        """
        import weakref
        gate = hubkit.Event()
        def waits():
            hubkit.spawn(bool).join()
            gate.wait()  # switches to whoever is ready
        class Value: pass
        waiter = spawn(waits)
        let_run()
        gate.set(); gate.clear()
        task = spawn(Value)
        found = weakref.ref(task)
        task.join()
        del task
        print(found())
        """,
        hub,
    )
    assert out == "None\n"


@on_loops
def test_tasks_that_spin_make_breaks_for_other_threads(hub: str) -> None:
    out = run_script(
        """
        from hubkit import ring
        breaks = []
        ring.sleep = breaks.append
        def spin(enough):
            end = time.monotonic() + 20
            while not enough() and time.monotonic() < end:
                hubkit.sleep(0)
        start = time.monotonic()
        spin(lambda: time.monotonic() - start > 0.1)
        print(len(breaks))  # nobody else is there
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        spin(lambda: len(breaks) == 3)
        stop.set(); thread.join()
        print(breaks == [ring.BREAK] * 3)
        """,
        hub,
    )
    assert out == "0\nTrue\n"
