"""Routes and handlers: which one answers, with what, and in which order its methods are called."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("httptools")
pytest.importorskip("werkzeug")

from werkzeug.exceptions import MethodNotAllowed, NotFound

from hubkit.pipeline import Message, MessageHandler, Request, Response, Routes
from hubkit.pipeline.handler import call


def ask(routes: Routes, method: str, target: str) -> Response:
    request = Request(Message(method, target))
    handler, captured = routes.find(request)
    return call(handler, request, captured)


class Thing(MessageHandler):
    def get(self, key: int) -> str:
        return f"{self.request.method} {key}"

    def put(self, key: int) -> None:
        pass


def plain(request: Request) -> str:
    return "plain"


routes = Routes([("/things/<int:key>", Thing), ("/plain", plain), ("/folder/", plain)])


def test_the_handler_gets_what_the_pattern_captured() -> None:
    assert ask(routes, "GET", "/things/7").body == b"GET 7"
    assert ask(routes, "PUT", "/things/7").status_code == 204
    assert ask(routes, "GET", "/plain").body == b"plain"


def test_get_answers_head_too() -> None:
    assert ask(routes, "HEAD", "/things/7").body == b"HEAD 7"
    assert ask(routes, "HEAD", "/plain").body == b"plain"


def test_a_head_of_its_own() -> None:
    class Own(MessageHandler):
        def head(self) -> Response:
            return Response(headers={"X-Own": "1"})

    assert ask(Routes([("/", Own)]), "HEAD", "/").headers["X-Own"] == "1"


@pytest.mark.parametrize("target", ["/nothing", "/things/x", "/things/", "/Plain"])
def test_not_found(target: str) -> None:
    with pytest.raises(NotFound):
        ask(routes, "GET", target)


def test_a_method_that_nobody_answers_is_told_which_there_are() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        ask(routes, "DELETE", "/things/7")
    assert sorted(caught.value.valid_methods or ()) == ["GET", "HEAD", "PUT"]


def test_options_are_answered_by_themselves() -> None:
    response = ask(routes, "OPTIONS", "/things/7")
    assert response.status_code == 204
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS, PUT"


def test_options_of_its_own() -> None:
    class Own(MessageHandler):
        def options(self) -> str:
            return "own"

    assert ask(Routes([("/", Own)]), "OPTIONS", "/").body == b"own"


def test_a_redirect_keeps_the_query_and_the_host() -> None:
    response = ask(routes, "GET", "/folder?a=1")
    assert response.status_code == 308
    assert response.headers["Location"] == "/folder/?a=1"


def test_a_redirect_never_leads_to_another_host() -> None:
    everything = Routes([("/<path:rest>/", plain)])
    for target in ("//evil.example/x", "/%2Fevil.example/x", "//evil.example"):
        response = ask(everything, "GET", target)
        location = response.headers.get("Location", "/")
        assert location.startswith("/")
        assert not location.startswith("//")


def test_routes_by_decorator() -> None:
    own = Routes()

    @own.route("/a", methods=["POST", "PATCH"])
    def post(request: Request) -> str:
        return "posted"

    @own.route("/a")
    def get(request: Request) -> str:
        return "got"

    assert ask(own, "PATCH", "/a").body == b"posted"
    assert ask(own, "GET", "/a").body == b"got"


def test_what_is_no_route() -> None:
    with pytest.raises(TypeError, match="handler"):
        Routes([("/", "text")])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="answers no method"):
        Routes([("/", MessageHandler)])
    with pytest.raises(ValueError):
        Routes([("no slash", plain)])


class Recording(MessageHandler):
    early: Any = None

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.calls = calls

    def initialize(self) -> None:
        self.calls.append("initialize")

    def prepare(self) -> Response | None:
        self.calls.append("prepare")
        return Response("early") if "early" in self.request.args else None

    def get(self) -> str:
        self.calls.append("get")
        if "fail" in self.request.args:
            raise LookupError
        return "late"

    def on_finish(self) -> None:
        self.calls.append("on_finish")


calls: list[str] = []


@pytest.mark.parametrize(
    ("target", "body", "expected"),
    [
        ("/", b"late", ["initialize", "prepare", "get", "on_finish"]),
        ("/?early", b"early", ["initialize", "prepare", "on_finish"]),
    ],
)
def test_the_life_of_a_handler(target: str, body: bytes, expected: list[str]) -> None:
    calls.clear()
    assert ask(Routes([("/", Recording)]), "GET", target).body == body
    assert calls == expected


def test_on_finish_is_called_after_an_error_too() -> None:
    calls.clear()
    with pytest.raises(LookupError):
        ask(Routes([("/", Recording)]), "GET", "/?fail")
    assert calls == ["initialize", "prepare", "get", "on_finish"]
