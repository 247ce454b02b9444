"""The Job of one extraction."""

from __future__ import annotations

from typing import Any

from gitmart.contract.durations import format_duration
from gitmart.contract.kinds import REQUESTED_AT
from gitmart.contract.sizes import format_size
from gitmart.resources.labels import (
    GENERATION,
    GIT_HOST,
    IMAGE,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    OWNER_UID,
    REPOSITORY_LABEL,
    SLOT,
    URL,
)
from gitmart.resources.repository import Repository
from gitmart.resources.shape import shape_options
from gitmart.workloads.jobs import job_spec, owned_by
from gitmart.workloads.pods import (
    CACHE,
    CREDENTIALS,
    MAILMAP,
    METADATA,
    TERMINATION_LOG,
    WAREHOUSE,
    ConfigMap,
    Secret,
    Worker,
    WorkerSettings,
    deadline,
    pod_template,
)

# Besides what is fetched the pod holds lists of commits, and what git writes between two looks at it.
LEAST_ROOM = 4 << 30  # bytes
ROOM_SHARE = 4  # of what may be fetched, one part in so many


def extraction_job(
    repository: Repository,
    name: str,
    slot: str,
    token: str | None,
    settings: WorkerSettings,
    previous_url: str | None = None,
) -> dict[str, Any]:
    """
    Return the Job, as the API takes it. `slot` is what it is made for, `token` the request it answers.

    `previous_url` is the address whose rows shall go on under that of the spec.
    """
    metadata, spec = repository.metadata, repository.spec
    labels = {REPOSITORY_LABEL: metadata.name, MANAGED_BY_LABEL: MANAGED_BY}
    annotations = {
        SLOT: slot,
        GENERATION: str(metadata.generation),
        OWNER_UID: metadata.uid or "",
        GIT_HOST: spec.url.host,
        URL: str(spec.url),
        IMAGE: settings.image,
    }
    if token is not None:
        annotations[REQUESTED_AT] = token
    worker = _worker(repository, settings, previous_url)
    template = pod_template(worker, settings, labels, spec.pod_template)
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
        "spec": job_spec(template, retries=spec.retries, deadline=deadline(worker)),
    }


def _storage(repository: Repository) -> str:
    """Return what the pod may write, as a quantity: what may be fetched, and room for the rest."""
    fetched = repository.spec.limits.bytes.bytes
    return format_size(fetched + max(LEAST_ROOM, fetched // ROOM_SHARE))


def _worker(repository: Repository, settings: WorkerSettings, previous_url: str | None) -> Worker:
    spec, namespace = repository.spec, repository.metadata.namespace
    warehouse = spec.warehouse_ref.name
    secrets = [Secret("warehouse", warehouse, WAREHOUSE, "extract-url")]
    environment = {
        "GITMART_WAREHOUSE_URL_FILE": f"{WAREHOUSE}/extract-url",
        "GITMART_WAREHOUSE_URL_SOURCE": f"key extract-url of Secret {warehouse} in namespace {namespace}",
        **settings.git_environment,
    }
    if spec.secret_ref is not None:
        secrets.append(Secret("credentials", spec.secret_ref.name, CREDENTIALS))
        environment["GITMART_CREDENTIALS_DIR"] = CREDENTIALS
        environment["GITMART_CREDENTIALS_SOURCE"] = f"Secret {spec.secret_ref.name} in namespace {namespace}"
    if spec.metadata is not None and spec.metadata.secret_ref is not None:
        name = spec.metadata.secret_ref.name
        secrets.append(Secret("metadata", name, METADATA, "token"))
        environment["GITMART_METADATA_CREDENTIALS_DIR"] = METADATA
        environment["GITMART_METADATA_CREDENTIALS_SOURCE"] = f"Secret {name} in namespace {namespace}"
    config_maps = []
    if (ref := spec.mailmap) is not None:
        config_maps.append(ConfigMap("mailmap", ref.name, MAILMAP, [(ref.key, "mailmap")]))
        environment["GITMART_MAILMAP_FILE"] = f"{MAILMAP}/mailmap"
        environment["GITMART_MAILMAP_SOURCE"] = f"key {ref.key} of ConfigMap {ref.name} in namespace {namespace}"
    words = [
        "extract",
        f"--url={spec.url}",
        *([f"--previous-url={previous_url}"] if previous_url else []),
        *shape_options(spec),
        *(spec.metadata.options if spec.metadata else ()),
        *settings.git_options,
        *spec.limits.options,
        "--work-dir=/work",
        *([f"--cache-dir={CACHE}"] if spec.cache else []),
        f"--timeout={format_duration(spec.timeout)}",
        f"--result-file={TERMINATION_LOG}",
    ]
    claim = spec.cache.persistent_volume_claim.claim_name if spec.cache else None
    return Worker(words, environment, spec.resources, spec.timeout, _storage(repository), secrets, config_maps, claim)
