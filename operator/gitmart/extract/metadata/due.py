"""When a host's API is asked, and what for. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from gitmart.contract.host_api import MetadataOutcome
from gitmart.extract.settings import MetadataSettings

AFTER_A_FAILURE = timedelta(hours=1)
AHEAD = timedelta(days=1)  # beyond its interval no time to come is believed: a clock was set back
# A host that did not know somebody may have met them since; a login may have been changed.
UNKNOWN_AGAIN = timedelta(days=30)
KNOWN_AGAIN = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Looked:
    """What was done before: `taken_at` is when the facts were last read well, `next_at` from when on to ask again."""

    provider: str
    api_url: str
    attempted_at: datetime
    outcome: str
    message: str
    requests: int
    pending: int
    next_at: datetime
    taken_at: datetime | None = None

    def is_of(self, settings: MetadataSettings) -> bool:
        """Whether it was the same API that was asked."""
        return (self.provider, self.api_url) == (settings.provider, str(settings.api))


@dataclass(frozen=True, slots=True)
class Due:
    """What to ask for: facts of the repository, contributors."""

    facts: bool
    contributors: bool

    def __bool__(self) -> bool:
        """Whether anything is due."""
        return self.facts or self.contributors


def due(before: Looked | None, settings: MetadataSettings, now: datetime) -> Due:
    """Return what is due now."""
    if before is None or not before.is_of(settings):
        return Due(facts=True, contributors=settings.contributors)
    ended_early = before.outcome != MetadataOutcome.SUCCEEDED
    if ended_early and now < before.next_at <= now + max(settings.interval, AHEAD):
        return Due(facts=False, contributors=False)
    old = before.taken_at is None or not timedelta(0) <= now - before.taken_at < settings.interval
    return Due(facts=old, contributors=settings.contributors and (old or before.pending > 0))


def next_at(
    outcome: str, again: datetime | None, taken_at: datetime | None, interval: timedelta, now: datetime
) -> datetime:
    """Return from when on to ask again after a look that ended so."""
    if outcome == MetadataOutcome.SUCCEEDED:
        return (taken_at or now) + interval
    if outcome in (MetadataOutcome.INCOMPLETE, MetadataOutcome.STOPPED):
        return now  # the next run goes on
    return again or now + min(interval, AFTER_A_FAILURE)
