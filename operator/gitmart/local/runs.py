"""
The runs a follower knows: what Jobs and their pods are in a cluster, as files of the state folder.

    runs/NAMESPACE/JOB.json      what it was made for, and how it ended
    runs/NAMESPACE/JOB.result    what its worker left
    runs/NAMESPACE/JOB.log       what its worker said
    runs/NAMESPACE/NAME.cron     the latest time of a DbtSchedule's schedule that a run was made for
    runs/NAMESPACE/NAME.cron-full    the same of its fullRefreshSchedule, or since when it has one

A file is written before its process starts and after that has ended. So after any crash the next follower
knows what ran, and tells ends that nobody was told of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from gitmart.contract.outcomes import Outcome
from gitmart.contract.result import read_result
from gitmart.controller.children import Child
from gitmart.controller.cron import FULL_REFRESH_PREFIX, SLOT_PREFIX
from gitmart.controller.observed import JobSeen, JobState, PodSeen
from gitmart.local.exits import StateError
from gitmart.local.state import write_file
from gitmart.resources.manifests import AnyResource

Key = tuple[str, str, str]  # kind, namespace, name


def key_of(resource: AnyResource) -> Key:
    """Return what names the resource."""
    return resource.kind, resource.metadata.namespace, resource.metadata.name


@dataclass(frozen=True, slots=True)
class End:
    """How the process of a run ended; `told` is the result it left, "" without one."""

    at: datetime
    exit_code: int
    told: str = ""
    overdue: bool = False
    out_of_memory: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A run. `failures` counts tries that failed and are repeated; the next is made at `again_at`."""

    job: str
    kind: Literal["Repository", "DbtSchedule"]
    namespace: str
    resource: str
    owner: str  # uid of the resource
    slot: str
    token: str | None
    generation: int
    host: str
    created_at: datetime
    url: str | None = None  # that an extraction reads
    failures: int = 0
    again_at: datetime | None = None
    end: End | None = None

    @property
    def key(self) -> Key:
        """The resource it belongs to."""
        return self.kind, self.namespace, self.resource

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return self.end is None

    @property
    def by_cron(self) -> bool:
        """Whether a schedule asked for it."""
        return self.slot.startswith(SLOT_PREFIX) or self.full_refresh

    @property
    def full_refresh(self) -> bool:
        """Whether dbt rebuilds its incremental models from nothing."""
        return self.kind == "DbtSchedule" and self.slot.startswith(FULL_REFRESH_PREFIX)

    def child(self) -> Child:
        """Return it as decisions see a Job and its pod."""
        end = self.end
        good = end is not None and end.exit_code == 0
        state: JobState = "active" if end is None else "complete" if good else "failed"
        job = JobSeen(
            name=self.job, uid=self.job, version="", owner=self.owner, claimed_by=self.owner, resource=self.resource,
            slot=self.slot, token=self.token, generation=self.generation, host=self.host, created_at=self.created_at,
            started_at=self.created_at, finished_at=end.at if end else None, state=state,
            reason="DeadlineExceeded" if end and end.overdue else "", message="", deleting=False, url=self.url,
            full_refresh=self.full_refresh,
        )  # fmt: skip
        pod = PodSeen(
            name=self.job, uid=self.job, job=self.job, created_at=self.created_at,
            phase="Running" if end is None else "Succeeded" if good else "Failed", reason="", message="", ran=True,
            exit_code=end.exit_code if end else None,
            ended_as="OOMKilled" if end and end.out_of_memory else "", told=end.told if end else "",
            started_at=self.created_at, finished_at=end.at if end else None, waiting="", waiting_message="",
            unschedulable="",
        )  # fmt: skip
        return Child(job, [pod])


_RECORD = TypeAdapter(Record)


