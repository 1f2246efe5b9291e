"""The ready ring: entries that are stale, and a signal handler that waits in the middle of a wait."""

from __future__ import annotations

import importlib.util

import pytest
from scripts import PRELUDE, run_script

on_loops = pytest.mark.parametrize("hub", ["native", "asyncio"])
#: gevent says so if a task is woken out of a wait of its own.
on_gevent = pytest.mark.parametrize(
    "hub",
    [
        pytest.param(
            "gevent",
            marks=pytest.mark.skipif(
                importlib.util.find_spec("gevent") is None,
                reason="gevent not installed: pip install 'hubkit[all]'",
            ),
        )
    ],
)

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
hub.upcoming = iter(())
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
                hub.upcoming = iter(())
                hub._renew() or hub._new_slice()
                event.set()
                hubkit.sleep(0)
                return next(hub.upcoming)
        hub, event = current_hub(), hubkit.Event()
        tasks = [spawn(hubkit.sleep, 0) for _ in range(3)]
        hub.upcoming = Upcoming()
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
            ticket = own_ticket()
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


@on_gevent
@pytest.mark.parametrize("where", ["park", "call_at", "own_ticket"])
def test_what_a_signal_handler_raises_before_a_wait_leaves_no_stale_entry(hub: str, where: str) -> None:
    out = run_script(
        f"""
        import gevent
        event = hubkit.Event()
        def handler(frame, what, _):
            if what == "call" and frame.f_code.co_name == {where!r}:
                sys.setprofile(None)
                event.set()
                raise KeyboardInterrupt
        spawn(bool).join()
        try:
            sys.setprofile(handler)
            event.wait(5)
        except KeyboardInterrupt:
            event.set()
            gevent.sleep(0.05)
            print("slept")
        """,
        hub,
    )
    assert out == "slept\n"


@on_gevent
def test_what_a_signal_handler_raises_in_a_yield_leaves_no_stale_entry(hub: str) -> None:
    out = run_script(
        """
        import gevent
        spawn(bool).join()
        def handler():
            raise KeyboardInterrupt
        handlers.append(handler)
        try:
            hubkit.sleep(0)
        except KeyboardInterrupt:
            gevent.sleep(0.05)
            print("slept", current_task().ticket)
        """,
        hub,
        prelude=INTERRUPTED,
    )
    assert out == "slept None\n"


@on_gevent
def test_a_wake_up_that_was_not_waited_for_leaves_no_stale_entry(hub: str) -> None:
    out = run_script(
        """
        import gevent
        from hubkit import waits
        future, right, calls = hubkit.Future(), waits._Ends._has_wanted, []
        def _has_wanted(self):
            calls.append(None)
            if len(calls) == 2:  # once its ticket is published
                thread = threading.Thread(target=future.set_result, args=(1,))
                thread.start(), thread.join()
            return right(self)
        waits._Ends._has_wanted = _has_wanted
        print(future in hubkit.wait([future]).done)
        gevent.sleep(0.05)
        print("slept")
        """,
        hub,
    )
    assert out == "True\nslept\n"


@on_gevent
def test_a_task_of_the_hosts_cannot_yield_for_ever_on_a_closed_hub(hub: str) -> None:
    out = run_script(
        """
        import gevent
        closed = []
        def hosted():
            hubkit.sleep(0)
            while not closed:
                gevent.sleep(0.001)
            try:
                while True:
                    hubkit.sleep(0)
            except errors.Closed:
                return "Closed"
        task = gevent.spawn(hosted)
        hubkit.run(lambda: hubkit.sleep(0.01))
        closed.append(True)
        print(task.get(timeout=20))
        """,
        hub,
    )
    assert out == "Closed\n"


@pytest.mark.parametrize("does", ["raises", "yields", "waits"])
@on_loops
def test_whatever_a_handler_does_in_a_yield_later_ones_let_each_run_once(hub: str, does: str) -> None:
    out = run_script(
        f"""
        log, stop = [], []
        def other(name):
            while not stop:
                log.append(name)
                hubkit.sleep(0)
        def raises():
            raise KeyboardInterrupt
        def yields():
            hubkit.sleep(0)
        def waits():
            spawn(bool).join()
        for name in "abc":
            spawn(other, name)
        hubkit.sleep(0)
        handlers.append({does})
        try:
            hubkit.sleep(0)
        except KeyboardInterrupt:
            pass
        hubkit.sleep(0)
        for turn in range(3):
            del log[:]
            hubkit.sleep(0)
            print(*sorted(log))
        stop.append(True)
        """,
        hub,
        prelude=INTERRUPTED,
    )
    assert out == "a b c\n" * 3


@pytest.mark.parametrize("hub", ["native"])
def test_a_signal_handler_may_fork_in_the_middle_of_a_yield(hub: str) -> None:
    out = run_script(
        """
        pids = []
        spawn(hubkit.sleep, 0)
        handlers.append(lambda: pids.append(os.fork()))
        current_hub()._new_slice()
        hubkit.sleep(0)
        if not pids[0]:
            hubkit.sleep(0.001)
            print("child", flush=True)
            os._exit(0)
        print("exit", os.waitpid(pids[0], 0)[1])
        """,
        hub,
        prelude=INTERRUPTED,
    )
    assert out == "child\nexit 0\n"


