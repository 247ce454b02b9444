"""One extraction from beginning to end. Each phase is a function; this page is their order."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql

from gitmart import __version__
from gitmart.contract.outcomes import Outcome
from gitmart.contract.redaction import Scrubber
from gitmart.contract.signals import Stopped
from gitmart.extract import books
from gitmart.extract.cache import CacheError
from gitmart.extract.caching import cached_history, fill_cache, using_cache, without_cache
from gitmart.extract.crew import kill_git
from gitmart.extract.default_classes import rules_digest
from gitmart.extract.errors import ExtractError
from gitmart.extract.fetch import FINAL, NeedsCloneError, fetch_new, is_known
from gitmart.extract.forgotten import count_forgotten, read_forgotten
from gitmart.extract.git import git_version
from gitmart.extract.hermetic import hermetic_environment
from gitmart.extract.history import History, whole_history
from gitmart.extract.host import ListingError, ask
from gitmart.extract.identify import Mailmaps, add_people
from gitmart.extract.known import Known, read_known
from gitmart.extract.merge import RunFacts, Totals, first_quarantined, merge, short_name
from gitmart.extract.move import Move, find_move, shares_root
from gitmart.extract.reclass import stage_classes
from gitmart.extract.refs import refuse_repeated
from gitmart.extract.shape import digest
from gitmart.extract.staging import Staging, drop_dead
from gitmart.extract.work import APPLICATION, Loaded, Run, Work
from gitmart.warehouse.connections import connect
from gitmart.warehouse.locks import FORGET_LOCK, Connection, repository_lock, shared_lock, try_lock
from gitmart.warehouse.replication.replica import refuse_replica
from gitmart.warehouse.revision import check_revision

log = logging.getLogger(__name__)


def extract(run: Run) -> Totals:
    """
    Bring the repository's rows to what its history is now and return what was done.

    Raise ExtractError, WarehouseError, psycopg.Error or Stopped; the rows are then as they were.
    """
    settings = run.settings
    run.facts["url"] = str(settings.url)
    with connect(settings.warehouse, application_name=APPLICATION, autocommit=True) as main, using_cache(run):
        check_revision(main)
        refuse_replica(main)
        move = find_move(main, settings.url, settings.previous_url)
        totals = _extract_own(run, main) if move is None else _extract_moved(run, main, move)
        _look_at_host(run, main, totals)
        fill_cache(run)
        return totals


def _look_at_host(run: Run, main: Connection, totals: Totals) -> None:
    """Ask the host's API for what git does not tell. The history is stored by now, and nothing here undoes that."""
    if run.settings.metadata is None:
        return
    from gitmart.extract.metadata.look import Subject, look  # 35 to 70 ms that only these few need

    with run.phase("metadata"):
        repository_id = int(str(run.facts["repositoryId"]))
        subject = Subject(main, repository_id, totals.run_number, run.settings.remote, run.settings.metadata)
        run.facts["metadata"] = look(subject)


def _extract_own(run: Run, main: Connection) -> Totals:
    """Extract into the row of the address, made if need be."""
    url = run.settings.url
    repository_id = books.ensure_repository(main, url)
    _lock(main, repository_id, str(url))
    with _keeping_books(run, main, repository_id, url.key):
        return _extract_locked(run, main, repository_id)


def _extract_moved(run: Run, main: Connection, move: Move) -> Totals:
    """Extract from a new address, into the rows of the former one if the history is theirs, else into new ones."""
    url, former = run.settings.url, move.former
    for repository_id in move.ids:
        _lock(main, repository_id, f"{former.url} or {url}")
    if find_move(main, url, run.settings.previous_url) != move:
        raise ExtractError(f"the rows of {former.url} or {url} changed just now: start again", Outcome.LOCKED)
    run.facts |= {"formerUrl": former.url, "fetchReason": "the address of the repository was changed"}
    with _keeping_books(run, main, former.id, former.url_key) as before:
        environment = _environment(run)
        history = _whole_history(run, environment)
        if shares_root(main, move, history):
            run.facts["formerRows"] = "continued"
            return _bring(run, main, former.id, history, read_known(main, former.id), move)
        books.leave(main, former.id, *before)
    run.facts["formerRows"] = "kept"
    repository_id = books.ensure_repository(main, url)
    _lock(main, repository_id, str(url))
    with _keeping_books(run, main, repository_id, url.key):
        return _bring(run, main, repository_id, history, None)


def _lock(main: Connection, repository_id: int, what: str) -> None:
    if not try_lock(main, repository_lock(repository_id)):
        raise ExtractError(f"another run of {what} is under way", Outcome.LOCKED)


@contextmanager
def _keeping_books(run: Run, main: Connection, repository_id: int, key: str) -> Iterator[tuple[str, str | None]]:
    """Write down that a run is under way, or how it failed; yield the state and message before. The lock is held."""
    run.facts["repositoryId"] = repository_id
    drop_dead(main, repository_id)
    before = books.begin(main, repository_id, key)
    try:
        yield before
    except BaseException as error:
        kill_git(run.settings.work_dir)
        _record_failure(main, repository_id, before, error, run.settings.remote.scrubber)
        raise


