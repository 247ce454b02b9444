"""Where our control groups are, as the kernel tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitmart.local.cgroups import Group, own_groups

V1_MOUNTS = """\
30 25 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory
"""
V2_MOUNT = "25 24 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


@pytest.mark.parametrize(
    ("groups", "mounts", "expected"),
    [
        pytest.param(
            "4:memory:/user\n3:cpu,cpuacct:/\n",
            V1_MOUNTS,
            {
                "memory": Path("/sys/fs/cgroup/memory/user"),
                "cpu": Path("/sys/fs/cgroup/cpu,cpuacct"),
                "cpuacct": Path("/sys/fs/cgroup/cpu,cpuacct"),
            },
            id="v1",
        ),
        pytest.param(
            "0::/user.slice/app.scope\n",
            V2_MOUNT,
            {"": Path("/sys/fs/cgroup/user.slice/app.scope")},
            id="v2",
        ),
        pytest.param(
            "0::/../other\n", V2_MOUNT.replace(" / /sys", " /box /sys"), {"": Path("/sys/fs/cgroup")}, id="outside"
        ),
        pytest.param(
            "0::/box/inner\n",
            V2_MOUNT.replace("0:22 / /sys/fs/cgroup", r"0:22 /box /my\040groups"),
            {"": Path("/my groups/inner")},
            id="container-and-escaped-space",
        ),
        pytest.param("0::/x\n", "", {}, id="not-mounted"),
    ],
)
def test_own_groups_are_found(groups: str, mounts: str, expected: dict[str, Path]) -> None:
    assert own_groups(groups, mounts) == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        pytest.param("memory.events", "low 0\noom 1\noom_kill 2\n", True, id="v2-killed"),
        pytest.param("memory.events", "low 0\noom 1\noom_kill 0\n", False, id="v2-survived"),
        pytest.param("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", True, id="v1-killed"),
        pytest.param("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n", False, id="v1-old-kernel"),
    ],
)
def test_a_kill_for_lack_of_memory_is_seen(tmp_path: Path, name: str, text: str, expected: bool) -> None:
    (tmp_path / name).write_text(text, encoding="ascii")

    assert Group((tmp_path,)).ran_out_of_memory() is expected
