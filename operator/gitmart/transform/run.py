"""The order of a run: revision, lock, freshness, build, digest."""

from __future__ import annotations

import logging
import shutil
import tempfile
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from gitmart.contract.durations import format_duration
from gitmart.contract.outcomes import Outcome
from gitmart.transform.dbt import Dbt
from gitmart.transform.digest import build_facts, count, source_facts
from gitmart.transform.environment import dbt_environment
from gitmart.transform.progress import Progress, display
from gitmart.transform.report import Report
from gitmart.transform.settings import Settings
from gitmart.transform.stopper import Stopper
from gitmart.transform.target import Target, end_sessions, open_session, take_lock
from gitmart.transform.verdict import judge_build, judge_error, worth_another_try
from gitmart.warehouse.errors import WarehouseError
from gitmart.warehouse.revision import check_revision

log = logging.getLogger(__name__)


def transform(settings: Settings, report: Report) -> int:
    """Run once and return the exit code. A signal, the timeout or a lost lock ends the process from within."""
    stopper = Stopper(report, settings.timeout)
    stopper.start()
    report.facts["schema"] = settings.schema
    with ExitStack() as held:  # until the end is told: a closed lock session would look like a lost one
        try:
            outcome, message = _attempt(settings, report, stopper, held)
        except WarehouseError as error:
            outcome, message = error.outcome, str(error)
        except Exception as error:
            log.exception("transform failed")
            outcome, message = Outcome.BUG, f"{type(error).__name__}: {error}"
        return report.end(outcome, message)


def _attempt(settings: Settings, report: Report, stopper: Stopper, held: ExitStack) -> tuple[Outcome, str]:
    target = Target(settings.schema)
    session = held.enter_context(open_session(settings.url))
    report.scrubber.learn(session.info.password)
    check_revision(session)
    if not take_lock(session, target, settings.lock_timeout):
        waited = format_duration(settings.lock_timeout)
        return Outcome.SKIPPED, f"another run into schema {settings.schema} held the lock for longer than {waited}"
    if orphans := end_sessions(session, target):
        log.info("ended what an earlier run left", extra={"sessions": orphans})
    folder = settings.work_dir or _temporary_folder(stopper, held)
    environment = dbt_environment(session, settings, folder)
    with closing(display(report.scrubber.clean)) as shown:
        stopper.at_end.append(shown.close)
        progress = Progress(stopper.gate, shown)
        stopper.at_end.append(lambda: _interrupted(settings, report, progress))
        stopper.guard(session)
        return _build(Dbt(settings, folder, environment, progress.event), report, progress)


def _build(dbt: Dbt, report: Report, progress: Progress) -> tuple[Outcome, str]:
    """Run dbt's commands and judge them. A stale source is reported and stops nothing."""
    parsed = dbt.parse()
    if parsed.exception is not None:
        return judge_error(parsed.exception)
    fresh = dbt.freshness()
    if fresh.exception is not None:
        return judge_error(fresh.exception)
    report.facts["sources"] = source_facts(fresh.result)
    progress.begin_build()
    built = dbt.build()
    if worth_another_try(built):  # a build is safe to repeat: whole tables, or what is new by its number
        log.warning("sessions got into each other's way, building once more")
        progress.begin_build()
        built = dbt.build()
    if built.exception is None:
        report.facts.update(dbt.identity(), **build_facts(built.result))
    return judge_build(built, progress.total)


def _interrupted(settings: Settings, report: Report, progress: Progress) -> None:
    """End this run's statements, and report what was finished."""
    report.facts["counts"] = count(progress.finished.values())
    with open_session(settings.url) as session:
        end_sessions(session, Target(settings.schema))


def _temporary_folder(stopper: Stopper, held: ExitStack) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="gitmart-transform-"))
    remove = partial(shutil.rmtree, folder, ignore_errors=True)
    held.callback(remove)
    stopper.at_end.append(remove)
    return folder
