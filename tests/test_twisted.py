"""The Twisted hub beside Twisted's own code: bridges, who runs the reactor, how it ends.

There is one reactor in a process and it runs once, so each test has a process of its own.
"""

from __future__ import annotations

import textwrap

import pytest
from scripts import run_script

pytest.importorskip("twisted", reason="twisted is not installed: pip install 'hubkit[twisted]'")

PRELUDE = """
import gc, os, signal, sys, threading, time, traceback, warnings
import hubkit
from hubkit import Closed, Event, NotSupported, Queue, current_task, move_on_after, sleep, spawn, timeout
from hubkit_twisted import await_, run_task
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, fail, inlineCallbacks, succeed
from twisted.internet.task import deferLater
from twisted.internet.threads import blockingCallFromThread, deferToThread
from twisted.logger import globalLogPublisher, formatEvent

logged = []
globalLogPublisher.addObserver(lambda event: logged.append(event) if event.get("log_failure") else None)

def complaints():
    gc.collect()
    return [repr(event["log_failure"].value) for event in logged]
"""

#: Twisted runs the program, a coroutine `main`, and stops when it has ended.
REACTOR_RUNS = """
def begin():
    def end(result):
        if result is not None:
            result.printTraceback(sys.stdout)
        reactor.stop()
    Deferred.fromCoroutine(main()).addBoth(end)
reactor.callWhenRunning(begin)
reactor.run()
"""

#: hubkit runs the program, a function `main`.
HUBKIT_RUNS = """
hubkit.run(main)
"""


def run(code: str, life: str = "", before: str = "", **variables: str) -> list[str]:
    program = textwrap.dedent(code) + life
    return run_script(program, "twisted", prelude=f"{before}\n{PRELUDE}", **variables).splitlines()


# -- run_task: from Twisted's code into hubkit's ---------------------------------------------------------


def test_a_deferred_fires_with_what_the_task_returns() -> None:
    out = run(
        """
        def work(a, b):
            queue = Queue()
            hubkit.spawn_later(0.001, queue.put, a)
            return queue.get() + hubkit.to_thread(int, b), current_task() is not None

        async def main():
            print(await run_task(work, 1, b="2"), current_task())
        """,
        REACTOR_RUNS,
    )
    assert out == ["(3, True) None"]


def test_a_deferred_that_the_task_returns_is_waited_for() -> None:
    out = run(
        """
        async def main():
            print(await run_task(deferLater, reactor, 0.001, lambda: "late"))
        """,
        REACTOR_RUNS,
    )
    assert out == ["late"]


def test_an_error_crosses_with_its_traceback_and_is_logged_by_nobody_else() -> None:
    out = run(
        """
        import logging; logging.basicConfig(stream=sys.stdout)
        def culprit():
            sleep(0.001)
            raise KeyError("lost")
        async def main():
            try:
                await run_task(culprit)
            except KeyError as error:
                print(error, "culprit" in [frame.name for frame in traceback.extract_tb(error.__traceback__)])
            print(complaints())
        """,
        REACTOR_RUNS,
    )
    assert out == ["'lost' True", "[]"]


def test_an_error_that_nobody_looks_at_is_reported_by_twisted() -> None:
    out = run(
        """
        async def main():
            run_task(lambda: 1 / 0)
            await run_task(int)  # which ends after it
            await deferLater(reactor, 0)  # until then the reactor holds the first Deferred
            print(complaints())
        """,
        REACTOR_RUNS,
    )
    assert out == ["[\"ZeroDivisionError('division by zero')\"]"]


def test_a_cancelled_deferred_cancels_the_task_and_fires_when_it_has_ended() -> None:
    out = run(
        """
        def work():
            try:
                sleep(3600)
            finally:
                sleep(0.01)
                print("cleaned up")
        async def main():
            deferred = run_task(work)
            await deferLater(reactor, 0.001)
            deferred.cancel()
            print("asked")
            try:
                await deferred
            except CancelledError as error:
                print("cancelled", "work" in str(error))
        """,
        REACTOR_RUNS,
    )
    assert out == ["asked", "cleaned up", "cancelled True"]


def test_a_task_that_finishes_in_spite_of_a_cancel_is_heard() -> None:
    out = run(
        """
        def work():
            try:
                sleep(3600)
            except hubkit.Cancelled:
                return "finished all the same"
        async def main():
            deferred = run_task(work)
            await deferLater(reactor, 0.001)
            deferred.cancel()
            print(await deferred)
        """,
        REACTOR_RUNS,
    )
    assert out == ["finished all the same"]


