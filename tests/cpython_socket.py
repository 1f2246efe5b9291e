"""CPython's own tests of `socket`, pointed at `hubkit.green.socket`: run as a program, with a hub's name.

What must live here: which of them hold, and why the rest does not. The tests talk between two threads, so
one end waits on the hub under test and the other natively.
"""

from __future__ import annotations

import contextlib
import sys
import unittest
from collections.abc import Iterator
from types import ModuleType

import hubkit
from hubkit.contract import VIRTUAL_TIME
from hubkit.green import socket

#: Each class says something about waiting, closing, flags or files. The rest is about constants, and about
#: protocols that few kernels have.
CLASSES = (
    "BasicSocketPairTest",
    "BasicTCPTest",
    "BasicTCPTest2",
    "BasicUDPTest",
    "BufferIOTest",
    "ContextManagersTest",
    "CreateServerFunctionalTest",
    "CreateServerTest",
    "FileObjectClassTestCase",
    "NetworkConnectionAttributesTest",
    "NetworkConnectionBehaviourTest",
    "NetworkConnectionNoServer",
    "NonBlockingTCPTests",
    "RecvmsgIntoTCPTest",
    "RecvmsgSCMRightsStreamTest",
    "RecvmsgTCPTest",
    "RecvmsgUDPTest",
    "RecvmsgUnixStreamTest",
    "SendRecvFdsTests",
    "SendfileUsingSendTest",
    "SendmsgTCPTest",
    "SendmsgUDPTest",
    "SmallBufferedFileObjectClassTestCase",
    "TCPTimeoutTest",
    "TestLinuxAbstractNamespace",
    "TestUnixDomain",
    "UDPTimeoutTest",
    "UnbufferedFileObjectClassTestCase",
)

#: What a hub must do otherwise.
EXCEPT = {
    "NonBlockingTCPTests.testSetBlocking": "O_NONBLOCK does not follow the timeout",
    "NonBlockingTCPTests.testSetBlocking_overflow": "the same",
}

#: A signal interrupts a wait with a time limit: on a simulated clock that is over before.
BY_REAL_TIME = ["TCPTimeoutTest.testInterruptedTimeout"]


@contextlib.contextmanager
def _whatever_threads(*args: object, **kwargs: object) -> Iterator[None]:
    """The original waits until all threads have ended; hubkit keeps idle ones."""
    yield


def prepare() -> ModuleType:
    """CPython's test module, with its idea of `socket` replaced."""
    import test.test_socket as tests

    tests.socket = socket
    tests.threading_helper.wait_threads_exit = _whatever_threads
    by_real_time = BY_REAL_TIME if hubkit.current_hub().supports(VIRTUAL_TIME) else []
    for name in [*EXCEPT, *by_real_time]:
        class_name, method = name.split(".")
        if hasattr(tests, class_name):
            setattr(getattr(tests, class_name), method, None)
    return tests


def main() -> None:
    """Exit with 1 if a test fails."""
    hubkit.use(sys.argv[1])
    tests = prepare()
    names = [name for name in CLASSES if hasattr(tests, name)]
    unittest.main(module=tests, argv=["socket", *names])


if __name__ == "__main__":
    main()
