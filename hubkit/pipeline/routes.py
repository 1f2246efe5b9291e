"""Routes: from a request's path and method to its handler, by way of werkzeug's routing.

What must live here: the map, and which methods each entry answers. What this file must not know: what
is done with a handler once it is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import Map, RequestRedirect, Rule

from .handler import Handler, is_class
from .request import Request
from .response import Response

H = TypeVar("H", bound=Handler)


class Routes:
    """Patterns in werkzeug's syntax (`/items/<int:key>`) and the handlers they lead to.

    Switches: never. Call from: any thread. Raises: TypeError, ValueError for what is no handler or
    no pattern.
    """

    def __init__(self, entries: Iterable[tuple[str, Handler]] = ()) -> None:
        self._map = Map()
        # Hosts play no part; a redirect is made relative in `_redirect`.
        self._adapter = self._map.bind("localhost")
        for pattern, handler in entries:
            self.add(pattern, handler)

    def add(self, pattern: str, handler: Handler, methods: Iterable[str] | None = None) -> None:
        """Lead `pattern` to `handler`.

        A MessageHandler answers the verbs that it defines, a function GET, unless `methods` says
        otherwise. GET includes HEAD; OPTIONS is answered with the list of methods where no handler
        does it.

        Switches: never. Call from: any thread. Raises: TypeError, ValueError.
        """
        if not callable(handler):
            raise TypeError(f"a handler is a MessageHandler class or a function, not {handler!r}")
        if methods is None:
            methods = handler.verbs() if is_class(handler) else ["GET"]
        chosen = list(methods)
        if not chosen:
            raise ValueError(f"{handler!r} answers no method: define get, post, put, patch or delete in it")
        self._map.add(Rule(pattern, endpoint=handler, methods=chosen))

    def route(self, pattern: str, methods: Iterable[str] | None = None) -> Callable[[H], H]:
        """`add` as a decorator.

        Switches: never. Call from: any thread. Raises: TypeError, ValueError.
        """

        def decorate(handler: H) -> H:
            self.add(pattern, handler, methods)
            return handler

        return decorate

    def find(self, request: Request) -> tuple[Handler, dict[str, Any]]:
        """The handler for `request` and what its pattern captured.

        Where there is none but the answer is known (a redirect, a list of methods), the handler is
        one that gives it.

        Switches: never. Call from: any thread. Raises: NotFound; MethodNotAllowed, with the methods
        that are allowed.
        """
        try:
            endpoint, captured = self._adapter.match(request.path, request.method)
        except RequestRedirect as redirect:
            return _redirect(redirect), {}
        except MethodNotAllowed as error:
            if request.method != "OPTIONS":
                raise
            return _options(error), {}
        return endpoint, dict(captured)


def _redirect(redirect: RequestRedirect) -> Handler:
    # One leading slash: a Location of "//host/" would lead to another server.
    path = "/" + urlsplit(redirect.new_url).path.lstrip("/")

    def answer(request: Request) -> Response:
        query = request.query_string.decode("latin-1")
        return Response.problem(redirect.code, path, {"Location": f"{path}?{query}" if query else path})

    return answer


def _options(error: MethodNotAllowed) -> Handler:
    allowed = sorted({*(error.valid_methods or ()), "OPTIONS"})

    def answer(request: Request) -> Response:
        return Response(status=204, headers={"Allow": ", ".join(allowed)})

    return answer
