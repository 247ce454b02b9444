"""A watch that is cut silently heals; one that never heals makes the operator say that it is dead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.contract.result import Result

from .client import Cluster, Namespace
from .manifest_table import URL, manifest
from .operator_process import OperatorProcess, install_definitions
from .played_node import EXTRACT_FACTS
from .release import OTHER_OPERATOR
from .silent_proxy import SilentProxy
from .waiting import SOON, wait_for

HEALED = 240  # seconds; Kopf connects anew after 70 without a bookmark, and requests under way have their own 30
NOWHERE = {"nodeSelector": {"test/node": "nowhere"}}  # the pod waits until the test ends it


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """A namespace with the operator of this test alone."""
    install_definitions(cluster)
    made = cluster.namespace(f"test-{uuid4().hex[:8]}")
    made.create(**{OTHER_OPERATOR: "true"})
    yield made
    made.delete()


@pytest.fixture
def proxy(cluster: Cluster, tmp_path: Path) -> Iterator[SilentProxy]:
    """What the operator takes for the API server."""
    with SilentProxy(cluster.kubeconfig, tmp_path) as proxy:
        yield proxy


@pytest.fixture
def operator(proxy: SilentProxy, namespace: Namespace, tmp_path: Path) -> Iterator[OperatorProcess]:
    """An operator that finds a watch dead after seconds instead of minutes."""
    process = OperatorProcess(proxy.kubeconfig, namespace.name, tmp_path, {"GITMART_TEST_IMPATIENT": "1"})
    process.start()
    yield process
    process.end()


def end_the_job(namespace: Namespace) -> None:
    """Let the one pod end well, as its kubelet would tell it."""
    (pod,) = wait_for(lambda: namespace.list("pods"), SOON)
    now = datetime.now(UTC)
    result = Result("extract", Outcome.SUCCEEDED, "all is well", now, now, EXTRACT_FACTS)
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": f"{now:%FT%TZ}", "finishedAt": f"{now:%FT%TZ}"}
    container = {"name": "worker", "image": "none", "imageID": "", "restartCount": 0, "ready": False}
    state = {"state": {"terminated": ended | {"message": result.to_json()}}}
    status = {"phase": "Succeeded", "containerStatuses": [container | state]}
    words = ("patch", "pod", pod["metadata"]["name"], "--subresource=status", "--type=merge", "-p")
    namespace.kubectl(*words, json.dumps({"status": status}))


def state_of(body: dict[str, Any]) -> object:
    return body["status"].get("state")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_watch_cut_silently_heals_and_one_that_does_not_is_told(
    namespace: Namespace, proxy: SilentProxy, operator: OperatorProcess
) -> None:
    namespace.apply(manifest("Repository", "busy", {"url": URL, "podTemplate": NOWHERE}))
    namespace.wait_for("repository", "busy", lambda body: body["status"]["observedGeneration"] == 1, timeout=SOON)
    wait_for(lambda: operator.is_ready, SOON, lambda: operator.log)

    proxy.cut()
    end_the_job(namespace)
    namespace.apply(manifest("Repository", "new", {"url": URL + "x", "suspend": True}))

    namespace.wait_for("repository", "busy", lambda body: state_of(body) == "completed", timeout=HEALED)
    namespace.wait_for("repository", "new", lambda body: body["status"]["observedGeneration"] == 1, timeout=HEALED)
    assert proxy.dropped > 0
    status, text = operator.ask("/healthz")
    assert status == 200, text

    proxy.mute("repositories")
    namespace.kubectl("annotate", "repository", "new", "example.org/note=behind-its-back")

    wait_for(lambda: operator.ask("/healthz")[0] == 500, SOON, lambda: operator.ask("/healthz"))
    assert f"the watch of repositories in {namespace.name} has not shown" in operator.log
