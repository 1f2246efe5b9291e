"""A real server over loopback on every hub: order, ends, limits, stopping. One message, one answer."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import pytest

pytest.importorskip("httptools")
pytest.importorskip("werkzeug")

import httptools
from werkzeug.exceptions import Gone

import hubkit
from hubkit import Cancelled, Event, Pool, Task, checkpoint, current_task, sleep, spawn, spawn_later
from hubkit.green import socket
from hubkit.pipeline import Application, MessageHandler, Request, Response, Routes, Server, Settings
from hubkit_conformance.tools import parked, settle

PATIENCE = 10.0
LARGE = 20_000_000  # bytes, more than the system buffers


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]


class Client:
    """One connection, by bytes."""

    def __init__(self, server: Server) -> None:
        self.sock = socket.create_connection(server.address)
        self.sock.settimeout(PATIENCE)
        self._answers: list[Answer] = []
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode()] = value.decode()

    def on_body(self, piece: bytes) -> None:
        self._body += piece

    def on_message_complete(self) -> None:
        self._answers.append(Answer(self._parser.get_status_code(), bytes(self._body), self._headers))
        self._headers, self._body = {}, bytearray()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def get(self, target: str, head: str = "", method: str = "GET", body: bytes = b"") -> None:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self.send(f"{method} {target} HTTP/1.1\r\nHost: a\r\n{length}{head}\r\n".encode() + body)

    def answer(self) -> Answer:
        """The next answer."""
        while not self._answers:
            data = self.sock.recv(65536)
            assert data, "closed instead of answered"
            self._parser.feed_data(data)
        return self._answers.pop(0)

    def rest(self) -> list[Answer]:
        """All answers until the server closes."""
        while data := self.sock.recv(65536):
            self._parser.feed_data(data)
        answers, self._answers = self._answers, []
        return answers

    def ask(self, target: str, head: str = "", method: str = "GET", body: bytes = b"") -> Answer:
        self.get(target, head, method, body)
        return self.answer()

    def close(self) -> None:
        self.sock.close()


class World:
    """A server with handlers that end in every way, and what they have seen."""

    def __init__(self, **limits: Any) -> None:
        self.seen: list[str] = []
        self.release = Event()
        self.waiting = Event()
        self.cancelled = Event()
        routes = Routes(
            [
                ("/echo", self.make_echo()),
                ("/wait", self.wait),
                ("/none", lambda request: None),
                ("/task", lambda request: str(id(current_task()))),
                ("/error", self.error),
                ("/gone", self.gone),
                ("/timeout-error", self.timeout_error),
                ("/wrong", lambda request: object()),
                ("/bad-header", self.bad_header),
                ("/bad-status", lambda request: Response(status=99)),
                ("/cancel-itself", self.cancel_itself),
                ("/close", lambda request: Response("bye", headers={"Connection": "close"})),
                ("/large", lambda request: bytes(LARGE)),
            ]
        )
        self.server = Server(Application(routes), settings=Settings(**{"linger": 0.2, **limits}))

    def make_echo(self) -> type[MessageHandler]:
        class Echo(MessageHandler):
            def get(self) -> str:
                return self.request.query_string.decode()

            def post(self) -> bytes:
                return self.request.body

        return Echo

    def wait(self, request: Request) -> str:
        name = request.query_string.decode()
        self.seen.append(f"begin {name}")
        self.waiting.set()
        try:
            self.release.wait()
        except Cancelled:
            self.seen.append(f"cancelled {name}")
            self.cancelled.set()
            raise
        self.seen.append(f"end {name}")
        return name

    def error(self, request: Request) -> str:
        raise LookupError("on purpose")

    def gone(self, request: Request) -> str:
        raise Gone("on purpose")

    def timeout_error(self, request: Request) -> str:
        raise TimeoutError("of its own")

    def bad_header(self, request: Request) -> Response:
        response = Response("x")
        response.headers._list.append(("X", "a\r\nX-Injected: b"))
        return response

    def cancel_itself(self, request: Request) -> None:
        task = current_task()
        assert task is not None
        task.cancel()
        checkpoint()

    @contextmanager
    def client(self) -> Iterator[Client]:
        with closing(Client(self.server)) as client:
            yield client


Serve = Callable[..., World]


@pytest.fixture
def serve(hub: hubkit.Hub, caplog: pytest.LogCaptureFixture) -> Iterator[Serve]:
    """Starts servers, and stops them; none may leave a descriptor, a task or an unexpected error behind."""
    caplog.set_level(logging.INFO, "hubkit")
    worlds: list[World] = []

    def start(**limits: Any) -> World:
        worlds.append(World(**limits))
        worlds[-1].server.start()
        return worlds[-1]

    yield start
    for world in worlds:
        world.server.stop(grace=PATIENCE)
    assert not [task for task in hubkit.all_tasks() if "Connection" in task.name or "Server" in task.name]
    assert not [
        record for record in caplog.records if record.name == "hubkit" and record.levelno >= logging.ERROR
    ]


def until(come_true: Callable[[], object]) -> None:
    with hubkit.timeout(PATIENCE):
        while not come_true():
            sleep(0.001)


# -- one connection, many messages ----------------------------------------------------------------


def test_a_connection_serves_message_after_message(serve: Serve) -> None:
    with serve().client() as client:
        for n in range(20):
            assert client.ask(f"/echo?{n}").body == str(n).encode()
        chunked = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.send(chunked + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
        assert client.answer().body == b"abc"
        large = os.urandom(700_000)
        assert client.ask("/echo", method="POST", body=large).body == large


def test_many_connections_at_once(serve: Serve) -> None:
    world = serve()

    def work(n: int) -> list[bytes]:
        with world.client() as client:
            return [client.ask(f"/echo?{n}-{k}").body for k in range(10)]

    tasks = [spawn(work, n) for n in range(20)]
    for n, task in enumerate(tasks):
        assert task.result(PATIENCE) == [f"{n}-{k}".encode() for k in range(10)]


def test_each_message_is_handled_by_a_task_of_its_own(serve: Serve) -> None:
    world = serve()
    world.release.set()
    with world.client() as client:
        client.get("/wait?a")
        client.get("/wait?b")
        assert [client.answer().body, client.answer().body] == [b"a", b"b"]


def test_pipelined_messages_are_handled_one_after_the_other_and_answered_in_order(serve: Serve) -> None:
    world = serve()
    with world.client() as client:
        for name in "abc":
            client.get(f"/wait?{name}")
        client.get("/error")
        client.get("/echo?d")
        world.waiting.wait()
        world.release.set()
        answers = [client.answer() for _ in range(5)]
    assert [each.body for each in answers[:3]] == [b"a", b"b", b"c"]
    assert [each.status for each in answers] == [200, 200, 200, 500, 200]
    assert world.seen == ["begin a", "end a", "begin b", "end b", "begin c", "end c"]


def test_more_pipelined_messages_than_are_taken_in_at_once(serve: Serve) -> None:
    with serve(max_pipelined=2).client() as client:
        client.send(b"".join(b"GET /echo?%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(200)))
        assert [int(client.answer().body) for _ in range(200)] == list(range(200))


def test_expect_continue(serve: Serve) -> None:
    with serve().client() as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert client.sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"ok")
        assert client.answer().body == b"ok"


def test_continue_does_not_overtake_an_answer(serve: Serve) -> None:
    world = serve()
    with world.client() as client:
        client.get("/wait?x")
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        world.waiting.wait()
        settle(hubkit.current_hub())
        world.release.set()
        assert client.answer().body == b"x"
        assert client.answer().status == 100
        client.send(b"ok")
        assert client.answer().body == b"ok"


def test_head(serve: Serve) -> None:
    with serve().client() as client:
        client.get("/echo?abc", "Connection: close\r\n", method="HEAD")
        data = b""
        while piece := client.sock.recv(1000):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"Content-Length: 3" in head
    assert body == b""


# -- every path ends in exactly one response ------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/echo?x", 200),
        ("/none", 204),
        ("/nowhere", 404),
        ("/gone", 410),
        ("/error", 500),
        ("/timeout-error", 500),
        ("/wrong", 500),
        ("/bad-header", 500),
        ("/bad-status", 500),
    ],
)
def test_one_answer_and_the_connection_lives_on(serve: Serve, target: str, status: int) -> None:
    with serve().client() as client:
        client.get(target)
        client.get("/echo?next", "Connection: close\r\n")
        answers = client.rest()
    assert [each.status for each in answers] == [status, 200]
    assert answers[1].body == b"next"
    assert "X-Injected" not in answers[0].headers


def test_a_method_that_is_not_allowed(serve: Serve) -> None:
    with serve().client() as client:
        answer = client.ask("/none", method="DELETE")
        assert answer.status == 405
        assert set(answer.headers["Allow"].split(", ")) >= {"GET", "HEAD"}
        assert client.ask("/none", method="OPTIONS").headers["Allow"] == "GET, HEAD, OPTIONS"
        client.send(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.answer().status == 204


def test_a_handler_that_is_cancelled_is_answered_too(serve: Serve) -> None:
    with serve().client() as client:
        client.get("/cancel-itself")
        client.get("/echo?never")
        answers = client.rest()
    assert [each.status for each in answers] == [500]
    assert answers[0].headers["Connection"] == "close"


def test_a_handler_that_takes_too_long(serve: Serve) -> None:
    world = serve(deadline=0.05)
    with world.client() as client:
        assert client.ask("/wait?x").status == 504
        assert world.seen == ["begin x", "cancelled x"]
        assert client.ask("/echo?next").body == b"next"


@pytest.mark.parametrize(
    "head", ["GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"]
)
def test_the_last_message_closes_the_connection(serve: Serve, head: str) -> None:
    with serve().client() as client:
        client.send(head.replace("GET /", "GET /echo?x").encode())
        [answer] = client.rest()
    assert answer.body == b"x"
    assert answer.headers["Connection"] == "close"


def test_http_1_0_with_keep_alive(serve: Serve) -> None:
    with serve().client() as client:
        for n in range(2):
            client.send(b"GET /echo?%d HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" % n)
            answer = client.answer()
            assert answer.body == b"%d" % n
            assert answer.headers["Connection"] == "keep-alive"


def test_a_handler_may_end_the_connection(serve: Serve) -> None:
    with serve().client() as client:
        client.get("/close")
        client.get("/echo?never")
        assert [each.body for each in client.rest()] == [b"bye"]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n", 413),
        (b"GET /echo HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 40_000, 431),
    ],
)
def test_what_is_no_message_is_answered_once_and_after_those_before(
    serve: Serve, data: bytes, status: int
) -> None:
    world = serve()
    with world.client() as client:
        client.get("/wait?first")
        client.send(data)
        world.waiting.wait()
        world.release.set()
        answers = client.rest()
    assert [each.status for each in answers] == [200, status]
    assert answers[0].body == b"first"
    assert answers[1].headers["Connection"] == "close"


def test_the_answer_to_too_large_a_body_arrives_while_it_is_still_being_sent(serve: Serve) -> None:
    with serve().client() as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + bytes(3_000_000))
        assert client.answer().status == 413


# -- clients that go away -------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "half"])
@pytest.mark.parametrize("head", ["", "Connection: close\r\n"])
def test_a_handler_is_cancelled_when_its_client_hangs_up(serve: Serve, how: str, head: str) -> None:
    world = serve()
    with world.client() as client:
        client.get("/wait?x", head)
        world.waiting.wait()
        if how == "half":
            client.sock.shutdown(socket.SHUT_WR)
            assert [each.status for each in client.rest()] == [499]
    assert world.cancelled.wait(PATIENCE)
    assert world.seen == ["begin x", "cancelled x"]


def test_handlers_of_pipelined_messages_are_cancelled_in_order(serve: Serve) -> None:
    world = serve()
    with world.client() as client:
        client.get("/wait?a")
        client.get("/wait?b")
        world.waiting.wait()
        client.sock.shutdown(socket.SHUT_WR)
        assert [each.status for each in client.rest()] == [499]
    assert world.seen == ["begin a", "cancelled a"]


def test_a_client_that_says_nothing_is_let_go(serve: Serve) -> None:
    with serve(idle_timeout=0.1).client() as client:
        assert client.rest() == []


def test_a_client_that_does_not_finish_its_message(serve: Serve) -> None:
    with serve(transfer_timeout=0.1).client() as client:
        client.send(b"GET /echo HTTP/1.1\r\nHo")
        assert [each.status for each in client.rest()] == [408]


def test_a_client_that_does_not_take_in_its_answer(serve: Serve) -> None:
    world = serve(transfer_timeout=0.2)
    with world.client() as client:
        client.get("/large")
        until(lambda: world.server._open)
        until(lambda: not world.server._open)
        with pytest.raises((AssertionError, ConnectionError)):
            client.answer()


def test_time_does_not_run_while_a_handler_works(serve: Serve) -> None:
    world = serve(idle_timeout=0.05, transfer_timeout=0.05)
    with world.client() as client:
        client.get("/wait?x")
        client.send(b"GET /ec")
        sleep(0.3)
        world.release.set()
        answer = client.answer()
        assert answer.body == b"x"
        assert "Connection" not in answer.headers  # it lives on


# -- too many at once -----------------------------------------------------------------------------


def test_a_message_waits_for_a_free_handler(serve: Serve) -> None:
    world = serve(handlers=1)
    with world.client() as first, world.client() as second:
        first.get("/wait?1")
        world.waiting.wait()
        second.get("/echo?2")
        world.release.set()
        assert second.answer().body == b"2"
        assert first.answer().body == b"1"


def test_a_message_that_no_handler_is_free_for(serve: Serve) -> None:
    world = serve(handlers=1, queue_timeout=0.05)
    with world.client() as first, world.client() as second:
        first.get("/wait?1")
        world.waiting.wait()
        answer = second.ask("/echo?2")
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "1"
        world.release.set()
        assert first.answer().body == b"1"
        assert second.ask("/echo?again").body == b"again"


def test_a_system_that_gives_no_more_threads(serve: Serve) -> None:
    class Exhausted(Pool):
        def try_spawn(self, *args: Any, **kwargs: Any) -> None:
            raise RuntimeError("can't start new thread")

    world = serve()
    world.server.handlers = Exhausted(1)
    with world.client() as client:
        assert client.ask("/echo?1").status == 503
        assert client.ask("/echo?2").status == 503


def test_connections_beyond_the_limit_wait(serve: Serve) -> None:
    world = serve(connections=1)
    with world.client() as first:
        assert first.ask("/echo?1").body == b"1"
        second = Client(world.server)
        second.get("/echo?2")
        assert first.ask("/echo?3").body == b"3"
    assert second.answer().body == b"2"
    second.close()


# -- starting and stopping ------------------------------------------------------------------------


def test_stopping_lets_what_is_being_handled_be_answered(serve: Serve) -> None:
    world = serve()
    with world.client() as busy, world.client() as idle:
        assert idle.ask("/echo?x").body == b"x"
        busy.get("/wait?x")
        world.waiting.wait()
        stopping = spawn(world.server.stop, PATIENCE)
        assert idle.rest() == []
        assert not stopping.done()
        with pytest.raises(OSError, match="refused"):
            Client(world.server)
        world.release.set()
        [answer] = busy.rest()
        assert answer.body == b"x"
        assert answer.headers["Connection"] == "close"
        assert stopping.result(PATIENCE) is True


def test_stopping_while_an_answer_is_on_its_way(serve: Serve) -> None:
    world = serve()
    with world.client() as client:
        client.get("/large")
        data = client.sock.recv(1000)  # so it was decided before that the connection is kept
        assert b"Connection: close" not in data
        client._parser.feed_data(data)
        stopping = spawn(world.server.stop, PATIENCE)
        until(lambda: world.server.stopping)
        assert [len(each.body) for each in client.rest()] == [LARGE]
        assert stopping.result(PATIENCE) is True


def test_stopping_cancels_what_does_not_end_in_time(serve: Serve) -> None:
    world = serve()
    with world.client() as client, world.client() as partial:
        partial.send(b"GET /never-complete HT")
        client.get("/wait?x")
        world.waiting.wait()
        # Unread it would turn the close into a reset.
        until(lambda: any(connection._http.partial for connection in list(world.server._open)))
        assert world.server.stop(grace=0.05) is False
        assert [each.status for each in client.rest()] == [503]
        assert partial.rest() == []
    assert world.seen == ["begin x", "cancelled x"]


def test_a_message_whose_handler_never_began_is_answered_too_and_none_overtakes_it(serve: Serve) -> None:
    class Late(Pool):
        def try_spawn(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task[Any]:
            delay = 0 if began.is_set() else 3600
            began.set()
            return spawn_later(delay, fn, *args, **kwargs)

    world, began = serve(), Event()
    world.server.handlers = Late(1)
    with world.client() as client:
        client.get("/echo?1")
        client.get("/echo?2")
        began.wait()
        assert world.server.stop(grace=0.05) is False
        assert [each.status for each in client.rest()] == [503]


def test_no_answer_overtakes_that_of_a_message_whose_task_was_cancelled_unbegun(serve: Serve) -> None:
    class Late(Pool):
        def try_spawn(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task[Any]:
            tasks.append(spawn_later(0 if tasks else 3600, fn, *args, **kwargs))
            return tasks[-1]

    world, tasks = serve(), list[Task[Any]]()
    world.server.handlers = Late(1)
    with world.client() as client:
        client.get("/echo?1")
        client.get("/echo?2")
        until(lambda: len(tasks) == 2)
        parked(tasks[1])
        tasks[0].cancel()
        assert [each.status for each in client.rest()] == [503]


def test_a_message_that_waits_for_a_handler_when_the_server_is_stopped(serve: Serve) -> None:
    world = serve(handlers=1, queue_timeout=None)
    with world.client() as first, world.client() as second:
        first.get("/wait?1")
        world.waiting.wait()
        second.get("/echo?2")
        until(lambda: "1 waiting" in repr(world.server.handlers))
        assert world.server.stop(grace=0.05) is False
        assert [each.status for each in first.rest()] == [503]
        assert [each.status for each in second.rest()] == [503]


def test_a_message_that_comes_in_the_instant_of_stopping(serve: Serve) -> None:
    class Stopping(Pool):
        def try_spawn(self, *args: Any, **kwargs: Any) -> None:
            return None

        def spawn(self, *args: Any, **kwargs: Any) -> Task[Any]:
            for connection in world.server._open:  # as if close_soon had looked just before
                connection._reading.expire()
            checkpoint()
            raise AssertionError("not interrupted")

    world = serve()
    world.server.handlers = Stopping(1)
    with world.client() as client:
        client.get("/echo?1")
        assert [each.status for each in client.rest()] == [503]


def test_a_cancel_while_the_answer_is_sent_is_too_late(serve: Serve) -> None:
    class Cancelling(Application):
        def respond(self, message: Any, deadline: float | None = None) -> Response:
            response = super().respond(message, deadline)
            task = current_task()
            assert task is not None
            task.cancel()
            return response

    world = serve()
    world.server.application = Cancelling(world.server.application.routes)
    with world.client() as client:
        assert client.ask("/echo?x").body == b"x"
        assert client.ask("/echo?y").body == b"y"


def test_stopping_twice_and_serving(hub: hubkit.Hub) -> None:
    world = World()
    task = spawn(world.server.serve)
    until(lambda: world.server.listening)
    with world.client() as client:
        assert client.ask("/echo?x").body == b"x"
    assert world.server.stop() is True
    assert world.server.stop() is True
    task.result(PATIENCE)


def test_what_cannot_be_started(serve: Serve) -> None:
    world = serve()
    with pytest.raises(RuntimeError, match="once"):
        world.server.start()
    with pytest.raises(OSError, match="in use"):
        Server(world.server.application, *world.server.address).start()
    with pytest.raises(RuntimeError, match="before start"):
        _ = World().server.address
    with pytest.raises(ValueError, match=r"Settings\.handlers"):
        Settings(handlers=0)


def test_the_access_log(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    with serve().client() as client:
        client.ask("/echo?x")
        client.send(b"nonsense\r\n\r\n")
        client.rest()
    lines = [record.getMessage() for record in caplog.records if record.name == "hubkit.pipeline"]
    assert [line.split(" ms")[0].rsplit(" ", 2)[0] for line in lines] == [
        '127.0.0.1 "GET /echo?x" 200',
        '127.0.0.1 "-" 400',
    ]


def test_no_descriptor_is_left_open(hub: hubkit.Hub) -> None:
    if not os.path.exists("/proc/self/fd"):
        pytest.skip("there is no /proc here to count descriptors in")

    def once() -> None:
        world = World()
        with world.server, world.client() as client, world.client() as other:
            client.get("/error")
            client.answer()
            other.send(b"nonsense\r\n\r\n")
            other.rest()

    once()  # what the hub opens once and keeps
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        once()
    assert len(os.listdir("/proc/self/fd")) <= before
