"""What a Repository's status says at each step of its life. Every function returns a new status."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, get_args

from pydantic import ValidationError

from gitmart.contract.outcomes import RESULT_LOST, Outcome
from gitmart.controller import conditions
from gitmart.controller.address import Identity, url_after
from gitmart.controller.conditions import Situation, Verdict
from gitmart.controller.runs import Run, verdict_of
from gitmart.resources.host_metadata import HostMetadataStatus
from gitmart.resources.repository import (
    HISTORY_LIMIT,
    Fetch,
    LastExtraction,
    PastExtraction,
    Repository,
    RepositoryStatus,
)

DUPLICATE = "DuplicateURL"
UP_TO_DATE = "UpToDate"

_FETCHES: dict[str, Fetch] = {word: word for word in get_args(Fetch)}  # a result may say anything
_NEUTRAL = (Outcome.CANCELLED, Outcome.SKIPPED)  # neither good nor a failure of the repository


def seen(repository: Repository, now: datetime) -> RepositoryStatus:
    """
    Return the status once this generation was read: of a new one nothing is known yet.

    Nor is it of one that was stalled as a duplicate or as invalid: whoever calls this has seen that it is none any
    more, such as after the other one was deleted, or gitmart was replaced by a version that takes the spec.
    """
    status = repository.status
    if not (_is_freed(status) or conditions.is_new_generation(status.conditions, repository.metadata.generation)):
        return status
    verdict = Verdict(Situation.NEW, conditions.NEW_GENERATION, "not extracted yet with this spec")
    return _updated(repository, verdict, now, state=status.state or "pending")


def _is_freed(status: RepositoryStatus) -> bool:
    """Whether it was stalled for a reason that is looked at anew at each visit."""
    stalled = conditions.find(status.conditions, conditions.STALLED)
    return stalled is not None and stalled.reason in (DUPLICATE, conditions.INVALID_SPEC)


def running(repository: Repository) -> RepositoryStatus:
    """Return the status while an extraction runs."""
    return repository.status.model_copy(update={"state": "in_progress"})


def interrupted(repository: Repository) -> RepositoryStatus:
    """Return the status once it is certain that nothing runs: an extraction said to run was killed."""
    status = repository.status
    return status.model_copy(update={"state": "failed"}) if status.state == "in_progress" else status


def lost(repository: Repository, now: datetime) -> RepositoryStatus:
    """Return the status once the Job that was running is gone without having ended: somebody deleted it."""
    verdict = Verdict(Situation.RETRYING, RESULT_LOST, "the Job was deleted before its end was seen: it is repeated")
    failures = repository.status.consecutive_failures + 1
    return _updated(repository, verdict, now, state="failed", consecutive_failures=failures)


def suspended(repository: Repository, now: datetime) -> RepositoryStatus:
    """Return the status while spec.suspend is true."""
    verdict = Verdict(Situation.ROUTINE, "Suspended", "spec.suspend is true: no extraction is started")
    generation = repository.metadata.generation
    known = repository.status.conditions
    if _is_freed(repository.status):
        known = conditions.without(known, conditions.READY, conditions.STALLED)
    rested = conditions.resting(known, verdict, generation, now)
    return repository.status.model_copy(
        update={"observed_generation": generation, "conditions": rested, "next_extraction_time": None}
    )


def unchanged(repository: Repository, check: Run) -> RepositoryStatus:
    """Return the status after a look at the git host that showed nothing new."""
    verdict = Verdict(Situation.GOOD, UP_TO_DATE, "the git host has nothing new")
    return _updated(
        repository, verdict, check.finished_at, state="completed", last_check_time=check.finished_at,
        consecutive_failures=0,
    )  # fmt: skip


def verdict_of_check(check: Run) -> Verdict | None:
    """
    Return what a look at the git host says; None when it says nothing of the host or the repository.

    A look that took too long is no reason to wait for the next slot, as an extraction's timeout is. The limits of a
    look are its own: an extraction may well read what lists more refs than they allow.
    """
    verdict = verdict_of(check)
    if verdict.reason in (Outcome.BUG, Outcome.CANCELLED, Outcome.LIMIT_EXCEEDED, RESULT_LOST):
        return None
    if verdict.reason == Outcome.TIMEOUT:
        return Verdict(Situation.RETRYING, Outcome.HOST_UNREACHABLE, f"the git host did not answer: {verdict.message}")
    return verdict


def invalid(status: RepositoryStatus, mistakes: Sequence[str], generation: int, now: datetime) -> RepositoryStatus:
    """Return the status of an object whose spec breaks a rule that its schema cannot tell."""
    verdict = Verdict(Situation.STALLED, conditions.INVALID_SPEC, "; ".join(mistakes))
    known = conditions.judged(status.conditions, verdict, generation, now)
    return status.model_copy(update={"observed_generation": generation, "conditions": known})


def troubled(repository: Repository, verdict: Verdict, now: datetime) -> RepositoryStatus:
    """Return the status while something keeps a Job from starting, or the Job from being made."""
    return _updated(repository, verdict, now)


def queued(status: RepositoryStatus, full: Verdict, generation: int, now: datetime) -> RepositoryStatus:
    """Return the status while the Repository is due but no place is free."""
    known = conditions.put(status.conditions, conditions.QUEUED, "True", full, generation, now)
    return status.model_copy(update={"conditions": known})


def unqueued(status: RepositoryStatus) -> RepositoryStatus:
    """Return the status of a Repository that waits for no place."""
    if conditions.find(status.conditions, conditions.QUEUED) is None:
        return status
    return status.model_copy(update={"conditions": conditions.without(status.conditions, conditions.QUEUED)})


def duplicate(repository: Repository, working: Repository, now: datetime) -> RepositoryStatus:
    """Return the status of a Repository whose address another one, `working`, has already."""
    name = f"{working.metadata.namespace}/{working.metadata.name}"
    message = f"spec.url is the repository of {name}, which is older: delete one of the two"
    return _updated(repository, Verdict(Situation.STALLED, DUPLICATE, message), now, next_extraction_time=None)


def ended(
    repository: Repository, run: Run, *, kept: frozenset[str] = frozenset(), verdict: Verdict | None = None
) -> RepositoryStatus:
    """
    Return the status after an extraction; when the next one comes is not said.

    `kept` names the Jobs that are still there: their entries stay in the history. `verdict` takes the place of
    what the run itself says.
    """
    verdict = verdict or verdict_of(run)
    status = repository.status
    good = verdict.situation is Situation.GOOD
    failures = 0 if good else status.consecutive_failures + (verdict.reason not in _NEUTRAL)
    changes: dict[str, Any] = {
        "state": "completed" if good else "failed",
        "last_extraction": _last_extraction(repository, run, verdict),
        "next_extraction_time": None,
        "consecutive_failures": failures,
        "history": _history(status.history, run, verdict, kept),
        "url": url_after(repository, run, good=good),
        # A clock that was set back must not leave a time to come behind.
        "last_check_time": min(status.last_check_time, run.finished_at) if status.last_check_time else None,
    }
    if good:
        changes |= {
            "last_check_time": run.finished_at,
            "commits": run.number("commits"),
            "contributors": run.number("contributors"),
            "branches": run.number("branches"),
            "head": run.text("head"),
            "refs_digest": run.text("refsDigest"),
            "metadata": _metadata(repository, run),
        }
        if run.number("newCommits") or run.number("removedCommits"):
            changes["last_change_time"] = run.finished_at
    return _updated(repository, verdict, run.finished_at, generation=run.generation, **changes)


def _metadata(repository: Repository, run: Run) -> HostMetadataStatus | None:
    """Return how the look at the host's API went; what was known if a good run does not tell, None if none is wanted."""
    if repository.spec.metadata is None:
        return None
    try:
        return HostMetadataStatus.model_validate((run.result or {}).get("metadata"))
    except ValidationError:
        return repository.status.metadata


