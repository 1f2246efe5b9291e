"""Request: a message as handlers see it, by way of werkzeug's sans-I/O request.

What must live here: the step from wire text to path, query and headers, and the ways to read a body.
What this file must not know: sockets, routes, handlers.
"""

from __future__ import annotations

import json
from functools import cached_property
from io import BytesIO
from typing import IO, Any
from urllib.parse import unquote

from werkzeug.datastructures import FileStorage, Headers, MultiDict
from werkzeug.exceptions import BadRequest
from werkzeug.formparser import FormDataParser
from werkzeug.sansio.request import Request as SansIORequest

from .message import Message

_Form = tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]


class Request(SansIORequest):
    """One request: `method`, `path`, `args` (the query), `headers`, `cookies`, `body` and more.

    Everything that `werkzeug.sansio.request.Request` offers is here. What a client sent and cannot
    be read raises one of werkzeug's HTTP exceptions, which becomes the response.

    Switches: never. Call from: any thread. Raises: nothing.
    """

    #: Of a form's parts. The body as a whole is bounded before it becomes a request.
    max_form_parts = 1000

    def __init__(self, message: Message) -> None:
        path, _, query = message.target.partition("?")
        super().__init__(
            method=message.method,
            scheme="http",
            server=None,
            root_path="",
            path=unquote(path),
            query_string=query.encode("latin-1"),
            headers=Headers(message.headers),
            remote_addr=message.peer[0] if message.peer else None,
        )
        self.message = message
        self.body = message.body

    @cached_property
    def text(self) -> str:
        """The body as text, in the charset of its Content-Type, else UTF-8.

        Switches: never. Call from: any thread. Raises: BadRequest if it cannot be decoded.
        """
        charset = self.mimetype_params.get("charset", "utf-8")
        try:
            return self.body.decode(charset)
        except (LookupError, UnicodeDecodeError) as error:
            raise BadRequest(f"the body is not text in {charset}") from error

    @cached_property
    def json(self) -> Any:
        """The body as JSON, whatever its Content-Type says.

        Switches: never. Call from: any thread. Raises: BadRequest if it is no JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise BadRequest("the body is not JSON") from error

    @property
    def form(self) -> MultiDict[str, str]:
        """The fields of an HTML form; empty if the body is none.

        Switches: never. Call from: any thread. Raises: BadRequest, RequestEntityTooLarge.
        """
        return self._form[1]

    @property
    def files(self) -> MultiDict[str, FileStorage]:
        """The files of a multipart form; empty if there are none.

        Switches: never. Call from: any thread. Raises: BadRequest, RequestEntityTooLarge.
        """
        return self._form[2]

    @cached_property
    def _form(self) -> _Form:
        parser = FormDataParser(
            _in_memory, max_form_memory_size=None, max_form_parts=self.max_form_parts, silent=False
        )
        try:
            return parser.parse(BytesIO(self.body), self.mimetype, len(self.body), self.mimetype_params)
        except ValueError as error:
            raise BadRequest("the body is not the form that its Content-Type says") from error


def _in_memory(*args: object, **kwargs: object) -> IO[bytes]:
    """Where a part of a form goes: the body is in memory as well, and a file would block."""
    return BytesIO()