def test_a_second_cancel_is_a_new_request() -> None:
    out = run(
        """
        def work():
            for _ in range(2):
                try:
                    sleep(3600)
                except hubkit.Cancelled:
                    print("asked")
        async def main():
            deferred = run_task(work)
            for _ in range(2):
                await deferLater(reactor, 0.01)
                deferred.cancel()
            print(await deferred)
        """,
        REACTOR_RUNS,
    )
    assert out == ["asked", "asked", "None"]


def test_a_deferred_of_a_task_that_somebody_else_cancels_fails() -> None:
    out = run(
        """
        tasks = []
        def work():
            tasks.append(current_task())
            sleep(3600)
        async def main():
            deferred = run_task(work)
            await deferLater(reactor, 0.001)
            tasks[0].cancel()
            try:
                await deferred
            except hubkit.TaskCancelled:
                print("not by us")
        """,
        REACTOR_RUNS,
    )
    assert out == ["not by us"]


def test_a_task_that_never_started_ends_its_deferred() -> None:
    out = run(
        """
        async def main():
            deferred = run_task(print, "never")
            deferred.cancel()
            try:
                await deferred
            except CancelledError:
                print("cancelled")
        """,
        REACTOR_RUNS,
    )
    assert out == ["cancelled"]


def test_run_task_says_what_is_wrong() -> None:
    out = run(
        """
        try:
            run_task("no function")
        except TypeError as error:
            print(error)
        def elsewhere():
            try:
                run_task(int)
            except NotSupported as error:
                print("blockingCallFromThread" in str(error))
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        """
    )
    assert out == ["run_task() takes a function and its arguments, not 'no function'", "True"]


def test_another_thread_gets_at_the_reactors_tasks() -> None:
    out = run(
        """
        def elsewhere():
            return blockingCallFromThread(reactor, run_task, lambda: sleep(0.001) or "from a task")
        async def main():
            print(await deferToThread(elsewhere))
        """,
        REACTOR_RUNS,
    )
    assert out == ["from a task"]


# -- await_: from hubkit's code into Twisted's ------------------------------------------------------------


def test_a_task_waits_for_a_deferred_while_others_run() -> None:
    out = run(
        """
        def main():
            ticks = []
            def tick():
                while True:
                    ticks.append(sleep(0.001))
            ticker = spawn(tick)
            print(await_(deferLater(reactor, 0.05, lambda: "fired")), len(ticks) > 3)
            ticker.cancel()
            print(await_(succeed("at once")), await_(deferToThread(lambda: "in a thread")))
        """,
        HUBKIT_RUNS,
    )
    assert out == ["fired True", "at once in a thread"]


def test_a_deferred_that_has_fired_is_not_waited_for() -> None:
    out = run(
        """
        def main():
            other = spawn(print, "another task")
            print(await_(succeed("no switch")))
            other.join()
        """,
        HUBKIT_RUNS,
    )
    assert out == ["no switch", "another task"]


def test_a_failure_is_raised_with_its_traceback_and_is_taken() -> None:
    out = run(
        """
        def culprit():
            raise KeyError("lost")
        def main():
            for deferred in deferLater(reactor, 0.001, culprit), fail(KeyError("before")):
                try:
                    await_(deferred)
                except KeyError as error:
                    frames = traceback.extract_tb(error.__traceback__)
                    print(error, "culprit" in [frame.name for frame in frames])
            del deferred
            print(complaints())
        """,
        HUBKIT_RUNS,
    )
    assert out == ["'lost' True", "'before' False", "[]"]


def test_a_coroutine_runs_in_the_reactor_and_not_in_the_task() -> None:
    out = run(
        """
        async def coroutine():
            tasks = [current_task()]
            await deferLater(reactor, 0.001)
            return [*tasks, current_task()]
        def main():
            print(await_(coroutine()), current_task() is not None)
        """,
        HUBKIT_RUNS,
    )
    assert out == ["[None, None] True"]


def test_a_coroutine_sees_the_callers_context() -> None:
    out = run(
        """
        import contextvars
        variable = contextvars.ContextVar("variable", default="lost")
        async def coroutine():
            await deferLater(reactor, 0.001)
            return variable.get(), await run_task(variable.get)
        def main():
            variable.set("the task's")
            print(await_(coroutine()))
        """,
        HUBKIT_RUNS,
    )
    assert out == ['("the task\'s", "the task\'s")']


