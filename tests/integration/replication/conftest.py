"""Two PostgreSQL servers, a warehouse on each, and the commands that people and pods use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from tests.forked import Forks
from tests.integration.transform.conftest import Project, small_project

from gitmart.local.cluster import own_programs
from gitmart.local.postgres import SUPERUSER, EmbeddedPostgres
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

FORKED = ("replicate", "transform")  # commands that need no interpreter of their own here
CANARY = "canary/of=the login"  # a password that stands in no log and in nothing that is printed
SETTINGS = {
    "wal_level": "logical",
    "log_statement": "all",
    "wal_retrieve_retry_interval": "500ms",
    "max_logical_replication_workers": "8",
}


@dataclass(frozen=True, slots=True)
class Side:
    """A warehouse on one of the servers."""

    server: EmbeddedPostgres
    database: str

    def url(self, role: str = SUPERUSER) -> str:
        return self.server.url(role, self.database)

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement as superuser and return its rows, [] when it gives none."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def until(self, question: str, *parameters: object, seconds: int = 60) -> None:
        """Wait until a query says true."""
        until(lambda: self.query(question, *parameters) == [(True,)], question, seconds)


@dataclass(slots=True)
class Done:
    """What a command left."""

    code: int
    printed: str
    result: dict[str, Any]


@dataclass(slots=True)
class Pair:
    """A source and the warehouse that is, or will be, its replica."""

    source: Side
    replica: Side
    folder: Path
    environment: dict[str, str]  # of `gitmart replicate`
    forks: Forks
    project: Project
    runs: int = 0

    @property
    def login_url(self) -> str:
        """How the replica's server reaches the source."""
        return self.environment["GITMART_REPLICATION_URL"]

    def replicate(self, *words: str, code: int = 0, **environment: str) -> str:
        """Run `gitmart replicate`; return all that it prints."""
        done = self._run(["replicate", *words], {**self.environment, **environment})
        assert done.code == code, done.printed
        assert CANARY not in done.printed
        return done.printed

    def set_up(self) -> None:
        """Set the replication up and wait until it is ready."""
        self.replicate("set-up")
        self.replicate("status", "--wait=60s")

    def extract(self, repository: Any, side: Side | None = None) -> Done:
        words = ["extract", f"--url={repository.url}", "--allow-file-urls"]
        return self._run(words, {"GITMART_WAREHOUSE_URL": (side or self.source).url("gitmart_extract")}, result=True)

    def transform(self, side: Side | None = None, *words: str, whole: bool = False) -> Done:
        """Run dbt on the replica, or on that side, with a small project, or the whole of gitmart's own."""
        environment = {"GITMART_WAREHOUSE_URL": (side or self.replica).url("gitmart_transform")}
        if not whole:
            words = ("--project-dir", str(self.project.folder), *words)
        return self._run(["transform", "--no-docs", *words], environment, result=True)

    def settle(self) -> None:
        """Wait until the replica has what the source has now."""
        [(position,)] = self.source.query("select pg_current_wal_lsn()::text")
        self.source.until(
            "select coalesce(bool_and(confirmed_flush_lsn >= %s::pg_lsn), false) from pg_replication_slots"
            " where database = current_database() and not temporary",
            position,
        )

    def rows(self, side: Side) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row of every replicated table, with all its columns."""
        published = self.source.query(
            "select tablename from pg_publication_tables where pubname = 'gitmart' order by 1"
        )
        assert published
        return {
            table: side.query(f"select to_jsonb(t) from {table} as t order by to_jsonb(t)::text")
            for (table,) in published
        }

    def _run(self, words: list[str], environment: Mapping[str, str], *, result: bool = False) -> Done:
        self.runs += 1
        file = self.folder / f"result{self.runs}.json"
        if result:
            words = [*words, f"--result-file={file}"]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "PG", "GITMART_"))}
        if words[0] in FORKED:
            output, errors = (self.folder / f"{name}{self.runs}.txt" for name in ("output", "errors"))
            process = self.forks.start(words, {**kept, **environment}, self.folder, errors, output)
            printed = process.communicate()[1]
            code, printed = process.returncode, output.read_text(encoding="utf-8") + printed
        else:
            done = subprocess.run(
                [sys.executable, "-m", "gitmart", *words],
                env={**kept, **environment}, cwd=self.folder, capture_output=True, text=True, check=False,
            )  # fmt: skip
            code, printed = done.returncode, done.stdout + done.stderr
        assert code is not None
        told = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return Done(code, printed, told)


def until(question: Callable[[], bool], what: str = "it", seconds: int = 60) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, f"after {seconds} s not yet: {what}"
        time.sleep(0.1)


Servers = tuple[EmbeddedPostgres, EmbeddedPostgres]


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """
    Two servers, each with a migrated database `gitmart` to copy.

    GITMART_TEST_POSTGRES=SOURCE:REPLICA names folders of another PostgreSQL's programs, to try all of these tests
    with it; an empty one is the embedded one.
    """
    given = os.environ.get("GITMART_TEST_POSTGRES", ":").split(":")
    with ExitStack() as held:
        one, other = (held.enter_context(_server(Path(each) if each else None)) for each in given)
        yield one, other


@contextmanager
def _server(programs: Path | None) -> Iterator[EmbeddedPostgres]:
    with temporary_postgres(programs, durable=False) as server:
        with psycopg.connect(server.url(SUPERUSER), autocommit=True) as connection:
            for name, value in SETTINGS.items():
                connection.execute(sql.SQL("alter system set {} = {}").format(sql.Identifier(name), sql.Literal(value)))
        server.stop()
        server.start()
        migrate(server.url("gitmart_owner"))
        yield server


# Besides PostgreSQL 18: one that the embedded server's package has too, and Debian 12's own.
OLDER = {
    16: own_programs().parents[1] / "pginstall" / "bin",
    15: Path("/usr/lib/postgresql/15/bin"),
}


@pytest.fixture(scope="module", params=sorted(OLDER))
def older(request: pytest.FixtureRequest) -> Iterator[EmbeddedPostgres]:
    """A server of an older version, like one of `servers`."""
    programs = OLDER[request.param]
    if not programs.exists():
        pytest.skip(f"there is no PostgreSQL {request.param} in {programs}: apt-get install postgresql-{request.param}")
    with _server(programs) as server:
        yield server


@pytest.fixture
def older_pair(older: EmbeddedPostgres, tmp_path: Path, forks: Forks) -> Iterator[Pair]:
    """Like `pair`, on one server of an older version."""
    yield from _pair((older, older), tmp_path, forks)


@pytest.fixture
def pair(servers: Servers, tmp_path: Path, forks: Forks) -> Iterator[Pair]:
    """Two migrated, empty warehouses that have nothing to do with each other yet. Nothing stays of them."""
    yield from _pair(servers, tmp_path, forks)


def _pair(servers: Servers, tmp_path: Path, forks: Forks) -> Iterator[Pair]:
    sides = [Side(server, f"test_{uuid4().hex}") for server in servers]
    for side in sides:
        _on(side.server, f'create database "{side.database}" template gitmart owner gitmart_owner')
    source, replica = (side.url() for side in sides)
    environment = {
        "GITMART_WAREHOUSE_URL": source,
        "GITMART_REPLICA_URL": replica,
        "GITMART_REPLICATION_URL": f"postgresql://gitmart_replicate:{quote(CANARY, safe='')}@{source.rpartition('@')[2]}",
    }
    pair = Pair(sides[0], sides[1], tmp_path, environment, forks, small_project(tmp_path / "small"))
    yield pair
    for server in servers:
        server.start()
    for name in pair.replica.query("select subname from pg_subscription join pg_database d on d.oid = subdbid"
                                   " where datname = current_database()"):  # fmt: skip
        pair.replica.query(f"alter subscription {name[0]} disable")
        pair.replica.query(f"alter subscription {name[0]} set (slot_name = none)")
        pair.replica.query(f"drop subscription {name[0]}")
    _on(pair.replica.server, f'drop database "{pair.replica.database}" with (force)')
    own = "select slot_name from pg_replication_slots where database = current_database()"
    pair.source.until(f"select not exists ({own} and active)")
    pair.source.query(f"select pg_drop_replication_slot(slot_name) from ({own}) as slots")
    _on(pair.source.server, f'drop database "{pair.source.database}" with (force)')
    _on(pair.source.server, "drop role if exists gitmart_replicate")


def _on(server: EmbeddedPostgres, statement: str) -> None:
    with psycopg.connect(server.url(SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute(statement.encode())
