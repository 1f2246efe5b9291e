"""A resource of twisted.web answers by synchronous hubkit code while the reactor goes on."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from scripts import run_script

pytest.importorskip("twisted", reason="twisted is not installed: pip install 'hubkit[twisted]'")

GUIDE = Path(__file__).parent.parent / "docs" / "twisted.md"

SITE = """
import sys, traceback
import hubkit
from hubkit import Queue, sleep, spawn, to_thread
from hubkit.green import socket
from hubkit_twisted import run_task
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import LoopingCall
from twisted.web.client import Agent, readBody
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

ticks = []
LoopingCall(ticks.append, None).start(0.002)

class Sync(Resource):
    isLeaf = True
    def __init__(self, answer):
        super().__init__()
        self.answer = answer
    def render_GET(self, request):
        answer = run_task(self.answer, request.path)
        answer.addCallback(lambda body: (request.write(body), request.finish()))
        answer.addErrback(lambda failure: failure.trap(CancelledError))
        answer.addErrback(request.processingFailed)
        request.notifyFinish().addErrback(lambda _: answer.cancel())
        return NOT_DONE_YET

def serve(answer):
    port = reactor.listenTCP(0, Site(Sync(answer)), interface="127.0.0.1")
    return b"http://127.0.0.1:%d/" % port.getHost().port

def program(main):
    def end(result):
        if result is not None:
            result.printTraceback(sys.stdout)
        reactor.stop()
    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(main()).addBoth(end))
    reactor.run()

async def get(url):
    response = await Agent(reactor).request(b"GET", url)
    return response.code, await readBody(response)
"""


def test_a_resource_waits_in_every_way_while_the_reactor_ticks() -> None:
    out = run_script(
        """
        def upstream(listener):
            while True:
                spawn(echo, listener.accept()[0])

        def echo(sock):
            while data := sock.recv(100):
                sock.sendall(data.upper())
            sock.close()

        def answer(path):
            before, queue = len(ticks), Queue()
            child = spawn(lambda: queue.put(to_thread(bytes.strip, path, b"/")))
            name = queue.get(timeout=20)
            with socket.create_connection(listener.getsockname()) as sock:
                sock.sendall(name)
                name = sock.recv(100)
            while len(ticks) < before + 5:  # for ever, if the reactor stood still
                sleep(0.001)
            child.join()
            return name

        listener = socket.create_server(("127.0.0.1", 0))

        async def main():
            url = serve(answer)
            spawn(upstream, listener)
            requests = [Deferred.fromCoroutine(get(url + b"n%d" % number)) for number in range(20)]
            answers = await gatherResults(requests)
            print(answers == [(200, b"N%d" % number) for number in range(20)])

        program(main)
        """,
        "twisted",
        prelude=SITE,
    )
    assert out == "True\n"


def test_an_error_is_a_500_and_a_client_that_leaves_cancels_the_task() -> None:
    out = run_script(
        """
        seen = Queue()

        def answer(path):
            if path == b"/error":
                raise KeyError("of the handler")
            seen.put("waits")
            try:
                sleep(3600)
            finally:
                sleep(0.001)
                seen.put("cleaned up")

        async def main():
            url = serve(answer)
            code, _ = await get(url + b"error")
            print(code)
            request = Deferred.fromCoroutine(get(url + b"endless"))
            print(await run_task(seen.get, timeout=20))
            request.cancel()
            print(await run_task(seen.get, timeout=20))
            try:
                await request
            except Exception as error:
                print("the client has left")

        program(main)
        """,
        "twisted",
        prelude=SITE,
    )
    assert out == "500\nwaits\ncleaned up\nthe client has left\n"


def test_the_programs_of_the_guide_run(tmp_path: Path) -> None:
    web, main = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "web.py").write_text(web)
    (tmp_path / "main.py").write_text(main)
    assert subprocess.check_output([sys.executable, "main.py"], cwd=tmp_path, text=True, timeout=25) == "6\n"
    environment = {name: value for name, value in os.environ.items() if name != "HUBKIT_BACKEND"}
    with subprocess.Popen(
        [sys.executable, "web.py", "0"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            with urlopen(f"http://127.0.0.1:{port}/reader", timeout=20) as response:
                assert response.read() == b"hello, reader\n"
            with socket.create_connection(("127.0.0.1", port)) as impatient:
                impatient.sendall(b"GET /nobody HTTP/1.0\r\n\r\n")
            with urlopen(f"http://127.0.0.1:{port}/again", timeout=20) as response:
                assert response.read() == b"hello, again\n"
            process.terminate()
            assert process.wait(20) in (0, -15)
        finally:
            process.kill()
