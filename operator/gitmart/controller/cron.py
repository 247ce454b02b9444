"""
When a schedule has come: what Kubernetes' CronJob controller decides, for where there is none.

https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ and its source, pkg/controller/cronjob
(syncCronJob in cronjob_controllerv2.go, mostRecentScheduleTime in utils.go).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from gitmart.controller.due import stamp
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.schedule import next_time

SLOT_PREFIX, FULL_REFRESH_PREFIX = "cron-", "full-"


@dataclass(frozen=True, slots=True)
class Fire:
    """A run to start for the schedule's time `at` (UTC). `replaces`: the running ones are stopped first."""

    at: datetime
    replaces: bool
    full_refresh: bool = False

    @property
    def slot(self) -> str:
        """Name of the slot; the same whoever asks and however often."""
        return f"{FULL_REFRESH_PREFIX if self.full_refresh else SLOT_PREFIX}{stamp(self.at)}"


def fire(
    schedule: DbtSchedule, last: datetime | None, *, running: bool, now: datetime, full_refresh: bool = False
) -> Fire | None:
    """
    Return the run that is due by the schedule, or by that of full refreshes; None when none is.

    `last` is the schedule's time that was started last, None before the first; `running` is about runs of the
    same schedule alone. Of several times that were missed only the latest counts. While a run that Forbid protects goes
    on the time stays due, and is started late once it ends, unless startingDeadlineSeconds are over by then.
    """
    spec = schedule.spec
    if (wanted := spec.full_refresh_schedule if full_refresh else spec.schedule) is None:
        return None
    since = last or schedule.metadata.creation_timestamp or now
    if spec.starting_deadline_seconds is not None:
        since = max(since, now - timedelta(seconds=spec.starting_deadline_seconds))
    at = latest_time(wanted, spec.time_zone, since, now)
    if at is None or (running and spec.concurrency_policy == "Forbid"):
        return None
    return Fire(at, running and spec.concurrency_policy == "Replace", full_refresh)


def latest_time(schedule: str, time_zone: str, since: datetime, now: datetime) -> datetime | None:
    """Return the schedule's latest time after `since` and not after `now`, None when there is none."""
    span = timedelta(minutes=1)
    while True:  # back from now in growing steps: from `since` on there may be a million times
        start = max(since, now - span)
        time = next_time(schedule, time_zone, start)
        if time <= now:
            break
        if start == since:
            return None
        span *= 2
    while (following := next_time(schedule, time_zone, time)) <= now:
        time = following
    return time
