"""From a resource to the worker command that serves it, in local mode."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from gitmart.contract.durations import format_duration
from gitmart.controller.runs import Run, verdict_of
from gitmart.local.cgroups import Group, NoLimitsError, limited_group
from gitmart.local.exits import ServerError
from gitmart.local.report import say
from gitmart.local.state import State, write_file
from gitmart.local.workers import DEADLINE_GRACE, Worker
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.quantity import ComputeResources
from gitmart.resources.repository import Repository


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

    def migrate(self) -> None:
        """Bring the warehouse's tables to this version. Raise ServerError."""
        log = self._log("migrate")
        log.unlink(missing_ok=True)
        run = self._run(["migrate"], "gitmart_owner", log=log)
        if run.exit_code != 0:
            told = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise ServerError(f"the tables cannot be made: {told[-1] if told else verdict_of(run).message} (see {log})")

    def extract(self, repository: Repository) -> Run:
        """Extract once."""
        spec = repository.spec
        name = repository.metadata.name
        clone = self.state.folder("work") / f"clone-{name}"
        clone.mkdir(mode=0o700, exist_ok=True)
        words = extraction_words(repository, clone)
        try:
            return self._limited(f"repository-{name}", words, "gitmart_extract", spec.resources, spec.timeout)
        finally:
            shutil.rmtree(clone, ignore_errors=True)

    def transform(self, schedule: DbtSchedule) -> Run:
        """Run dbt once."""
        spec = schedule.spec
        name = schedule.metadata.name
        work = self.state.folder("work") / f"dbt-{name}"
        work.mkdir(mode=0o700, exist_ok=True)
        words = transformation_words(schedule, work)
        return self._limited(f"dbtschedule-{name}", words, "gitmart_transform", spec.resources, spec.timeout)

    def _limited(self, name: str, words: list[str], role: str, resources: ComputeResources, timeout: timedelta) -> Run:
        group = self.group(name, resources)
        try:
            return self._run(
                [*words, "--timeout", format_duration(timeout)],
                role,
                log=None if _live() else self._log(name),
                result_file=self.state.folder("work") / f"{name}.result.json",
                group=group,
                deadline=timeout + DEADLINE_GRACE,
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
            ).run()
        finally:
            url_file.unlink(missing_ok=True)

    def _log(self, name: str) -> Path:
        return self.state.folder("logs") / f"{name}.log"


def extraction_words(repository: Repository, clone: Path) -> list[str]:
    """Return the command of an extraction, but for its timeout."""
    return [
        "extract", *remote_words(repository), "--work-dir", str(clone),
        "--workers", str(_usable_cores(repository.spec.resources)),
    ]  # fmt: skip


def remote_words(repository: Repository) -> list[str]:
    """Return the options that say which repository and branches are meant."""
    spec = repository.spec
    # Whoever runs this on a machine of theirs may name hosts of their own network, and folders.
    return [
        "--url", str(spec.url), "--allow-file-urls", "--allow-private-addresses",
        *(f"--include-branch={glob}" for glob in spec.branches.include),
        *(f"--exclude-branch={glob}" for glob in spec.branches.exclude),
    ]  # fmt: skip


def transformation_words(schedule: DbtSchedule, work: Path) -> list[str]:
    """Return the command of a dbt run, but for its timeout."""
    spec = schedule.spec
    return [
        "transform", "--threads", str(spec.threads), "--lock-timeout", format_duration(spec.lock_timeout),
        "--work-dir", str(work),
        *(f"--select={selector}" for selector in spec.select),
        *(f"--exclude={selector}" for selector in spec.exclude),
    ]  # fmt: skip


def _live() -> bool:
    """Whether workers show their progress to a person; else what they say goes to a log."""
    return sys.stderr.isatty() and not os.environ.get("CI")


def _usable_cores(resources: ComputeResources) -> int:
    """Return how many processes the CPU limit pays for on this machine. A worker sees no limit set on its group."""
    return max(1, min(os.cpu_count() or 1, round(resources.limits.cpu.cores)))
