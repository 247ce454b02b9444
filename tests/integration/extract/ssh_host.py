"""An ssh host on this machine: a real server, in front of git itself."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import threading
from asyncio.subprocess import PIPE
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncssh

NAME = "git.example.org"  # whoever uses it sees to its address
ADDRESS = "127.0.0.1"


class SshHost:
    """
    Serves repositories to whoever shows one of the accepted keys.

    `accepted` are public keys, and may be changed between connections.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.accepted: set[str] = set()
        self.asked: list[str] = []  # what clients ran
        self.protocols: list[str | None] = []  # of git, as they asked for
        self.watched: tuple[bytes, ...] = ()  # texts that no process may show, in its arguments or environment
        self.leaks: list[bytes] = []
        self.files: dict[str, str] = {}  # name -> mode of what lies beside ssh's configuration meanwhile
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.authority = asyncssh.generate_private_key("ssh-ed25519")
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncssh.SSHAcceptor | None = None

    def start(self, host_key: asyncssh.SSHKey | None = None, *, certified: bool = False) -> None:
        """Listen, on the port it had before, with its own host key or another one."""
        if not self._thread.is_alive():
            self._thread.start()
        key: Any = host_key or self.host_key
        if certified:
            key = (key, self.authority.generate_host_certificate(key, "host", principals=[NAME, ADDRESS]))
        self._server = self._run(self._listen(key))
        assert self._server is not None
        self.port = self._server.get_port()

    async def _listen(self, key: Any) -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(
            lambda: _Door(self), ADDRESS, self.port, server_host_keys=[key], process_factory=self._serve, encoding=None
        )

    def stop(self) -> None:
        """Hang up."""
        if self._server is not None:
            self._loop.call_soon_threadsafe(self._server.close)
            self._run(self._server.wait_closed())

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def url(self, repository: Any, name: str = ADDRESS) -> str:
        """Return the address of a repository on this machine."""
        return f"ssh://git@{name}:{self.port}{repository.git_dir}"

    @property
    def line(self) -> str:
        """The host's line of known_hosts."""
        return f"[{NAME}]:{self.port},[{ADDRESS}]:{self.port} {public(self.host_key)}"

    @property
    def certified_line(self) -> str:
        """The line that trusts the authority of its certificate."""
        return f"@cert-authority *.example.org {public(self.authority)}"

    @property
    def hashed_line(self) -> str:
        """Its line as ssh-keygen -H writes it."""
        file = self.folder / "hashed"
        file.write_text(self.line + "\n")
        subprocess.run(["ssh-keygen", "-H", "-f", file], capture_output=True, check=True)
        return file.read_text()

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=30)

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        self._look_for_leaks()
        command = process.command or ""
        self.asked.append(command)
        self.protocols.append(process.env.get("GIT_PROTOCOL"))
        program, path = shlex.split(command)
        if not Path(path).exists():
            process.stderr.write(b"ERROR: Repository not found.\n")  # as GitHub says it
            process.exit(1)
            return
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
        if protocol := process.env.get("GIT_PROTOCOL"):
            environment["GIT_PROTOCOL"] = protocol
        served = await asyncio.create_subprocess_exec(
            "git", "-c", "safe.directory=*", program.removeprefix("git-"), path,
            stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment,
        )  # fmt: skip
        assert served.stdin is not None
        to_git = asyncio.create_task(_pump(process.stdin, served.stdin))
        await asyncio.gather(_pump(served.stdout, process.stdout), _pump(served.stderr, process.stderr))
        await asyncio.gather(to_git, return_exceptions=True)  # git may hang up first
        process.exit(await served.wait())

    def _look_for_leaks(self) -> None:
        for shown in [*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")]:
            with suppress(OSError):
                text = shown.read_bytes()
                self.leaks += [text for secret in self.watched if secret in text]
        self.files |= {file.name: f"{file.stat().st_mode & 0o777:o}" for file in self.folder.glob("work/*/home/ssh*")}


async def _pump(source: Any, target: Any) -> None:
    while piece := await source.read(1 << 16):
        target.write(piece)
        await target.drain()
    target.write_eof()


def public(key: asyncssh.SSHKey) -> str:
    """Return a public key as known_hosts and authorized_keys have it."""
    return " ".join(key.export_public_key().decode().split()[:2])


class _Door(asyncssh.SSHServer):
    def __init__(self, host: SshHost) -> None:
        self._host = host

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == "git" and public(key) in self._host.accepted
