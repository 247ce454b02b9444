"""One extraction from beginning to end. Each phase is a function; this page is their order."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from gitmart import __version__
from gitmart.contract.outcomes import Outcome
from gitmart.contract.signals import Stopped
from gitmart.extract import books
from gitmart.extract.changes import ByList, ByWalk
from gitmart.extract.crew import Crew, kill_git
from gitmart.extract.errors import ExtractError
from gitmart.extract.fetch import FINAL, NeedsCloneError, fetch_new
from gitmart.extract.git import Git, fetched_bytes, git_version
from gitmart.extract.hermetic import hermetic_environment
from gitmart.extract.history import History, whole_history
from gitmart.extract.identities import Identities
from gitmart.extract.known import Known, read_known
from gitmart.extract.listing import SMALLEST_BLOCK, Listing, list_commits
from gitmart.extract.loader import Loader, copy_lines, copy_rows
from gitmart.extract.merge import RunFacts, Totals, first_quarantined, insert_contributors, merge, short_name
from gitmart.extract.partial import Partial
from gitmart.extract.progress import Reporter
from gitmart.extract.quarantine import Quarantined
from gitmart.extract.records import clean, is_utf8
from gitmart.extract.settings import Settings
from gitmart.extract.source import DiffTree, Source
from gitmart.extract.staging import Staging, drop_dead
from gitmart.warehouse.connections import connect
from gitmart.warehouse.locks import Connection, repository_lock, try_lock
from gitmart.warehouse.revision import check_revision

log = logging.getLogger(__name__)

APPLICATION = "gitmart-extract"
# Staging is lost in a crash anyway, so nobody waits for its disk.
STAGING_SESSION = {"synchronous_commit": "off"}
# Commits whose contents are fetched apart. The ids of these are held in memory, and for more a clone costs less.
MOST_NEW = 50_000


@dataclass(slots=True)
class Run:
    """What a run knows; `facts` is what it will tell, also when it fails half-way."""

    settings: Settings
    reporter: Reporter
    source: Callable[[Git], Source] = DiffTree
    started_at: float = field(default_factory=time.time)
    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str, total: float | None = None) -> Iterator[None]:
        """Measure and announce a phase."""
        self.reporter.phase(name, total)
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0) + time.monotonic() - start, 3)


def extract(run: Run) -> Totals:
    """
    Bring the repository's rows to what its history is now and return what was done.

    Raise ExtractError, WarehouseError, psycopg.Error or Stopped; the rows are then as they were.
    """
    settings = run.settings
    run.facts["url"] = str(settings.url)
    with connect(settings.warehouse, application_name=APPLICATION, autocommit=True) as main:
        check_revision(main)
        repository_id = books.ensure_repository(main, settings.url)
        run.facts["repositoryId"] = repository_id
        if not try_lock(main, repository_lock(repository_id)):
            raise ExtractError(f"another run of {settings.url} is under way", Outcome.LOCKED)
        drop_dead(main, repository_id)
        before = books.begin(main, repository_id)
        try:
            return _extract_locked(run, main, repository_id)
        except BaseException as error:
            kill_git(settings.work_dir)
            _record_failure(main, repository_id, before, error)
            raise


def _record_failure(main: Connection, repository_id: int, before: tuple[str, str | None], error: BaseException) -> None:
    """Write the state down, if the warehouse still listens. A cancelled run leaves it as it was."""
    cancelled = isinstance(error, Stopped) and error.outcome is Outcome.CANCELLED
    with suppress(psycopg.Error):
        if cancelled:
            books.leave(main, repository_id, *before)
        else:
            books.leave(main, repository_id, "failed", str(error)[:1000])


def _extract_locked(run: Run, main: Connection, repository_id: int) -> Totals:
    known = read_known(main, repository_id)
    environment = hermetic_environment(run.settings.remote, run.settings.work_dir)
    run.facts["gitVersion"] = git_version(environment)
    if known is not None:
        try:
            return _extract_new(run, environment, known)
        except NeedsCloneError as needed:
            run.facts["fetchReason"] = str(needed)
            log.info("the history is read whole", extra={"repository": run.settings.url.key, "reason": str(needed)})
        kill_git(run.settings.work_dir)
    run.facts["fetch"] = "full"
    with run.phase("clone"):
        history = whole_history(run.settings, environment, run.reporter.at)
    return _bring(run, main, repository_id, history, known)


def _extract_new(run: Run, environment: Mapping[str, str], known: Known) -> Totals:
    """Extract without a clone; raise NeedsCloneError when that cannot be had, or shows itself to be incomplete."""
    run.facts["fetch"] = "incremental"
    with run.phase("fetch"):
        history = fetch_new(run.settings, environment, known)
    try:
        return _bring(run, known.connection, known.repository_id, history, known)
    except ExtractError as error:
        if error.outcome in FINAL:
            raise
        raise NeedsCloneError(f"what was fetched is not whole: {error}") from error


def _bring(run: Run, main: Connection, repository_id: int, history: History, known: Known | None) -> Totals:
    """Bring what is on disk into the warehouse."""
    refs = history.refs
    run.facts |= {
        "head": refs.head.decode() if refs.head else None,
        "defaultBranch": short_name(refs),
        "refsDigest": refs.digest,
    }
    staging = Staging.of(repository_id)
    staging.create(main)
    try:
        work = Work(run, main, staging, history, known)
        expected = work.load()
        with run.phase("merge"):
            totals = _merge(work, repository_id, expected)
        run.facts["errors"] = first_quarantined(main, repository_id)
        return totals
    finally:
        with suppress(psycopg.Error):
            staging.drop(main)


def _merge(work: Work, repository_id: int, expected: int) -> Totals:
    run, main, staging = work.run, work.main, work.staging
    insert_contributors(main, staging)
    for table in staging.tables.values():
        main.execute(sql.SQL("analyze {}").format(table))
    facts = RunFacts(
        started_at=run.started_at,
        bytes_fetched=int(str(run.facts["bytesFetched"])),
        seconds=run.seconds,
        git_version=str(run.facts["gitVersion"]),
        gitmart_version=__version__,
    )
    return merge(
        main,
        staging,
        repository_id=repository_id,
        compare=work.compare,
        refs=work.history.refs,
        expected=expected,
        facts=facts,
        committing=lambda: run.reporter.phase("commit"),
    )


@dataclass(frozen=True, slots=True)
class Work:
    """The part between the fetch and the merge: which commits are new, and their rows into staging."""

    run: Run
    main: Connection
    staging: Staging
    history: History
    known: Known | None  # None: the warehouse has no commits of the repository

    @property
    def compare(self) -> ByList | ByWalk | None:
        """How to find the warehouse's commits that are gone or changed sides."""
        if self.known is None:
            return None
        return ByList() if self.history.partial is None else ByWalk(self.history.refs, self.known.head)

    def load(self) -> int:
        """Fill the staging tables; return how many commits are new."""
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
                if self.known:
                    with self.run.phase("list"):
                        crew.wait()
                        self._find_new(reachable, side, new)
                if self.history.partial:
                    with self.run.phase("contents"):
                        self._fetch_contents(self.history.partial, new)
                self.run.facts["bytesFetched"] = fetched_bytes(folder)  # a vain attempt to do without a clone included
                with self.run.phase("diff"):
                    wanted = new if self.known else reachable
                    self._count(crew, wanted)
                    crew.wait()
                    if not self.known:
                        copy_lines(self.main, self.staging, "side", side)
                    self._store_refs()
                return len(wanted)
            except BaseException as error:
                for listing in (reachable, side, new):
                    listing.close(error)
                crew.dismiss(folder)
                raise

    def _fetch_contents(self, partial: Partial, new: Listing) -> None:
        """Get all that counting reads in one go; what is missing afterwards ends the counting."""
        if len(new) > MOST_NEW:
            raise NeedsCloneError(f"more than {MOST_NEW} commits are new")
        if len(new):
            partial.fetch_blobs(partial.missing_blobs(new))

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

    def _count(self, crew: Crew, wanted: Listing) -> None:
        """Start the workers, each with a process of git and a connection of its own."""
        identities = Identities()
        source = self.run.source(self.history.git)

        def work() -> None:
            with connect(
                self.run.settings.warehouse, application_name=APPLICATION, autocommit=True, extra=STAGING_SESSION
            ) as connection:
                loader = Loader(connection, self.staging, identities, self.history.git)
                loader.load(source.commits(wanted), lambda count: self.run.reporter.add(count, len(wanted)))

        workers = self.run.settings.workers
        if self.known:  # the list is whole, and ten commits keep no two busy
            workers = min(workers, math.ceil(len(wanted) / SMALLEST_BLOCK))
        for _ in range(workers):
            crew.start(work)

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
