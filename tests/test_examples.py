"""The examples run, on every hub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hubkit
from hubkit.green import socket

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.mark.parametrize("hub", hubkit.available_hubs())
def test_prices(hub: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(EXAMPLES / "prices.py")],
        env={**os.environ, "HUBKIT_BACKEND": hub},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "(4, 'mall')\n"


@pytest.mark.usefixtures("hub")
def test_echo_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import echo_server

    ready: hubkit.Future[int] = hubkit.Future()
    server = hubkit.spawn(echo_server.main, "127.0.0.1", 0, ready)
    with socket.create_connection(("127.0.0.1", ready.result(30))) as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"
    server.cancel()
    assert server.join(30)
