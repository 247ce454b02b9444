"""The order of a run: revision, lock, freshness, build, digest."""

from __future__ import annotations

import logging
import shutil
import tempfile
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from gitmart.contract.durations import format_duration
from gitmart.contract.fetched import read_commit
from gitmart.contract.outcomes import Outcome
from gitmart.transform.dbt import Dbt
from gitmart.transform.digest import build_facts, count, node_runs, source_facts
from gitmart.transform.environment import dbt_environment
from gitmart.transform.extra import joined
from gitmart.transform.history import History
from gitmart.transform.lineage import Lineage
from gitmart.transform.progress import Progress, display
from gitmart.transform.report import Report
from gitmart.transform.resume import find_rest
from gitmart.transform.settings import Settings
from gitmart.transform.stopper import Stopper
from gitmart.transform.target import Target, end_sessions, open_session, take_lock
from gitmart.transform.verdict import judge_build, judge_error, worth_another_try
from gitmart.warehouse.connections import connect
from gitmart.warehouse.errors import ReplicaNotReadyError, WarehouseError
from gitmart.warehouse.locks import Connection
from gitmart.warehouse.replication.replica import Replica, wait_until_ready
from gitmart.warehouse.revision import check_revision
from gitmart.warehouse.targets import check_target

log = logging.getLogger(__name__)


def transform(settings: Settings, report: Report) -> int:
    """Run once and return the exit code. A signal, the timeout or a lost lock ends the process from within."""
    stopper = Stopper(report, settings.timeout)
    stopper.start()
    report.facts["schema"] = settings.schema
    if settings.full_refresh:
        report.facts["fullRefresh"] = True
    lineage = None
    if settings.openlineage is not None:
        lineage = Lineage(settings.openlineage, report.scrubber, report.started_at)
        report.recorders.append(lineage.end)
    with ExitStack() as held:  # until the end is told: a closed lock session would look like a lost one
        try:
            outcome, message = _attempt(settings, report, stopper, held, lineage)
        except WarehouseError as error:
            outcome, message = error.outcome, str(error)
        except Exception as error:
            log.exception("transform failed")
            outcome, message = Outcome.BUG, f"{type(error).__name__}: {error}"
        return report.end(outcome, message)


def _attempt(
    settings: Settings, report: Report, stopper: Stopper, held: ExitStack, lineage: Lineage | None
) -> tuple[Outcome, str]:
    target = Target(settings.schema)
    session = held.enter_context(open_session(settings.url))
    report.scrubber.learn(session.info.password)
    if lineage is not None:
        lineage.at(session.info.host, session.info.port)
    check_revision(session)
    check_target(session, settings.schema)
    if not take_lock(session, target, settings.lock_timeout):
        waited = format_duration(settings.lock_timeout)
        return Outcome.SKIPPED, f"another run into schema {settings.schema} held the lock for longer than {waited}"
    if orphans := end_sessions(session, target):
        log.info("ended what an earlier run left", extra={"sessions": orphans})
    history = History(settings, report.scrubber)
    history.begin(session, report.started_at)
    report.recorders.insert(0, history.end)  # before anybody else is told
    _check_replica(session, settings, report)
    folder = settings.work_dir or _temporary_folder(stopper, held)
    if settings.extra is not None:
        if (commit := read_commit(settings.extra.folder)) is not None:
            report.facts["projectCommit"] = commit
        settings = joined(settings, settings.extra, folder)
    environment = dbt_environment(session, settings, folder)
    with closing(display(report.scrubber.clean)) as shown:
        stopper.at_end.append(shown.close)
        progress = Progress(shown)
        stopper.at_end.append(lambda: _interrupted(settings, report, progress, history))
        stopper.guard(session)
        heard = progress.event if lineage is None else partial(_told_to_both, progress, lineage)
        outcome, message = _build(
            Dbt(settings, folder, environment, heard, stopper.gate), settings, report, progress, history, lineage
        )
    return outcome, message.replace(f"{settings.project_dir}/", "")  # a folder that may be gone soon