def test_tasks_and_futures_can_be_awaited() -> None:
    out = run(
        """
        async def main():
            future = hubkit.Future()
            print(await spawn(lambda: sleep(0.001) or "a task"))
            hubkit.spawn_later(0.001, future.set_result, "a future")
            print(await future, await future)
            deferred = Deferred.fromCoroutine(wait_for(hubkit.Future()))
            await deferLater(reactor, 0.001)
            deferred.cancel()
            print(await deferred)
        async def wait_for(future):
            try:
                await future
            except CancelledError:
                return future.done()
        """,
        REACTOR_RUNS,
    )
    assert out == ["a task", "a future a future", "False"]


def test_tasks_and_coroutines_call_each_other_to_and_fro() -> None:
    out = run(
        """
        async def down(depth):
            return [depth, *await run_task(call, depth - 1)] if depth else [0]
        def call(depth):
            sleep(0)
            return await_(down(depth))
        async def main():
            print(await down(5))
        """,
        REACTOR_RUNS,
    )
    assert out == ["[5, 4, 3, 2, 1, 0]"]


def test_several_tasks_wait_for_one_deferred() -> None:
    out = run(
        """
        def main():
            deferred = Deferred()
            tasks = [spawn(await_, deferred) for _ in range(3)]
            hubkit.checkpoint()
            deferred.callback("for all")
            print([task.result() for task in tasks])
        """,
        HUBKIT_RUNS,
    )
    assert out == ["['for all', 'for all', 'for all']"]


def test_a_cancel_crosses_into_the_deferred() -> None:
    out = run(
        """
        def main():
            deferred = Deferred(lambda _: print("the canceller runs, in", current_task()))
            task = spawn(await_, deferred)
            sleep(0.001)
            task.cancel()
            task.join()
            print(task.cancelled(), complaints())
        """,
        HUBKIT_RUNS,
    )
    assert out == ["the canceller runs, in None", "True []"]


def test_a_timeout_crosses_and_waits_for_the_clean_up() -> None:
    out = run(
        """
        @inlineCallbacks
        def slow():
            try:
                yield Deferred()
            finally:
                yield deferLater(reactor, 0.02)
                print("cleaned up")
        def main():
            try:
                with timeout(0.01):
                    await_(slow())
            except TimeoutError:
                print("too late")
        """,
        HUBKIT_RUNS,
    )
    assert out == ["cleaned up", "too late"]


def test_a_value_that_comes_in_spite_of_a_cancel_is_not_lost() -> None:
    out = run(
        """
        @inlineCallbacks
        def stubborn():
            try:
                yield Deferred()
            except CancelledError:
                yield deferLater(reactor, 0.001)
            return "a value"
        def work(trace):
            trace.append(await_(stubborn()))
            sleep(0)
        def main():
            trace = []
            task = spawn(work, trace)
            sleep(0.001)
            task.cancel()
            task.join()
            print(trace, task.cancelled())
            with move_on_after(0.01) as scope:
                print(await_(stubborn()))
                sleep(0)
                print("never")
            print(scope.expired)
        """,
        HUBKIT_RUNS,
    )
    assert out == ["['a value'] True", "a value", "True"]


def test_a_coroutine_that_has_not_begun_is_cancelled_in_silence() -> None:
    out = run(
        """
        warnings.simplefilter("error")
        async def coroutine():
            print("never")
        def main():
            current_task().cancel()
            try:
                await_(coroutine())
            except hubkit.Cancelled:
                gc.collect()
                print("cancelled")
        """,
        HUBKIT_RUNS,
    )
    assert out == ["cancelled"]


def test_who_is_asked_again_leaves_a_deferred_that_does_not_end() -> None:
    out = run(
        """
        stubborn = Deferred()
        @inlineCallbacks
        def slow():
            try:
                yield Deferred()
            except CancelledError:
                yield stubborn
            raise KeyError("late")
        def main():
            task = spawn(await_, slow())
            for _ in range(2):
                sleep(0.01)
                task.cancel()
            task.join()
            print(task.cancelled())
            stubborn.callback(None)  # what comes of it now is nobody's, so Twisted tells
            del task
            sleep(0.01)
            print(complaints())
        """,
        HUBKIT_RUNS,
    )
    assert out == ["True", "[\"KeyError('late')\"]"]


