"""
A resource's limits on a worker, by control groups where the system lets us make some.

Version 1 (a hierarchy per controller) and version 2 (one for all); see cgroups(7). Our group is a child of
the one we run in, so that its limits stand; where version 2 forbids that (a group with processes has no
limited children) a sibling in a folder that was delegated to us, as systemd does for a user's session.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PERIOD = 100_000  # microseconds; the kernel's own default
_PREFIX = "gitmart-"
_REMOVAL_LIMIT = 5  # seconds a killed process may take to leave its group


class NoLimitsError(RuntimeError):
    """No group can be made here; the message says why."""


@dataclass(frozen=True, slots=True)
class Group:
    """The folders of one group: two in version 1, one in version 2."""

    folders: tuple[Path, ...]

    @property
    def entrances(self) -> list[Path]:
        """The files into which a process writes 0 to enter."""
        return [folder / "cgroup.procs" for folder in self.folders]

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed something in here for lack of memory."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with suppress(OSError):
                    lines = (folder / name).read_text(encoding="ascii").splitlines()
                    return int(dict(line.split(maxsplit=1) for line in lines).get("oom_kill", 0)) > 0
        return False

    def remove(self) -> None:
        """Kill what is left in the group and remove it."""
        deadline = time.monotonic() + _REMOVAL_LIMIT
        for folder in self.folders:
            while folder.exists() and time.monotonic() < deadline:
                try:
                    folder.rmdir()
                except OSError:  # somebody is in it
                    for word in (folder / "cgroup.procs").read_text(encoding="ascii").split():
                        with suppress(ProcessLookupError):
                            os.kill(int(word), signal.SIGKILL)
                    time.sleep(0.02)


def limited_group(purpose: str, *, cores: float, memory: int) -> Group:
    """Make a group with these limits (`memory` in bytes). Raise NoLimitsError."""
    name = f"{_PREFIX}{os.getpid()}-{purpose}"
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8")
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    except OSError:
        raise NoLimitsError("this system has no control groups") from None
    own = own_groups(groups, mounts)
    refusal = "the memory controller is not available"
    for parents in _candidates(own):
        folders = tuple(dict.fromkeys(parent / name for parent in parents.values()))
        try:
            for folder in folders:
                _remove_leftovers(folder.parent)
                folder.mkdir()
            for controller, parent in parents.items():
                _limit(parent / name, controller, cores, memory)
        except OSError as error:
            refusal = f"{error.filename}: {error.strerror}"
            for folder in folders:
                with suppress(OSError):
                    folder.rmdir()
        else:
            return Group(folders)
    raise NoLimitsError(refusal)


def own_groups(groups: str, mounts: str) -> dict[str, Path]:
    """
    Return the folders of the groups a process is in, by controller; "" is version 2.

    `groups` and `mounts` are the texts of /proc/PID/cgroup and /proc/PID/mountinfo.
    """
    paths: dict[str, str] = {}
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        paths |= dict.fromkeys(controllers.split(","), path)
    found: dict[str, Path] = {}
    for line in mounts.splitlines():
        fields, _, kind = line.partition(" - ")
        root, point = (word.encode().decode("unicode_escape") for word in fields.split()[3:5])
        system, _, options = kind.split(maxsplit=2)
        offered = [""] if system == "cgroup2" else options.split(",") if system == "cgroup" else []
        for controller in offered:
            if controller in paths:
                # Inside a container the path may be told from a root that is not mounted here.
                inside = os.path.relpath(paths[controller], root)
                found[controller] = Path(point) if inside.startswith("..") else Path(point) / inside
    return found


def _candidates(own: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Yield folders, by controller, in which a group may be made."""
    if "memory" in own and "cpu" in own:
        yield {controller: own[controller] for controller in ("memory", "cpu")}
    if "" in own:
        yield {"": own[""]}
        parent = own[""].parent
        with suppress(OSError):
            if parent.stat().st_uid == os.geteuid() != 0 and _is_unlimited(own[""]):
                yield {"": parent}


def _remove_leftovers(parent: Path) -> None:
    """Remove the groups of commands that were killed. The kernel refuses while somebody is in one."""
    for folder in parent.glob(f"{_PREFIX}[0-9]*-*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if not Path("/proc", owner).exists():
            with suppress(OSError):
                folder.rmdir()


def _is_unlimited(folder: Path) -> bool:
    """Whether leaving the group for a sibling escapes no limit that somebody set on us."""
    texts = [(folder / name).read_text(encoding="ascii") for name in ("memory.max", "cpu.max")]
    return all(text.startswith("max") for text in texts)


def _limit(folder: Path, controller: str, cores: float, memory: int) -> None:
    quota = max(int(cores * PERIOD), 1000)  # microseconds per period; the kernel takes no less
    if controller == "memory":
        _write(folder / "memory.limit_in_bytes", memory)
        with suppress(OSError):  # only where swap is counted
            _write(folder / "memory.memsw.limit_in_bytes", memory)
    elif controller == "cpu":
        _write(folder / "cpu.cfs_period_us", PERIOD)
        _write(folder / "cpu.cfs_quota_us", quota)
    else:
        if not (folder / "memory.max").exists():
            _write(folder.parent / "cgroup.subtree_control", "+memory +cpu")
        _write(folder / "memory.max", memory)
        _write(folder / "cpu.max", f"{quota} {PERIOD}")
        for name, value in (("memory.swap.max", 0), ("memory.oom.group", 1)):
            with suppress(OSError):
                _write(folder / name, value)


def _write(path: Path, value: int | str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, str(value).encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        os.close(descriptor)
