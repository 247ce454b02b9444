"""What one extraction is asked to do. Read once, at the start."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic

from gitmart.contract.host_api import Provider
from gitmart.contract.redaction import Scrubber
from gitmart.contract.repository_url import RepositoryUrl
from gitmart.extract.address import Network
from gitmart.extract.credentials import Credentials
from gitmart.extract.shape import Shape

METADATA_INTERVAL = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository at its host, and how it may be reached."""

    url: RepositoryUrl
    allow_private_addresses: bool = False  # of the git host: any
    allow_networks: tuple[Network, ...] = ()  # private networks that the git host may be in
    credentials: Credentials | None = None  # None: the repository is public
    certificates: str = ""  # PEM, trusted besides the system's for this host

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that the host is shown, and that must never be told to anybody else."""
        return self.credentials.secrets if self.credentials else ()

    @property
    def scrubber(self) -> Scrubber:
        """What takes them out of a text: the host may repeat them."""
        return Scrubber(self.secrets)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a repository may cost in one run; None: as much as there is."""

    bytes: int | None = None  # of all that git writes while it fetches: packs, their indexes, temporary files
    commits: int | None = None  # that the selected refs reach
    time: timedelta | None = None  # from `since` until everything is fetched
    since: float = field(default_factory=monotonic)  # seconds on that clock


@dataclass(frozen=True, slots=True)
class MetadataSettings:
    """Whose API a host has, where it is, how old an answer may be, and whether to ask for contributors."""

    provider: Provider
    api: RepositoryUrl  # its path has no slash at the end
    interval: timedelta = METADATA_INTERVAL
    contributors: bool = True


@dataclass(frozen=True, slots=True)
class Settings:
    """One frozen set of wishes for a run."""

    remote: Remote
    warehouse: str  # connection URL; a secret, kept out of repr() by __repr__
    work_dir: Path  # an existing folder; everything a run writes there goes with the run
    shape: Shape = field(default_factory=Shape)
    mailmap: bytes | None = None  # the user's, applied after the repository's own
    workers: int = 1  # git processes that count lines at the same time
    metadata: MetadataSettings | None = None  # None: the host's API is not asked
    limits: Limits = field(default_factory=Limits)
    previous_url: RepositoryUrl | None = None  # the address of the last extraction, if that was another
    cache_dir: Path | None = None  # where packs of repositories outlive the run; None: nothing does

    def __repr__(self) -> str:
        return f"Settings(url={self.url}, warehouse=***, {self.shape})"

    @property
    def url(self) -> RepositoryUrl:
        """The address of the repository."""
        return self.remote.url


def usable_cores() -> int:
    """Return how many cores this process may really use, at least 1: affinity and the cgroup's CPU limit count."""
    cores = float(len(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else float(os.cpu_count() or 1)
    if (limit := _cgroup_cores(Path("/sys/fs/cgroup"))) is not None:
        cores = min(cores, limit)
    return max(1, round(cores))


def _cgroup_cores(root: Path) -> float | None:
    """Return the CPU limit in cores of the cgroup mounted at `root`, v2 or v1; None when there is none."""
    try:
        quota, period = (root / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text(encoding="ascii").strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text(encoding="ascii").strip()
        except OSError:
            return None
    return None if quota in {"max", "-1"} else int(quota) / int(period)
