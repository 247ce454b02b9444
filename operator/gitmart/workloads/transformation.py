"""The CronJob of a DbtSchedule, and the Jobs made besides it."""

from __future__ import annotations

from typing import Any

from gitmart.contract.durations import format_duration
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.labels import (
    DBTSCHEDULE_LABEL,
    GENERATION,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    OWNER_UID,
    REQUESTED_AT,
    SLOT,
)
from gitmart.workloads.jobs import job_spec, owned_by
from gitmart.workloads.pods import TERMINATION_LOG, WAREHOUSE, Secret, Worker, WorkerSettings, pod_template

STORAGE = "1Gi"  # of dbt's files

Json = dict[str, Any]


def cron_job(schedule: DbtSchedule, settings: WorkerSettings, *, suspend: bool) -> Json:
    """Return the CronJob, as the API takes it for a server-side apply."""
    spec = schedule.spec
    wanted: Json = {
        "schedule": spec.schedule,
        "timeZone": spec.time_zone,
        "suspend": suspend,
        "concurrencyPolicy": spec.concurrency_policy,
        "successfulJobsHistoryLimit": spec.successful_jobs_history_limit,
        "failedJobsHistoryLimit": spec.failed_jobs_history_limit,
        "jobTemplate": {"metadata": _metadata(schedule), "spec": _job_spec(schedule, settings)},
    }
    if spec.starting_deadline_seconds is not None:
        wanted["startingDeadlineSeconds"] = spec.starting_deadline_seconds
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": schedule.metadata.name,
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


def _job_spec(schedule: DbtSchedule, settings: WorkerSettings) -> Json:
    spec = schedule.spec
    template = pod_template(_worker(schedule), settings, _labels(schedule), spec.pod_template)
    return job_spec(template, retries=spec.retries, timeout=spec.timeout)


def _worker(schedule: DbtSchedule) -> Worker:
    spec, namespace = schedule.spec, schedule.metadata.namespace
    warehouse = spec.warehouse_ref.name
    words = [
        "transform",
        f"--threads={spec.threads}",
        f"--timeout={format_duration(spec.timeout)}",
        f"--lock-timeout={format_duration(spec.lock_timeout)}",
        *(f"--select={selector}" for selector in spec.select),
        *(f"--exclude={selector}" for selector in spec.exclude),
        f"--result-file={TERMINATION_LOG}",
    ]
    environment = {
        "GITMART_WAREHOUSE_URL_FILE": f"{WAREHOUSE}/transform-url",
        "GITMART_WAREHOUSE_URL_SOURCE": f"key transform-url of Secret {warehouse} in namespace {namespace}",
    }
    secrets = [Secret("warehouse", warehouse, WAREHOUSE, "transform-url")]
    return Worker(words, environment, spec.resources, spec.timeout, STORAGE, secrets)
