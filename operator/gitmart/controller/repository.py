"""What a Repository's status says at each step of its life. Every function returns a new status."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from gitmart.contract.outcomes import Outcome
from gitmart.controller import conditions
from gitmart.controller.conditions import Situation, Verdict
from gitmart.controller.runs import Run, verdict_of
from gitmart.resources.repository import LastExtraction, Repository, RepositoryStatus

DUPLICATE = "DuplicateURL"

_NEUTRAL = (Outcome.CANCELLED, Outcome.SKIPPED)  # neither good nor a failure of the repository


def seen(repository: Repository, now: datetime) -> RepositoryStatus:
    """Return the status once this generation was read: of a new one nothing is known yet."""
    status = repository.status
    if not conditions.is_new_generation(status.conditions, repository.metadata.generation):
        return status
    verdict = Verdict(Situation.NEW, "NewGeneration", "not extracted yet with this spec")
    return _updated(repository, verdict, now, state=status.state or "pending")


def running(repository: Repository) -> RepositoryStatus:
    """Return the status while an extraction runs."""
    return repository.status.model_copy(update={"state": "in_progress"})


def interrupted(repository: Repository) -> RepositoryStatus:
    """Return the status once it is certain that nothing runs: an extraction said to run was killed."""
    status = repository.status
    return status.model_copy(update={"state": "failed"}) if status.state == "in_progress" else status


def suspended(repository: Repository, now: datetime) -> RepositoryStatus:
    """Return the status while spec.suspend is true."""
    verdict = Verdict(Situation.ROUTINE, "Suspended", "spec.suspend is true: no extraction is started")
    return _updated(repository, verdict, now)


def duplicate(repository: Repository, working: Repository, now: datetime) -> RepositoryStatus:
    """Return the status of a Repository whose address another one, `working`, has already."""
    name = f"{working.metadata.namespace}/{working.metadata.name}"
    message = f"spec.url is the repository of {name}, which is older: delete one of the two"
    return _updated(repository, Verdict(Situation.STALLED, DUPLICATE, message), now)


def ended(repository: Repository, run: Run, next_due: datetime | None = None) -> RepositoryStatus:
    """Return the status after an extraction. `next_due` is when the next one comes, None when none will by itself."""
    verdict = verdict_of(run)
    status = repository.status
    good = verdict.situation is Situation.GOOD
    failures = 0 if good else status.consecutive_failures + (verdict.reason not in _NEUTRAL)
    changes: dict[str, Any] = {
        "state": "completed" if good else "failed",
        "last_extraction": _last_extraction(run, verdict),
        "next_extraction_time": next_due,
        "consecutive_failures": failures,
    }
    if good:
        changes |= {
            "last_check_time": run.finished_at,
            "commits": run.number("commits"),
            "contributors": run.number("contributors"),
            "branches": run.number("branches"),
            "head": run.text("head"),
            "refs_digest": run.text("refsDigest"),
        }
    return _updated(repository, verdict, run.finished_at, **changes)


def working_of(repositories: Iterable[Repository]) -> dict[str, Repository]:
    """Return, by the key of the address, the Repository that works: of several with one address the oldest."""
    working: dict[str, Repository] = {}
    for repository in sorted(repositories, key=_age):
        working.setdefault(repository.spec.url.key, repository)
    return working


def _age(repository: Repository) -> tuple[float, str, str]:
    metadata = repository.metadata
    created = metadata.creation_timestamp.timestamp() if metadata.creation_timestamp else float("inf")
    return created, metadata.namespace, metadata.name


def _last_extraction(run: Run, verdict: Verdict) -> LastExtraction:
    return LastExtraction(
        started_at=run.started_at,
        finished_at=run.finished_at,
        outcome=verdict.reason,
        message=verdict.message,
        new_commits=run.number("newCommits"),
        removed_commits=run.number("removedCommits"),
        quarantined=run.number("quarantined"),
        bytes_fetched=run.number("bytesFetched"),
        duration=run.duration,
    )


def _updated(repository: Repository, verdict: Verdict, now: datetime, **changes: Any) -> RepositoryStatus:
    generation = repository.metadata.generation
    return repository.status.model_copy(
        update={
            **changes,
            "observed_generation": generation,
            "conditions": conditions.judged(repository.status.conditions, verdict, generation, now),
        }
    )