def metadata_is_due(repository: Repository, now: datetime) -> bool:
    """Whether the host's API is to be asked again, which only an extraction does."""
    if repository.spec.metadata is None:
        return False
    known = repository.status.metadata
    return known is None or known.next_time is None or known.next_time <= now


def _history(known: list[PastExtraction], run: Run, verdict: Verdict, kept: frozenset[str]) -> list[PastExtraction]:
    """Return the history with a run in front, cut to its limit; entries of Jobs that are gone are cut first."""
    entry = PastExtraction(
        job=run.job, finished_at=run.finished_at, outcome=verdict.reason, new_commits=run.number("newCommits")
    )
    history = [entry, *known]
    while len(history) > HISTORY_LIMIT:
        gone = [each for each in history[1:] if each.job not in kept]
        history.remove((gone or history)[-1])
    return history


def identity_of(repository: Repository) -> Identity:
    """
    Return what two Repositories must not share.

    A Secret of the same name in another namespace may be another warehouse, which nobody may learn of here.
    """
    return repository.metadata.namespace, repository.spec.warehouse_ref.name, repository.spec.url.key


def working_of(repositories: Iterable[Repository]) -> dict[Identity, Repository]:
    """Return, by identity, the Repository that works: of several with one address the oldest."""
    working: dict[Identity, Repository] = {}
    for repository in sorted(repositories, key=age):
        working.setdefault(identity_of(repository), repository)
    return working


def age(repository: Repository) -> tuple[float, str, str]:
    """Order Repositories by their time of creation, then by name."""
    metadata = repository.metadata
    created = metadata.creation_timestamp.timestamp() if metadata.creation_timestamp else float("inf")
    return created, metadata.namespace, metadata.name


def _last_extraction(repository: Repository, run: Run, verdict: Verdict) -> LastExtraction:
    return LastExtraction(
        job=run.job,
        generation=repository.metadata.generation if run.generation is None else run.generation,
        started_at=run.started_at,
        finished_at=run.finished_at,
        outcome=verdict.reason,
        message=verdict.message,
        new_commits=run.number("newCommits"),
        removed_commits=run.number("removedCommits"),
        quarantined=run.number("quarantined"),
        bytes_fetched=run.number("bytesFetched"),
        fetch=_FETCHES.get(run.text("fetch") or ""),
        fetch_reason=run.text("fetchReason"),
        cache_problem=run.text("cacheProblem"),
        duration=run.duration,
    )


def _updated(
    repository: Repository, verdict: Verdict, now: datetime, *, generation: int | None = None, **changes: Any
) -> RepositoryStatus:
    """Return the status after a verdict on a generation, the present one unless another is named."""
    of = repository.metadata.generation if generation is None else generation
    return repository.status.model_copy(
        update={
            **changes,
            "observed_generation": repository.metadata.generation,
            "conditions": conditions.judged(repository.status.conditions, verdict, of, now),
        }
    )
