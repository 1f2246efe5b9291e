"""LoopHub on each of its hosts: what broke simpler schedulers (each test names its trap)."""

from __future__ import annotations

import importlib.util

import pytest
from scripts import LOOP_HUBS, run_script

NEEDS = {
    "gevent": ("gevent",),
    "gevent-libuv": ("gevent", "cffi"),
    "eventlet": ("eventlet",),
    "uvloop": ("uvloop",),
    "twisted": ("twisted",),
}


def _installed(hub: str) -> bool:
    return all(importlib.util.find_spec(name) for name in NEEDS.get(hub, ()))


def _params(*hubs: str) -> list[object]:
    return [
        pytest.param(
            hub,
            marks=pytest.mark.skipif(
                not _installed(hub),
                reason=f"{' and '.join(NEEDS.get(hub, ()))} not installed: pip install 'hubkit[all]'",
            ),
        )
        for hub in hubs
    ]


every_hub = pytest.mark.parametrize("hub", _params(*LOOP_HUBS))
guests = pytest.mark.parametrize("hub", _params("gevent", "gevent-libuv", "eventlet"))
on_gevent = pytest.mark.parametrize("hub", _params("gevent", "gevent-libuv"))
on_native = pytest.mark.parametrize("hub", _params("native"))


@on_gevent
def test_t1_a_kill_leaves_no_stale_wake_up_behind(hub: str) -> None:
    out = run_script(
        """
        import gevent
        tickets, log = [], []
        class Place:
            def _withdraw(self, ticket): pass
            def _undo(self, outcome): log.append(outcome)
        def victim():
            tickets.append(own_ticket())
            try:
                wait(tickets[0], None, Place())
            except gevent.GreenletExit:
                log.append("killed")
            gevent.sleep(0.01)  # a stale entry of the ring would be switched into this
            return "alive"
        task = spawn(victim)
        let_run(); gevent.sleep(0); gevent.sleep(0)
        gevent.get_hub().loop.run_callback(task.carrier.throw, gevent.GreenletExit)
        task.hub.fire(tickets[0], "handed over")
        gevent.sleep(0)  # the loop throws before it gives the guest its turn
        print(task.result(5), log)
        """,
        hub,
    )
    assert out == "alive ['handed over', 'killed']\n"


@every_hub
def test_t1_a_signal_handler_that_raises_leaves_no_stale_wake_up(hub: str) -> None:
    out = run_script(
        """
        class Boom(Exception): pass
        def boom(*_): raise Boom
        signal.signal(signal.SIGALRM, boom)
        ticket = own_ticket()
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            wait(ticket, 5)
        except BaseException as error:
            print(type(error).__name__)
        ticket.task.hub.fire(ticket, "late")
        print(park(0.02))
        """,
        hub,
    )
    # eventlet prints and drops what a handler raises in its loop: there the wait just goes on.
    assert out.splitlines()[-1] == "TIMED_OUT"


@every_hub
def test_t7_callbacks_run_in_hub_context_of_nobody(hub: str) -> None:
    out = run_script(
        """
        import contextvars
        variable = contextvars.ContextVar("variable", default="outer")
        seen = []
        def callback():
            seen.append((current_task(), sys.exc_info()[0], variable.get()))
            try:
                park()
            except errors.WrongContext:
                seen.append("may not wait")
        variable.set("mine")
        current_hub().call_soon(callback)
        try:
            raise ValueError
        except ValueError:
            variable.set("later")
            park(0.05)
        print(seen)
        """,
        hub,
    )
    assert out == "[(None, None, 'mine'), 'may not wait']\n"


@every_hub
def test_t7_ctrl_c_reaches_main_while_another_task_polls(hub: str) -> None:
    out = run_script(
        """
        task = spawn(park, 30)
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            park(30)
        except KeyboardInterrupt:
            print("main", task.done())
        task.cancel()
        """,
        hub,
    )
    assert out == "main False\n"


@every_hub
def test_t7_keyboard_interrupt_of_a_task_goes_to_main(hub: str) -> None:
    out = run_script(
        """
        def interrupted():
            raise KeyboardInterrupt
        spawn(interrupted)
        try:
            park(30)
        except KeyboardInterrupt:
            print("main")
        """,
        hub,
    )
    assert out == "main\n"