def test_somebody_elses_cancel_is_an_ordinary_error() -> None:
    out = run(
        """
        def main():
            deferred = Deferred()
            task = spawn(await_, deferred)
            hubkit.checkpoint()
            deferred.cancel()
            print(type(task.exception()).__name__, task.cancelled())
        """,
        HUBKIT_RUNS,
    )
    assert out == ["CancelledError False"]


def test_await_says_what_is_wrong() -> None:
    out = run(
        """
        def attempt(what):
            try:
                await_(what)
            except Exception as error:
                print(type(error).__name__, "`await`" in str(error), "blockingCallFromThread" in str(error))
        async def main():
            attempt(7)
            attempt(Deferred())
            await deferToThread(attempt, Deferred())
        """,
        REACTOR_RUNS,
    )
    assert out == ["TypeError False False", "WrongContext True False", "NotSupported False True"]


# -- the application runs the reactor ----------------------------------------------------------------------


def test_the_hub_is_found_in_a_running_reactor_and_only_there() -> None:
    out = run(
        """
        import hubkit_twisted
        del os.environ["HUBKIT_BACKEND"]
        print(hubkit_twisted.detect())
        async def main():
            print(hubkit_twisted.detect(), await deferToThread(hubkit_twisted.detect))
            print(await run_task(lambda: hubkit.current_hub().name))
        """,
        REACTOR_RUNS,
    )
    assert out == ["False", "True False", "twisted"]


def test_detection_alone_finds_it() -> None:
    out = run(
        """
        from hubkit import registry
        del os.environ["HUBKIT_BACKEND"]
        async def main():
            done = Deferred()
            spawn(lambda: sleep(0.001) or reactor.callFromThread(done.callback, registry.chosen()))
            print(await done)
        """,
        REACTOR_RUNS,
    )
    assert out == ["twisted"]


def test_detection_imports_nothing() -> None:
    script = """
        import sys, hubkit, hubkit_twisted
        print(hubkit_twisted.detect(), "twisted" in sys.modules)
        """
    assert run_script(script, "twisted", prelude="") == "False False\n"


def test_tasks_spawned_before_the_reactor_runs_wait_for_it() -> None:
    out = run(
        """
        hubkit.Lock().acquire()  # the caller is the main task so far
        print(current_task() is hubkit.current_hub().main)
        spawn(lambda: sleep(0.001) or print("a task, beside", hubkit.current_hub().main))
        deferred = run_task(sleep, 0.002)
        async def main():
            print("reactor", current_task())
            await deferred
        """,
        REACTOR_RUNS,
    )
    assert out == ["True", "reactor None", "a task, beside None"]


def test_a_callback_must_not_wait_and_is_told_what_to_type() -> None:
    out = run(
        """
        async def main():
            for verb in (lambda: sleep(1), Event().wait, hubkit.checkpoint):
                try:
                    verb()
                except hubkit.WrongContext as error:
                    print("hubkit_twisted.run_task(fn, …)" in str(error))
        """,
        REACTOR_RUNS,
    )
    assert out == ["True"] * 3


def test_when_the_reactor_stops_tasks_are_ended_and_waited_for() -> None:
    out = run(
        """
        def cleaning():
            try:
                sleep(3600)
            finally:
                sleep(0.01)
                print("cleaned up")
        async def main():
            for _ in range(2):
                spawn(cleaning)
            await deferLater(reactor, 0.01)
            reactor.addSystemEventTrigger("during", "shutdown", print, "shutdown")
        """,
        REACTOR_RUNS + "print('after the reactor')\n",
    )
    assert out == ["cleaned up", "cleaned up", "shutdown", "after the reactor"]


def test_after_the_reactor_nothing_waits_and_nothing_hangs() -> None:
    out = run(
        """
        async def main():
            await run_task(sleep, 0.001)
        """,
        REACTOR_RUNS
        + textwrap.dedent(
            """
            for verb, argument in (sleep, 1), (spawn, int), (run_task, int), (hubkit.run, int):
                try:
                    verb(argument)
                except NotSupported as error:
                    print("cannot be started again" in str(error))
            """
        ),
    )
    assert out == ["True"] * 4


