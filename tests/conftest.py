"""Fixtures that several folders of tests share: a real PostgreSQL, real git."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from tests.forked import Forks
from xdist.scheduler import LoadScopeScheduling

from gitmart.local.postgres import SUPERUSER, EmbeddedPostgres
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

# No example has a deadline: how long one takes says something of the machine, and tests assert no times.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

GROUP = re.compile(r'pytest\.mark\.xdist_group\("(\w+)"\)')  # of a module
TEMPLATE = "gitmart"  # the database the embedded server makes; tests copy it and never write into it


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc, unused-ignore]
    """
    Gives the tests of modules with one `xdist_group` to one worker, and every other test to whichever is free.

    pytest-xdist 3.8 finds no groups with pytest 9.2: it renames tests after them, which they no longer bear. It also
    gives out what has the most tests first; here they keep the order of `longest_first`.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group_of(self.config.rootpath / nodeid.partition("::")[0]) or nodeid


@cache
def group_of(module: Path) -> str | None:
    """Return the group that a module's `pytestmark` names."""
    found = GROUP.search(module.read_text(encoding="utf-8"))
    return found[1] if found else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling | None:
    """Take the place of pytest-xdist's own `--dist loadgroup`."""
    return GroupScheduling(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what takes long begin first, in random order among its like: at the end no worker waits for another."""
    items.sort(key=longest_first)


def longest_first(item: pytest.Item) -> int:
    """Return 0 for a test that needs a cluster, 1 for one of another group, up to 4 for one that needs no server."""
    if "cluster" in item.path.parts:
        return 0
    if group_of(item.path) is not None:
        return 1
    if item.get_closest_marker("slow") is not None:
        return 2
    return 3 if "integration" in item.path.parts else 4


@pytest.fixture(autouse=True)
def signals_as_they_were() -> Iterator[None]:
    """
    Give signals back what they did before the test.

    A command that was called in this process ignores them when it has ended, and so would every process that a
    later test starts: it would not heed SIGTERM, and the test would wait for it for ever.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A migrated database of its own for one test."""

    server: EmbeddedPostgres
    database: str

    def url(self, role: str) -> str:
        """Return the connection URL of `gitmart_owner`, `gitmart_extract`, … or of the superuser `postgres`."""
        return self.server.url(role, self.database)

    def query(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """Run a statement as superuser and return its rows, [] when it gives none."""
        with psycopg.connect(self.url(SUPERUSER), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedPostgres]:
    """One embedded PostgreSQL for the whole run; its folder goes with it."""
    with temporary_postgres(durable=False) as embedded:
        migrate(embedded.url("gitmart_owner"))
        yield embedded


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Runs gitmart's commands in processes that need not import dbt first."""
    with closing(Forks()) as forks:
        yield forks


@pytest.fixture
def empty_database(server: EmbeddedPostgres) -> Iterator[Warehouse]:
    """A database of the owner's without any tables."""
    yield from _database(server, "template1")


@pytest.fixture
def warehouse(server: EmbeddedPostgres) -> Iterator[Warehouse]:
    """A migrated, empty warehouse."""
    yield from _database(server, TEMPLATE)


@pytest.fixture(scope="module")
def shared_warehouse(server: EmbeddedPostgres) -> Iterator[Warehouse]:
    """One for all tests of a module that leave it as it was."""
    yield from _database(server, TEMPLATE)


@pytest.fixture(scope="module")
def second_shared_warehouse(server: EmbeddedPostgres) -> Iterator[Warehouse]:
    """Another one of that kind, to compare with."""
    yield from _database(server, TEMPLATE)


@pytest.fixture
def second_warehouse(server: EmbeddedPostgres) -> Iterator[Warehouse]:
    """Another one, to compare with."""
    yield from _database(server, TEMPLATE)


@pytest.fixture(scope="session")
def sample_warehouse(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Repositories extracted and marts built, for tests that leave it as it was; modules that use it share a group."""
    from tests.sample_warehouse import make_sample

    for warehouse in _database(server, TEMPLATE):
        make_sample(tmp_path_factory.mktemp("sample"), warehouse)
        yield warehouse


def _database(server: EmbeddedPostgres, template: str) -> Iterator[Warehouse]:
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server.url(SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {} owner gitmart_owner").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        try:
            yield Warehouse(server, name)
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


class Repository:
    """A git repository under test, driven by real git with nothing of the machine's configuration."""

    environment: ClassVar = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ALLOW_PROTOCOL": "file",
        "GIT_NO_REPLACE_OBJECTS": "1",
    }

    def __init__(self, path: Path, *, bare: bool = False, object_format: str = "sha1") -> None:
        self.path = path
        self.clock = 1_700_000_000  # seconds; each commit is a minute later
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "main", f"--object-format={object_format}", *(["--bare"] if bare else []))

    @property
    def url(self) -> str:
        """Its address in local mode."""
        return f"file://{quote(str(self.path))}"

    @property
    def git_dir(self) -> Path:
        """Where its objects are."""
        return self.path / ".git" if (self.path / ".git").exists() else self.path

    def git(self, *words: str | bytes, stdin: bytes = b"", **extra: str) -> str:
        """Run git in it and return what it prints, without the last line feed."""
        done = subprocess.run(
            ["git", *words], cwd=self.path, input=stdin, capture_output=True, env=self.environment | extra, check=False
        )
        assert done.returncode == 0, f"git {words}: {done.stderr.decode(errors='replace')}"
        return done.stdout.decode("utf-8", "backslashreplace").rstrip("\n")

    def write(self, name: str | bytes, content: str | bytes) -> None:
        """Write a file and stage it."""
        raw = name.encode() if isinstance(name, str) else name
        target = os.path.join(os.fsencode(self.path), raw)  # noqa: PTH118 # a name need not be text
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
        with open(target, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        self.git("add", "--", raw)

    def commit(
        self, message: str | bytes = "a commit", author: str = "Author One <one@example.org>", *flags: str
    ) -> str:
        """Commit what is staged (nothing is fine) and return the hash."""
        self.clock += 60
        name, _, email = author.rpartition(" <")
        raw = message.encode() if isinstance(message, str) else message
        self.git(
            "commit", "-q", "--allow-empty", "--allow-empty-message", "--cleanup=verbatim", "-F", "-", *flags,
            stdin=raw,
            GIT_AUTHOR_NAME=name, GIT_AUTHOR_EMAIL=email.rstrip(">"), GIT_AUTHOR_DATE=f"{self.clock} +0130",
            GIT_COMMITTER_NAME="Committer", GIT_COMMITTER_EMAIL="committer@example.org",
            GIT_COMMITTER_DATE=f"{self.clock + 30} -0800",
        )  # fmt: skip
        return self.git("rev-parse", "HEAD")

    def merge(self, *branches: str) -> str:
        """Merge branches into the current one with a merge commit, keeping our content, and return the hash."""
        tree = self.git("write-tree")
        parents = [self.git("rev-parse", ref) for ref in ("HEAD", *branches)]
        self.clock += 60
        made = self.git(
            "commit-tree", tree, *(word for parent in parents for word in ("-p", parent)), "-m", "a merge",
            GIT_AUTHOR_NAME="Author Two", GIT_AUTHOR_EMAIL="two@example.org", GIT_AUTHOR_DATE=f"{self.clock} +0000",
            GIT_COMMITTER_NAME="Committer", GIT_COMMITTER_EMAIL="committer@example.org",
            GIT_COMMITTER_DATE=f"{self.clock} +0000",
        )  # fmt: skip
        self.git("reset", "-q", "--soft", made)
        return made

    def commit_object(self, raw: bytes, ref: str = "refs/heads/main") -> str:
        """Store a commit object byte by byte, however wrong, and point the ref to it; return the hash."""
        made = self.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=raw)
        self.git("update-ref", ref, made)
        return made

    def count(self) -> int:
        """Return how many commits its branches and tags reach."""
        return int(self.git("rev-list", "--count", "--branches", "--tags"))


@pytest.fixture
def make_repository(tmp_path: Path) -> Callable[..., Repository]:
    """Return a maker of repositories."""

    def make(name: str = "project", **options: Any) -> Repository:
        return Repository(tmp_path / name, **options)

    return make


@pytest.fixture
def repository(make_repository: Callable[..., Repository]) -> Repository:
    """An empty repository with a work tree."""
    return make_repository()
