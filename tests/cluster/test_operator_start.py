"""An operator that starts where much is there already: it visits everything, and what is as it should be it leaves so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from .client import Cluster, Namespace
from .operator_process import OperatorProcess, install_definitions
from .release import OTHER_OPERATOR
from .waiting import SOON, wait_for

# More than Kopf lets work at a time where it has a limit: each of its workers waits until everything is indexed.
COUNT = 200


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """A namespace with many Repositories that nobody has visited yet."""
    install_definitions(cluster)
    made = cluster.namespace(f"start-{uuid4().hex[:8]}")
    made.create(**{OTHER_OPERATOR: "true"})
    made.kubectl("create", "-f", "-", stdin="\n---\n".join(repository(number) for number in range(COUNT)))
    yield made
    made.delete()


@pytest.fixture
def operator(cluster: Cluster, namespace: Namespace, tmp_path: Path) -> Iterator[OperatorProcess]:
    """The operator of that namespace, started."""
    made = OperatorProcess(cluster.kubeconfig, namespace.name, tmp_path)
    made.start()
    yield made
    if made.exit_code is None:
        made.end()


def repository(number: int) -> str:
    """Return a Repository that starts nothing."""
    return f"""\
apiVersion: gitmart.dev/v1alpha1
kind: Repository
metadata: {{name: repository-{number}}}
spec: {{url: "https://git.example.org/{number}.git", suspend: true}}
"""


def observed(namespace: Namespace) -> list[dict[str, Any]]:
    """Return the Repositories whose status speaks of their spec."""
    there = namespace.list("repositories")
    return [each for each in there if each["status"]["observedGeneration"] == each["metadata"]["generation"]]


def visits(operator: OperatorProcess) -> float:
    """Return how many visits of Repositories have ended well since the operator's start."""
    pattern = (
        r'^controller_runtime_reconcile_total\{controller="repository",result="(?:success|requeue_after)"\} (\S+)$'
    )
    return sum(float(count) for count in re.findall(pattern, operator.ask("/metrics")[1], re.MULTILINE))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_operator_visits_all_that_is_there_and_after_a_restart_writes_nothing(
    namespace: Namespace, operator: OperatorProcess
) -> None:
    wait_for(lambda: len(observed(namespace)) == COUNT, SOON, lambda: operator.log, pause=2)
    # A visit has ended only after the watch has shown what it wrote.
    wait_for(lambda: operator.is_ready and visits(operator) >= COUNT, SOON, lambda: operator.log)
    written = operator.writes
    assert [write.rpartition(" ")[0] for write in written] == ["PATCH repositories/status"] * COUNT
    assert operator.end() == 0, operator.log

    operator.start()
    wait_for(lambda: operator.is_ready and visits(operator) >= COUNT, SOON, lambda: operator.log)

    assert operator.writes == written
    assert operator.end() == 0, operator.log