@pytest.mark.parametrize("hub", ["virtual"])
def test_what_a_thread_wakes_just_when_a_steered_task_yields_to_nobody_is_not_lost(hub: str) -> None:
    out = run_script(
        """
        from collections import deque
        class First:
            time_passes = False
            def next(self, ready, timers): return 0
            def preempt(self, task, ready, timers): return 0
        class Late(deque):
            def __len__(self):
                length = super().__len__()
                if not length and late:
                    thread = threading.Thread(target=late.pop())
                    thread.start(), thread.join()
                return length
        hub, event = current_hub(), hubkit.Event()
        hub.steer(First())
        task, late = spawn(event.wait), []
        hubkit.sleep(0)
        hub._ready = Late(hub._ready)
        hub.upcoming = hub._next_entries()
        late.append(event.set)
        hubkit.sleep(0)
        print(task.join(5))
        """,
        hub,
    )
    assert out == "True\n"


@on_loops
def test_a_yield_is_over_when_its_turn_has_come_also_next_to_a_task_that_queued_up(hub: str) -> None:
    out = run_script(
        """
        log = []
        def late():
            current_hub()._queue_up(current_task())  # as a yield at the end of a slice does
            log.append("late")
        def spin(name):
            for _ in range(3):
                log.append(name)
                hubkit.sleep(0)
        tasks = [spawn(late), spawn(spin, "a"), spawn(spin, "b")]
        print(all(task.join(5) for task in tasks), *log)
        """,
        hub,
    )
    assert out == "True a b late a b a b\n"


@on_loops
def test_a_task_that_is_due_waits_for_few_of_those_that_compute_for_long(hub: str) -> None:
    out = run_script(
        """
        def spin():
            while not over.is_set():
                began.append(None)
                end = time.monotonic() + 0.01
                while time.monotonic() < end:
                    pass
                hubkit.sleep(0)
        over, began = hubkit.Event(), []
        spinners = [spawn(spin) for _ in range(2)]
        for _ in range(3):
            hubkit.sleep(0.001)
        over.set()
        print(all(task.join(5) for task in spinners), len(began) <= 24, len(began))
        """,
        hub,
    )
    assert out.startswith("True True "), out


#: Signal handlers that wait while tasks begin and end around them.
WAITING_HANDLER = """
def interrupted():
    if not inside and current_task() is not None:
        inside.append(1)
        {}
        inside.clear()
        came.append(1)
inside, came = [], []
spawn(int).join()  # the hub is there
signal.signal(signal.SIGALRM, lambda *_: interrupted())
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0007)
end, lost = time.monotonic() + 30, []
while len(came) < 200 and not lost and time.monotonic() < end:
    tasks = [spawn(hubkit.checkpoint) for _ in range(20)]
    lost = [task for task in tasks if not task.join(5)]
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(came) >= 200, lost)
"""


@on_loops
@pytest.mark.parametrize("wait", ["hubkit.checkpoint()", "hubkit.sleep(0.0001)"])
def test_a_signal_handler_may_wait_where_tasks_begin_and_end(hub: str, wait: str) -> None:
    assert run_script(WAITING_HANDLER.format(wait), hub) == "True []\n"


@on_loops
def test_a_signal_handler_that_comes_between_two_tasks_of_a_worker_is_in_nobodys_task(hub: str) -> None:
    out = run_script(
        """
        crew = current_hub()._crew
        seen = []
        class Idle(list):
            "A signal comes when a worker has been found for a task that has not begun."
            def append(self, worker):
                seen.append(current_task())
                super().append(worker)
            def pop(self):
                worker = super().pop()
                worker.resume = Between(worker)
                return worker
        class Between:
            def __init__(self, worker):
                self.worker, self.right = worker, worker.resume
            def __call__(self):
                seen.append(self.worker.hubkit_task)
                self.worker.resume = self.right
                return self.right()
        spawn(int).join()
        crew.idle = current_hub()._idle = Idle(crew.idle)
        print(spawn(int).join(5), all(task is None for task in seen), len(seen) > 0)
        """,
        hub,
    )
    assert out == "True True True\n"


@on_loops
def test_an_interrupt_before_the_first_step_of_a_task_does_not_lose_the_task(hub: str) -> None:
    out = run_script(
        """
        from hubkit.callbacks import Callbacks
        from hubkit.tasks import Task
        def interrupted(cls):
            right, interrupts = cls.run, [KeyboardInterrupt]
            def run(self):
                if interrupts:
                    raise interrupts.pop()
                right(self)
            cls.run = run
        def caught(wait):
            try:
                wait(5)
            except KeyboardInterrupt:
                return True
        interrupted(Task)
        task = spawn(int)
        print(caught(task.join), task.result(5))
        interrupted(Callbacks)
        called = hubkit.Event()
        current_hub().call_soon(called.set)
        print(caught(called.wait), called.wait(5))
        """,
        hub,
    )
    assert out == "True 0\nTrue True\n"
