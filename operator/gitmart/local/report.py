"""What `gitmart local up` says: steps on stderr, one line per resource on stdout."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from gitmart.controller.conditions import Situation
from gitmart.controller.runs import Run, verdict_of
from gitmart.local.terminal import plain
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.manifests import AnyResource
from gitmart.resources.repository import Repository


@dataclass(frozen=True, slots=True)
class Ending:
    """How one resource ended: whether that is well, in a word, in a sentence."""

    well: bool
    word: str
    message: str


def say(text: str) -> None:
    """Tell a step or a remark."""
    sys.stderr.write(f"{plain(text)}\n")
    sys.stderr.flush()


def tell(resource: AnyResource, ending: Ending) -> bool:
    """Print the line of a resource; return whether it is well."""
    name = f"{resource.kind.lower()}/{resource.metadata.name}"
    sys.stdout.write(plain(f"{'ok    ' if ending.well else 'FAILED'} {name}: {ending.word}: {ending.message}") + "\n")
    sys.stdout.flush()
    return ending.well


def extraction_ending(run: Run, repository: Repository) -> Ending:
    """Return the totals of a good extraction, else why it is not."""
    verdict = verdict_of(run)
    status, last = repository.status, repository.status.last_extraction
    if verdict.situation is not Situation.GOOD or last is None:
        return Ending(False, verdict.reason, verdict.message)
    quarantined = f", {last.quarantined:,} values in quarantine" if last.quarantined else ""
    return Ending(
        True,
        verdict.reason,
        f"{status.commits or 0:,} commits (+{last.new_commits or 0:,} -{last.removed_commits or 0:,}) "
        f"of {status.contributors or 0:,} contributors on {status.branches or 0:,} branches{quarantined}, "
        f"in {_seconds(run)}",
    )


def transformation_ending(run: Run, schedule: DbtSchedule) -> Ending:
    """Return the counts of a good run, else why it is not. Skipped is well: another run did the work."""
    verdict = verdict_of(run)
    last = schedule.status.last_run
    if verdict.situation is Situation.ROUTINE or last is None:
        return Ending(run.exit_code == 0, verdict.reason, verdict.message)
    if verdict.situation is not Situation.GOOD:
        return Ending(False, verdict.reason, verdict.message)
    warned = f", {last.warned} warned" if last.warned else ""
    full = "full refresh, " if run.full_refresh else ""
    counts = f"{last.succeeded or 0} models and tests good{warned}"
    return Ending(True, verdict.reason, f"{full}{counts}, in {_seconds(run)}")


def _seconds(run: Run) -> str:
    seconds = run.duration.total_seconds()
    return f"{seconds:.0f} s" if seconds.is_integer() else f"{seconds:.1f} s"  # a follower's clock has whole seconds
