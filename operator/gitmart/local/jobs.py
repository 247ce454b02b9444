"""From a resource to the worker command that serves it, in local mode."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from gitmart.contract.durations import format_duration
from gitmart.controller.runs import Run, verdict_of
from gitmart.local.cgroups import Group, NoLimitsError, limited_group
from gitmart.local.exits import ServerError
from gitmart.local.objects import Objects
from gitmart.local.projects import FETCH_TIMEOUT, extra_project
from gitmart.local.report import say
from gitmart.local.state import State, write_file
from gitmart.local.workers import DEADLINE_GRACE, Worker
from gitmart.resources.build import build_options, lineage_options
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.quantity import ComputeResources
from gitmart.resources.repository import Repository
from gitmart.resources.shape import shape_options


@dataclass(slots=True)
class Jobs:
    """Runs worker commands one after the other. `lock` is the descriptor of the state's lock, which we hold."""

    state: State
    lock: int
    _refusal: str | None = field(default=None, init=False)  # why limits are not kept, once that is known

    def clear(self) -> None:
        """Delete what workers of a killed command left. Nobody else works here: we hold the lock."""
        for path in self.state.folder("secrets").iterdir():
            path.unlink()
        for path in self.state.folder("work").glob("clone-*"):
            shutil.rmtree(path, ignore_errors=True)

    def migrate(self, targets: Iterable[str] = ()) -> None:
        """Bring the warehouse's tables to this version, and make the schemas of dbt's targets. Raise ServerError."""
        log = self._log("migrate")
        log.unlink(missing_ok=True)
        words = ["migrate", *(f"--target-schema={target}" for target in targets)]
        run = self._run(words, "gitmart_owner", log=log)
        if run.exit_code != 0:
            told = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise ServerError(f"the tables cannot be made: {told[-1] if told else verdict_of(run).message} (see {log})")

    def extract(self, repository: Repository, previous_url: str | None) -> Run:
        """Extract once. `previous_url` is the address whose rows shall go on under that of the spec."""
        spec = repository.spec
        name = repository.metadata.name
        clone = self.state.folder("work") / f"clone-{name}"
        clone.mkdir(mode=0o700, exist_ok=True)
        words = extraction_words(repository, clone, previous_url)
        try:
            return self._limited(
                f"repository-{name}", words, "gitmart_extract", spec.resources, spec.timeout,
                self.environment(repository, clone),
            )  # fmt: skip
        finally:
            shutil.rmtree(clone, ignore_errors=True)

    def transform(self, schedule: DbtSchedule) -> Run:
        """Run dbt once."""
        spec = schedule.spec
        name = schedule.metadata.name
        work = self.state.folder("work") / f"dbt-{name}"
        work.mkdir(mode=0o700, exist_ok=True)
        extra = extra_project(schedule, self.state)
        if extra.fetch:
            fetched = self._fetch(f"fetch-{name}", extra.fetch)
            if fetched.exit_code != 0:
                return fetched
        words = [*transformation_words(schedule, work), *extra.words]
        return self._limited(
            f"dbtschedule-{name}", words, "gitmart_transform", spec.resources, spec.timeout, extra.environment
        )

    def _fetch(self, name: str, words: Sequence[str]) -> Run:
        """Bring what a run of dbt works on; nothing of the warehouse is told."""
        return Worker(
            words=words,
            url_file=None,
            result_file=self.state.folder("work") / f"{name}.result.json",
            log=None if _live() else self._log(name),
            lock=self.lock,
            deadline=FETCH_TIMEOUT + DEADLINE_GRACE,
        ).run()

    def environment(self, repository: Repository, folder: Path) -> dict[str, str]:
        """Return what an extraction is told besides its words; the mailmap it is told of is put into its folder."""
        if (ref := repository.spec.mailmap) is None:
            return {}
        namespace, file = repository.metadata.namespace, folder / "mailmap"
        config_map = Objects(self.state.folder("objects")).config_map(namespace, ref.name)
        content = config_map.content(ref.key) if config_map is not None else None
        if content is None:  # the worker says what is missing, as in a pod
            file.unlink(missing_ok=True)
        else:
            file.write_bytes(content)
        return {
            "GITMART_MAILMAP_FILE": str(file),
            "GITMART_MAILMAP_SOURCE": f"key {ref.key} of ConfigMap {ref.name} in namespace {namespace} "
            "(spec.identity.mailmap; manifests given with -f may hold it)",
        }

    def _limited(
        self,
        name: str,
        words: list[str],
        role: str,
        resources: ComputeResources,
        timeout: timedelta,
        environment: Mapping[str, str] | None = None,
    ) -> Run:
        group = self.group(name, resources)
        try:
            return self._run(
                [*words, "--timeout", format_duration(timeout)],
                role,
                log=None if _live() else self._log(name),
                result_file=self.state.folder("work") / f"{name}.result.json",
                group=group,
                deadline=timeout + DEADLINE_GRACE,
                environment=environment,
            )
        finally:
            if group is not None:
                group.remove()

    def group(self, name: str, resources: ComputeResources) -> Group | None:
        """Return a control group with the limits; None, and that is said once, where none can be made."""
        if self._refusal is not None:
            return None
        limits = resources.limits
        try:
            return limited_group(name, cores=limits.cpu.cores, memory=limits.memory.bytes)
        except NoLimitsError as error:
            self._refusal = str(error)
            say(f"spec.resources.limits are not kept here ({error})")
            return None

    def _run(
        self,
        words: list[str],
        role: str,
        *,
        log: Path | None,
        result_file: Path | None = None,
        group: Group | None = None,
        deadline: timedelta | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Run:
        url_file = self.state.folder("secrets") / f"{role}.url"
        write_file(url_file, self.state.server.url(role))
        try:
            return Worker(
                words=words,
                url_file=url_file,
                result_file=result_file,
                log=log,
                lock=self.lock,
                group=group,
                deadline=deadline,
                environment=environment or {},
            ).run()
        finally:
            url_file.unlink(missing_ok=True)

    def _log(self, name: str) -> Path:
        return self.state.folder("logs") / f"{name}.log"


def extraction_words(repository: Repository, clone: Path, previous_url: str | None = None) -> list[str]:
    """Return the command of an extraction, but for its timeout."""
    metadata = repository.spec.metadata
    return [
        "extract", *remote_words(repository), *repository.spec.limits.options, *(metadata.options if metadata else ()),
        "--work-dir", str(clone),
        "--workers", str(_usable_cores(repository.spec.resources)),
        *(["--previous-url", previous_url] if previous_url else []),
    ]  # fmt: skip


def remote_words(repository: Repository) -> list[str]:
    """Return the options that say which repository is meant, and what of it."""
    # Whoever runs this on a machine of theirs may name hosts of their own network, and folders.
    return [
        "--url", str(repository.spec.url), "--allow-file-urls", "--allow-private-addresses",
        *shape_options(repository.spec),
    ]  # fmt: skip


def transformation_words(schedule: DbtSchedule, work: Path, *, full_refresh: bool = False) -> list[str]:
    """Return the command of a dbt run, but for its timeout."""
    told = [*build_options(schedule.spec, full_refresh=full_refresh), *lineage_options(schedule)]
    return ["transform", "--work-dir", str(work), *told]


def _live() -> bool:
    """Whether workers show their progress to a person; else what they say goes to a log."""
    return sys.stderr.isatty() and not os.environ.get("CI")


def _usable_cores(resources: ComputeResources) -> int:
    """Return how many processes the CPU limit pays for on this machine. A worker sees no limit set on its group."""
    return max(1, min(os.cpu_count() or 1, round(resources.limits.cpu.cores)))