@on_gevent
def test_t8_nothing_of_a_task_is_left_on_its_worker_gevent(hub: str) -> None:
    out = run_script(
        """
        import gevent, gevent.local
        local = gevent.local.local()
        def leave_local(): local.user = "alice"
        def leave_timeout(): gevent.Timeout(0.05).start()
        def leave_attribute():
            import greenlet
            greenlet.getcurrent().mark = 1
        def look():
            import greenlet
            gevent.sleep(0.1)
            return getattr(local, "user", None), hasattr(greenlet.getcurrent(), "mark")
        for leave in (leave_local, leave_timeout, leave_attribute):
            spawn(leave).join()
            print(spawn(look).result())
        """,
        hub,
    )
    assert out == "(None, False)\n" * 3


@pytest.mark.parametrize("hub", _params("eventlet"))
def test_t8_nothing_of_a_task_is_left_on_its_worker_eventlet(hub: str) -> None:
    out = run_script(
        """
        import eventlet, eventlet.corolocal
        local = eventlet.corolocal.local()
        def leave_local(): local.user = "alice"
        def leave_timeout(): eventlet.Timeout(0.05)
        def look():
            eventlet.sleep(0.1)
            return getattr(local, "user", None)
        for leave in (leave_local, leave_timeout):
            spawn(leave).join()
            print(spawn(look).result())
        """,
        hub,
    )
    assert out == "None\nNone\n"


@every_hub
def test_t8_a_clean_worker_carries_the_next_task(hub: str) -> None:
    out = run_script(
        """
        import greenlet
        def which(): return id(greenlet.getcurrent())
        def waits():
            let_run(1)
            return which()
        print(len({spawn(which).result() for _ in range(50)}))
        for _ in range(20):
            seen = {task.result() for task in [spawn(waits) for _ in range(10)]}
        print(len(list(current_hub()._crew)) <= 12)
        """,
        hub,
    )
    assert out == "1\nTrue\n"


@on_gevent
def test_t9_the_guest_keeps_the_loop_alive_only_while_it_must(hub: str) -> None:
    out = run_script(
        """
        import gevent
        reader, writer = os.pipe()
        def readable():
            ticket = own_ticket()
            current_hub().arm_fd(reader, "read", ticket)
            return wait(ticket)
        task = spawn(readable)
        threading.Timer(0.1, os.write, (writer, b"x")).start()
        print(task.result(5))  # no LoopExit: a descriptor may still wake us
        task = spawn(park)
        let_run()
        print(gevent.wait(timeout=5))  # the loop may end: nothing can wake the parked task
        try:
            gevent.get_hub().switch()
        except gevent.exceptions.LoopExit:
            print("LoopExit")
        """,
        hub,
    )
    assert out == "WOKEN\nTrue\nLoopExit\n"


@every_hub
def test_t10_a_greenlet_of_a_task_may_not_wait(hub: str) -> None:
    out = run_script(
        """
        import greenlet
        def raw():
            try:
                park(1)
            except errors.WrongContext as error:
                return "hubkit.spawn()" in str(error)
        print(greenlet.greenlet(raw).switch())
        print(spawn(lambda: greenlet.greenlet(raw).switch()).result())
        """,
        hub,
    )
    assert out == "True\nTrue\n"


@guests
def test_t10_the_hosts_own_tasks_are_adopted(hub: str) -> None:
    out = run_script(
        """
        def hosted():
            me = current_task()
            return spawn(lambda: 42).result(), me is current_task()
        if os.environ["HUBKIT_BACKEND"] == "gevent":
            import gevent
            print(gevent.spawn(hosted).get(timeout=5))
        else:
            import eventlet
            print(eventlet.spawn(hosted).wait())
        """,
        hub,
    )
    assert out == "(42, True)\n"


@guests
def test_t12_a_task_back_from_a_host_wait_is_noticed(hub: str) -> None:
    out = run_script(
        """
        if os.environ["HUBKIT_BACKEND"] == "gevent":
            from gevent import sleep
        else:
            from eventlet import sleep
        def hosted(n):
            sleep(0.01)
            child = spawn(lambda: n)
            sleep(0.01)
            return child.result(5)
        print([task.result(5) for task in [spawn(hosted, n) for n in range(3)]])
        """,
        hub,
    )
    assert out == "[0, 1, 2]\n"


@guests
def test_cancel_and_timeout_reach_a_wait_of_the_host(hub: str) -> None:
    out = run_script(
        """
        from hubkit.timeouts import timeout
        if os.environ["HUBKIT_BACKEND"] == "gevent":
            from gevent import sleep
        else:
            from eventlet import sleep
        def limited():
            try:
                with timeout(0.05):
                    sleep(30)
            except TimeoutError:
                return "timed out"
        print(spawn(limited).result(20))
        def endless():
            sleep(30)
        task = spawn(endless)
        let_run()
        task.cancel()
        print(task.join(20), task.cancelled())
        """,
        hub,
    )
    assert out == "timed out\nTrue True\n"


