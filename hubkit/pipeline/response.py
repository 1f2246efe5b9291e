"""Response: what a handler answers, whole, and how the things that it may return become one.

What must live here: the body, and the step from return values and HTTP exceptions to a response. What
this file must not know: how a response is put on a wire.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.sansio.response import Response as SansIOResponse

_HeaderPairs = Mapping[str, str] | Iterable[tuple[str, str]]


class Response(SansIOResponse):
    """Status, headers (`set_cookie` and the rest of werkzeug's sans-I/O response) and a body of bytes.

    Length and framing are the server's: Content-Length and Transfer-Encoding set here are ignored.

    Switches: never. Call from: any thread. Raises: TypeError for a body that is neither bytes nor str.
    """

    def __init__(
        self,
        body: bytes | str = b"",
        status: int | HTTPStatus = 200,
        headers: _HeaderPairs | None = None,
        content_type: str | None = None,
    ) -> None:
        if isinstance(body, str):
            body = body.encode()
        if not isinstance(body, bytes):
            raise TypeError(f"a response's body is bytes or str, not {body!r}")
        super().__init__(status=status, headers=headers, content_type=content_type)
        self.body = body

    @classmethod
    def json(cls, value: Any, status: int | HTTPStatus = 200) -> Response:
        """`value` as JSON.

        Switches: never. Call from: any thread. Raises: TypeError for a value that JSON cannot say.
        """
        return cls(json.dumps(value).encode(), status, content_type="application/json")

    @classmethod
    def problem(cls, status: int, text: str = "", headers: _HeaderPairs | None = None) -> Response:
        """A short plain-text answer for people: the status's name, and `text` if there is any.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        title = f"{status} {reason(status)}"
        return cls(f"{title}: {text}\n" if text else f"{title}\n", status, headers)


def reason(status: int) -> str:
    """The name of a status code; 499 is for clients that hung up before they were answered.

    Switches: never. Call from: any thread, signal. Raises: nothing.
    """
    return _REASONS.get(status, "Unknown")


_REASONS = {int(each): each.phrase for each in HTTPStatus} | {499: "Client Closed Request"}


def as_response(value: Any) -> Response:
    """The response that a handler means by returning `value`.

    None is a 204; str and bytes are text; a dict or list is JSON.

    Switches: never. Call from: any thread. Raises: TypeError for anything else.
    """
    if isinstance(value, Response):
        return value
    if value is None:
        return Response(status=204)
    if isinstance(value, (str, bytes)):
        return Response(value)
    if isinstance(value, (dict, list)):
        return Response.json(value)
    raise TypeError(
        f"a handler returns a Response, str, bytes, dict, list or None, not {type(value).__name__}: {value!r}"
    )


def from_http_exception(error: HTTPException) -> Response:
    """The response that a raised HTTP exception (`werkzeug.exceptions.NotFound` …) stands for.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    carried = error.response  # abort(response)
    if isinstance(carried, Response):
        return carried
    if carried is not None:
        return Response(getattr(carried, "data", b""), carried.status_code, carried.headers)
    # get_headers() gives the type of werkzeug's HTML page, and what belongs to the error: Allow …
    headers = [(name, value) for name, value in error.get_headers() if name.lower() != "content-type"]
    return Response.problem(error.code or 500, error.description or "", headers)
