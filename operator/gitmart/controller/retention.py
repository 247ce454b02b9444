"""Which ended Jobs are kept for a look at their logs."""

from __future__ import annotations

from collections.abc import Iterable

from gitmart.controller.observed import JobSeen


def surplus(told: Iterable[JobSeen], good: int, failed: int) -> list[JobSeen]:
    """
    Return the Jobs to delete: all but the newest `good` and `failed` ones.

    `told` are ended Jobs, newest first, whose end stands in the status: nothing is deleted before it was told.
    """
    left = {"complete": good, "failed": failed}
    deleted = []
    for job in told:
        if left[job.state] > 0:
            left[job.state] -= 1
        elif not job.deleting:
            deleted.append(job)
    return deleted