def _check_replica(session: Connection, settings: Settings, report: Report) -> None:
    """Report how old a replica's raw tables are. Raise ReplicaNotReadyError if nothing should be built from them."""
    try:
        replica = wait_until_ready(session, settings.max_replication_lag)
    except ReplicaNotReadyError as error:
        _tell_lag(report, error.replica)
        raise
    if replica is not None:
        _tell_lag(report, replica)


def _tell_lag(report: Report, replica: Replica) -> None:
    if replica.lag is not None and replica.until is not None:
        report.facts["replicationLagSeconds"] = round(replica.lag.total_seconds(), 3)
        report.facts["replicatedUntil"] = replica.until.isoformat(timespec="milliseconds")


def _told_to_both(progress: Progress, lineage: Lineage, message: Any) -> None:
    progress.event(message)
    lineage.event(message)


def _build(
    dbt: Dbt, settings: Settings, report: Report, progress: Progress, history: History, lineage: Lineage | None
) -> tuple[Outcome, str]:
    """Run dbt's commands and judge them. A stale source is reported, and stops a build only if that is asked for."""
    parsed = dbt.parse()
    if parsed.exception is not None:
        return judge_error(parsed.exception)
    if lineage is not None:
        lineage.manifest = parsed.result
    if settings.extra is not None:
        _check_schemas(settings, parsed.result)
    fresh = dbt.freshness()
    if fresh.exception is not None:
        return judge_error(fresh.exception)
    report.facts["sources"] = sources = source_facts(fresh.result)
    if settings.freshness_blocks_build and (
        stale := [str(each["name"]) for each in sources if each["status"] == "error"]
    ):
        words = "older than the error limit or never loaded, and nothing is built then"
        return Outcome.SOURCES_STALE, f"{words}: {', '.join(stale)}"
    rest = find_rest(dbt, settings, history, parsed.result, report.started_at.date())
    nodes = rest.nodes if rest else None
    if rest:
        log.info("going on where the last run was cut off", extra={"done": rest.done, "left": len(rest.nodes)})
        report.facts["resumed"] = rest.done
    progress.begin_build()
    built = dbt.build(nodes)
    if worth_another_try(built):  # a build is safe to repeat: whole tables, or what is new by its number
        log.warning("sessions got into each other's way, building once more")
        progress.begin_build()
        built = dbt.build(nodes)
    if built.exception is None:
        report.facts.update(dbt.identity(), **build_facts(built.result))
        history.nodes = node_runs(built.result)
    outcome, message = judge_build(built, progress.total)
    if rest and outcome.good:
        message += f"; {rest.done} more had been before the last run was cut off"
    history.artifacts = dbt.artifacts(fresh, built, docs=outcome.good)
    return outcome, message


def _check_schemas(settings: Settings, manifest: Any) -> None:
    """Raise NotMigratedError unless dbt's role may write where the user's project has its models."""
    nodes = [*manifest.nodes.values(), *manifest.functions.values()]
    with connect(settings.url, application_name="gitmart-transform check", autocommit=True) as connection:
        for schema in sorted({node.schema for node in nodes if node.is_relational}):
            check_target(connection, schema)


def _interrupted(settings: Settings, report: Report, progress: Progress, history: History) -> None:
    """End this run's statements, and report what was finished."""
    history.nodes = list(progress.finished.values())
    report.facts["counts"] = count(node.status for node in history.nodes)
    with open_session(settings.url) as session:
        end_sessions(session, Target(settings.schema))


def _temporary_folder(stopper: Stopper, held: ExitStack) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="gitmart-transform-"))
    remove = partial(shutil.rmtree, folder, ignore_errors=True)
    held.callback(remove)
    stopper.afterwards.append(remove)  # libpq may read a file in it until then
    return folder
