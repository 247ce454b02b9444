"""What all Jobs of gitmart share: when Kubernetes tries again by itself, deadlines, owners."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gitmart.contract.outcomes import MEANINGS, Outcome
from gitmart.resources.base import API_VERSION, Resource

Json = dict[str, Any]

# Besides the time its pods may take: for scheduling, pulling images and the waits between tries.
_STARTING = timedelta(minutes=30)
# A timeout is reported as one and not repeated: the next try would take as long.
_REPEATED = sorted(
    meaning.exit_code for outcome, meaning in MEANINGS.items() if meaning.retryable and outcome is not Outcome.TIMEOUT
)


def job_spec(pod_template: Json, *, retries: int, deadline: timedelta) -> Json:
    """
    Return the spec of a Job that runs the pod once, and `retries` times more if it failed for a passing reason.

    `deadline` is how long each pod may live.
    """
    return {
        "backoffLimit": retries,
        "activeDeadlineSeconds": int((deadline * (retries + 1) + _STARTING).total_seconds()),
        "completions": 1,
        "parallelism": 1,
        # A second pod is made only once the first is gone for good: two would wait for one lock.
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": _failure_policy(pod_template["spec"]),
        "template": pod_template,
    }


def _failure_policy(pod: Json) -> Json:
    """Return which ends of a pod count: https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy."""
    names = [container["name"] for container in [*pod["containers"], *pod.get("initContainers", ())]]
    return {
        "rules": [
            # A drained node or a preemption is nobody's failure, and counts as no try.
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            # Whatever is not said to pass by itself ends the Job at once: wrong input, memory, bugs.
            *(
                {"action": "FailJob", "onExitCodes": {"containerName": name, "operator": "NotIn", "values": _REPEATED}}
                for name in names
            ),
        ]
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
