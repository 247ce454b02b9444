"""
How much of a host's patience is used: its rate limit, and our own budget for one run. Pure.

GitHub: https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api,
GitLab: https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from gitmart.contract.host_api import MetadataOutcome
from gitmart.extract.metadata.errors import MetadataError

MOST_REQUESTS = 500  # of one run
MOST_TIME = timedelta(minutes=5)  # of one run: it holds a place that other extractions wait for
SHARE_LEFT = 10  # a tenth of the host's limit is left to whoever else uses the token or the address
LEAST_PAUSE = timedelta(minutes=1)  # GitHub's advice when it does not say how long
LONGEST_PAUSE = timedelta(days=1)  # whatever a host says


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What an answer says of the limit; None: nothing, or nothing that can be believed."""

    limit: int | None = None
    remaining: int | None = None
    reset: datetime | None = None
    retry_after: datetime | None = None

    @property
    def is_low(self) -> bool:
        """Whether so little is left that others shall have it."""
        return self.remaining is not None and self.remaining <= (self.limit or 0) // SHARE_LEFT

    def again(self, now: datetime) -> datetime:
        """Return when the host may be asked again: between a minute and a day from now."""
        told = self.retry_after or self.reset or now
        return min(max(told, now + LEAST_PAUSE), now + LONGEST_PAUSE)


def rate_limit(headers: Mapping[str, str], now: datetime) -> RateLimit:
    """Return what the headers (names in lower case) say, in the words of GitHub or of GitLab."""

    def said(name: str) -> int | None:
        return _number(headers.get(f"x-ratelimit-{name}", headers.get(f"ratelimit-{name}", "")))

    reset = said("reset")
    return RateLimit(
        limit=said("limit"),
        remaining=said("remaining"),
        reset=datetime.fromtimestamp(reset, UTC) if reset is not None and reset < 2**33 else None,
        retry_after=_retry_after(headers.get("retry-after", ""), now),
    )


def is_limited(status: int, limit: RateLimit, words: str) -> bool:
    """Whether an answer refuses for a limit, and not for what was asked."""
    if status == 429:
        return True
    limited = limit.retry_after is not None or limit.remaining == 0 or "rate limit" in words.lower()
    return status == 403 and limited


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _retry_after(text: str, now: datetime) -> datetime | None:
    """Return the time that Retry-After means: seconds, or a date of HTTP."""
    seconds = _number(text)
    if seconds is not None:
        return now + min(timedelta(seconds=min(seconds, 2**31)), LONGEST_PAUSE)
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


@dataclass(slots=True)
class Budget:
    """What one run may still ask. `until` is the end of its time, on the clock that `spend` is given."""

    until: float
    requests: int = MOST_REQUESTS
    made: int = 0
    low: datetime | None = None  # the host's limit is nearly used up: when it begins anew

    def spend(self, clock: float) -> None:
        """Count one request; raise MetadataError (RateLimited, Incomplete) if there may be none."""
        if self.low is not None:
            raise MetadataError(
                MetadataOutcome.RATE_LIMITED,
                f"the host's rate limit is used up but for a tenth, which is left to others: it begins anew at "
                f"{self.low:%Y-%m-%d %H:%M} UTC",
                self.low,
            )
        if self.made >= self.requests:
            raise MetadataError(MetadataOutcome.INCOMPLETE, f"the {self.requests} requests of one run are used up")
        if clock >= self.until:
            raise MetadataError(MetadataOutcome.INCOMPLETE, "the time of one run is used up")
        self.made += 1

    def note(self, limit: RateLimit, now: datetime) -> None:
        """Remember what an answer said."""
        self.low = limit.again(now) if limit.is_low else None
