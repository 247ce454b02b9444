"""What one extraction is asked to do. Read once, at the start."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gitmart.contract.repository_url import RepositoryUrl
from gitmart.extract.address import Network
from gitmart.extract.credentials import Credentials


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository at its host, and how it may be reached."""

    url: RepositoryUrl
    allow_private_addresses: bool = False  # of the git host: any
    allow_networks: tuple[Network, ...] = ()  # private networks that the git host may be in
    credentials: Credentials | None = None  # None: the repository is public
    certificates: str = ""  # PEM, trusted besides the system's for this host


@dataclass(frozen=True, slots=True)
class Settings:
    """One frozen set of wishes for a run."""

    remote: Remote
    warehouse: str  # connection URL; a secret, kept out of repr() by __repr__
    work_dir: Path  # an existing folder; everything a run writes there goes with the run
    include: tuple[str, ...] = ()  # globs of branch names; empty: all branches, and tags
    exclude: tuple[str, ...] = ()
    workers: int = 1  # git processes that count lines at the same time

    def __repr__(self) -> str:
        return f"Settings(url={self.url}, warehouse=***, include={self.include}, exclude={self.exclude})"

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
