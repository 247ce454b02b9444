"""The control group of a node and its pods: the one thing of a node that does not end with its first process."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from .places import ClusterError, Site

ROOT = Path("/sys/fs/cgroup")
PATIENCE = 15.0  # seconds until killed processes must be gone


def hierarchies() -> list[Path]:
    """Return the root of each hierarchy: the only one of version 2, or version 1's one per controller."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    return [folder for folder in sorted(ROOT.iterdir()) if folder.is_dir() and not folder.is_symlink()]


def make(site: Site) -> None:
    """Make the node's group in every hierarchy; the pods' groups come beside it."""
    for root in hierarchies():
        group = root / site.name
        (group / "node").mkdir(parents=True, exist_ok=True)
        if root == ROOT:
            _hand_down(root, group)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if root != ROOT and (root / name).exists():  # version 1: a new group is empty and refuses processes
                for target in (group, group / "node"):
                    (target / name).write_text((root / name).read_text())


def _hand_down(root: Path, group: Path) -> None:
    wanted = {"cpu", "cpuset", "io", "memory", "pids", "hugetlb"}
    has = set((root / "cgroup.controllers").read_text().split())
    for folder in (root, group):
        (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in sorted(wanted & has)))


def doors(site: Site) -> list[Path]:
    """Return the files a process writes its id into to belong to the node."""
    return [root / site.name / "node" / "cgroup.procs" for root in hierarchies()]


def processes(site: Site) -> set[int]:
    """Return the ids of all processes of the node and its pods."""
    found: set[int] = set()
    for root in hierarchies():
        for file in (root / site.name).rglob("cgroup.procs"):
            with suppress(OSError):  # the group went meanwhile
                found.update(map(int, file.read_text().split()))
    return found


def remove(site: Site) -> None:
    """End every process in the groups and remove them. Raise ClusterError when some stay."""
    end = time.monotonic() + PATIENCE
    while left := [root / site.name for root in hierarchies() if (root / site.name).exists()]:
        for process in processes(site):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        for group in left:
            _remove_tree(group)
        if time.monotonic() > end:
            raise ClusterError(f"control groups that cannot be removed: {', '.join(map(str, left))}")
        time.sleep(0.02)


def _remove_tree(group: Path) -> None:
    for folder, _, _ in os.walk(group, topdown=False):
        with suppress(OSError):  # a process in it is still ending
            Path(folder).rmdir()
