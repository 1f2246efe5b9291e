"""hubkit among asyncio software that nobody here has written: aiohttp, SQLAlchemy."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hubkit
from hubkit import (
    Event,
    Queue,
    TaskGroup,
    checkpoint,
    move_on_after,
    sleep,
    spawn,
    testing,
    timeout,
    to_thread,
)
from hubkit.contract import Hub
from hubkit.errors import Cancelled
from hubkit_asyncio import await_, run_task
from hubkit_conformance.tools import LONG, PATIENCE

DOCUMENT = (Path(__file__).parent.parent / "docs" / "asyncio.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _on_asyncio() -> Iterator[type[Hub]]:
    with testing.override("hubkit_asyncio.hub:AsyncioHub") as hub_class:
        yield hub_class


# -- aiohttp --------------------------------------------------------------------------------------


@pytest.fixture
def web() -> Any:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: pip install aiohttp")
    from aiohttp import web

    return web


async def serve(web: Any, handler: Any, **options: Any) -> tuple[Any, str]:
    """A server for one handler of everything, on a port that was free."""
    server = web.Server(handler, **options)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


async def lookup(name: str) -> str:
    """Stands for an asynchronous driver."""
    await asyncio.sleep(0.001)
    return name.upper()


def answer(name: str) -> str:
    """A synchronous handler: waits of hubkit, a thread, tasks, and calls back into asynchronous code."""
    sleep(0.001)
    results: Queue[str] = Queue()
    with timeout(PATIENCE), TaskGroup() as group:
        group.spawn(lambda: results.put(to_thread(str.lower, name)))
        group.spawn(lambda: results.put(await_(lookup(name))))
    return "".join(sorted(results.get() for _ in range(2)))


def test_a_server_of_aiohttp_answers_by_synchronous_code_that_calls_asynchronous_code(web: Any) -> None:
    from aiohttp import ClientSession

    async def handler(request: Any) -> Any:
        return web.Response(text=await run_task(answer, request.path.strip("/")))

    async def main() -> tuple[list[str], int]:
        ticks, over = 0, asyncio.Event()

        async def ticker() -> None:
            nonlocal ticks
            while not over.is_set():
                await asyncio.sleep(0)
                ticks += 1

        ticking = asyncio.create_task(ticker())
        runner, url = await serve(web, handler)
        async with ClientSession() as session:

            async def get(name: str) -> str:
                async with session.get(f"{url}/{name}") as response:
                    return await response.text()  # type: ignore[no-any-return]

            bodies = await asyncio.gather(*[get(f"n{number}") for number in range(50)])
        over.set()
        await ticking
        await runner.cleanup()
        return bodies, ticks

    bodies, ticks = asyncio.run(main())
    assert bodies == [f"N{number}n{number}" for number in range(50)]
    assert ticks > 10


def test_a_client_that_hangs_up_cancels_the_task(web: Any) -> None:
    from aiohttp import ClientSession, ClientTimeout

    began, trace = Event(), Queue[str]()

    def work() -> None:
        began.set()
        try:
            sleep(LONG)
        except Cancelled:
            trace.put("cancelled")
            raise

    async def handler(request: Any) -> Any:
        await run_task(work)
        raise AssertionError

    async def main() -> str:
        runner, url = await serve(web, handler, handler_cancellation=True)
        async with ClientSession(timeout=ClientTimeout(total=PATIENCE)) as session:
            request = asyncio.create_task(session.get(url))
            await run_task(began.wait, PATIENCE)
            request.cancel()
            await asyncio.wait([request])
        got: str = await run_task(trace.get, timeout=PATIENCE)
        await runner.cleanup()
        return got

    assert asyncio.run(main()) == "cancelled"


def test_synchronous_code_uses_a_client_of_aiohttp(web: Any) -> None:
    """And serves by it as well, where hubkit runs the loop."""
    from aiohttp import ClientSession

    async def handler(request: Any) -> Any:
        if request.path == "/slow":
            await run_task(sleep, LONG)
        return web.Response(text=request.path[1:])

    def get(session: Any, url: str) -> str:
        response = await_(session.get(url))
        try:
            return await_(response.text())
        finally:
            response.release()

    async def open_session() -> Any:
        return ClientSession()

    def main() -> list[str]:
        runner, url = await_(serve(web, handler, handler_cancellation=True))
        session = await_(open_session())
        try:
            tasks = [spawn(get, session, f"{url}/{number}") for number in range(20)]
            with move_on_after(0.05) as scope:
                get(session, f"{url}/slow")
            assert scope.expired
            return [task.result(PATIENCE) for task in tasks]
        finally:
            await_(session.close())
            await_(runner.cleanup())

    assert hubkit.run(main) == [str(number) for number in range(20)]


# -- SQLAlchemy -----------------------------------------------------------------------------------


@pytest.fixture
def url(tmp_path: Path) -> str:
    for name in ("sqlalchemy", "aiosqlite"):
        pytest.importorskip(name, reason=f"{name} is not installed: pip install sqlalchemy aiosqlite")
    return f"sqlite+aiosqlite:///{tmp_path}/test.db"


def use_the_engine(url: str) -> list[tuple[int, str]]:
    """Plain synchronous SQLAlchemy, on an asynchronous driver, between waits of hubkit."""
    from sqlalchemy import Integer, String, create_engine, select
    from sqlalchemy.orm import DeclarativeBase, Session, mapped_column
    from sqlalchemy.pool import AsyncAdaptedQueuePool

    class Base(DeclarativeBase):
        pass

    class Item(Base):
        __tablename__ = "item"
        id = mapped_column(Integer, primary_key=True)
        name = mapped_column(String)

    engine = create_engine(url, poolclass=AsyncAdaptedQueuePool)
    try:
        Base.metadata.create_all(engine)

        def add(number: int) -> None:
            with Session(engine) as session, session.begin():
                session.add(Item(id=number, name=f"item {number}"))
                checkpoint()

        for number in range(3):
            spawn(add, number).result(PATIENCE)
        with Session(engine) as session:
            tasks = [spawn(read, engine, Item) for _ in range(5)]
            rows = [(item.id, item.name) for item in session.scalars(select(Item).order_by(Item.id))]
            assert [task.result(PATIENCE) for task in tasks] == [3] * 5
        return rows
    finally:
        engine.dispose()


def read(engine: Any, item: Any) -> int:
    from sqlalchemy import func, select

    with engine.connect() as connection:
        count: int = connection.execute(select(func.count()).select_from(item)).scalar()
        return count


ROWS = [(number, f"item {number}") for number in range(3)]


def test_synchronous_code_uses_an_asynchronous_engine_in_hubkits_loop(url: str) -> None:
    assert hubkit.run(lambda: spawn(use_the_engine, url).result()) == ROWS


def test_synchronous_code_uses_an_asynchronous_engine_in_the_applications_loop(url: str) -> None:
    assert asyncio.run(run_task(use_the_engine, url)) == ROWS


def test_a_task_in_sqlalchemy_can_be_timed_out_and_the_engine_goes_on(url: str) -> None:
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine

    def work() -> int:
        engine = create_async_engine(url).sync_engine
        try:
            endless = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000)"
            with move_on_after(0.02) as scope, engine.connect() as connection:
                connection.execute(text(f"{endless} select count(*) from n")).scalar()
            assert scope.expired
            with engine.connect() as connection:
                value: int = connection.execute(text("select 42")).scalar()
                return value
        finally:
            engine.dispose()

    assert hubkit.run(lambda: spawn(work).result()) == 42


def test_sqlalchemys_own_bridge_is_not_confused_with_a_task(url: str) -> None:
    """Its greenlets are started by coroutines; hubkit refuses to wait there, they go on waiting by theirs."""
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine

    async def main() -> tuple[int, str]:
        engine = create_async_engine(url)

        def inside(connection: Any) -> str:
            with pytest.raises(hubkit.WrongContext):
                sleep(0.001)
            return str(connection.execute(text("select 'fine'")).scalar())

        async with engine.connect() as connection:
            value = (await connection.execute(text("select 42"))).scalar()
            name = await connection.run_sync(inside)
        await engine.dispose()
        await run_task(checkpoint)
        return value, name

    assert asyncio.run(main()) == (42, "fine")


# -- the document ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1])
def test_the_examples_of_the_document_print_what_they_say(number: int, tmp_path: Path) -> None:
    code = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)[number]
    (tmp_path / "example.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, timeout=25
    )
    promised = re.findall(r"print\(.*\)  # ([^:\n]+)", code)
    assert done.stdout.splitlines() == promised, done.stderr
    assert done.returncode == 0
