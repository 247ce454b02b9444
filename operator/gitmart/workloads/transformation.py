"""The CronJobs of a DbtSchedule, and the Jobs made besides them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gitmart.contract.durations import format_duration
from gitmart.contract.kinds import REQUESTED_AT
from gitmart.resources.build import build_options, fetch_options, lineage_options
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.labels import (
    DBTSCHEDULE_LABEL,
    FULL_REFRESH,
    GENERATION,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    OWNER_UID,
    SLOT,
    full_refresh_cron_job_of,
)
from gitmart.resources.project import Project, ProjectGit
from gitmart.workloads.jobs import job_spec, owned_by
from gitmart.workloads.pods import (
    CREDENTIALS,
    FETCHED,
    TERMINATION_LOG,
    WAREHOUSE,
    ConfigMap,
    Fetcher,
    Image,
    Secret,
    Worker,
    WorkerSettings,
    deadline,
    pod_template,
)

PROJECT = "/etc/gitmart/project"  # where the folder is mounted that a ConfigMap's files are in
OPENLINEAGE = "/etc/gitmart/openlineage"
STORAGE = "1Gi"  # of dbt's files
FETCH_STORAGE = "512Mi"  # of a repository with a project: `gitmart fetch` takes half of it
FETCH_TIMEOUT = timedelta(minutes=5)

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
    worker = _worker(schedule, settings, full_refresh)
    template = pod_template(worker, settings, _labels(schedule), spec.pod_template)
    return job_spec(template, retries=spec.retries, deadline=deadline(worker))


def _worker(schedule: DbtSchedule, settings: WorkerSettings, full_refresh: bool) -> Worker:
    spec, namespace = schedule.spec, schedule.metadata.namespace
    warehouse = spec.warehouse_ref.name
    extra = _extra(spec.project, namespace, settings) if spec.project is not None else _Extra()
    words = [
        "transform",
        f"--timeout={format_duration(spec.timeout)}",
        *build_options(spec, full_refresh=full_refresh),
        *lineage_options(schedule),
        *extra.words,
        f"--result-file={TERMINATION_LOG}",
    ]
    environment = {
        "GITMART_WAREHOUSE_URL_FILE": f"{WAREHOUSE}/transform-url",
        "GITMART_WAREHOUSE_URL_SOURCE": f"key transform-url of Secret {warehouse} in namespace {namespace}",
        **({"GITMART_EXTRA_PROJECT_SOURCE": extra.source} if extra.source else {}),
    }
    secrets = [Secret("warehouse", warehouse, WAREHOUSE, "transform-url")]
    if spec.open_lineage is not None and (ref := spec.open_lineage.secret_ref) is not None:
        secrets.append(Secret("openlineage", ref.name, OPENLINEAGE))
        environment["GITMART_OPENLINEAGE_CREDENTIALS_DIR"] = OPENLINEAGE
        environment["GITMART_OPENLINEAGE_CREDENTIALS_SOURCE"] = f"Secret {ref.name} in namespace {namespace}"
    return Worker(
        words, environment, spec.resources, spec.timeout, STORAGE, secrets, extra.config_maps,
        image=extra.image, fetcher=extra.fetcher,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Extra:
    """What a project of the user's adds to the pod. `source` is what people call it."""

    words: Sequence[str] = ()
    source: str = ""
    config_maps: Sequence[ConfigMap] = ()
    image: Image | None = None
    fetcher: Fetcher | None = None


def _extra(project: Project, namespace: str, settings: WorkerSettings) -> _Extra:
    if (image := project.image) is not None:
        source = f"folder {image.path} of image {image.name}"
        return _Extra([f"--extra-project={image.path}"], source, image=Image(image.name, image.pull_policy))
    if (config_map := project.config_map) is not None:
        # A project that does not say its name is called by its folder.
        folder = f"{PROJECT}/{config_map.name}"
        items = [(item.key, item.path) for item in config_map.items]
        words = [f"--extra-project={folder}", "--loose-files", *(f"--extra-file={path}" for _, path in items)]
        source = f"ConfigMap {config_map.name} in namespace {namespace}"
        return _Extra(words, source, [ConfigMap("project", config_map.name, folder, items)])
    if project.git is None:
        raise AssertionError(project)  # the model has exactly one of them
    return _of_git(project.git, namespace, settings)


def _of_git(git: ProjectGit, namespace: str, settings: WorkerSettings) -> _Extra:
    environment, secrets = settings.git_environment, []
    if git.secret_ref is not None:
        secrets.append(Secret("credentials", git.secret_ref.name, CREDENTIALS))
        environment["GITMART_CREDENTIALS_DIR"] = CREDENTIALS
        environment["GITMART_CREDENTIALS_SOURCE"] = f"Secret {git.secret_ref.name} in namespace {namespace}"
    words = [
        "fetch",
        *fetch_options(git),
        *settings.git_options,
        f"--to={FETCHED}/project",
        f"--timeout={format_duration(FETCH_TIMEOUT)}",
        f"--result-file={TERMINATION_LOG}",
    ]
    fetcher = Fetcher(words, environment, FETCH_TIMEOUT, FETCH_STORAGE, secrets)
    return _Extra([f"--extra-project={FETCHED}/project"], git.told, fetcher=fetcher)
