"""A dbt project of the user's in local mode: put into a folder of the state, as a pod has it mounted or fetched."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from gitmart.contract.durations import format_duration
from gitmart.local.objects import Objects
from gitmart.local.state import State
from gitmart.resources.build import fetch_options
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.project import ProjectConfigMap, ProjectGit

FETCH_TIMEOUT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Extra:
    """What a run of dbt is told besides: options, variables, and the command that goes before it, if one does."""

    words: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    fetch: Sequence[str] = ()


def extra_project(schedule: DbtSchedule, state: State) -> Extra:
    """Return what the schedule's project adds to a run; the files of a ConfigMap are written now."""
    project, namespace = schedule.spec.project, schedule.metadata.namespace
    folder = state.folder("work") / f"extra-{namespace}-{schedule.metadata.name}"
    if project is None:
        return Extra()
    if project.config_map is not None:
        return _of_config_map(project.config_map, namespace, folder, Objects(state.folder("objects")))
    if project.git is not None:
        return _of_git(project.git, folder)
    raise AssertionError(project)  # an image is refused with the manifest


def _of_config_map(ref: ProjectConfigMap, namespace: str, folder: Path, objects: Objects) -> Extra:
    shutil.rmtree(folder, ignore_errors=True)
    files = folder / ref.name
    config_map = objects.config_map(namespace, ref.name)
    # What is not there is told by the worker, as in a pod.
    keys = [*config_map.data, *config_map.binary_data] if config_map is not None else []
    keys = [key for key in keys if Path(key).name == key]  # the API server takes no others
    for key, path in [(item.key, item.path) for item in ref.items] or [(key, key) for key in keys]:
        content = config_map.content(key) if config_map is not None else None
        if content is not None:
            (files / path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            (files / path).write_bytes(content)
    words = ["--extra-project", str(files), "--loose-files", *(f"--extra-file={item.path}" for item in ref.items)]
    told = f"ConfigMap {ref.name} in namespace {namespace} (manifests given with -f may hold it)"
    return Extra(words, {"GITMART_EXTRA_PROJECT_SOURCE": told})


def _of_git(git: ProjectGit, folder: Path) -> Extra:
    # Whoever runs this on a machine of theirs may name hosts of their own network, and folders.
    fetch = [
        "fetch", *fetch_options(git), "--allow-file-urls", "--allow-private-addresses", "--to", str(folder),
        "--timeout", format_duration(FETCH_TIMEOUT),
    ]  # fmt: skip
    return Extra(["--extra-project", str(folder)], {"GITMART_EXTRA_PROJECT_SOURCE": git.told}, fetch)