def _record_failure(
    main: Connection, repository_id: int, before: tuple[str, str | None], error: BaseException, scrubber: Scrubber
) -> None:
    """Write the state down, if the warehouse still listens. A cancelled run leaves it as it was."""
    cancelled = isinstance(error, Stopped) and error.outcome is Outcome.CANCELLED
    with suppress(psycopg.Error):
        if cancelled:
            books.leave(main, repository_id, *before)
        else:
            books.leave(main, repository_id, "failed", scrubber.clean(str(error))[:1000])


def _extract_locked(run: Run, main: Connection, repository_id: int) -> Totals:
    known = read_known(main, repository_id)
    environment = _environment(run)
    try:
        if run.cache is not None:
            try:
                return _extract_cached(run, environment, main, repository_id, known)
            except CacheError as error:
                without_cache(run, error)
        if known is not None:
            return _extract_new(run, environment, known)
    except NeedsCloneError as needed:
        run.facts["fetchReason"] = str(needed)
        log.info("the history is read whole", extra={"repository": run.settings.url.key, "reason": str(needed)})
        kill_git(run.settings.work_dir)
    return _bring(run, main, repository_id, _whole_history(run, environment), known)


def _environment(run: Run) -> dict[str, str]:
    environment = hermetic_environment(run.settings.remote, run.settings.work_dir)
    run.facts["gitVersion"] = git_version(environment)
    return environment


def _whole_history(run: Run, environment: Mapping[str, str]) -> History:
    run.facts["fetch"] = "full"
    with run.phase("clone"):
        return whole_history(run.settings, environment, run.reporter.at)


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


def _extract_cached(
    run: Run, environment: Mapping[str, str], main: Connection, repository_id: int, known: Known | None
) -> Totals:
    """
    Extract from the cache and what is new; from what is new alone if that is nothing.

    Raise NeedsCloneError when neither can be had, CacheError when the run has to do without a cache.
    """
    settings = run.settings
    run.facts["fetch"] = "cached"
    try:
        answer = ask(settings.remote, environment, settings.work_dir, settings.limits)
    except ListingError as error:
        raise NeedsCloneError(str(error)) from None
    if known is not None and is_known(settings.shape, answer, known):
        return _extract_new(run, environment, known)
    history = cached_history(run, environment, answer)
    try:
        return _bring(run, main, repository_id, history, known)
    except ExtractError as error:
        if error.outcome in FINAL:
            raise
        raise NeedsCloneError(f"what the cache holds is not whole: {error}") from error


def _bring(
    run: Run, main: Connection, repository_id: int, history: History, known: Known | None, move: Move | None = None
) -> Totals:
    """Bring what is on disk into the warehouse; with a move, give the row its new address."""
    refs = history.refs
    refuse_repeated(refs, run.settings.remote.secrets)
    run.facts |= {
        "head": refs.head.decode() if refs.head else None,
        "defaultBranch": short_name(refs),
        # A look at the host knows of no mailmap of the user's: once that is taken away, it shall find news.
        "refsDigest": refs.digest if run.settings.mailmap is None else digest([refs.digest.encode(), b"mailmap"]),
    }
    while (totals := _bring_once(run, main, repository_id, history, known, move)) is None:
        log.info(
            "somebody was forgotten meanwhile: the rows are made again", extra={"repository": run.settings.url.key}
        )
    run.facts["errors"] = first_quarantined(main, repository_id)
    run.history = history
    return totals


def _bring_once(
    run: Run, main: Connection, repository_id: int, history: History, known: Known | None, move: Move | None
) -> Totals | None:
    """Bring it into staging and merge it; None: what is in staging may hold somebody who was forgotten since."""
    staging = Staging.of(repository_id)
    staging.create(main)
    try:
        work = Work(run, main, staging, history, known, move, read_forgotten(main))
        loaded = work.load()
        # Nobody is forgotten from here until the commit: whoever forgets waits, and then erases what came.
        with run.phase("merge"), shared_lock(main, FORGET_LOCK):
            if count_forgotten(main) != work.forgotten.count:
                return None
            return _merge(work, repository_id, loaded)
    finally:
        with suppress(psycopg.Error):
            staging.drop(main)


def _merge(work: Work, repository_id: int, loaded: Loaded) -> Totals:
    run, main, staging, classes = work.run, work.main, work.staging, loaded.classes
    if work.known is not None and not work.anew and work.known.classes != classes.digest:
        stage_classes(main, staging, repository_id, classes.of)
    mailmaps = Mailmaps.of(loaded.head_files, run.settings.mailmap, work.forgotten)
    add_people(main, staging, repository_id, mailmaps)
    for table in staging.tables.values():
        main.execute(sql.SQL("analyze {}").format(table))
    facts = RunFacts(
        started_at=run.started_at,
        bytes_fetched=int(str(run.facts["bytesFetched"])),
        seconds=run.seconds,
        git_version=str(run.facts["gitVersion"]),
        gitmart_version=__version__,
        rows_digest=run.settings.shape.rows,
        class_rules_digest=rules_digest(run.settings.shape.paths),
        classes_digest=classes.digest,
        attributes=classes.attributes,
    )
    return merge(
        main,
        staging,
        repository_id=repository_id,
        compare=work.compare,
        refs=work.history.refs,
        expected=loaded.commits,
        facts=facts,
        anew=work.anew,
        mailmaps=mailmaps,
        besides=work.take_address if work.move is not None else None,
        committing=lambda: run.reporter.phase("commit"),
    )