SIGNAL_IN_A_TURN = """
class FromHandler(Exception): pass
def raise_in_the_next_turn():
    poller = hubkit.current_hub().poller
    poll = poller.poll
    def interrupted(*args):  # as by a signal handler, which may run between any two lines
        poller.poll = poll
        raise FromHandler
    poller.poll = interrupted
def pipe():
    reader, writer = os.pipe()
    reactor.callLater(0.01, os.write, writer, b"x")
    return reader
"""


def test_what_a_signal_handler_raises_in_a_turn_does_not_cut_the_guest_off() -> None:
    out = run(
        SIGNAL_IN_A_TURN
        + textwrap.dedent(
            """
            async def main():
                await run_task(raise_in_the_next_turn)
                for _ in range(2):
                    await run_task(lambda: hubkit.wait_readable(pipe(), 5))
                print("fine", complaints())
            """
        ),
        REACTOR_RUNS,
    )
    assert out == ["fine ['FromHandler()']"]


# -- hubkit runs the reactor -------------------------------------------------------------------------------


def test_what_a_signal_handler_raises_in_a_turn_goes_to_the_main_task() -> None:
    out = run(
        SIGNAL_IN_A_TURN
        + textwrap.dedent(
            """
            def main():
                raise_in_the_next_turn()
                bystander = spawn(lambda: hubkit.wait_readable(pipe(), 5))
                try:
                    sleep(5)
                except FromHandler:
                    print("main")
                bystander.result()
                print("fine", complaints())
            """
        ),
        HUBKIT_RUNS,
    )
    assert out == ["main", "fine []"]


def test_ctrl_c_in_a_callback_of_twisteds_reaches_the_main_task() -> None:
    out = run(
        """
        def main():
            def callback():
                os.kill(os.getpid(), signal.SIGINT)
                print("the callback goes on")
            reactor.callLater(0.001, callback)
            bystander = spawn(sleep, 0.05)
            try:
                sleep(30)
            except KeyboardInterrupt:
                print("main")
            bystander.result()
            print(complaints())
        """,
        HUBKIT_RUNS,
    )
    assert out == ["the callback goes on", "main", "[]"]


def test_signal_handlers_of_the_program_stay() -> None:
    out = run(
        """
        mine = lambda *_: None
        signal.signal(signal.SIGTERM, mine)
        def main():
            sleep(0.001)
            print(signal.getsignal(signal.SIGTERM) is mine)
            signal.signal(signal.SIGINT, mine)
        hubkit.run(main)
        print(signal.getsignal(signal.SIGINT) is mine)
        """
    )
    assert out == ["True", "True"]


def test_processes_that_twisted_starts_are_seen_to_end() -> None:
    out = run(
        """
        from twisted.internet.utils import getProcessOutput
        def main():
            print(await_(getProcessOutput(sys.executable, ["-c", "print('child')"])))
        """,
        HUBKIT_RUNS,
    )
    assert out == ["b'child\\n'"]


def test_the_reactor_lives_on_between_two_runs_and_stops_at_exit() -> None:
    out = run(
        """
        reactor.addSystemEventTrigger("during", "shutdown", print, "shutdown")
        def main():
            print(await_(deferLater(reactor, 0.001, lambda: "fired")))
            reactor.callLater(0, print, "a call of the first run")
        hubkit.run(main)
        print(hubkit.run(lambda: sleep(0.001) or reactor.running))
        print("end of the program")
        """
    )
    assert out == ["fired", "a call of the first run", "True", "end of the program", "shutdown"]


def test_threads_of_the_reactor_do_not_keep_the_process_alive() -> None:
    out = run(
        """
        print(await_(deferToThread(lambda: "in a thread")))
        job = deferToThread(lambda: time.sleep(0.1) or print("its last job is done", flush=True))
        """
    )
    assert out == ["in a thread", "its last job is done"]


def test_a_reactor_that_is_stopped_ends_the_program() -> None:
    out = run(
        """
        def cleaning():
            try:
                sleep(3600)
            finally:
                sleep(0.01)
                print("cleaned up")
        def main():
            spawn(cleaning)
            reactor.callLater(0.01, reactor.stop)
            sleep(3600)
        try:
            hubkit.run(main)
        except Closed as error:
            print("cannot be started again" in str(error))
        try:
            hubkit.run(int)
        except NotSupported as error:
            print("cannot be started again" in str(error))
        """
    )
    assert out == ["cleaned up", "True", "True"]