@dataclass(slots=True)
class Runs:
    """The files of one state folder, held in memory too. Whoever changes them holds the state's lock."""

    folder: Path
    _known: dict[str, Record] = field(default_factory=dict, init=False)  # by name of the Job
    _names: dict[Key, set[str]] = field(default_factory=dict, init=False)  # of the Jobs of each resource

    def __post_init__(self) -> None:
        for path in sorted(self.folder.glob("*/*.json")):
            if not path.name.startswith("."):
                record = _read(path)
                self._take(record)

    def of(self, key: Key) -> list[Record]:
        """Return the runs of a resource."""
        return [self._known[name] for name in sorted(self._names.get(key, ()))]

    def all(self) -> list[Record]:
        """Return all runs."""
        return list(self._known.values())

    def active(self) -> list[Record]:
        """Return the runs that have not ended."""
        return [record for record in self._known.values() if record.active]

    def get(self, job: str) -> Record | None:
        """Return the run with a name, None when there is none."""
        return self._known.get(job)

    def save(self, record: Record) -> None:
        """Write a run at once: a crash leaves the old file or the new one."""
        path = self.path(record, "json")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_file(path, _RECORD.dump_json(record, indent=2).decode() + "\n")
        self._take(record)

    def delete(self, record: Record) -> None:
        """Remove all of a run."""
        for suffix in ("result", "log", "json"):  # the last one names the others
            self.path(record, suffix).unlink(missing_ok=True)
        self._known.pop(record.job, None)
        self._names.get(record.key, set()).discard(record.job)

    def tidy(self) -> None:
        """Delete what is left of runs that are gone: their workers may have written after that."""
        for suffix in ("result", "log"):
            for path in self.folder.glob(f"*/*.{suffix}"):
                if path.stem not in self._known:
                    path.unlink(missing_ok=True)

    def path(self, record: Record, suffix: str) -> Path:
        """Return one of the run's files."""
        return self.folder / record.namespace / f"{record.job}.{suffix}"

    def result(self, record: Record) -> str:
        """Return what the worker left, "" when it left nothing."""
        try:
            return self.path(record, "result").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def last_schedule_time(self, key: Key, owner: str, *, full_refresh: bool = False) -> datetime | None:
        """Return the latest time of a schedule that a run was made for; of another object's nothing is known."""
        try:
            uid, _, time = self._cron_path(key, full_refresh).read_text(encoding="ascii").strip().partition(" ")
        except FileNotFoundError:
            return None
        return datetime.fromisoformat(time) if uid == owner else None

    def save_schedule_time(self, key: Key, owner: str, time: datetime, *, full_refresh: bool = False) -> None:
        """Remember the time of a schedule that a run was made for."""
        path = self._cron_path(key, full_refresh)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_file(path, f"{owner} {time.isoformat()}\n")

    def forget_full_refreshes(self, key: Key) -> None:
        """Forget the schedule of full refreshes, as its CronJob would go."""
        self._cron_path(key, full_refresh=True).unlink(missing_ok=True)

    def _take(self, record: Record) -> None:
        self._known[record.job] = record
        self._names.setdefault(record.key, set()).add(record.job)

    def _cron_path(self, key: Key, full_refresh: bool) -> Path:
        _, namespace, name = key
        return self.folder / namespace / f"{name}.cron{'-full' if full_refresh else ''}"


def ended(record: Record, end: End) -> Record:
    """Return the run with its end."""
    return replace(record, end=end, again_at=None)


def left_behind(runs: Runs, records: Iterable[Record], now: datetime) -> Iterator[Record]:
    """
    Yield the runs with their end of those whose worker ended after its follower was killed.

    Nobody saw their exit code, but they left a result. Those that were cut off are not among them.
    """
    for record in records:
        told = runs.result(record)
        result = read_result(told)
        if result is None or result["outcome"] == Outcome.CANCELLED:
            continue
        outcome = Outcome(str(result["outcome"]))
        yield ended(record, End(_time(result.get("finishedAt"), now), outcome.exit_code, told))


def _time(text: object, now: datetime) -> datetime:
    """Return the time the worker tells, in whole seconds; now if that is none or has yet to come."""
    try:
        return min(datetime.fromisoformat(str(text)).replace(microsecond=0), now)
    except (TypeError, ValueError):  # TypeError: a time without a zone
        return now


def _read(path: Path) -> Record:
    try:
        return _RECORD.validate_json(path.read_bytes())
    except ValueError as error:
        raise StateError(f"{path} is damaged ({str(error).splitlines()[0]}): delete it") from None
