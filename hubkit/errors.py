"""Every exception that hubkit raises of its own.

What must live here: the classes, and the text that several places share. What this file
must not know: hubs, tasks, or any other module of the package.

Two families. `Cancelled` is a BaseException: it unwinds a task and no `except Exception` or
`except OSError` in a library may eat it. Everything that a caller is meant to handle is an
ordinary Exception under `HubError`. Expired timeouts are the built-in `TimeoutError`.
"""

from __future__ import annotations


class Cancelled(BaseException):
    """Unwinds a task that was asked to stop, up to the place that asked.

    `source` is what asked: the `Task` whose `cancel()` was called, or the scope (a timeout, a
    `TaskGroup`) that expired. Only that source's own edge turns it into something else. Catch it
    to clean up, then let it go on.
    """

    def __init__(self, source: object = None) -> None:
        super().__init__(source)
        self.source = source

    def __str__(self) -> str:
        return f"cancelled by {self.source!r}"


class HubError(Exception):
    """Base of the ordinary errors that hubkit raises of its own."""


class TaskCancelled(HubError):
    """`Task.result()` of a task that ended by being cancelled: the task's fate, not the caller's."""


class Closed(HubError, OSError):
    """The file descriptor, socket, queue or hub was closed on this side while or before it was used."""


class Busy(HubError, RuntimeError):
    """Another task already waits on this descriptor in this direction."""


class Deadlock(HubError, RuntimeError):
    """Nothing that is left can ever wake a task; the message lists who waits for what."""


class NotSupported(HubError, NotImplementedError):
    """This hub does not have that capability; `hub.supports(CAPABILITY)` tells beforehand."""


class HubNotInstalled(HubError, ImportError):
    """The chosen hub, or the package that it runs on, is not installed."""


class UnknownHub(HubError, LookupError):
    """No installed package registers a hub of that name."""


class HubAlreadyChosen(HubError, RuntimeError):
    """A second, different choice of hub; the message says who chose first."""


class InvalidHub(HubError, TypeError):
    """A class registered as a hub lacks part of the contract; the message names what."""


class ContractViolation(HubError, AssertionError):
    """A hub, or who calls its verbs, broke the hub contract. Only hubs made by `hubkit.testing.lint` look.

    `verb` is the name of the verb, `at_fault` is "hub" or "caller", `sentence` is what the contract says.
    """

    def __init__(self, verb: str, at_fault: str, sentence: str, what: str) -> None:
        super().__init__(verb, at_fault, sentence, what)
        self.verb = verb
        self.at_fault = at_fault
        self.sentence = sentence
        self.what = what

    def __str__(self) -> str:
        return f'the {self.at_fault} broke the contract of Hub.{self.verb}, "{self.sentence}": {self.what}'


class InvalidState(HubError, RuntimeError):
    """A Future was given a second outcome, or asked for one that it does not have."""


class WrongContext(HubError, RuntimeError):
    """A call that must wait was made where nothing may wait; the message says what to type instead."""
