"""
The part of an extraction between the fetch and the merge: which commits are new, and their rows into staging.

`Run` is what every part of an extraction knows; `Work` does this part.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from psycopg import sql

from gitmart.extract import attributes, mailmap
from gitmart.extract.cache import Cache
from gitmart.extract.changes import ByList, ByWalk
from gitmart.extract.classes import Classes
from gitmart.extract.crew import Crew
from gitmart.extract.errors import DamagedError, LimitError
from gitmart.extract.fetch import NeedsCloneError
from gitmart.extract.forgotten import NOBODY_FORGOTTEN, Forgotten
from gitmart.extract.git import Git, fetched_bytes
from gitmart.extract.head_files import FIELD, HeadFiles, HeadTree, Names, find
from gitmart.extract.history import History
from gitmart.extract.identities import Identities
from gitmart.extract.known import Known
from gitmart.extract.listing import SMALLEST_BLOCK, Listing, list_commits
from gitmart.extract.loader import CHUNK_COMMITS, Loader, copy_lines, copy_rows
from gitmart.extract.move import Move, take_address
from gitmart.extract.progress import Reporter
from gitmart.extract.quarantine import Quarantined
from gitmart.extract.records import clean, is_utf8
from gitmart.extract.settings import Settings
from gitmart.extract.shape import Shape
from gitmart.extract.source import DiffTree, Source
from gitmart.extract.staging import Staging
from gitmart.warehouse.connections import connect
from gitmart.warehouse.locks import Connection

APPLICATION = "gitmart-extract"
# Staging is lost in a crash anyway, so nobody waits for its disk.
STAGING_SESSION = {"synchronous_commit": "off"}
# Commits whose contents are fetched apart. The ids of these are held in memory, and for more a clone costs less.
MOST_NEW = 50_000
# The files of HEAD that are read.
HEAD_FILES = Names(paths=frozenset({mailmap.PATH}), basenames=frozenset({attributes.NAME}))


@dataclass(slots=True)
class Run:
    """What a run knows; `facts` is what it will tell, also when it fails half-way."""

    settings: Settings
    reporter: Reporter
    source: Callable[[Git, Shape], Source] = DiffTree
    started_at: float = field(default_factory=time.time)
    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)
    cache: Cache | None = None  # None: there is none, or it does not serve this run
    history: History | None = None  # what was brought into the warehouse

    @contextmanager
    def phase(self, name: str, total: float | None = None) -> Iterator[None]:
        """Measure and announce a phase."""
        self.reporter.phase(name, total)
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0) + time.monotonic() - start, 3)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is in staging: the number of new commits; and the files of HEAD, None if they are what they were."""

    commits: int
    head_files: HeadFiles | None
    classes: Classes


