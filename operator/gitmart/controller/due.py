"""
When the next extraction of a Repository is due, and under which name.

Everything comes from the object itself: the due time from what its status says was done last, the slot's name from
the due time. A visit that is repeated after a crash finds the same slot and so the same Job.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from gitmart.contract.kinds import REQUESTED_AT
from gitmart.controller import conditions
from gitmart.resources.repository import Repository, RepositorySpec, RepositoryStatus
from gitmart.resources.schedule import next_time

FIRST_RETRY = timedelta(minutes=1)
LAST_RETRY = timedelta(minutes=15)
# A status may be a little ahead of our clock. More than this, and the clock was set back: nobody waits for it.
CLOCK_TOLERANCE = timedelta(minutes=5)
TOKEN_LIMIT = 256  # characters of the run-now annotation


@dataclass(frozen=True, slots=True)
class Due:
    """
    When something is due (UTC) and the name of its slot.

    `at` None: nothing until the spec is edited. `token` is the request it answers; such a run is never skipped.
    """

    at: datetime | None
    slot: str = ""
    token: str | None = None

    def has_come(self, now: datetime) -> bool:
        """Whether it is time."""
        return self.at is not None and self.at <= now


def due(repository: Repository, now: datetime) -> Due:
    """Return what is due next."""
    token = requested(repository.metadata.annotations)
    if token is not None and token != repository.status.last_handled_request:
        return Due(now, f"request-{token}", token)
    return _first_of_generation(repository, now) or _after_the_last(repository, now)


def requested(annotations: dict[str, str]) -> str | None:
    """Return the token of the run-now annotation, None without one."""
    return annotations.get(REQUESTED_AT, "")[:TOKEN_LIMIT] or None


def backoff(failures: int) -> timedelta:
    """Return how long to wait after so many failures in a row: a minute, doubled each time, up to a quarter hour."""
    doublings = min(max(failures, 1) - 1, 10)
    return min(FIRST_RETRY * (1 << doublings), LAST_RETRY)


def next_slot(spec: RepositorySpec, uid: str, after: datetime) -> datetime:
    """Return the first time of the schedule or interval after `after`, jitter included."""
    interval = spec.effective_interval
    base = after + interval if interval else next_time(str(spec.schedule), spec.time_zone, after)
    return base + _spread(uid, base, spec.effective_jitter)


def last_done(status: RepositoryStatus) -> datetime | None:
    """Return when the host was last asked or an extraction last ended, None if never."""
    times = [status.last_check_time, status.last_extraction.finished_at if status.last_extraction else None]
    return max((time for time in times if time is not None), default=None)


def _first_of_generation(repository: Repository, now: datetime) -> Due | None:
    """Return what is due because this generation of the spec was never tried; None if it was."""
    generation = repository.metadata.generation
    status = repository.status
    ready = conditions.find(status.conditions, conditions.READY)
    known = ready is not None and ready.status != "Unknown" and ready.observed_generation == generation
    if known or (status.last_extraction is not None and status.last_extraction.generation == generation):
        return None
    since = repository.metadata.creation_timestamp if last_done(status) is None else None
    return Due(min(since or now, now), f"generation-{generation}")


def _after_the_last(repository: Repository, now: datetime) -> Due:
    """Return what is due after what was done last: a retry, or the next time of the schedule."""
    status, spec = repository.status, repository.spec
    if conditions.find(status.conditions, conditions.STALLED):
        return Due(None)
    done = last_done(status)
    if done is None:  # a condition alone is known, such as a Job that was refused
        ready = conditions.find(status.conditions, conditions.READY)
        done = ready.last_transition_time if ready else now
    if done > now + CLOCK_TOLERANCE:
        return Due(now, f"clock-{stamp(done)}")
    slot = next_slot(spec, repository.metadata.uid or "", done)
    ready = conditions.find(status.conditions, conditions.READY)
    if conditions.find(status.conditions, conditions.RECONCILING) or (ready and ready.status == "Unknown"):
        again = done + backoff(status.consecutive_failures)
        return Due(again, f"retry-{stamp(again)}") if again < slot else Due(slot, stamp(slot))
    return Due(slot, stamp(slot))


def stamp(time: datetime) -> str:
    """Return a time as part of a name, such as 20260131T120000Z."""
    return time.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _spread(uid: str, base: datetime, jitter: timedelta) -> timedelta:
    """Return a share of the jitter, in whole seconds, that depends on nothing but the object and the time."""
    seconds = int(jitter.total_seconds())
    if seconds <= 0:
        return timedelta(0)
    drawn = int.from_bytes(sha256(f"{uid}/{stamp(base)}".encode()).digest()[:8], "big")
    return timedelta(seconds=drawn % (seconds + 1))