@pytest.mark.parametrize("hub", _params("native", "gevent", "gevent-libuv"))
def test_t13_deadlock_names_who_waits(hub: str) -> None:
    out = run_script(
        """
        def stuck(): park()
        task = spawn(stuck)
        try:
            task.join()
        except errors.Deadlock as error:
            print("stuck" in str(error))
        """,
        hub,
    )
    assert out == "True\n"


@pytest.mark.parametrize("hub", _params("native", "gevent", "gevent-libuv"))
def test_t13_no_deadlock_while_a_thread_or_handler_may_wake(hub: str) -> None:
    out = run_script(
        """
        ticket = own_ticket()
        threading.Timer(0.1, lambda: ticket.task.hub.fire(ticket, "thread")).start()
        print(wait(ticket))
        ticket = own_ticket()
        signal.signal(signal.SIGALRM, lambda *_: ticket.task.hub.fire(ticket, "handler"))
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        print(wait(ticket))
        """,
        hub,
    )
    assert out == "thread\nhandler\n"


@pytest.mark.parametrize("hub", _params("native", "gevent", "gevent-libuv"))
def test_t13_the_task_on_whose_stack_a_deadlock_was_seen_is_woken_as_any_other(hub: str) -> None:
    out = run_script(
        """
        def both(first, second):
            with first:
                hubkit.checkpoint()
                with second:
                    pass

        def main():
            one, other = hubkit.Lock(), hubkit.Lock()
            a, b = spawn(both, one, other), spawn(both, other, one)
            a.join()

        try:
            hubkit.run(main, grace=None)
        except errors.Deadlock as error:
            print(str(error).count("in Lock.acquire() of"))
        """,
        hub,
    )
    assert out == "2\n"


@pytest.mark.parametrize("hub", _params("native"))
def test_t13_no_deadlock_while_a_thread_is_about_to_tell_the_end_of_its_job(hub: str) -> None:
    """Counted as idle by then, so that a job started in return finds it."""
    out = run_script(
        """
        from hubkit.worker_threads import run_in_thread

        event = hubkit.Event()

        def tell(value, error):
            time.sleep(0.1)
            event.set()

        def main():
            run_in_thread(lambda: time.sleep(0.1), tell)
            print(event.wait())

        hubkit.run(main)
        """,
        hub,
    )
    assert out == "True\n"


@every_hub
def test_t14_a_signal_handler_is_noticed_at_once(hub: str) -> None:
    out = run_script(
        """
        ticket = own_ticket()
        signal.signal(signal.SIGALRM, lambda *_: ticket.task.hub.fire(ticket, "handler"))
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        begin = time.monotonic()
        print(wait(ticket, 30), time.monotonic() - begin < 5)
        """,
        hub,
    )
    assert out == "handler True\n"


@on_native
def test_t14_somebody_elses_wakeup_fd_is_left_alone(hub: str) -> None:
    out = run_script(
        """
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        spawn(lambda: None).join()
        print(signal.set_wakeup_fd(-1) == writer)
        """,
        hub,
    )
    assert out == "True\n"


@on_native
def test_t15_a_forked_child_holds_only_the_task_that_forked(hub: str) -> None:
    out = run_script(
        """
        def bystander():
            try:
                park(0.3)
            finally:
                print("bystander", os.getpid() == parent, flush=True)
        def forker():
            pid = os.fork()
            if pid == 0:
                park(0.01)
                print("child", len(current_hub().tasks), flush=True)
                return
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        parent = os.getpid()
        task = spawn(bystander)
        let_run()
        print("exit", spawn(forker).result(20), flush=True)
        task.join()
        """,
        hub,
    )
    assert out == "child 1\nexit 0\nbystander True\n"


@every_hub
def test_t22_the_descriptors_of_a_thread_go_with_it(hub: str) -> None:
    out = run_script(
        """
        current_hub()
        def in_thread(): spawn(park, 0.001).join()
        def thread():
            t = threading.Thread(target=in_thread); t.start(); t.join()
        thread()
        gc.collect()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            thread()
        gc.collect()
        print(len(os.listdir("/proc/self/fd")) - before)
        """,
        hub,
    )
    assert out == "0\n"


