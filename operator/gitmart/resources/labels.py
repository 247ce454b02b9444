"""Names by which children are known: what is written on Jobs and pods, and read from them again."""

from __future__ import annotations

from gitmart.contract.kinds import GROUP

REPOSITORY_LABEL = f"{GROUP}/repository"
DBTSCHEDULE_LABEL = f"{GROUP}/dbtschedule"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "gitmart"

SLOT = f"{GROUP}/slot"  # what a Job was made for
GENERATION = f"{GROUP}/generation"  # of the resource it was made for
OWNER_UID = f"{GROUP}/owner-uid"  # of that resource, should the owner reference get lost
GIT_HOST = f"{GROUP}/git-host"
URL = f"{GROUP}/url"  # that a Job was made to read
IMAGE = f"{GROUP}/image"  # which the operator had the Job made with, whatever others make of it

FULL_REFRESH = f"{GROUP}/full-refresh"  # on a Job: "true" if dbt rebuilds its incremental models from nothing

JOB_NAME_LABELS = ("batch.kubernetes.io/job-name", "job-name")  # on pods, by the Job controller
WORKER = "worker"  # name of the container that does the work
FETCHER = "fetcher"  # and of one that runs before it and brings what it works on


def full_refresh_cron_job_of(name: str) -> str:
    """Return the name of a DbtSchedule's CronJob for full refreshes, beside the one that has its own name."""
    return f"{name}-full"
