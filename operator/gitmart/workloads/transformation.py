"""The CronJobs of a DbtSchedule, and the Jobs made besides them."""

from __future__ import annotations

from typing import Any

from gitmart.contract.durations import format_duration
from gitmart.resources.build import build_options
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.labels import (
    DBTSCHEDULE_LABEL,
    FULL_REFRESH,
    GENERATION,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    OWNER_UID,
    REQUESTED_AT,
    SLOT,
    full_refresh_cron_job_of,
)
from gitmart.workloads.jobs import job_spec, owned_by
from gitmart.workloads.pods import TERMINATION_LOG, WAREHOUSE, Secret, Worker, WorkerSettings, pod_template

STORAGE = "1Gi"  # of dbt's files

Json = dict[str, Any]


def cron_job(schedule: DbtSchedule, settings: WorkerSettings, *, suspend: bool) -> Json:
    """Return the CronJob, as the API takes it for a server-side apply."""
    job = {"metadata": _metadata(schedule), "spec": _job_spec(schedule, settings)}
    return _cron_job(schedule, schedule.metadata.name, schedule.spec.schedule, job, suspend=suspend)


def full_refresh_cron_job(schedule: DbtSchedule, settings: WorkerSettings, *, suspend: bool) -> Json:
    """Return the CronJob beside it whose Jobs rebuild incremental models from nothing, for who wants one."""
    wanted = schedule.spec.full_refresh_schedule
    if wanted is None:
        raise ValueError("spec.fullRefreshSchedule is not set")
    metadata = _metadata(schedule)
    metadata["annotations"][FULL_REFRESH] = "true"
    job = {"metadata": metadata, "spec": _job_spec(schedule, settings, full_refresh=True)}
    return _cron_job(schedule, full_refresh_cron_job_of(schedule.metadata.name), wanted, job, suspend=suspend)


def _cron_job(schedule: DbtSchedule, name: str, cron: str, job: Json, *, suspend: bool) -> Json:
    spec = schedule.spec
    wanted: Json = {
        "schedule": cron,
        "timeZone": spec.time_zone,
        "suspend": suspend,
        "concurrencyPolicy": spec.concurrency_policy,
        "successfulJobsHistoryLimit": spec.successful_jobs_history_limit,
        "failedJobsHistoryLimit": spec.failed_jobs_history_limit,
        "jobTemplate": job,
    }
    if spec.starting_deadline_seconds is not None:
        wanted["startingDeadlineSeconds"] = spec.starting_deadline_seconds
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": name,
            "namespace": schedule.metadata.namespace,
            "labels": _labels(schedule),
            "ownerReferences": owned_by(schedule, schedule.kind),
        },
        "spec": wanted,
    }


def transformation_job(
    schedule: DbtSchedule, name: str, slot: str, token: str | None, settings: WorkerSettings
) -> Json:
    """Return a Job that runs besides the CronJob's: for a request, or after extractions."""
    metadata = _metadata(schedule)
    metadata["annotations"][SLOT] = slot
    if token is not None:
        metadata["annotations"][REQUESTED_AT] = token
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": schedule.metadata.namespace,
            **metadata,
            "ownerReferences": owned_by(schedule, schedule.kind),
        },
        "spec": _job_spec(schedule, settings),
    }


def _metadata(schedule: DbtSchedule) -> Json:
    """Return the labels by which every Job is known, also one that a person makes from the CronJob."""
    annotations = {GENERATION: str(schedule.metadata.generation), OWNER_UID: schedule.metadata.uid or ""}
    return {"labels": _labels(schedule), "annotations": annotations}


def _labels(schedule: DbtSchedule) -> dict[str, str]:
    return {DBTSCHEDULE_LABEL: schedule.metadata.name, MANAGED_BY_LABEL: MANAGED_BY}


def _job_spec(schedule: DbtSchedule, settings: WorkerSettings, *, full_refresh: bool = False) -> Json:
    spec = schedule.spec
    template = pod_template(_worker(schedule, full_refresh), settings, _labels(schedule), spec.pod_template)
    return job_spec(template, retries=spec.retries, timeout=spec.timeout)


def _worker(schedule: DbtSchedule, full_refresh: bool) -> Worker:
    spec, namespace = schedule.spec, schedule.metadata.namespace
    warehouse = spec.warehouse_ref.name
    words = [
        "transform",
        f"--timeout={format_duration(spec.timeout)}",
        *build_options(spec, full_refresh=full_refresh),
        f"--result-file={TERMINATION_LOG}",
    ]
    environment = {
        "GITMART_WAREHOUSE_URL_FILE": f"{WAREHOUSE}/transform-url",
        "GITMART_WAREHOUSE_URL_SOURCE": f"key transform-url of Secret {warehouse} in namespace {namespace}",
    }
    secrets = [Secret("warehouse", warehouse, WAREHOUSE, "transform-url")]
    return Worker(words, environment, spec.resources, spec.timeout, STORAGE, secrets)
