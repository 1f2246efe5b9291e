"""Event: a flag that tasks wait for.

What must live here: the flag and who waits for it. What this file must not know: hubs.

`set` raises the flag first and then wakes; a waiter publishes its ticket first and then looks at the flag.
Nothing is handed over, so there is nothing to give back: a pulse of `set` and `clear` wakes everybody
who waited, and whoever comes later waits for the next.
"""

from __future__ import annotations

from .waiting import WOKEN, WaitQueue, check_timeout, deliver_latched, latched, own_ticket, wait


class Event:
    """A flag, down at first. Shaped as `threading.Event`."""

    __slots__ = ("__weakref__", "_flag", "_waiters")

    def __init__(self) -> None:
        self._flag = False
        self._waiters = WaitQueue()

    def is_set(self) -> bool:
        """Whether the flag is up.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        return self._flag

    def set(self) -> None:
        """Raise the flag and wake everybody who waits, in the order of their coming.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        self._flag = True
        if self._waiters.tickets:
            self._waiters.wake_all()

    def clear(self) -> None:
        """Lower the flag. Who has been woken by an earlier `set` stays woken.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        self._flag = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the flag is up, at most `timeout` seconds; False if that was too short.

        Zero or less means not to wait.

        Switches: if it must wait. Call from: hub | any thread. Raises: Cancelled; ValueError and
        TypeError for a timeout that is no number.
        """
        if timeout is not None:
            timeout = check_timeout(timeout)
        if latched:
            deliver_latched()
        if self._flag:
            return True
        if timeout == 0:
            return False
        ticket = own_ticket()
        self._waiters.add(ticket)
        if self.is_set():
            self._waiters.wake_all()
        return wait(ticket, timeout, self._waiters) is WOKEN or self.is_set()

    def __bool__(self) -> bool:
        raise TypeError("an Event is neither true nor false; type event.is_set()")

    def __repr__(self) -> str:
        return f"<Event {'set' if self._flag else 'not set'}, {len(self._waiters)} waiting>"
