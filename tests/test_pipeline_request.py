"""Requests and responses: wire text to what handlers see, and what they return to a response."""

from __future__ import annotations

import pytest

pytest.importorskip("httptools")
pytest.importorskip("werkzeug")

from werkzeug.exceptions import BadRequest, MethodNotAllowed, NotFound, RequestEntityTooLarge, TooManyRequests

from hubkit.pipeline import Message, Request, Response
from hubkit.pipeline.response import as_response, from_http_exception


def request(target: str = "/", body: bytes = b"", **headers: str) -> Request:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Request(Message("POST", target, pairs, body, peer=("192.0.2.1", 1)))


def test_path_and_query_are_decoded_once() -> None:
    seen = request("/a%20b%2Fc/%25?x=1&x=2&y=%C3%A9")
    assert seen.path == "/a b/c/%"
    assert seen.args.getlist("x") == ["1", "2"]
    assert seen.args["y"] == "é"


def test_werkzeugs_request_is_there() -> None:
    seen = request(Cookie="a=1; b=2", Host="h:80", Accept="text/html")
    assert seen.cookies["b"] == "2"
    assert seen.host == "h"
    assert seen.accept_mimetypes.best == "text/html"
    assert seen.remote_addr == "192.0.2.1"
    assert seen.message.peer == ("192.0.2.1", 1)


def test_bodies() -> None:
    assert request(body=b"\xe9", Content_Type="text/plain; charset=latin-1").text == "é"
    assert request(body=b'{"a": [1]}').json == {"a": [1]}
    form = request(body=b"a=1&b=%C3%A9", Content_Type="application/x-www-form-urlencoded").form
    assert form.to_dict() == {"a": "1", "b": "é"}


MULTIPART = (
    b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
    b'--x\r\nContent-Disposition: form-data; name=f; filename="n.bin"\r\n\r\n\x00\xff\r\n--x--\r\n'
)


def test_a_multipart_form() -> None:
    seen = request(body=MULTIPART, Content_Type="multipart/form-data; boundary=x")
    assert seen.form["a"] == "1"
    assert seen.files["f"].filename == "n.bin"
    assert seen.files["f"].read() == b"\x00\xff"


def test_a_body_that_cannot_be_read_is_the_clients_fault() -> None:
    with pytest.raises(BadRequest):
        _ = request(body=b"\xff").text
    with pytest.raises(BadRequest):
        _ = request(body=b"a", Content_Type="text/plain; charset=nonsense").text
    with pytest.raises(BadRequest):
        _ = request(body=b"{").json
    with pytest.raises(BadRequest):
        _ = request(body=b"[" * 100_000).json
    with pytest.raises(BadRequest):
        _ = request(body=MULTIPART, Content_Type="multipart/form-data").form


def test_a_form_of_too_many_parts() -> None:
    part = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
    body = part * (Request.max_form_parts + 1) + b"--x--\r\n"
    with pytest.raises(RequestEntityTooLarge):
        _ = request(body=body, Content_Type="multipart/form-data; boundary=x").form


def test_what_a_handler_may_return() -> None:
    response = Response("x", 201)
    assert as_response(response) is response
    assert as_response(None).status_code == 204
    assert as_response("é").body == "é".encode()
    assert as_response(b"\xff").body == b"\xff"
    assert as_response({"a": 1}).body == b'{"a": 1}'
    assert as_response([]).headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("value", [1, 1.5, object(), ("a", 200), iter(())])
def test_what_a_handler_may_not_return(value: object) -> None:
    with pytest.raises(TypeError, match="a handler returns"):
        as_response(value)


def test_a_body_is_bytes_or_text() -> None:
    with pytest.raises(TypeError, match="bytes or str"):
        Response(5)  # type: ignore[arg-type]


def test_line_breaks_do_not_get_into_headers() -> None:
    with pytest.raises(ValueError, match="newline"):
        Response(headers={"X": "a\r\nSet-Cookie: b"})


def test_http_exceptions() -> None:
    assert from_http_exception(NotFound()).status_code == 404
    allowed = from_http_exception(MethodNotAllowed(["GET", "HEAD"]))
    assert allowed.headers["Allow"] == "GET, HEAD"
    assert from_http_exception(TooManyRequests(retry_after=5)).headers["Retry-After"] == "5"
    assert (
        from_http_exception(NotFound("no <b>such</b> thing")).body == b"404 Not Found: no <b>such</b> thing\n"
    )
    assert from_http_exception(NotFound()).headers["Content-Type"].startswith("text/plain")


def test_an_exception_that_carries_a_response() -> None:
    from werkzeug.wrappers import Response as WSGIResponse

    own = Response("x", 418)
    assert from_http_exception(NotFound(response=own)) is own
    foreign = from_http_exception(NotFound(response=WSGIResponse("y", 410, {"X": "1"})))
    assert (foreign.status_code, foreign.body, foreign.headers["X"]) == (410, b"y", "1")
