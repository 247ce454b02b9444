"""
The operator dies after every one of its writes in turn, and before the first, and is started again.

A scenario is played once undisturbed; then once for each write that this run has shown, and each time the end must be
the same: the same status, the same Jobs, each slot exactly once, never two workers at a time. After one write is before
the next: all that the operator knows is in the cluster. Of the Events, which nothing is decided on, only the first
counts as a write here; `make campaign-kill-operator` dies before and after every single one.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import pytest

from .client import Cluster
from .lives import Scenario, dbtschedule_scenario, live, repository_scenario
from .operator_process import install_definitions
from .played_node import PlayedNode

# Lives at a time. The release of the other tests counts Jobs of Repositories too, among at most four.
AT_A_TIME = {"Repository": 3, "DbtSchedule": 8}
FLOOD = 3  # more Events than this, beyond those of the undisturbed run
CAMPAIGN = Path(__file__).parents[1] / "campaigns" / "kill_operator.py"


@pytest.fixture(scope="module")
def node(cluster: Cluster) -> Iterator[PlayedNode]:
    """A node whose pods end at once."""
    install_definitions(cluster)
    with PlayedNode(cluster.kubeconfig, f"test-{uuid4().hex[:8]}") as played:
        yield played


def _is_told(write: str) -> bool:
    """Whether a write is no Event, or the first one."""
    return " events " not in write or write == "POST events 1"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", [repository_scenario, dbtschedule_scenario])
def test_whenever_the_operator_dies_the_end_is_the_same(
    cluster: Cluster, node: PlayedNode, scenario: Callable[[PlayedNode], Scenario], tmp_path: Path
) -> None:
    plan = scenario(node)
    undisturbed = live(cluster, plan, tmp_path / "undisturbed", "")
    writes = undisturbed.operator.writes

    missed = []

    def dies(moment: str) -> str | None:
        assert node.failure is None
        try:
            life = live(cluster, plan, tmp_path / moment.replace("/", " "), moment, undisturbed.last)
            assert life.told <= undisturbed.told + FLOOD, f"{life.told} Events instead of {undisturbed.told}"
        except AssertionError as error:
            return f"{moment}: {error}"
        if not life.died:
            missed.append(moment)
        return None

    moments = [f"before {writes[0]}", *(f"after {write}" for write in writes if _is_told(write))]
    with ThreadPoolExecutor(AT_A_TIME[plan.kind.kind]) as lives:
        wrong = [trouble for trouble in lives.map(dies, moments) if trouble]

    assert not wrong, f"{len(wrong)} of {len(moments)}:\n" + "\n\n".join(wrong)
    # How many status writes a life needs depends on what one visit sees at once, so the last may not come.
    assert len(missed) <= len(moments) // 4, missed


def _campaign() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kill_operator", CAMPAIGN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["kill_operator"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_killed_at_any_moment_it_still_makes_each_job_once(cluster: Cluster, node: PlayedNode, tmp_path: Path) -> None:
    ended = _campaign().kill_while_many_come(cluster, node, tmp_path, repositories=8, kills=3, seed=1)

    assert ended == {"kills": 3, "repositories": 8, "jobs": 8}
