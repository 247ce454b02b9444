"""A run talks to the warehouse and to nobody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from tests.integration.transform.conftest import may_unshare

from gitmart.contract.outcomes import Outcome


@contextmanager
def relay(path: Path, to: tuple[str, int]) -> Iterator[None]:
    """Let a socket in the file system lead to a server: it can be reached without a network."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(ConnectionError):
            while some := await reader.read(65536):
                writer.write(some)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(*to)
        await asyncio.gather(pump(reader, ours), pump(theirs, writer))

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_unix_server(serve, path))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        server.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@pytest.mark.skipif(not may_unshare("--net"), reason="needs the right to make a network namespace")
def test_a_run_without_any_network_but_the_warehouse(transform: Any, tmp_path: Path) -> None:
    parts = conninfo_to_dict(transform.url)
    with relay(tmp_path / f".s.PGSQL.{parts['port']}", (str(parts["host"]), int(str(parts["port"])))):
        transform.url = make_conninfo(transform.url, host=str(tmp_path))

        process = transform.start(prefix=("unshare", "--net"))

        assert process.ended_as(Outcome.SUCCEEDED)


@pytest.mark.own_interpreter
def test_dbt_talks_to_nobody_but_the_warehouse(transform: Any, tmp_path: Path) -> None:
    spy = tmp_path / "spy"
    spy.mkdir()
    seen = tmp_path / "seen.txt"
    (spy / "sitecustomize.py").write_text(
        "import sys\n"
        f"seen = open({str(seen)!r}, 'a', buffering=1)\n"
        "def watch(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.gethostbyname', 'socket.sendto'):\n"
        "        seen.write(f'{event} {arguments!r}\\n')\n"
        "sys.addaudithook(watch)\n"
        "seen.write('watching\\n')\n",
        encoding="utf-8",
    )

    assert transform.run(PYTHONPATH=str(spy)).ended_as(Outcome.SUCCEEDED)

    assert seen.read_text(encoding="utf-8") == "watching\n"  # libpq's own connections are not Python's
    assert not list(transform.project.folder.rglob(".user.yml"))
