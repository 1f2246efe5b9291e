"""Application: from a message to its response, whatever happens on the way.

What must live here: the order of the steps, and which error becomes which response. What this file
must not know: sockets, protocols, how many messages are handled at once.
"""

from __future__ import annotations

import logging

from werkzeug.exceptions import HTTPException

from hubkit import timeout

from .handler import call
from .message import Message
from .request import Request
from .response import Response, from_http_exception
from .routes import Routes

_log = logging.getLogger("hubkit.pipeline")


class Application:
    """Routes and the rule that each message gets exactly one response.

    Switches: never. Call from: any thread. Raises: nothing.
    """

    def __init__(self, routes: Routes) -> None:
        self.routes = routes

    def respond(self, message: Message, deadline: float | None = None) -> Response:
        """The one response to `message`: the handler's, or what its failure is worth.

        None from a handler is a 204, an HTTP exception its own status, any other error a 500, and a
        handler that has not ended `deadline` seconds after it began is cancelled: 504.

        Switches: if it must wait. Call from: hub. Raises: Cancelled and what else is no Exception.
        """
        scope = timeout(deadline)
        try:
            with scope:
                return self._dispatch(message)
        except HTTPException as error:
            return from_http_exception(error)
        except TimeoutError:
            if not scope.expired:
                _log.exception("%s %s failed", message.method, message.target)
                return Response.problem(500)
            _log.error("%s %s was not answered within %s s", message.method, message.target, deadline)
            return Response.problem(504, f"no answer within {deadline} s")
        except Exception:
            _log.exception("%s %s failed", message.method, message.target)
            return Response.problem(500)

    def _dispatch(self, message: Message) -> Response:
        if message.target == "*":
            return Response(status=204)
        request = Request(message)
        handler, captured = self.routes.find(request)
        return call(handler, request, captured)
