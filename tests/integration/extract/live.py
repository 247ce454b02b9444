"""Histories lived step by step, each followed by an extraction, and that by comparisons with git and a fresh one."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psycopg
from tests.campaigns import compare_with_git
from tests.integration.extract.histories import History, Life
from tests.integration.extract.host import Host

from gitmart.contract.file_classes import FileClass
from gitmart.contract.repository_url import parse_repository_url
from gitmart.extract.default_classes import RULES
from gitmart.extract.globs import FirstMatch
from gitmart.extract.progress import Lines
from gitmart.extract.run import extract
from gitmart.extract.settings import Remote, Settings
from gitmart.extract.shape import Shape
from gitmart.extract.work import Run

Url = Callable[[str], str]  # role -> the connection URL of a warehouse

ALL = Shape(first_parent_counts=True, patch_ids=True)  # everything that is optional


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
    cache: Path | None = None  # what extractions into `incremental` use
    ways: Counter[str] = field(default_factory=Counter)  # of fetching, and how often each was gone there

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
                is_last = number == len(history.steps)
                shape = ALL if history.kept == "always" or (history.kept == "later" and is_last) else Shape()
                self._extract(life.host, self.incremental, shape)
                self._compare_with_git(life.host, shape)
                self._compare_classes(life.host)
                now = self.incremental.column(COMMITS, life.host)
                removed |= before - now
                before = now
                if (found := self.incremental.column(REMOVED, life.host)) != removed:
                    raise DifferenceError(f"removed commits: {found} instead of {removed}")
                if number > 1 and (fresh_at_every_step or is_last):
                    self._compare_with_fresh(life.host, shape)
                self.steps += 1
            if history.fork:
                fork = life.fork(history.fork, Path(place) / "fork.git")
                self._extract(fork, self.incremental, ALL)
                self._compare_with_git(fork, ALL)
                self._compare_with_git(life.host, shape)

    def _extract(self, host: Host, warehouse: Place, shape: Shape) -> None:
        work_dir = Path(tempfile.mkdtemp(prefix="work-", dir=self.folder))
        try:
            remote = Remote(parse_repository_url(host.url, allow_file=True))
            cache = self.cache if warehouse is self.incremental else None
            run = Run(Settings(remote, warehouse.url("gitmart_extract"), work_dir, shape, cache_dir=cache), Lines())
            extract(run)
            if warehouse is self.incremental:
                self.ways[str(run.facts["fetch"])] += 1
        finally:
            shutil.rmtree(work_dir, ignore_errors=True)

    def _compare_with_git(self, host: Host, shape: Shape) -> None:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            wrong = compare_with_git.compare(
                self.incremental.look,
                host.path,
                key_of(host),
                first_parent_counts=shape.first_parent_counts,
                patch_ids=shape.patch_ids,
            )
        if wrong:
            raise DifferenceError(said.getvalue())

    def _compare_classes(self, host: Host) -> None:
        """Compare the class of every path with what the rules make of the words of `git check-attr`."""
        rows = self.incremental.look.execute(CLASSES.encode(), [key_of(host)]).fetchall()
        # git asks for no path that leads out of its work tree, though a tree may hold one.
        found = {path: letter for path, letter in rows if not {".", "..", ".git"} & set(path.split("/"))}
        said = attributes_of_git(host, self.folder, {path: raw_path(path) for path in found})
        expected = {path: class_of(raw_path(path), said[path]).code for path in found}
        if wrong := {path for path in found if found[path] != expected[path]}:
            raise DifferenceError(f"classes: {[(path, found[path], expected[path], said[path]) for path in wrong]}")

    def _compare_with_fresh(self, host: Host, shape: Shape) -> None:
        """Extract under another name, which no warehouse has seen, and compare everything with what was there."""
        self.number += 1
        other = host.under(host.path.with_name(f"fresh{self.number}.git"))
        self._extract(other, self.fresh, shape)
        incremental = compare_with_git.natural(self.incremental.look, key_of(host))
        for kind, rows in compare_with_git.natural(self.fresh.look, key_of(other)).items():
            if incremental[kind] != rows:
                raise DifferenceError(f"{kind}: {incremental[kind]} instead of the {rows} of a fresh extraction")


CLASSES = """
    select distinct f.path, f.class from commit_files f join repositories r on r.id = f.repository_id where url_key = %s"""
COMMITS = """
    select commit_hash from commits c join repositories r on r.id = c.repository_id where url_key = %s"""
REMOVED = """
    select distinct commit_hash from removed_commits c join repositories r on r.id = c.repository_id
    where url_key = %s"""


def raw_path(path: str) -> bytes:
    """Return the bytes that a path of the warehouse stands for."""
    return re.sub(rb"\\x([89a-f][0-9a-f])", lambda cleaned: bytes.fromhex(cleaned[1].decode()), path.encode())


def class_of(path: bytes, said: Mapping[str, str]) -> FileClass:
    """Return the class by what git says of the attributes that are specified: set, unset or a text."""
    holds = {FileClass(name.removeprefix("linguist-")): value not in {"unset", "false"} for name, value in said.items()}
    for known in (FileClass.GENERATED, FileClass.VENDORED, FileClass.DOCUMENTATION):
        if holds.get(known):
            return known
    rules = [(glob, known) for glob, known in RULES if known not in holds]
    return _first(tuple(rules)).find(path) or FileClass.SOURCE


@cache
def _first(rules: tuple[tuple[str, FileClass], ...]) -> FirstMatch[FileClass]:
    return FirstMatch(rules)


def attributes_of_git(host: Host, folder: Path, paths: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    """Return what the .gitattributes files of HEAD's tree say of each path; what is unspecified is left out."""
    said: dict[str, dict[str, str]] = {path: {} for path in paths}
    tip = compare_with_git.tip_of_head(host.path)
    tree = _git(host, "ls-tree", "-r", "-z", "--full-tree", tip) if tip else b""
    entries = [
        line for line in tree.split(b"\0")[:-1]
        if line.startswith(b"100") and line.partition(b"\t")[2].rpartition(b"/")[2] == b".gitattributes"
    ]  # fmt: skip
    if not entries or not paths:
        return said
    with tempfile.TemporaryDirectory(dir=folder) as place:
        index = {"GIT_INDEX_FILE": f"{place}/index"}
        _git(host, "update-index", "-z", "--index-info", stdin=b"".join(line + b"\0" for line in entries), **index)
        asked = b"".join(path + b"\0" for path in paths.values())
        names = ("linguist-generated", "linguist-vendored", "linguist-documentation")
        fields = _git(host, "check-attr", "--cached", "-z", "--stdin", *names, stdin=asked, **index).split(b"\0")[:-1]
    values = iter(fields[2::3])
    for path in paths:
        said[path] = {name: value.decode() for name in names if (value := next(values)) != b"unspecified"}
    return said


def _git(host: Host, *words: str, stdin: bytes = b"", accept: Sequence[int] = (0,), **extra: str) -> bytes:
    environment = compare_with_git.ENVIRONMENT | extra
    done = subprocess.run(
        ["git", f"--git-dir={host.path}", *words], input=stdin, capture_output=True, env=environment, check=False
    )
    assert done.returncode in accept, done.stderr
    return done.stdout


def key_of(host: Host) -> str:
    """Return the key under which the warehouse knows the repository."""
    return parse_repository_url(host.url, allow_file=True).key
