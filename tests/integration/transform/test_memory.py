"""A run of our own project fits into little memory, and it is the kernel that says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.openlineage.server import listening

from gitmart.contract.outcomes import Outcome
from gitmart.local.cgroups import Group, NoLimitsError, limited_group

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[3] / "dbt"


@contextmanager
def group_of(mebibytes: int) -> Iterator[Group]:
    """A group with this limit, where this machine lets us make one."""
    try:
        made = limited_group(f"test-{uuid4().hex}", cores=2, memory=mebibytes * 2**20)
    except NoLimitsError as error:
        pytest.skip(f"no control groups here: {error}")
    try:
        yield made
    finally:
        made.remove()


def start(transform: Any, group: Group, *words: str) -> Any:
    """Start a run that enters the group before Python begins."""
    enter = "".join(f"echo 0 > {entrance} && " for entrance in group.entrances)
    return transform.start("--project-dir", str(PROJECT), *words, prefix=("sh", "-c", f'{enter}exec "$@"', "sh"))


def test_our_own_project_builds_within_130_mib(transform: Any) -> None:
    with group_of(130) as group:
        assert start(transform, group).ended_as(Outcome.SUCCEEDED)

        assert not group.ran_out_of_memory()


def test_a_collector_of_openlineage_makes_it_no_larger(transform: Any) -> None:
    with group_of(130) as group, listening() as collector:
        assert start(transform, group, "--openlineage-url", collector.url).ended_as(Outcome.SUCCEEDED)

        assert not group.ran_out_of_memory()


def test_the_kernel_does_hold_it_to_its_limit(transform: Any) -> None:
    with group_of(60) as group:
        assert start(transform, group).wait() != 0

        assert group.ran_out_of_memory()