def test_another_thread_waits_without_a_hub() -> None:
    out = run(
        """
        queue, back = Queue(), Queue()
        def elsewhere():
            item = queue.get()
            time.sleep(0.001)
            sleep(0.001)
            back.put((item, hubkit.current_hub().name))
        def main():
            thread = threading.Thread(target=elsewhere)
            thread.start()
            sleep(0.001)
            queue.put("item")
            print(back.get())
            thread.join()
        """,
        HUBKIT_RUNS,
    )
    assert out == ["('item', 'threads')"]


def test_a_reactor_in_another_thread_than_the_hubs_is_noticed() -> None:
    out = run(
        """
        task = spawn(print, "needs no reactor")  # the main thread has a hub, and no reactor yet
        thread = threading.Thread(target=reactor.run, args=(False,), daemon=True)
        thread.start()
        while not reactor.running:
            time.sleep(0.001)
        blockingCallFromThread(reactor, deferLater, reactor, 0.01)
        try:
            sleep(1)
        except NotSupported as error:
            print("not this thread's" in str(error))
        reactor.callFromThread(reactor.stop)
        thread.join()
        """
    )
    assert out == ["needs no reactor", "True"]


def test_a_forked_child_leaves_the_reactor_to_its_parent() -> None:
    out = run(
        """
        def main():
            sleep(0.001)
            if (child := os.fork()) == 0:
                try:
                    sleep(0.001)
                except NotSupported:
                    sys.exit(7)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            reader, writer = os.pipe()
            reactor.callLater(0.01, os.write, writer, b"x")
            hubkit.wait_readable(reader, 5)
            print(await_(deferToThread(lambda: "fine")))
        hubkit.run(main)
        """
    )
    assert out == ["7", "fine"]


def test_a_reactor_begun_deep_in_a_recursion_has_its_whole_depth() -> None:
    out = run(
        """
        def deep(n, fn):
            return deep(n - 1, fn) if n else fn()
        def main():
            deep(sys.getrecursionlimit() - 200, lambda: sleep(0.001))
            print(await_(deferLater(reactor, 0, deep, sys.getrecursionlimit() - 200, lambda: "deep")))
        """,
        HUBKIT_RUNS,
    )
    assert out == ["deep"]


def test_context_variables_of_the_program_are_seen_by_the_reactor() -> None:
    out = run(
        """
        import contextvars
        variable = contextvars.ContextVar("variable")
        def main():
            variable.set("the program's")
            print(await_(deferLater(reactor, 0, variable.get)))
        """,
        HUBKIT_RUNS,
    )
    assert out == ["the program's"]


# -- other reactors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["epoll", "poll", "select", "asyncio"])
def test_each_reactor_is_lived_on_and_left(name: str) -> None:
    out = run(
        f"""
        print("{name}reactor" in type(reactor).__module__)
        """
        """
        def main():
            ticks = []
            reader, writer = os.pipe()
            reactor.callLater(0.01, os.write, writer, b"x")
            hubkit.wait_readable(reader, 20)
            reactor.callLater(0.01, os.kill, os.getpid(), signal.SIGINT)
            try:
                await_(Deferred())
            except KeyboardInterrupt:
                return await_(deferToThread(lambda: "fine"))
        reactor.addSystemEventTrigger("during", "shutdown", print, "shutdown")
        for _ in range(2):
            print(hubkit.run(main))
        """,
        HUBKIT_TWISTED_REACTOR=name,
    )
    assert out == ["True", "fine", "fine", "shutdown"]


def test_a_reactor_that_is_installed_stays() -> None:
    out = run(
        """
        print(type(reactor).__name__)
        print(hubkit.run(lambda: sleep(0.001) or type(reactor).__name__))
        """,
        before="from twisted.internet import selectreactor; selectreactor.install()",
        HUBKIT_TWISTED_REACTOR="epoll",
    )
    assert out == ["SelectReactor", "SelectReactor"]


def test_a_reactor_that_there_is_not_is_named() -> None:
    out = run_script(
        """
        import hubkit
        try:
            hubkit.run(int)
        except hubkit.NotSupported as error:
            print(error)
        """,
        "twisted",
        prelude="",
        HUBKIT_TWISTED_REACTOR="warp",
    )
    assert out == (
        "HUBKIT_TWISTED_REACTOR=warp, and there is no twisted.internet.warpreactor: it may be epoll, poll, "
        "select, kqueue, asyncio\n"
    )
