"""Limits and deadlines of real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from gitmart.controller.runs import verdict_of
from gitmart.local import locks
from gitmart.local.cgroups import Group, NoLimitsError, limited_group
from gitmart.local.workers import Worker

MIB = 2**20


@pytest.fixture
def group() -> Iterator[Group]:
    """A group of 64 MiB and a fifth of a core, where this machine lets us make one."""
    try:
        made = limited_group(f"test-{uuid4().hex}", cores=0.2, memory=64 * MIB)
    except NoLimitsError as error:
        pytest.skip(f"no control groups here: {error}")
    yield made
    made.remove()
    assert not any(folder.exists() for folder in made.folders)


class Script(Worker):
    """A worker whose command is a Python script: what is under test is everything around it."""

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-c", *self.words]


@pytest.fixture
def lock(tmp_path: Path) -> int:
    descriptor = locks.try_lock(tmp_path / "lock")
    assert descriptor is not None
    return descriptor


def a_script(folder: Path, lock: int, text: str, group: Group | None = None, deadline: float = 60) -> Script:
    return Script(
        words=[text], url_file=folder / "url", result_file=folder / "result.json", log=folder / "log", lock=lock,
        group=group, deadline=timedelta(seconds=deadline),
    )  # fmt: skip


def test_a_worker_over_its_memory_is_killed_and_that_is_said(tmp_path: Path, lock: int, group: Group) -> None:
    run = a_script(tmp_path, lock, "print(len(bytearray(512 * 2**20)))", group).run()

    assert (run.exit_code, run.out_of_memory) == (128 + signal.SIGKILL, True)
    assert verdict_of(run).reason == "OOMKilled"


def test_a_worker_within_its_memory_is_left_alone(tmp_path: Path, lock: int, group: Group) -> None:
    run = a_script(tmp_path, lock, "print(len(bytearray(2**20)))", group).run()

    assert (run.exit_code, run.out_of_memory) == (0, False)


def test_a_stuck_worker_is_stopped_at_its_deadline_with_its_children(tmp_path: Path, lock: int) -> None:
    stuck = (
        "import signal, subprocess, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"subprocess.Popen(['sleep', '1000'], pass_fds=[{lock}])\n"
        "time.sleep(1000)\n"
    )

    run = replace(a_script(tmp_path, lock, stuck, deadline=0.5), grace=0.2).run()
    os.close(lock)
    waited: list[str] = []
    with locks.held(tmp_path / "lock", "", waited.append):  # the child held it as long as it lived
        pass

    assert (run.exit_code, run.deadline_exceeded) == (128 + signal.SIGKILL, True)
    assert verdict_of(run).reason == "Timeout"


def test_a_worker_that_leaves_no_result_is_lost(tmp_path: Path, lock: int) -> None:
    (tmp_path / "result.json").write_text('{"version":1,"outcome":"Succeeded"}', encoding="utf-8")  # of the run before

    run = a_script(tmp_path, lock, "import os; os.kill(os.getpid(), 9)").run()

    assert verdict_of(run).reason == "ResultLost"


def test_the_group_of_a_killed_command_is_removed_by_the_next(group: Group) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    leftovers = [folder.with_name(f"gitmart-{ended.pid}-repository-one") for folder in group.folders]
    for leftover in leftovers:
        leftover.mkdir()

    limited_group(f"test-{uuid4().hex}", cores=1, memory=64 * MIB).remove()

    assert not [leftover for leftover in leftovers if leftover.exists()]
    assert all(folder.exists() for folder in group.folders)
