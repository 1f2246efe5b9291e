"""hubkit under Tornado: handlers of its HTTP server answer by synchronous code while its loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from scripts import run_script

import hubkit
from hubkit import Event, Queue, current_hub, sleep, spawn, testing, to_thread
from hubkit.errors import Cancelled, WrongContext
from hubkit.green import socket
from hubkit_asyncio import await_, run_task
from hubkit_conformance.tools import LONG, PATIENCE

pytest.importorskip("tornado", reason="tornado is not installed: pip install 'hubkit[tornado]'")

from tornado import gen, httpclient, netutil, web
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop, PeriodicCallback


@pytest.fixture(autouse=True)
def _on_tornado() -> Iterator[None]:
    with testing.override("hubkit_tornado.hub:TornadoHub"):
        yield


def serve(*handlers: tuple[str, type[web.RequestHandler]]) -> tuple[HTTPServer, str]:
    """A server on a port that was free."""
    server = HTTPServer(web.Application(list(handlers)))
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    return server, f"http://127.0.0.1:{sockets[0].getsockname()[1]}"


def answer(name: str) -> str:
    """Waits for a time, for a thread, for a task, and for a coroutine of Tornado's kind."""
    results: Queue[str] = Queue()
    sleep(0.001)
    spawn(lambda: results.put(to_thread(str.upper, name)))
    await_(gen.sleep(0.001))
    return results.get(timeout=PATIENCE)


class Answering(web.RequestHandler):
    async def get(self, name: str) -> None:
        self.write(await run_task(answer, name))


class OldStyle(web.RequestHandler):
    """A coroutine as they were before `await`; it yields a task."""

    @gen.coroutine
    def get(self, name: str) -> Any:
        value = yield spawn(answer, name)
        self.write(value)


class Freezing(web.RequestHandler):
    def get(self) -> None:
        with pytest.raises(WrongContext, match="run_task"):
            sleep(1)
        self.write("refused")


def in_the_applications_loop(fn: Callable[[], Any]) -> Any:
    return asyncio.run(run_task(fn))


def in_an_ioloop(fn: Callable[[], Any]) -> Any:
    """As programs on Tornado do that do not mention asyncio."""
    loop = IOLoop(make_current=False)
    try:
        return loop.run_sync(lambda: run_task(fn))
    finally:
        loop.asyncio_loop.run_until_complete(loop.asyncio_loop.shutdown_asyncgens())
        loop.close()


@pytest.fixture(params=[hubkit.run, in_the_applications_loop, in_an_ioloop])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Any]], Any]:
    """`run(fn)` calls `fn` in a task, in a loop that hubkit has started or in one that ran already."""
    return request.param  # type: ignore[no-any-return]


def test_handlers_answer_by_synchronous_code_while_the_loop_ticks(run: Any) -> None:
    def main() -> tuple[list[str], int]:
        ticks: list[bool] = []
        ticker = PeriodicCallback(lambda: ticks.append(True), 1)
        ticker.start()
        server, url = serve((r"/new/(\w+)", Answering), (r"/old/(\w+)", OldStyle), (r"/freeze", Freezing))
        client = httpclient.AsyncHTTPClient(force_instance=True)

        def get(path: str) -> str:
            return await_(client.fetch(f"{url}/{path}")).body.decode()

        try:
            tasks = [spawn(get, f"{kind}/n{number}") for number in range(20) for kind in ("new", "old")]
            bodies = [task.result(PATIENCE) for task in tasks]
            assert get("freeze") == "refused"
            return bodies, len(ticks)
        finally:
            ticker.stop()
            client.close()
            server.stop()
            await_(server.close_all_connections())

    bodies, ticks = run(main)
    assert bodies == [f"N{number}" for number in range(20) for _ in range(2)]
    assert ticks >= 3


def test_the_loop_is_tornados(run: Any) -> None:
    def main() -> None:
        loop = IOLoop.current(instance=False)
        assert loop is not None
        assert loop.asyncio_loop is asyncio.get_running_loop()
        event = Event()
        loop.add_callback(event.set)
        assert event.wait(PATIENCE)
        loop.call_later(0.001, spawn(sleep, LONG).cancel)

    if run is not in_the_applications_loop:  # there it becomes Tornado's when Tornado is first asked for it
        run(main)
    else:
        run(lambda: (IOLoop.current(), main()))


def test_a_client_that_hangs_up_cancels_the_task(run: Any) -> None:
    began, ended = Event(), Queue[str]()

    def work() -> None:
        began.set()
        try:
            sleep(LONG)
        except Cancelled:
            ended.put("cancelled")
            raise

    class Slow(web.RequestHandler):
        async def get(self) -> None:
            self.job = asyncio.create_task(run_task(work))
            with pytest.raises(asyncio.CancelledError):
                await self.job
            self.finish()

        def on_connection_close(self) -> None:
            self.job.cancel()

    def main() -> str:
        server, url = serve((r"/", Slow))
        host, _, port = url.removeprefix("http://").partition(":")
        try:
            with socket.create_connection((host, int(port)), PATIENCE) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
                assert began.wait(PATIENCE)
            return ended.get(timeout=PATIENCE)
        finally:
            server.stop()
            await_(server.close_all_connections())

    assert run(main) == "cancelled"


def test_each_ioloop_has_a_hub_of_its_own_and_closes_it() -> None:
    first, second = in_an_ioloop(current_hub), in_an_ioloop(current_hub)
    assert first is not second
    assert first.closed()
    assert second.closed()


def test_tornado_is_detected_before_the_asyncio_that_it_runs_on() -> None:
    out = run_script(
        """
        del os.environ["HUBKIT_BACKEND"]
        import asyncio
        from tornado.ioloop import IOLoop
        from hubkit_asyncio import run_task
        async def main():
            IOLoop.current()
            print(await run_task(lambda: hubkit.sleep(0.001) or hubkit.current_hub().name))
        asyncio.run(main())
        """,
        "",
    )
    assert out == "tornado\n"


def test_a_loop_without_an_ioloop_is_not_tornados() -> None:
    out = run_script(
        """
        del os.environ["HUBKIT_BACKEND"]
        import asyncio, tornado.ioloop
        async def main():
            hubkit.spawn(int)
            print(hubkit.current_hub().name)
        asyncio.run(main())
        """,
        "",
    )
    assert out == "asyncio\n"
