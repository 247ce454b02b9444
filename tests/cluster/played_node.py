"""
A node that is only played: a Node object without a machine, whose pods run and end at once as their annotation says.

API server, scheduler and Job controller are the real ones, so a thousand runs cost no more than their objects. A pod
ends with the outcome that its annotation `test/outcome` names, and with the result message of such a run.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pykube
from pykube.query import Query

from gitmart.contract.outcomes import MEANINGS, Outcome
from gitmart.contract.result import Result

OUTCOME = "test/outcome"
ROOM = {"cpu": "1000", "memory": "1Ti", "ephemeral-storage": "100Ti", "pods": "1000"}
EXTRACT_FACTS = {
    "commits": 100, "contributors": 5, "branches": 2, "head": "0" * 40, "refsDigest": "v1:abc", "newCommits": 100,
    "removedCommits": 0, "quarantined": 0, "bytesFetched": 50000,
}  # fmt: skip
TRANSFORM_FACTS = {"counts": {"success": 20, "pass": 30}, "invocationId": "one", "dbtVersion": "1.12.0"}


class PlayedNode:
    """Plays until left as a context. `pods(outcome)` is what a podTemplate must hold to run here."""

    def __init__(self, kubeconfig: Path, name: str) -> None:
        self.name = name
        self._api = pykube.HTTPClient(pykube.KubeConfig.from_file(kubeconfig))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self.failure: Exception | None = None

    def pods(self, outcome: Outcome = Outcome.SUCCEEDED) -> dict[str, Any]:
        """Return the podTemplate of pods that come here and end so."""
        return {
            "nodeSelector": {"test/node": self.name},
            "tolerations": [{"operator": "Exists"}],
            "annotations": {OUTCOME: outcome.value},
        }

    def __enter__(self) -> PlayedNode:
        taint = {"key": "test/node", "value": self.name, "effect": "NoSchedule"}  # nobody else's pods come here
        body = {
            "apiVersion": "v1", "kind": "Node", "spec": {"taints": [taint]},
            "metadata": {"name": self.name, "labels": {"test/node": self.name}},
        }  # fmt: skip
        node = pykube.Node(self._api, body)
        node.create()
        node.patch({"status": {"capacity": ROOM, "allocatable": ROOM}}, subresource="status")
        self._node = node
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for pod in self._pods():  # of namespaces that are ending
            self._remove(pod)
        self._node.delete()
        if self.failure is not None:
            raise self.failure

    def _play(self) -> None:
        try:
            while not self._stop.is_set():
                for pod in self._pods():
                    self._step(pod)
                time.sleep(0.1)
        except Exception as error:  # told where the context is left
            self.failure = error

    def _pods(self) -> Iterable[pykube.Pod]:
        # Not `Pod.objects`: all kinds share one manager that remembers who asked last, whatever thread that was.
        everywhere = Query(self._api, pykube.Pod, namespace=pykube.all)
        return everywhere.filter(field_selector={"spec.nodeName": self.name})

    def _remove(self, pod: pykube.Pod) -> None:
        now = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.metadata["uid"]}}
        self._api.delete(**pod.api_kwargs(data=json.dumps(now)))

    def _step(self, pod: pykube.Pod) -> None:
        try:
            if "deletionTimestamp" in pod.metadata:
                self._remove(pod)
            elif pod.obj["status"]["phase"] in ("Pending", "Running"):
                pod.patch({"status": _next_status(pod.obj)}, subresource="status")
        except pykube.exceptions.HTTPError:
            pass  # somebody else was faster: the next look shows it


def _next_status(body: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC)
    text, container = f"{now:%Y-%m-%dT%H:%M:%SZ}", body["spec"]["containers"][0]
    worker = {"name": container["name"], "image": container["image"], "imageID": "", "restartCount": 0, "ready": False}
    if body["status"]["phase"] == "Pending":
        running = worker | {"state": {"running": {"startedAt": text}}}
        return {"phase": "Running", "startTime": text, "containerStatuses": [running]}
    outcome = Outcome(body["metadata"]["annotations"][OUTCOME])
    facts: dict[str, Any] = {}
    if outcome.good:
        facts = EXTRACT_FACTS if container["args"][0] == "extract" else TRANSFORM_FACTS
    result = Result(container["args"][0], outcome, MEANINGS[outcome].summary, now, now, facts)
    ended = {
        "exitCode": outcome.exit_code, "reason": "Completed" if outcome.good else "Error",
        "startedAt": text, "finishedAt": text, "message": result.to_json(),
    }  # fmt: skip
    return {
        "phase": "Succeeded" if outcome.good else "Failed",
        "containerStatuses": [worker | {"state": {"terminated": ended}}],
    }
