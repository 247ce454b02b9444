"""
Kill the operator and look at what it leaves to its next life.

    make campaign-kill-operator           before and after every write of both scenarios, Events too; then ten
                                          SIGKILLs at random moments while twenty Repositories come

Needs a cluster, as `make cluster` has it. Stops by itself; the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pykube

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.cluster.client import Cluster
from tests.cluster.environment.obtain import obtain
from tests.cluster.lives import Past, Repository, dbtschedule_scenario, live, replay, repository_scenario
from tests.cluster.operator_process import OperatorProcess, install_definitions
from tests.cluster.played_node import PlayedNode
from tests.cluster.release import OTHER_OPERATOR
from tests.cluster.waiting import wait_for

AT_A_TIME = 3
PATIENCE = 300.0  # seconds until all is done, after the last kill
CAP = 4  # extractions at a time, by default


def kill_while_many_come(
    cluster: Cluster, node: PlayedNode, folder: Path, *, repositories: int, kills: int, seed: int
) -> dict[str, int]:
    """Return what was done: every Repository got its one Job, and never more ran at a time than may."""
    drawn = random.Random(seed)
    api = pykube.HTTPClient(pykube.KubeConfig.from_file(cluster.kubeconfig))
    namespace = cluster.namespace(f"test-{uuid4().hex[:8]}")
    namespace.create(**{OTHER_OPERATOR: "true"})
    operator = OperatorProcess(cluster.kubeconfig, namespace.name, folder)
    since = api.get(url="jobs", version="batch/v1", namespace=namespace.name).json()["metadata"]["resourceVersion"]
    operator.start()
    try:
        for number in range(kills):
            for each in range(number * repositories // kills, (number + 1) * repositories // kills):
                _make(api, namespace.name, node, each)
            wait_for(lambda: operator.is_ready, PATIENCE, lambda: operator.log)
            time.sleep(drawn.uniform(0, 2))
            assert operator.end(signal.SIGKILL) == -signal.SIGKILL
            operator.start()
        wait_for(lambda: _all_done(api, namespace.name), PATIENCE, lambda: operator.log)
        past = Past.of(replay(api, namespace.name, since))
        assert past.slots == ["generation-1"] * repositories, past.slots
        assert past.at_a_time <= CAP, f"{past.at_a_time} extractions at a time"
    finally:
        operator.end()
        namespace.delete()
    return {"kills": kills, "repositories": repositories, "jobs": len(past.slots)}


def _make(api: pykube.HTTPClient, namespace: str, node: PlayedNode, number: int) -> None:
    spec = {"url": f"https://git{number}.example.org/one", "podTemplate": node.pods()}
    metadata = {"name": f"r{number}", "namespace": namespace}
    body = {"apiVersion": "gitmart.dev/v1alpha1", "kind": "Repository", "metadata": metadata, "spec": spec}
    Repository(api, body).create()


def _all_done(api: pykube.HTTPClient, namespace: str) -> bool:
    found = [each.obj["status"] for each in Repository.objects(api, namespace=namespace)]
    return all(status.get("state") == "completed" and len(status["history"]) == 1 for status in found)


def kill_at_every_write(cluster: Cluster, node: PlayedNode, folder: Path) -> dict[str, int]:
    """Return how often the operator died; the end was always that of an undisturbed life."""
    deaths = 0
    for scenario in (repository_scenario(node), dbtschedule_scenario(node)):
        undisturbed = live(cluster, scenario, folder / f"undisturbed {scenario.kind.kind}", "")
        moments = [f"{when} {write}" for write in undisturbed.operator.writes for when in ("before", "after")]

        def dies(moment: str, scenario=scenario, expected=undisturbed.last) -> bool:  # type: ignore[no-untyped-def]
            name = f"{scenario.kind.kind} {moment.replace('/', ' ')}"
            died = live(cluster, scenario, folder / name, moment, expected).died
            print(f"{'died' if died else 'lived'}  {scenario.kind.kind}: {moment}", flush=True)
            return died

        with ThreadPoolExecutor(AT_A_TIME) as lives:
            deaths += sum(lives.map(dies, moments))
    return {"deaths": deaths}


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    cluster = Cluster(obtain())
    install_definitions(cluster)
    name = f"test-{uuid4().hex[:8]}"
    with PlayedNode(cluster.kubeconfig, name) as node, tempfile.TemporaryDirectory() as folder:
        figures = kill_at_every_write(cluster, node, Path(folder))
        figures |= kill_while_many_come(cluster, node, Path(folder), repositories=20, kills=10, seed=options.seed)
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
