"""
An embedded PostgreSQL in a folder: binaries from a wheel, TCP on 127.0.0.1, a password per role.

The folder is the truth: a server found running in it is used, one that was killed is started again,
and PostgreSQL's own recovery does the rest. Whether one runs is told by the lock of `server.lock`,
which the server inherits from whoever starts it: a pid file alone lies after a crash, when its number
belongs to another process.

The server is started directly rather than by pg_ctl, which builds a command for a shell.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from gitmart.local import locks
from gitmart.local.cluster import SUPERUSER, ClusterError, create_cluster, passwords, program

__all__ = ["ROLES", "SUPERUSER", "EmbeddedPostgres", "PostgresError"]

DATABASE = "gitmart"
ROLES = ("gitmart_owner", "gitmart_extract", "gitmart_transform", "gitmart_read")
START_LIMIT = 600  # seconds; recovery after a kill replays at most max_wal_size
STOP_LIMIT = 60  # seconds, before the server is told to stop at once
PATH_LIMIT = 900  # bytes; PostgreSQL's own paths end at 1024


class PostgresError(RuntimeError):
    """The embedded server cannot be had; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """
    The server of one folder. Methods may be called in any order, by several processes at once.

    `programs`: the folder of another PostgreSQL's programs, to try gitmart with its version; None: our own.
    `durable`: False where nobody keeps the data: should the machine fail, all of it may be lost. Heeded when the
    folder is new.
    """

    folder: Path
    programs: Path | None = None
    durable: bool = True

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server said."""
        return self.folder / "server.log"

    @property
    def lock(self) -> Path:
        """The file whose lock the server holds while it lives."""
        return self.folder / "server.lock"

    def start(self) -> None:
        """Make sure the server runs and has its database and roles; raise PostgresError."""
        if len(os.fsencode(self.data.absolute())) > PATH_LIMIT:
            raise PostgresError(f"the folder's path is too long for PostgreSQL: at most {PATH_LIMIT} bytes are allowed")
        import psycopg

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._start_or_join()
            try:
                self._ensure_database()
            except (psycopg.OperationalError, PostgresError):  # what we joined was about to stop, or was just killed
                self._start_or_join()
                self._ensure_database()
        except (ClusterError, locks.LockError, psycopg.Error) as error:
            raise PostgresError(f"the embedded PostgreSQL in {self.folder}: {error}") from None
        except OSError as error:
            raise PostgresError(f"{error.filename or self.folder}: {error.strerror}") from None

    def running(self) -> bool:
        """Whether the folder's server accepts connections."""
        # The children of a killed server hold the lock a little longer, and its pid file still says `ready`.
        return locks.is_locked(self.lock) and self._state() == "ready" and _answers(int(self._lines()[3]))

    def stop(self) -> None:
        """Stop the server, rolling back what is open, and wait until it is gone."""
        for number, limit in ((signal.SIGINT, STOP_LIMIT), (signal.SIGQUIT, 10)):  # fast, then immediate
            deadline = time.monotonic() + limit
            signalled = None
            while locks.is_locked(self.lock):
                pid = self._pid()
                if pid is not None and pid != signalled:
                    _signal(pid, number)
                    signalled = pid
                if time.monotonic() > deadline:
                    break
                time.sleep(locks.PAUSE)
            else:
                return
        raise PostgresError(f"the embedded PostgreSQL in {self.folder} does not stop; its log is {self.log}")

    def url(self, role: str, database: str = DATABASE) -> str:
        """Return a connection URL for the role; its password is in it. Raise PostgresError without a server."""
        if role != SUPERUSER and role not in ROLES:
            raise PostgresError(f"{role} is not a role of gitmart; there are {', '.join(ROLES)}")
        if not self.running():
            raise PostgresError(f"no embedded PostgreSQL runs in {self.folder}")
        return f"postgresql://{role}:{passwords(self.folder)[role]}@127.0.0.1:{self._lines()[3]}/{database}"

    def _start_or_join(self) -> None:
        """Start the server, or wait until the one that another process starts is ready."""
        deadline = time.monotonic() + START_LIMIT
        while not self.running():
            if (lock := locks.try_lock(self.lock)) is not None:
                try:
                    if not (self.data / "PG_VERSION").exists():
                        create_cluster(self.folder, (SUPERUSER, *ROLES), lock, self.programs, durable=self.durable)
                    self._launch(lock)
                finally:
                    os.close(lock)  # the server has its own copy
                return
            if time.monotonic() > deadline:
                raise PostgresError(f"a process of an earlier server in {self.folder} does not end; see {self.log}")
            time.sleep(locks.PAUSE)

    def _launch(self, lock: int) -> None:
        """Start the server under our lock. Nobody else runs one here, so what a killed one left may go."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for port in (_last_port(self.data), 0, 0, 0):
            said_before = self.log.stat().st_size if self.log.exists() else 0
            pid = self._spawn(_free_port(port), lock)
            while os.waitpid(pid, os.WNOHANG)[0] == 0:
                if self._state() == "ready":
                    return
                time.sleep(locks.PAUSE / 2)
            said = self.log.read_bytes()[said_before:].decode(errors="replace")
            if "could not bind" not in said:  # somebody may take the port between our look and the server's
                break
        raise PostgresError(f"the embedded PostgreSQL in {self.folder} does not start: {said[-2000:].strip()}")

    def _spawn(self, port: int, lock: int) -> int:
        """Start `postgres` in a session of its own, so that no terminal's Ctrl-C reaches it; return its pid."""
        command = program("postgres", self.folder, "-D", str(self.data), "-p", str(port), programs=self.programs)
        os.set_inheritable(lock, True)
        try:
            return os.posix_spawn(
                command.words[0],
                command.words,
                command.environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
                setsid=True,
            )
        finally:
            os.set_inheritable(lock, False)

    def _ensure_database(self) -> None:
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.url(SUPERUSER, "postgres"), autocommit=True) as connection:
            # Two starts at once: the second waits, then finds everything there.
            connection.execute("select pg_advisory_lock(1)")
            known = {row[0] for row in connection.execute("select rolname from pg_roles")}
            for role in ROLES:
                if role not in known:
                    password = sql.Literal(passwords(self.folder)[role])
                    connection.execute(
                        sql.SQL("create role {} login password {}").format(sql.Identifier(role), password)
                    )
            if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                connection.execute(sql.SQL("create database {} owner gitmart_owner").format(sql.Identifier(DATABASE)))

    def _lines(self) -> list[str]:
        """Return the lines of postmaster.pid, [] when there is none."""
        try:
            return (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return []

    def _state(self) -> str | None:
        """Return `starting`, `ready` or `stopping` as the server says; None before it says anything."""
        # https://www.postgresql.org/docs/current/storage-file-layout.html; the 8th line is PostgreSQL ≥ 10.
        lines = self._lines()
        return lines[7].strip() if len(lines) >= 8 else None

    def _pid(self) -> int | None:
        lines = self._lines()
        return int(lines[0]) if lines else None


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # gone already; its children follow, and the lock tells when
    except PermissionError:
        raise PostgresError(f"the server (process {pid}) is another user's: stop it as that user") from None


def _answers(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _last_port(data: Path) -> int:
    """Return the port of the last start, so that people's saved connections stay good; 0 when not known."""
    options = data / "postmaster.opts"
    words = options.read_text(encoding="utf-8", errors="replace").split('"') if options.exists() else []
    return next((int(words[at + 2]) for at, word in enumerate(words[:-2]) if word == "-p"), 0)


def _free_port(wanted: int) -> int:
    """Return `wanted` if nobody has it, else one that is free now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
