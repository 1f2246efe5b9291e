"""One message, one answer, in order, whatever clients do and whenever the server is stopped. Seeded."""

from __future__ import annotations

from contextlib import closing
from random import Random

import pytest

pytest.importorskip("httptools")
pytest.importorskip("werkzeug")

import httptools

import hubkit
from hubkit import Event, checkpoint, sleep, spawn
from hubkit.green import socket
from hubkit.pipeline import Application, Message, Request, Response, Routes, Server, Settings
from hubkit.pipeline.message import Peer

PATIENCE = 20.0
CLIENTS = 8
MESSAGES = 30

pytestmark = pytest.mark.usefixtures("hub")


class Recording(Server):
    """Knows which messages were handled, and how often each was answered."""

    def __init__(self, settings: Settings) -> None:
        self.handled: list[str] = []
        self.answered: list[str] = []
        super().__init__(Application(Routes([("/<kind>/<name>", self.handle)])), settings=settings)

    def handle(self, request: Request, kind: str, name: str) -> Response:
        self.handled.append(request.path)
        if kind == "yield":
            checkpoint()
        elif kind == "sleep":
            sleep(0.001)
        elif kind == "fail":
            raise LookupError(name)
        elif kind == "late":
            Event().wait()
        return Response(request.path)

    def log(
        self, peer: Peer | None, message: Message | None, response: Response, size: int, seconds: float
    ) -> None:
        assert message is not None, response.body
        self.answered.append(message.target)


class Answers:
    """What one client received."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.bodies: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, piece: bytes) -> None:
        self._body += piece

    def on_message_complete(self) -> None:
        self.statuses.append(self._parser.get_status_code())
        self.bodies.append(self._body)
        self._body = b""


def talk(server: Server, targets: list[str], random: Random, hang_up: bool) -> Answers:
    """Send all of `targets` in pieces of any size, pipelined or not, and take in what comes."""
    data = b"".join(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for target in targets)
    answers = Answers()

    def send() -> None:
        begin = 0
        while begin < len(data):
            end = begin + random.choice((1, 10, 100, 1000))
            try:
                sock.sendall(data[begin:end])
            except OSError:  # the server has stopped
                return
            begin = end
            if random.random() < 0.3:
                sleep(0.0005)

    try:
        sock = socket.create_connection(server.address)
    except OSError:
        return answers
    with closing(sock):
        sender = spawn(send)
        try:
            while len(answers.statuses) < len(targets):
                piece = sock.recv(random.choice((1, 50, 5000)))
                if not piece or (hang_up and random.random() < 0.05):
                    break
                answers.feed(piece)
        except OSError:  # stopped, with some of ours unread
            pass
        finally:
            sender.cancel()
            sender.join()
    return answers


def run(seed: int, *, hang_up: bool, stop_after: float | None, late: bool, handlers: int) -> None:
    random = Random(seed)
    server = Recording(
        Settings(handlers=handlers, max_pipelined=3, deadline=0.02 if late else None, linger=0.1)
    )
    kinds = ("plain", "plain", "yield", "sleep", "fail", *(["late"] if late else []))
    wanted = [[f"/{random.choice(kinds)}/{c}-{n}" for n in range(MESSAGES)] for c in range(CLIENTS)]
    server.start()
    tasks = [spawn(talk, server, targets, Random(f"{seed}-{n}"), hang_up) for n, targets in enumerate(wanted)]
    try:
        if stop_after is not None:
            sleep(stop_after)
            server.stop(grace=random.choice((0.001, 0.01, PATIENCE)))
        received = [task.result(PATIENCE) for task in tasks]
    finally:
        server.stop(grace=PATIENCE)
    assert len(set(server.answered)) == len(server.answered), "a message was answered twice"
    assert len(set(server.handled)) == len(server.handled), "a message was handled twice"
    assert set(server.handled) <= set(server.answered), "a message was handled and not answered"
    for targets, answers in zip(wanted, received, strict=True):
        check(targets, answers, complete=not hang_up and stop_after is None)


def check(targets: list[str], answers: Answers, complete: bool) -> None:
    """Answers are those to the first messages, in order."""
    if complete:
        assert len(answers.statuses) == len(targets)
    for target, status, body in zip(targets, answers.statuses, answers.bodies, strict=False):
        kind = target.split("/")[1]
        if status == 200:
            assert body.decode() == target
        elif status == 503:
            assert not complete  # the server was stopped
        elif status != 504:  # on a busy machine any handler may take too long
            assert (status, kind) == (500, "fail")


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Failing on purpose, a few hundred times."""
    caplog.set_level("CRITICAL", "hubkit.pipeline")


@pytest.mark.parametrize("seed", range(3))
def test_every_message_is_answered(seed: int) -> None:
    run(seed, hang_up=False, stop_after=None, late=False, handlers=100)


@pytest.mark.parametrize("seed", range(2))
def test_with_few_handlers_and_some_that_take_too_long(seed: int) -> None:
    run(seed, hang_up=False, stop_after=None, late=True, handlers=4)


@pytest.mark.parametrize("seed", range(3))
def test_clients_that_hang_up(seed: int) -> None:
    run(seed, hang_up=True, stop_after=None, late=False, handlers=100)


@pytest.mark.parametrize("seed", range(6))
def test_stopping_at_any_moment(seed: int) -> None:
    run(seed, hang_up=seed % 2 == 0, stop_after=Random(seed).uniform(0.0, 0.1), late=False, handlers=100)


def test_the_hub_is_left_clean() -> None:
    before = hubkit.all_tasks()
    run(99, hang_up=True, stop_after=0.02, late=True, handlers=10)
    assert [task for task in hubkit.all_tasks() if task not in before] == []
