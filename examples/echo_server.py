"""A TCP server: one task for each client, on whichever hub was chosen.

hubkit run --hub native --no-patch examples/echo_server.py
"""

from __future__ import annotations

import hubkit
from hubkit.green import socket


def serve(client: socket.socket) -> None:
    """Send back what comes, until the client hangs up."""
    with client:
        while data := client.recv(65536):
            client.sendall(data)


def main(host: str = "127.0.0.1", port: int = 0, ready: hubkit.Future[int] | None = None) -> None:
    """Accept clients for ever; `ready` is told the port."""
    with socket.create_server((host, port)) as listener:
        port = listener.getsockname()[1]
        print(f"listening on {host}:{port}", flush=True)
        if ready is not None:
            ready.set_result(port)
        with hubkit.TaskGroup() as clients:
            while True:
                client, _ = listener.accept()
                clients.spawn(serve, client)


if __name__ == "__main__":
    hubkit.run(main)
