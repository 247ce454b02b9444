"""
A look at a host's API, from beginning to end: what is due, the facts, the contributors, how it went.

It comes after the history was stored and never makes a run fail: whatever goes wrong, also in here, is told as the
outcome of the look alone.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

import psycopg

from gitmart.contract.host_api import MetadataOutcome, Provider, web_host
from gitmart.contract.signals import Stopped
from gitmart.extract.metadata import github, gitlab
from gitmart.extract.metadata.accounts import Place, keep, read_wanted
from gitmart.extract.metadata.asking import Asking
from gitmart.extract.metadata.client import Client
from gitmart.extract.metadata.due import Due, Looked, due, next_at
from gitmart.extract.metadata.errors import MetadataError
from gitmart.extract.metadata.facts import CommitAccounts, Facts
from gitmart.extract.metadata.limits import MOST_TIME, Budget
from gitmart.extract.metadata.settings import Token, token_for
from gitmart.extract.metadata.store import (
    Snapshot,
    read_latest,
    read_looked,
    read_remembered,
    write_facts,
    write_looked,
)
from gitmart.extract.settings import MetadataSettings, Remote
from gitmart.warehouse.locks import Connection

log = logging.getLogger(__name__)


class HostApi(Protocol):
    """What is asked of a provider's API."""

    knows_contributors: bool

    def facts(self, asking: Asking, before: Facts | None) -> Facts:
        """Return the facts."""

    def accounts(self, asking: Asking, commit_hash: str) -> list[CommitAccounts]:
        """Return whom the host takes a commit's people for."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a look is for: a repository whose lock the connection holds, and its latest run."""

    connection: Connection
    repository_id: int
    run_number: int
    remote: Remote
    settings: MetadataSettings


@dataclass(slots=True)
class Progress:
    """What was done so far; it stands also when a look ends early."""

    requests: int = 0
    taken_at: datetime | None = None
    pending: int = 0
    asked: int = 0
    found: int = 0
    token: Token = field(default_factory=Token)


def look(subject: Subject) -> dict[str, object]:
    """Ask the host's API for what is due, and return what the run's result shall tell of it. Never raise."""
    now = datetime.now(UTC)
    progress = Progress()
    before: Looked | None = None
    again: datetime | None = None
    try:
        before = read_looked(subject.connection, subject.repository_id)
        wanted = due(before, subject.settings, now)
        if before and not wanted:
            interval = subject.settings.interval  # which may be another by now
            known = next_at(before.outcome, before.next_at, before.taken_at, interval, now)
            return _told(replace(before, next_at=known))
        progress.pending = before.pending if before else 0
        _look(subject, wanted, progress)
        outcome, message = MetadataOutcome.SUCCEEDED, _summary(subject.settings, progress)
    except MetadataError as error:
        outcome, message, again = error.outcome, str(error), error.again
    except Stopped as error:
        outcome, message = MetadataOutcome.STOPPED, str(error)
    except Exception as error:  # nothing of this may make a run fail
        log.exception("host metadata failed")
        outcome, message = MetadataOutcome.FAILED, type(error).__name__
    return _ended(subject, progress, before, outcome, progress.token.clean(message), again)


def _look(subject: Subject, wanted: Due, progress: Progress) -> None:
    connection, settings, remote = subject.connection, subject.settings, subject.remote
    progress.token = token = token_for(settings, remote)
    latest = read_latest(connection, subject.repository_id)
    before = latest.facts if latest else None
    kind: type[github.GitHub | gitlab.GitLab] = github.GitHub if settings.provider is Provider.GITHUB else gitlab.GitLab
    api: HostApi = kind(remote.url, settings.api, before)
    accept = github.ACCEPT if settings.provider is Provider.GITHUB else gitlab.ACCEPT
    client = Client(settings.api, remote, token, Budget(time.monotonic() + MOST_TIME.total_seconds()))
    asking = Asking(client, accept, token.fingerprint, read_remembered(connection, subject.repository_id))
    try:
        if wanted.facts:
            _take(subject, api, asking, latest, progress)
        if wanted.contributors and api.knows_contributors:
            _ask_for_contributors(subject, api, asking, progress)
        else:
            progress.pending = 0
    finally:
        progress.requests = client.budget.made
        client.close()


def _take(subject: Subject, api: HostApi, asking: Asking, latest: Snapshot | None, progress: Progress) -> None:
    facts = api.facts(asking, latest.facts if latest else None)
    now = datetime.now(UTC)
    write_facts(
        subject.connection,
        subject.repository_id,
        provider=subject.settings.provider,
        run_number=subject.run_number,
        facts=facts,
        latest=latest,
        remember=asking.remember,
        now=now,
    )
    progress.taken_at = now


def _ask_for_contributors(subject: Subject, api: HostApi, asking: Asking, progress: Progress) -> None:
    place = Place(subject.repository_id, web_host(subject.remote.url.host), subject.settings.provider)
    wanted = read_wanted(subject.connection, place, datetime.now(UTC))
    everybody = progress.pending = len(wanted)
    while wanted:
        person = next(iter(wanted.values()))
        told = api.accounts(asking, person.commit_hash)
        progress.found += keep(subject.connection, place, person, wanted, told, datetime.now(UTC))
        progress.pending = len(wanted)
        progress.asked = everybody - len(wanted)


def _summary(settings: MetadataSettings, progress: Progress) -> str:
    """Return what was done, in words."""
    parts = ["what the host tells of the repository was read"] if progress.taken_at else []
    if settings.contributors and settings.provider is Provider.GITLAB:
        parts.append("GitLab tells no logins of contributors")
    elif settings.contributors:
        parts.append(f"{progress.asked} contributors were asked for, {progress.found} of them have an account")
    return "; ".join(parts)


def _ended(
    subject: Subject,
    progress: Progress,
    before: Looked | None,
    outcome: MetadataOutcome,
    message: str,
    again: datetime | None,
) -> dict[str, object]:
    """Write down how the look went, if the warehouse still listens, and return what to tell."""
    now, settings = datetime.now(UTC), subject.settings
    same = before is not None and before.is_of(settings)
    taken_at = progress.taken_at or (before.taken_at if before is not None and same else None)
    looked = Looked(
        provider=settings.provider,
        api_url=str(settings.api),
        attempted_at=now,
        outcome=outcome,
        message=message[:1000],
        requests=progress.requests,
        pending=progress.pending,
        next_at=next_at(outcome, again, taken_at, settings.interval, now),
        taken_at=taken_at,
    )
    with suppress(psycopg.Error):
        write_looked(subject.connection, subject.repository_id, looked)
    fine = outcome in (MetadataOutcome.SUCCEEDED, MetadataOutcome.INCOMPLETE, MetadataOutcome.STOPPED)
    log.log(
        logging.INFO if fine else logging.WARNING,
        "host metadata: %s",
        looked.message,
        extra={"outcome": outcome.value, "requests": progress.requests, "pending": progress.pending},
    )
    return _told(replace(looked, outcome=outcome.value))


def _told(looked: Looked) -> dict[str, object]:
    """Return the facts of a run's result, in status' spelling."""
    return {
        "outcome": looked.outcome,
        "message": looked.message,
        "checkedAt": looked.attempted_at.isoformat(timespec="seconds"),
        "nextTime": looked.next_at.isoformat(timespec="seconds"),
        "requests": looked.requests,
        "pending": looked.pending,
    }
