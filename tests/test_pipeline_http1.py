"""HTTP/1.1 by bytes: what is taken, what is refused, what is sent. No sockets, no hub."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("httptools")
pytest.importorskip("werkzeug")

from hubkit.pipeline import Http1, Message, Refusal, Response, Settings, encode

SMALL = Settings(max_head=256, max_body=64)
HEAD = b"POST /p HTTP/1.1\r\nHost: a\r\n"


def receive(data: bytes, settings: Settings = SMALL) -> list[Message | Refusal]:
    return Http1(settings).receive(data)


def one(data: bytes, settings: Settings = SMALL) -> Message:
    [message] = receive(data, settings)
    assert isinstance(message, Message), message
    return message


def refused(data: bytes, settings: Settings = SMALL) -> int:
    http = Http1(settings)
    found = http.receive(data)
    assert found, "nothing was found, so the sender would wait for ever"
    assert isinstance(found[-1], Refusal)
    assert http.closed
    assert http.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == []
    return found[-1].status


# -- what is taken --------------------------------------------------------------------------------


def test_a_message_has_what_was_sent() -> None:
    message = one(HEAD + b"X-One: 1\r\nX-One: \xe9\r\nContent-Length: 4\r\n\r\nbody")
    assert (message.method, message.target, message.version) == ("POST", "/p", "1.1")
    assert message.headers == [("Host", "a"), ("X-One", "1"), ("X-One", "é"), ("Content-Length", "4")]
    assert message.body == b"body"
    assert message.keep_alive


PIPELINED = (
    b"\r\nGET /1?q=%20 HTTP/1.1\r\nHost: a\r\n\r\n"
    b"POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    b"PUT /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n"
    b"HEAD /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
)


@given(st.lists(st.integers(1, len(PIPELINED) - 1), max_size=8))
def test_pieces_of_any_size_give_the_same_messages(cuts: list[int]) -> None:
    http = Http1(SMALL)
    found: list[Message | Refusal] = []
    edges = [0, *sorted(set(cuts)), len(PIPELINED)]
    for begin, end in pairwise(edges):
        found += http.receive(PIPELINED[begin:end])
    messages = [each for each in found if isinstance(each, Message)]
    assert found == messages
    assert [(each.method, each.target, each.body, each.keep_alive) for each in messages] == [
        ("GET", "/1?q=%20", b"", True),
        ("POST", "/2", b"hello", True),
        ("PUT", "/3", b"abcde", True),
        ("HEAD", "/4", b"", False),
    ]
    assert not any(name == "X-Trailer" for each in messages for name, _ in each.headers)
    assert http.closed
    assert not http.partial


@given(st.binary(max_size=400))
def test_garbage_is_refused_or_waited_for_but_never_raises(data: bytes) -> None:
    http = Http1(SMALL)
    for index in range(0, len(data), 7):
        http.receive(data[index : index + 7])


def test_partial_tells_that_a_message_has_begun() -> None:
    http = Http1(SMALL)
    assert not http.partial
    assert http.receive(b"GET / HT") == []
    assert http.partial
    assert len(http.receive(b"TP/1.1\r\nHost: a\r\n\r\n")) == 1
    assert not http.partial


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", False),
        (b"GET / HTTP/1.0\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n", True),
        (b"GET / HTTP/1.0\r\nConnection: Keep-Alive, x\r\n", True),
    ],
)
def test_keep_alive(head: bytes, keep_alive: bool) -> None:
    http = Http1(SMALL)
    [message] = http.receive(head + b"\r\n")
    assert isinstance(message, Message)
    assert message.keep_alive is keep_alive
    assert http.closed is not keep_alive


def test_what_follows_the_last_message_is_ignored() -> None:
    again = b"GET /again HTTP/1.1\r\nHost: a\r\n\r\n"
    found = receive(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + again)
    assert [type(each) for each in found] == [Message]


def test_an_upgrade_is_answered_as_if_it_had_not_been_asked_for() -> None:
    http = Http1(SMALL)
    head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    [message] = http.receive(head + b"PRI * HTTP/2.0\r\n\r\n")
    assert isinstance(message, Message)
    assert http.closed


def test_an_absolute_target_replaces_host() -> None:
    message = one(b"GET http://b:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n")
    assert message.target == "/x?y"
    assert message.headers == [("Host", "b:80")]
    assert one(b"GET http://b?y HTTP/1.1\r\nHost: a\r\n\r\n").target == "/?y"
    assert one(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").target == "*"


def test_continue_is_wanted_until_the_body_comes() -> None:
    http = Http1(SMALL)
    http.receive(HEAD + b"Content-Length: 2\r\nExpect: 100-Continue\r\n\r\n")
    assert http.wants_continue
    http.receive(b"o")
    assert not http.wants_continue
    assert len(http.receive(b"k")) == 1


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\nok",  # the body is there already
        b"Content-Length: 0\r\nExpect: 100-continue\r\n\r\n",  # nothing will come
        b"Content-Length: 99\r\nExpect: 100-continue\r\n\r\n",  # too much: refused instead
    ],
)
def test_continue_is_not_wanted(rest: bytes) -> None:
    http = Http1(SMALL)
    assert len(http.receive(HEAD + rest)) == 1
    assert not http.wants_continue


# -- what is refused ------------------------------------------------------------------------------

CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "data",
    [
        CHUNKED + b"Content-Length: 4\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
        HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        HEAD + b"Content-Length: 4, 4\r\n\r\nabcd",
        HEAD + b"Content-Length: +4\r\n\r\nabcd",
        HEAD + b"Content-Length: -4\r\n\r\nabcd",
        HEAD + b"Content-Length: 0x4\r\n\r\nabcd",
        HEAD + b"Content-Length: 4 4\r\n\r\nabcd",
        HEAD + b"Content-Length:\r\n\r\nabcd",
        HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n",
        HEAD + b"Content-Length : 4\r\n\r\nabcd",
        HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"\r\n0x4\r\nabcd\r\n0\r\n\r\n",
        CHUNKED + b"\r\n4 \r\nabcd\r\n0\r\n\r\n",
        CHUNKED + b"\r\n4\nabcd\n0\n\n",
        CHUNKED + b"\r\n4;a\nabcd\r\n0\r\n\r\n",
        CHUNKED + b"\r\n4\r\nabcdXX0\r\n\r\n",
        CHUNKED + b"\r\nfffffffffffffffff\r\nabcd\r\n0\r\n\r\n",
    ],
)
def test_what_two_parsers_could_cut_differently_is_refused(data: bytes) -> None:
    assert refused(data) == 400


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET http://b/ HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET ftp://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"NONSENSE / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    ],
)
def test_malformed(data: bytes) -> None:
    assert refused(data) == 400


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505),
        (b"CONNECT b:80 HTTP/1.1\r\nHost: b\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: identity\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (HEAD + b"Content-Length: 2\r\nExpect: magic\r\n\r\n", 417),
    ],
)
def test_what_is_not_done_here(data: bytes, status: int) -> None:
    assert refused(data) == status


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Content-Length: 65\r\n\r\n",
        CHUNKED + b"\r\n" + b"20\r\n" + b"x" * 32 + b"\r\n" + b"21\r\n" + b"x" * 33 + b"\r\n",
    ],
)
def test_too_large_a_body(data: bytes) -> None:
    assert refused(data) == 413


def test_the_largest_body_is_taken() -> None:
    assert len(one(HEAD + b"Content-Length: 64\r\n\r\n" + b"x" * 64).body) == 64


@pytest.mark.parametrize(
    "data",
    [
        b"GET /" + b"x" * 300 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        HEAD + b"X: " + b"x" * 300 + b"\r\n\r\n",
        HEAD + b"X: y\r\n" * 60 + b"\r\n",
        CHUNKED + b"\r\n0\r\nX: " + b"x" * 300 + b"\r\n\r\n",
    ],
)
def test_too_large_a_head(data: bytes) -> None:
    assert refused(data) == 431


@pytest.mark.parametrize(
    "start",
    [b"GET /", HEAD + b"X", HEAD + b"X: ", CHUNKED + b"\r\n1;", CHUNKED + b"\r\n0\r\nX: ", b"\r\n"],
)
def test_what_never_ends_is_refused_before_it_fills_the_memory(start: bytes) -> None:
    http = Http1(SMALL)
    found = http.receive(start)
    filler = b"\r\n" * 8 if start == b"\r\n" else b"x" * 16
    for _ in range(100):
        found += http.receive(filler)
    assert [each.status for each in found if isinstance(each, Refusal)] == [431]


def test_messages_before_the_refusal_are_kept() -> None:
    found = receive(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n")
    assert [type(each) for each in found] == [Message, Refusal]


# -- what is sent ---------------------------------------------------------------------------------


def sent(
    response: Response, message: Message | None = None, keep_alive: bool = True
) -> tuple[list[str], bytes]:
    head, _, body = encode(response, message or Message("GET", "/"), keep_alive).partition(b"\r\n\r\n")
    return [line for line in head.decode("latin-1").split("\r\n") if not line.startswith("Date: ")], body


def test_a_response_on_the_wire() -> None:
    response = Response("é", 201, {"X-One": "1"})
    response.set_cookie("a", "b")
    response.set_cookie("c", "d")
    lines, body = sent(response)
    assert lines == [
        "HTTP/1.1 201 Created",
        "X-One: 1",
        "Content-Type: text/plain; charset=utf-8",
        "Set-Cookie: a=b; Path=/",
        "Set-Cookie: c=d; Path=/",
        "Content-Length: 2",
    ]
    assert body == b"\xc3\xa9"


def test_the_date_is_there_once() -> None:
    assert encode(Response(), None, True).count(b"\r\nDate: ") == 1
    own = encode(Response(headers={"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}), None, True)
    assert own.count(b"\r\nDate: Thu, 01 Jan 1970") == own.count(b"\r\nDate: ") == 1


def test_framing_is_not_for_handlers_to_set() -> None:
    response = Response(
        "ab", headers={"Content-Length": "99", "Transfer-Encoding": "chunked", "Connection": "x"}
    )
    lines, body = sent(response)
    assert lines[2:] == ["Content-Length: 2"]
    assert body == b"ab"


def test_head_has_the_length_and_no_body() -> None:
    lines, body = sent(Response("abc"), Message("HEAD", "/"))
    assert "Content-Length: 3" in lines
    assert body == b""


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body(status: int) -> None:
    lines, body = sent(Response("abc", status))
    assert not any(line.startswith("Content-Length") for line in lines)
    assert body == b""


def test_the_connection_header() -> None:
    assert "Connection: close" in sent(Response(), keep_alive=False)[0]
    assert not any("Connection" in line for line in sent(Response())[0])
    assert "Connection: keep-alive" in sent(Response(), Message("GET", "/", version="1.0"))[0]


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\rb", "a\0b", "a\x7fb", "€"])
def test_a_value_that_cannot_be_sent(value: str) -> None:
    response = Response()
    response.headers._list.append(("X-Bad", value))  # past werkzeug's own check
    with pytest.raises(ValueError, match="X-Bad"):
        encode(response, None, True)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "é"])
def test_a_name_that_cannot_be_sent(name: str) -> None:
    response = Response()
    response.headers._list.append((name, "x"))
    with pytest.raises(ValueError, match="no header may have"):
        encode(response, None, True)


@pytest.mark.parametrize("status", [99, 101, 199, 600])
def test_a_status_that_is_no_final_one(status: int) -> None:
    with pytest.raises(ValueError, match="between 200 and 599"):
        encode(Response(status=status), None, True)