@every_hub
def test_t23_depth_does_not_depend_on_the_first_verb(hub: str) -> None:
    out = run_script(
        """
        def depth(n=0):
            try:
                return depth(n + 1)
            except RecursionError:
                return n
        def deep(n, fn):
            return fn() if n == 0 else deep(n - 1, fn)
        first = deep(800, lambda: spawn(depth).result())
        print(first > 900, first == spawn(depth).result())
        """,
        hub,
    )
    assert out == "True True\n"


@every_hub
def test_t23_nested_starts_need_no_nested_stack(hub: str) -> None:
    out = run_script(
        """
        def nest(n):
            return spawn(nest, n - 1).result() if n else "bottom"
        print(spawn(nest, 500).result())
        """,
        hub,
    )
    assert out == "bottom\n"


@on_native
def test_t23_a_dead_starter_is_replaced(hub: str) -> None:
    out = run_script(
        """
        import greenlet
        def nest(n):
            return spawn(nest, n - 1).result() if n else "bottom"
        nest(3)
        starter = current_hub()._crew._starter
        starter.throw(greenlet.GreenletExit)
        print(starter.dead, nest(50))
        """,
        hub,
    )
    assert out == "True bottom\n"


@every_hub
def test_t24_tracebacks_begin_in_the_tasks_own_code(hub: str) -> None:
    out = run_script(
        """
        def fails(): raise ValueError("mine")
        error = spawn(fails).exception()
        print(error.__traceback__.tb_frame.f_code.co_name)
        """,
        hub,
    )
    assert out == "fails\n"


@every_hub
def test_t30_finding_a_hub_imports_no_host(hub: str) -> None:
    out = run_script(
        """
        from hubkit import registry
        for adapter in registry.adapters().values():
            adapter.detect()
        registry.available_hubs()
        print("gevent" in sys.modules, "eventlet" in sys.modules)
        """,
        hub,
    )
    assert out == "False False\n"


@guests
def test_neither_side_starves_the_other(hub: str) -> None:
    out = run_script(
        """
        if os.environ["HUBKIT_BACKEND"] == "gevent":
            import gevent
            sleep, start = gevent.sleep, gevent.spawn
        else:
            import eventlet
            sleep, start = eventlet.sleep, eventlet.spawn
        stop, ticks = [], []
        def spin():
            while not stop:
                current_hub().yield_now()
        def tick():
            for _ in range(20):
                sleep(0.005)
                ticks.append(1)
        spinners = [spawn(spin) for _ in range(10)]
        start(tick)
        while len(ticks) < 20:
            park(0.005)
        stop.append(1)
        print(all(task.join(20) for task in spinners))
        """,
        hub,
    )
    assert out == "True\n"


@pytest.mark.parametrize("hub", _params("eventlet"))
def test_eventlet_is_not_first_imported_in_a_thread(hub: str) -> None:
    out = run_script(
        """
        caught = []
        def in_thread():
            try:
                spawn(park)
            except errors.NotSupported as error:
                caught.append("main thread" in str(error))
        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()
        print(caught)
        """,
        hub,
    )
    assert out == "[True]\n"


@on_native
def test_a_wait_on_a_loop_that_has_ended_is_an_error_and_no_endless_loop(hub: str) -> None:
    out = run_script(
        """
        from greenlet import greenlet
        from hubkit.host import Host
        from hubkit.loop_hub import LoopHub
        from hubkit.running import end_tasks

        class Ended(Host):
            def __init__(self, hub):
                super().__init__(hub)
                self.loop = greenlet(lambda: None)
                self.loop.switch()
            loop_greenlet = property(lambda self: self.loop)
            def switch(self): self.loop.switch()
            def wake(self): pass
            def set_alarm(self, when): pass
            def watch(self, fd): pass
            def close(self): pass

        class EndedHub(LoopHub):
            name, capabilities, host_class = "ended", frozenset(), Ended

        hubkit.use("__main__:EndedHub")
        try:
            park()
        except errors.Closed as error:
            print(error)
        spawn(park)
        end_tasks([current_hub()], None)  # not for ever, without a grace time either
        current_hub().close()
        """,
        hub,
    )
    assert out == "the loop of the ended hub has ended: nothing could end this wait\n"


@on_gevent
def test_t13_a_thread_that_ends_without_a_word_is_waited_for_no_longer(hub: str) -> None:
    out = run_script(
        """
        threading.Thread(target=time.sleep, args=(0.2,)).start()  # it might wake somebody, and does not
        try:
            park()
        except errors.Deadlock:
            print("Deadlock")
        """,
        hub,
    )
    assert out == "Deadlock\n"
