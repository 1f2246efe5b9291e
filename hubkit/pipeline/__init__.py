"""The request pipeline: message -> request -> handler -> response, each message in a task of its own.

    message.py      one request off a wire, whole
    request.py      what handlers see of it          response.py   what they answer
    handler.py      classes with a method per verb   routes.py     which handler
    application.py  any message to exactly one response
    http1.py        HTTP/1.1 without I/O             connection.py  one client
    server.py       accepting, stopping              settings.py    every limit

It uses hubkit's public API only, and runs the same on every hub. Bodies are whole in memory, both ways.
"""

try:
    import httptools as _httptools  # noqa: F401
    import werkzeug as _werkzeug  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"hubkit.pipeline needs {error.name}, which is not installed; type: pip install 'hubkit[pipeline]'",
        name=error.name,
    ) from error

from werkzeug.exceptions import HTTPException, abort

from .application import Application
from .handler import MessageHandler
from .http1 import Http1, Refusal, encode
from .message import Message
from .request import Request
from .response import Response
from .routes import Routes
from .server import Server
from .settings import Settings

__all__ = [
    "Application",
    "HTTPException",
    "Http1",
    "Message",
    "MessageHandler",
    "Refusal",
    "Request",
    "Response",
    "Routes",
    "Server",
    "Settings",
    "abort",
    "encode",
]
