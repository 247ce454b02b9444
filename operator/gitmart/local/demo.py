"""`gitmart local demo`: one repository from its address to analytics on the screen."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from gitmart.contract.repository_url import RepositoryUrl
from gitmart.local.dashboard import serve
from gitmart.local.exits import Exit
from gitmart.local.objects import Objects
from gitmart.local.report import say
from gitmart.local.source import address, resource_name
from gitmart.local.state import State, write_file
from gitmart.local.up import interruptible, up_once
from gitmart.resources.base import API_VERSION
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.repository import Repository

SCHEDULE_NAME = "analytics"
SCHEDULE = {
    "apiVersion": API_VERSION,
    "kind": "DbtSchedule",
    "metadata": {"name": SCHEDULE_NAME},
    "spec": {"schedule": "0 */6 * * *"},
}


def demo(state: State, repo: str | None, *, serves: bool) -> Exit:
    """Extract the repository, run dbt, print a summary, and serve the dashboard if asked to. Raise LocalError."""
    url = address(repo)
    state.prepare()
    repository = {
        "apiVersion": API_VERSION,
        "kind": "Repository",
        "metadata": {"name": _free_name(state, url)},
        "spec": {"url": str(url)},
    }
    files = [_write(state, "repository.yaml", repository), _write(state, "dbtschedule.yaml", SCHEDULE)]
    say(f"the manifests: {files[0]} and {files[1]}")
    code = up_once(state, [str(file) for file in files])
    if code is not Exit.ALL_WELL:
        return code
    from gitmart.local.summary import print_summary

    schedules = Objects(state.folder("objects")).all(DbtSchedule)
    run = next(known.status.last_run for known in schedules if known.metadata.name == SCHEDULE_NAME)
    print_summary(state.server.url("gitmart_read"), str(url), run)
    _say_what_next(state)
    if serves:
        with interruptible():
            serve(state, schedules)
    return Exit.ALL_WELL


def _free_name(state: State, url: RepositoryUrl) -> str:
    """Return a name for the repository that no other one has in this state folder."""
    name = resource_name(url)
    for known in Objects(state.folder("objects")).all(Repository):
        if known.spec.url.key == url.key:
            return known.metadata.name
        if known.metadata.name == name:
            name = f"{name}-{hashlib.sha256(url.key.encode()).hexdigest()[:6]}"
    return name


def _write(state: State, name: str, manifest: Mapping[str, object]) -> Path:
    import yaml

    path = state.folder("manifests") / name
    write_file(path, yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True), mode=0o644)
    return path


def _say_what_next(state: State) -> None:
    command = "gitmart" if shutil.which("gitmart") else shlex.quote(_beside(Path(sys.argv[0])))
    folder = shlex.quote(_beside(state.path))
    sys.stdout.write(
        "Where to look next\n"
        f'  psql "$({command} local url --state {folder})"   the marts are in schema analytics\n'
        f"  {command} local get repositories -o wide --state {folder}\n"
        f"  {command} local dashboard --state {folder}   serves the dashboard\n"
        f"  {command} local down --state {folder}   stops the server, keeps everything\n"
        "  docs/marts.md and docs/metrics.md say what each table and number means, docs/local.md the rest\n"
    )


def _beside(path: Path) -> str:
    """Return the path as short as it can be typed here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