@dataclass(frozen=True, slots=True)
class Work:
    """The part between the fetch and the merge: which commits are new, and their rows into staging."""

    run: Run
    main: Connection
    staging: Staging
    history: History
    known: Known | None  # None: the warehouse has no commits of the repository
    move: Move | None = None
    forgotten: Forgotten = NOBODY_FORGOTTEN

    @property
    def anew(self) -> bool:
        """Whether the warehouse's rows of all commits are replaced."""
        return self.known is not None and self.known.rows != self.run.settings.shape.rows

    @property
    def compare(self) -> ByList | ByWalk | None:
        """How to find the warehouse's commits that are gone or changed sides."""
        if self.known is None:
            return None
        return ByList() if self.history.partial is None else ByWalk(self.history.refs, self.known.head)

    def take_address(self, run_number: int) -> None:
        """Give the rows the address they were read from."""
        if self.move is not None:
            take_address(self.main, self.move, self.run.settings.url, run_number)

    def load(self) -> Loaded:
        """Fill the staging tables."""
        folder = self.run.settings.work_dir
        with (
            Listing(folder / "reachable") as reachable,
            Listing(folder / "side") as side,
            Listing(folder / "new") as new,
        ):
            crew = Crew()
            try:
                git, tips, head = self.history.git, self.history.tips, self.history.head
                crew.start(lambda: list_commits(git, reachable, tips))
                crew.start(lambda: list_commits(git, side, tips, [head] if head else []))
                if self.known or self.run.settings.limits.commits:
                    with self.run.phase("list"):
                        crew.wait()
                        if self.known:
                            self._find_new(reachable, side, new)
                        self._refuse_long_history(reachable, new)
                wanted = reachable if self.anew or not self.known else new
                tree = self._find_contents(new)
                self.run.facts["bytesFetched"] = fetched_bytes(folder)  # a vain attempt to do without a clone included
                files = tree.read() if tree is not None else None
                classes = self._classes(files)
                source = self.run.source(git, self.run.settings.shape)
                with self.run.phase("diff"):
                    self._count(crew, source, wanted, classes)
                    crew.wait()
                    if not self.known:
                        copy_lines(self.main, self.staging, "side", side)
                    self._store_refs()
                    self._store_ignored(files)
                if self.run.settings.shape.patch_ids:
                    with self.run.phase("patches"):
                        self._keep_patch_ids(crew, source, wanted)
                return Loaded(len(wanted), files, classes)
            except BaseException as error:
                for listing in (reachable, side, new):
                    listing.close(error)
                crew.dismiss(folder)
                raise

    def _find_contents(self, new: Listing) -> HeadTree | None:
        """
        Return the files of HEAD that are asked for, None if they are what they were.

        Get all that is read in one go; what is missing afterwards ends the reading.
        """
        partial = self.history.partial
        if partial is None:
            return find(self.history, self.known, HEAD_FILES)
        if len(new) > MOST_NEW:
            raise NeedsCloneError(f"more than {MOST_NEW} commits are new")
        with self.run.phase("contents"):
            tree = find(self.history, self.known, HEAD_FILES)
            first_parent = self.run.settings.shape.first_parent_counts
            wanted = partial.missing_blobs(new, first_parent=first_parent) if len(new) else []
            if tree is not None and tree.git is partial.git:
                wanted += partial.missing(tree.blobs)
            partial.fetch_blobs(dict.fromkeys(wanted))
        return tree

    def _classes(self, files: HeadFiles | None) -> Classes:
        """Return the classes of files by today's rules; where HEAD did not move, with the attributes of the last run."""
        if files is not None:
            found = {file.path: file.content for file in files.files if attributes.is_attributes(file.path)}
        else:
            found = attributes.unpack(self.known.attributes()) if self.known else {}
        return Classes(self.run.settings.shape.paths, found)

    def _find_new(self, reachable: Listing, side: Listing, new: Listing) -> None:
        """Put what the warehouse lacks into `new`, in the order of the walk."""
        copy_lines(self.main, self.staging, "reachable", reachable)
        copy_lines(self.main, self.staging, "side", side)
        self.main.execute(sql.SQL("analyze {}").format(self.staging.table("reachable")))
        statement = sql.SQL(
            """copy (
                select r.commit_hash from {} as r
                where not exists (
                    select from public.commits as c
                    where c.repository_id = {} and c.commit_hash = r.commit_hash
                )
                order by r.position
            ) to stdout"""
        ).format(self.staging.table("reachable"), sql.Literal(self.run.facts["repositoryId"]))
        with self.main.cursor() as cursor, cursor.copy(statement) as copy:
            for line in copy:
                new.append(bytes(line))
        new.close()

    def _refuse_long_history(self, reachable: Listing, new: Listing) -> None:
        """Raise LimitError when the history has more commits than are allowed, before any line is counted."""
        most = self.run.settings.limits.commits
        if most is None:
            return
        count = len(reachable)  # of a clone, which has them all
        if self.known and self.history.partial:
            count = len(new) + self.known.count()
            if count > most:  # unless enough of them are gone
                count = len(new) + self.known.count_reachable(self.staging.table("reachable"), self.history.refs.tips)
        if count > most:
            raise LimitError(
                f"the history has {count} commits, more than the {most} that limits.commits (--limit-commits) allows"
            )

    def _count(self, crew: Crew, source: Source, wanted: Listing, classes: Classes) -> None:
        """Start the workers that bring the commits into staging."""
        identities = Identities(self.forgotten.identity)

        def load(connection: Connection) -> None:
            loader = Loader(connection, self.staging, identities, self.history.git, classes.of, self.forgotten)
            loader.load(source.commits(wanted), lambda count: self.run.reporter.add(count, len(wanted)))

        self._start(crew, wanted, load)

    def _keep_patch_ids(self, crew: Crew, source: Source, wanted: Listing) -> None:
        """Bring the patch ids of the same commits into staging; raise DamagedError unless all that change files have one."""

        def load(connection: Connection) -> None:
            found = source.patch_ids(wanted)
            while some := list(islice(found, CHUNK_COMMITS)):
                copy_rows(connection, self.staging, "patch_ids", some)
                self.run.reporter.add(len(some), len(wanted))

        wanted.rewind()
        self._start(crew, wanted, load)
        crew.wait()
        lacking = self.main.execute(
            sql.SQL(
                """select commit_hash from {} as s where files_changed > 0
                   and not exists (select from {} as p where p.commit_hash = s.commit_hash) limit 1"""
            ).format(self.staging.table("commits"), self.staging.table("patch_ids"))
        ).fetchone()
        if lacking is not None:
            raise DamagedError(f"git gives commit {lacking[0]} no patch id, although it changes files")

    def _start(self, crew: Crew, wanted: Listing, load: Callable[[Connection], None]) -> None:
        """Start the workers, each with processes of git and a connection of its own."""

        def work() -> None:
            with connect(
                self.run.settings.warehouse, application_name=APPLICATION, autocommit=True, extra=STAGING_SESSION
            ) as connection:
                load(connection)

        workers = self.run.settings.workers
        if self.known:  # the list is whole, and ten commits keep no two busy
            workers = min(workers, math.ceil(len(wanted) / SMALLEST_BLOCK))
        for _ in range(workers):
            crew.start(work)

    def _store_ignored(self, files: HeadFiles | None) -> None:
        """Put the files of HEAD that were not read into quarantine, or keep there what it holds of those it was."""
        if files is not None and files.ignored:
            copy_rows(self.main, self.staging, "quarantine", files.ignored)
        elif files is None:
            kept = sql.SQL(
                """insert into {} select commit_hash, field, raw, reason from public.quarantine
                   where repository_id = %s and commit_hash is null and field = %s"""
            ).format(self.staging.table("quarantine"))
            self.main.execute(kept, [self.run.facts["repositoryId"], FIELD])

    def _store_refs(self) -> None:
        rows = [
            (clean(ref.name).encode(), "branch" if ref.is_branch else "tag", ref.object_hash, ref.commit_hash)
            for ref in self.history.refs.refs
        ]
        if rows:
            copy_rows(self.main, self.staging, "refs", rows)
        odd = [
            Quarantined(None, "ref", ref.name, "not UTF-8") for ref in self.history.refs.refs if not is_utf8(ref.name)
        ]
        if odd:
            copy_rows(self.main, self.staging, "quarantine", odd)
