"""
A proxy before the API server that can fall silent: connections stay open, and nothing comes through them any more.

That is what a lost NAT entry or a firewall does to a watch. It speaks TLS on both sides, so that it can tell requests
apart: a whole kind can be made silent for whoever watches and lists it, without stopping other requests.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trustme
import yaml

_HEAD = re.compile(rb"^[A-Z]+ (/\S*) HTTP/1\.1\r\n")
Request = tuple[str, bool]  # path with query, whether it is of the operator's own client and not of Kopf's


class _Connection:
    """One connection of a client. `silent`: what comes from either side is dropped."""

    def __init__(self) -> None:
        self.silent = False
        self.request: Request = ("", False)


class SilentProxy:
    """Serves on this machine while in its context; `kubeconfig` leads through it."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self._given: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
        self._folder = folder
        self._target = urlsplit(self._given["clusters"][0]["cluster"]["server"])
        self._connections: set[_Connection] = set()
        self._mute: Callable[[Request], bool] = lambda _: False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.kubeconfig = folder / "kubeconfig"
        self.dropped = 0  # bytes

    def cut(self) -> None:
        """Let the connections there are fall silent; new ones are as they should be."""
        for connection in list(self._connections):
            connection.silent = True

    def mute(self, plural: str) -> None:
        """Bring Kopf nothing of a kind any more, neither by watches nor by lists."""
        self._mute = lambda request: f"/{plural}" in request[0] and not request[1]

    def __enter__(self) -> SilentProxy:
        self._thread.start()
        authority = trustme.CA()
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(server)
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=server)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)
        self._upstream = self._towards_api_server()
        port = self._server.sockets[0].getsockname()[1]
        ca = base64.b64encode(authority.cert_pem.bytes()).decode()
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": ca}
        led = self._given | {"clusters": [{"name": self._given["clusters"][0]["name"], "cluster": cluster}]}
        self.kubeconfig.write_text(yaml.safe_dump(led))
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for _ in range(3):  # connections are gone a round of the loop after they were given up
            await asyncio.sleep(0)

    def _towards_api_server(self) -> ssl.SSLContext:
        user, cluster = self._given["users"][0]["user"], self._given["clusters"][0]["cluster"]
        pem = "".join(base64.b64decode(user[key]).decode() for key in ("client-certificate-data", "client-key-data"))
        certificate = self._folder / "client.pem"
        certificate.write_text(pem)
        context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        context.load_cert_chain(certificate)
        return context

    async def _serve(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        connection = _Connection()
        self._connections.add(connection)
        api_in, api_out = await asyncio.open_connection(self._target.hostname, self._target.port, ssl=self._upstream)
        try:
            await asyncio.wait(
                [
                    asyncio.create_task(self._pass(connection, client_in, api_out, from_client=True)),
                    asyncio.create_task(self._pass(connection, api_in, client_out, from_client=False)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
            while connection.silent:  # neither side may learn that the other has gone
                await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass  # the end of all; asyncio's server would tell of it
        finally:
            self._connections.discard(connection)
            for writer in (client_out, api_out):
                writer.transport.abort()  # a TLS farewell would outlive the loop

    async def _pass(
        self, connection: _Connection, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, from_client: bool
    ) -> None:
        while chunk := await source.read(1 << 16):
            if from_client and (head := _HEAD.match(chunk)):
                connection.request = (head[1].decode(), b"gitmart/" in chunk)
            if connection.silent or self._mute(connection.request):
                self.dropped += len(chunk)
            else:
                target.write(chunk)
                await target.drain()
