"""MessageHandler: an object per message, with hooks around one method per verb.

What must live here: the life of a handler, from the request to the response. What this file must not
know: how handlers are found, what runs them, what becomes of their errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

from .request import Request
from .response import Response, as_response

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


class MessageHandler:
    """Base of class-shaped handlers: define `get`, `post`, `put`, `patch`, `delete`, `head`, `options`.

    Each takes what the route's pattern captured, by name, and returns a Response or what stands for
    one (see `as_response`). `get` also answers HEAD. A new object is made for each message, so
    attributes belong to that message alone.

    Switches: never. Call from: hub. Raises: nothing.
    """

    def __init__(self, request: Request) -> None:
        self.request = request

    def initialize(self) -> None:
        """Hook, before everything else: set up what all verbs need.

        Switches: if it must wait. Call from: hub. Raises: what its author lets out.
        """

    def prepare(self) -> Response | None:
        """Hook, before the verb: a Response returned here is the answer, and the verb is not called.

        Switches: if it must wait. Call from: hub. Raises: what its author lets out.
        """
        return None

    def on_finish(self) -> None:
        """Hook, at the end, whatever happened: give back what `initialize` took.

        Switches: if it must wait. Call from: hub. Raises: what its author lets out.
        """

    @classmethod
    def verbs(cls) -> list[str]:
        """The methods that this handler answers, in upper case.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        return [verb for verb in VERBS if callable(getattr(cls, verb.lower(), None))]


Handler = type[MessageHandler] | Callable[..., Any]


def is_class(handler: Handler) -> TypeGuard[type[MessageHandler]]:
    """Whether `handler` is a MessageHandler class; otherwise it is a function.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    return isinstance(handler, type) and issubclass(handler, MessageHandler)


def call(handler: Handler, request: Request, captured: dict[str, Any]) -> Response:
    """Have `handler` answer `request`; `captured` are the values of the route's pattern.

    Switches: if it must wait. Call from: hub. Raises: what the handler lets out.
    """
    if not is_class(handler):
        return as_response(handler(request, **captured))
    instance = handler(request)
    try:
        instance.initialize()
        answer: Any = instance.prepare()
        if answer is None:
            verb = request.method.lower()
            if verb == "head" and not hasattr(instance, "head"):
                verb = "get"
            answer = getattr(instance, verb)(**captured)
        return as_response(answer)
    finally:
        instance.on_finish()
