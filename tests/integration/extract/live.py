"""Histories lived step by step, each followed by an extraction, and that by comparisons with git and a fresh one."""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from tests.campaigns import compare_with_git
from tests.integration.extract.histories import History, Life
from tests.integration.extract.host import Host

from gitmart.contract.repository_url import parse_repository_url
from gitmart.extract.progress import Lines
from gitmart.extract.run import Run, extract
from gitmart.extract.settings import Remote, Settings

Url = Callable[[str], str]  # role -> the connection URL of a warehouse


class DifferenceError(AssertionError):
    """What the warehouse holds is not what git says, or not what a fresh extraction gives."""


@dataclass(frozen=True, slots=True)
class Place:
    """A warehouse: its addresses, and a look into it."""

    url: Url
    look: psycopg.Connection

    def column(self, query: str, host: Host) -> set[str]:
        """Return what a query finds of a repository."""
        return {str(value) for (value,) in self.look.execute(query.encode(), [key_of(host)])}


@dataclass(slots=True)
class Stage:
    """
    Two warehouses and a folder, for any number of histories.

    Nothing is removed between histories: each has a repository of its own in both warehouses, and what
    the others left there is what a warehouse always has.
    """

    folder: Path
    incremental: Place
    fresh: Place
    number: int = 0  # of repositories so far
    steps: int = 0

    @classmethod
    @contextlib.contextmanager
    def between(cls, folder: Path, incremental: Url, fresh: Url) -> Iterator[Stage]:
        """Yield a stage for two migrated warehouses."""
        with (
            psycopg.connect(incremental("gitmart_transform"), autocommit=True) as one,
            psycopg.connect(fresh("gitmart_transform"), autocommit=True) as two,
        ):
            yield cls(folder, Place(incremental, one), Place(fresh, two))

    def play(self, history: History, *, fresh_at_every_step: bool) -> None:
        """
        Live through the history; raise DifferenceError, or what an extraction that stops raises.

        A comparison with a fresh extraction is made after the last step at least, if there were several.
        """
        self.number += 1
        with tempfile.TemporaryDirectory(prefix=f"history{self.number}-", dir=self.folder) as place:
            life = Life.of(history, Path(place) / "origin.git")
            removed: set[str] = set()
            before: set[str] = set()
            for number, step in enumerate(history.steps, 1):
                life.take(step)
                self._extract(life.host, self.incremental)
                self._compare_with_git(life.host)
                now = self.incremental.column(COMMITS, life.host)
                removed |= before - now
                before = now
                if (found := self.incremental.column(REMOVED, life.host)) != removed:
                    raise DifferenceError(f"removed commits: {found} instead of {removed}")
                if number > 1 and (fresh_at_every_step or number == len(history.steps)):
                    self._compare_with_fresh(life.host)
                self.steps += 1
            if history.fork:
                fork = life.fork(history.fork, Path(place) / "fork.git")
                self._extract(fork, self.incremental)
                self._compare_with_git(fork)
                self._compare_with_git(life.host)

    def _extract(self, host: Host, warehouse: Place) -> None:
        work_dir = Path(tempfile.mkdtemp(prefix="work-", dir=self.folder))
        try:
            remote = Remote(parse_repository_url(host.url, allow_file=True))
            extract(Run(Settings(remote, warehouse.url("gitmart_extract"), work_dir), Lines()))
        finally:
            shutil.rmtree(work_dir, ignore_errors=True)

    def _compare_with_git(self, host: Host) -> None:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            wrong = compare_with_git.compare(self.incremental.look, host.path, key_of(host))
        if wrong:
            raise DifferenceError(said.getvalue())

    def _compare_with_fresh(self, host: Host) -> None:
        """Extract under another name, which no warehouse has seen, and compare everything with what was there."""
        self.number += 1
        other = host.under(host.path.with_name(f"fresh{self.number}.git"))
        self._extract(other, self.fresh)
        incremental = compare_with_git.natural(self.incremental.look, key_of(host))
        for kind, rows in compare_with_git.natural(self.fresh.look, key_of(other)).items():
            if incremental[kind] != rows:
                raise DifferenceError(f"{kind}: {incremental[kind]} instead of the {rows} of a fresh extraction")


COMMITS = """
    select commit_hash from commits c join repositories r on r.id = c.repository_id where url_key = %s"""
REMOVED = """
    select distinct commit_hash from removed_commits c join repositories r on r.id = c.repository_id
    where url_key = %s"""


def key_of(host: Host) -> str:
    """Return the key under which the warehouse knows the repository."""
    return parse_repository_url(host.url, allow_file=True).key
