"""What an operator may do, as the API server itself tells."""

from __future__ import annotations

import json

from .client import Cluster, Namespace
from .release import Release

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
# What the operator uses and, after the gap, what it must not reach. A wildcard would show in any of these.
RESOURCES = (
    "gitmart.dev/repositories", "gitmart.dev/repositories/status", "gitmart.dev/repositories/finalizers",
    "gitmart.dev/dbtschedules", "gitmart.dev/dbtschedules/status", "gitmart.dev/dbtschedules/finalizers",
    "batch/jobs", "batch/cronjobs", "/pods", "/events",

    "/secrets", "/configmaps", "/serviceaccounts", "/serviceaccounts/token", "/services", "/persistentvolumeclaims",
    "/pods/log", "/pods/exec", "/pods/ephemeralcontainers", "/nodes", "/nodes/proxy", "/namespaces", "/persistentvolumes",
    "apps/deployments", "apps/statefulsets", "batch/jobs/status", "coordination.k8s.io/leases",
    "rbac.authorization.k8s.io/roles", "rbac.authorization.k8s.io/rolebindings", "rbac.authorization.k8s.io/clusterroles",
    "apiextensions.k8s.io/customresourcedefinitions", "example.org/anything",
)  # fmt: skip
GRANTED = {
    "gitmart.dev/repositories": "get list watch",
    "gitmart.dev/repositories/status": "patch",
    "gitmart.dev/repositories/finalizers": "update",
    "gitmart.dev/dbtschedules": "get list watch",
    "gitmart.dev/dbtschedules/status": "patch",
    "gitmart.dev/dbtschedules/finalizers": "update",
    "batch/jobs": "get list watch create patch delete",
    "batch/cronjobs": "get list watch create patch delete",
    "/pods": "get list watch",
    "/events": "list create patch",
}


API_GRANTED = {"gitmart.dev/repositories": "list patch", "gitmart.dev/dbtschedules": "patch"}


def rights(release: Release, namespace: Namespace | None, user: str | None = None) -> dict[str, str]:
    """
    Return the verbs that somebody has, by group/resource: in a namespace, or in all of them (None).

    Without a `user` it is the release's operator.
    """
    found: dict[str, list[str]] = {}
    for resource in RESOURCES:
        for verb in VERBS:
            if may(release.cluster, user or release.user, verb, resource, namespace):
                found.setdefault(resource, []).append(verb)
    return {resource: " ".join(verbs) for resource, verbs in found.items()}


def may(cluster: Cluster, user: str, verb: str, resource: str, namespace: Namespace | None) -> bool:
    """Return what `kubectl auth can-i VERB RESOURCE --as USER` tells."""
    group, name, *sub = resource.split("/")
    attributes = {
        "verb": verb,
        "group": group,
        "resource": name,
        "subresource": "".join(sub),
        "namespace": namespace.name if namespace else "",
    }
    groups = ["system:authenticated"]
    if user.startswith("system:serviceaccount:"):
        groups += ["system:serviceaccounts", f"system:serviceaccounts:{user.split(':')[2]}"]
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "groups": groups, "resourceAttributes": attributes},
    }
    answer = cluster.api.post(version="authorization.k8s.io/v1", url="subjectaccessreviews", data=json.dumps(review))
    answer.raise_for_status()
    allowed: bool = answer.json()["status"]["allowed"]
    return allowed
