"""What all Jobs of gitmart share: when Kubernetes tries again by itself, deadlines, owners."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gitmart.contract.outcomes import MEANINGS, Outcome
from gitmart.resources.base import API_VERSION, Resource
from gitmart.resources.labels import WORKER
from gitmart.workloads.pods import DEADLINE_GRACE

Json = dict[str, Any]

# Besides the time its pods may take: for scheduling, pulling images and the waits between tries.
_STARTING = timedelta(minutes=30)
# A timeout is reported as one and not repeated: the next try would take as long.
_REPEATED = sorted(
    meaning.exit_code for outcome, meaning in MEANINGS.items() if meaning.retryable and outcome is not Outcome.TIMEOUT
)

# https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
POD_FAILURE_POLICY: Json = {
    "rules": [
        # A drained node or a preemption is nobody's failure, and counts as no try.
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        # Whatever is not said to pass by itself ends the Job at once: wrong input, memory, bugs.
        {
            "action": "FailJob",
            "onExitCodes": {"containerName": WORKER, "operator": "NotIn", "values": _REPEATED},
        },
    ]
}


def job_spec(pod_template: Json, *, retries: int, timeout: timedelta) -> Json:
    """Return the spec of a Job that runs the pod once, and `retries` times more if it failed for a passing reason."""
    deadline = (timeout + DEADLINE_GRACE) * (retries + 1) + _STARTING
    return {
        "backoffLimit": retries,
        "activeDeadlineSeconds": int(deadline.total_seconds()),
        "completions": 1,
        "parallelism": 1,
        # A second pod is made only once the first is gone for good: two would wait for one lock.
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": POD_FAILURE_POLICY,
        "template": pod_template,
    }


def owned_by(resource: Resource, kind: str) -> list[Json]:
    """Return the owner references of a child. Deleting the resource deletes it too."""
    return [
        {
            "apiVersion": API_VERSION,
            "kind": kind,
            "name": resource.metadata.name,
            "uid": resource.metadata.uid or "",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
