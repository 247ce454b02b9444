"""What a DbtSchedule's spec says of a build, in the words of `gitmart transform`."""

from __future__ import annotations

import json

from gitmart.contract.durations import format_duration
from gitmart.resources.dbtschedule import DbtSchedule, DbtScheduleSpec
from gitmart.resources.project import ProjectGit


def build_options(spec: DbtScheduleSpec, *, full_refresh: bool = False) -> list[str]:
    """Return the options that say what is built and how, for a pod and for a process of local mode alike."""
    switches = {
        "--fail-fast": spec.fail_fast,
        "--warn-error": spec.warn_error,
        "--store-failures": spec.store_failures,
        "--freshness-blocks-build": spec.freshness.blocks_build,
        "--no-docs": not spec.docs,
        "--full-refresh": full_refresh,
    }
    return [
        f"--schema={spec.target.schema_name}",
        f"--threads={spec.threads}",
        f"--lock-timeout={format_duration(spec.lock_timeout)}",
        *(f"--select={selector}" for selector in spec.select),
        *(f"--exclude={selector}" for selector in spec.exclude),
        *([f"--selector={spec.selector}"] if spec.selector is not None else []),
        *([f"--vars={json.dumps(spec.vars)}"] if spec.vars else []),
        *([f"--max-replication-lag={format_duration(most)}"] if (most := spec.freshness.max_replication_lag) else []),
        *(option for option, wanted in switches.items() if wanted),
        f"--history-retention={format_duration(spec.history_retention)}",
    ]


def lineage_options(schedule: DbtSchedule) -> list[str]:
    """Return the options that say where OpenLineage events go, and under which names."""
    wanted = schedule.spec.open_lineage
    if wanted is None:
        return []
    return [
        f"--openlineage-url={wanted.url}",
        f"--openlineage-namespace={wanted.namespace or schedule.metadata.namespace}",
        f"--openlineage-job={schedule.metadata.name}",
    ]


def fetch_options(git: ProjectGit) -> list[str]:
    """Return the options of `gitmart fetch` that say which project is meant."""
    return [
        f"--url={git.url}",
        *([f"--ref={git.ref}"] if git.ref is not None else []),
        *([f"--path={git.path}"] if git.path is not None else []),
    ]
