"""The Job of one extraction."""

from __future__ import annotations

from typing import Any

from gitmart.contract.durations import format_duration
from gitmart.resources.labels import (
    GENERATION,
    GIT_HOST,
    IMAGE,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    OWNER_UID,
    REPOSITORY_LABEL,
    REQUESTED_AT,
    SLOT,
)
from gitmart.resources.repository import Repository
from gitmart.workloads.jobs import job_spec, owned_by
from gitmart.workloads.pods import CREDENTIALS, TERMINATION_LOG, WAREHOUSE, Secret, Worker, WorkerSettings, pod_template

STORAGE = "20Gi"  # of the clone; a bare one of the largest public repositories takes a third of it


def extraction_job(
    repository: Repository, name: str, slot: str, token: str | None, settings: WorkerSettings
) -> dict[str, Any]:
    """Return the Job, as the API takes it. `slot` is what it is made for, `token` the request it answers."""
    metadata, spec = repository.metadata, repository.spec
    labels = {REPOSITORY_LABEL: metadata.name, MANAGED_BY_LABEL: MANAGED_BY}
    annotations = {
        SLOT: slot,
        GENERATION: str(metadata.generation),
        OWNER_UID: metadata.uid or "",
        GIT_HOST: spec.url.host,
        IMAGE: settings.image,
    }
    if token is not None:
        annotations[REQUESTED_AT] = token
    template = pod_template(_worker(repository, settings), settings, labels, spec.pod_template)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": metadata.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": owned_by(repository, repository.kind),
        },
        "spec": job_spec(template, retries=spec.retries, timeout=spec.timeout),
    }


def _environment(settings: WorkerSettings) -> dict[str, str]:
    """Return the administrator's settings for git."""
    found = {"GITMART_GIT_CA": settings.git_ca, "HTTPS_PROXY": settings.proxy, "NO_PROXY": settings.no_proxy}
    return {name: value for name, value in found.items() if value}


def _worker(repository: Repository, settings: WorkerSettings) -> Worker:
    spec, namespace = repository.spec, repository.metadata.namespace
    warehouse = spec.warehouse_ref.name
    secrets = [Secret("warehouse", warehouse, WAREHOUSE, "extract-url")]
    environment = {
        "GITMART_WAREHOUSE_URL_FILE": f"{WAREHOUSE}/extract-url",
        "GITMART_WAREHOUSE_URL_SOURCE": f"key extract-url of Secret {warehouse} in namespace {namespace}",
        **_environment(settings),
    }
    if spec.secret_ref is not None:
        secrets.append(Secret("credentials", spec.secret_ref.name, CREDENTIALS))
        environment["GITMART_CREDENTIALS_DIR"] = CREDENTIALS
        environment["GITMART_CREDENTIALS_SOURCE"] = f"Secret {spec.secret_ref.name} in namespace {namespace}"
    words = [
        "extract",
        f"--url={spec.url}",
        *(f"--include-branch={glob}" for glob in spec.branches.include),
        *(f"--exclude-branch={glob}" for glob in spec.branches.exclude),
        *(f"--allow-network={network}" for network in settings.allowed_networks),
        "--work-dir=/work",
        f"--timeout={format_duration(spec.timeout)}",
        f"--result-file={TERMINATION_LOG}",
    ]
    return Worker(words, environment, spec.resources, spec.timeout, STORAGE, secrets)
