"""A worker process that is looked at now and then, instead of waited for."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from pathlib import Path

from gitmart.contract.durations import format_duration
from gitmart.local.jobs import Jobs, extraction_words, remote_words, transformation_words
from gitmart.local.projects import FETCH_TIMEOUT, extra_project
from gitmart.local.runs import Record, Runs
from gitmart.local.state import write_file
from gitmart.local.workers import DEADLINE_GRACE, TERMINATION_GRACE, Worker, exit_code, kill
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.repository import Repository

CHECK_TIMEOUT = timedelta(seconds=30)
CHECK_OVERTIME = timedelta(seconds=5)  # a check ends itself at its timeout; this long it may take to say so


class Process:
    """A worker that was started, and another one that is started once it has ended well."""

    def __init__(self, worker: Worker, leftovers: Iterable[Path] = (), then: Worker | None = None) -> None:
        """Start it. `leftovers` are files and folders that go with it, or with the one after it."""
        self.worker = worker
        self._then = then
        self.overdue = False
        self.out_of_memory = False
        self._leftovers = tuple(leftovers)
        self._popen = worker.start()
        self._stop_at = time.monotonic() + worker.deadline.total_seconds() if worker.deadline else inf
        self._kill_at = inf

    @property
    def exit_code(self) -> int:
        """The exit code, once it has ended."""
        return exit_code(self._popen.returncode)

    def has_ended(self) -> bool:
        """Whether it has ended. One that is over its deadline is stopped."""
        if self._popen.poll() is None:
            now = time.monotonic()
            if now >= self._kill_at:
                kill(self._popen)
            elif now >= self._stop_at:
                self.overdue = True
                self.stop()
                return False
            else:
                return False
        if self._then is not None:
            if self.exit_code == 0 and self._kill_at == inf:
                self._go_on(self._then)
                return False
            self._hand_over(self._then)
        self._clean()
        return True

    def _hand_over(self, worker: Worker) -> None:
        """Let what the first has left be found as what the second would have left."""
        if self.worker.result_file is not None and worker.result_file is not None:
            with suppress(FileNotFoundError):
                self.worker.result_file.replace(worker.result_file)

    def _go_on(self, worker: Worker) -> None:
        self.worker, self._then = worker, None
        self._popen = worker.start()
        self._stop_at = time.monotonic() + worker.deadline.total_seconds() if worker.deadline else inf

    def stop(self) -> None:
        """Ask it to end; it is killed if it does not."""
        if self._kill_at == inf:
            self._popen.terminate()
            self._stop_at, self._kill_at = inf, time.monotonic() + self.worker.grace

    def kill(self) -> None:
        """End it at once."""
        kill(self._popen)

    def _clean(self) -> None:
        if (group := self.worker.group) is not None:
            self.out_of_memory = group.ran_out_of_memory()
            group.remove()
        for path in self._leftovers:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Launcher:
    """Starts processes for runs and checks."""

    jobs: Jobs
    runs: Runs

    def extraction(self, record: Record, repository: Repository, previous_url: str | None) -> Process:
        """Start the extraction of a run. `previous_url` is the address whose rows shall go on under that of the spec."""
        clone = self.jobs.state.folder("work") / f"clone-{record.job}"
        clone.mkdir(mode=0o700, exist_ok=True)
        words = extraction_words(repository, clone, previous_url)
        environment = self.jobs.environment(repository, clone)
        return self._run(record, repository, words, "gitmart_extract", environment, clone)

    def transformation(self, record: Record, schedule: DbtSchedule) -> Process:
        """Start dbt for a run."""
        work = self.jobs.state.folder("work") / f"dbt-{schedule.metadata.name}"
        work.mkdir(mode=0o700, exist_ok=True)
        extra = extra_project(schedule, self.jobs.state)
        words = [*transformation_words(schedule, work, full_refresh=record.full_refresh), *extra.words]
        return self._run(record, schedule, words, "gitmart_transform", extra.environment, fetch=extra.fetch)

    def check(self, repository: Repository) -> Process:
        """Start a look at the git host; what it says is in the file that `worker.output` names."""
        name = f"check-{repository.metadata.namespace}-{repository.metadata.name}"
        work, log = self.jobs.state.folder("work"), self.jobs.state.folder("logs") / f"{name}.log"
        log.unlink(missing_ok=True)
        return Process(
            Worker(
                words=["check", *remote_words(repository), "--timeout", format_duration(CHECK_TIMEOUT)],
                url_file=None, result_file=None, log=log,
                lock=self.jobs.lock, deadline=CHECK_TIMEOUT + CHECK_OVERTIME, grace=2, output=work / f"{name}.json",
            )
        )  # fmt: skip

    def _run(
        self,
        record: Record,
        resource: Repository | DbtSchedule,
        words: list[str],
        role: str,
        environment: Mapping[str, str],
        *leftovers: Path,
        fetch: Sequence[str] = (),
    ) -> Process:
        state, timeout = self.jobs.state, resource.spec.timeout
        url_file = state.folder("secrets") / f"{record.job}.url"
        if not state.server.running():
            state.server.start()
        write_file(url_file, state.server.url(role))
        result, log = self.runs.path(record, "result"), self.runs.path(record, "log")
        result.unlink(missing_ok=True)
        worker = Worker(
            words=[*words, "--timeout", format_duration(timeout)],
            url_file=url_file, result_file=result, log=log, lock=self.jobs.lock,
            group=self.jobs.group(record.job, resource.spec.resources),
            deadline=timeout + DEADLINE_GRACE, grace=TERMINATION_GRACE, environment=environment,
        )  # fmt: skip
        if not fetch:
            return Process(worker, (url_file, *leftovers))
        told = state.folder("work") / f"{record.job}.fetch.json"  # not the run's own, until it is its end
        fetcher = Worker(
            words=fetch, url_file=None, result_file=told, log=log, lock=self.jobs.lock, group=worker.group,
            deadline=FETCH_TIMEOUT + DEADLINE_GRACE,
        )  # fmt: skip
        return Process(fetcher, (url_file, told, *leftovers), then=worker)
