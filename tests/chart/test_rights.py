"""What the chart lets the operator and people do: no Secrets, no wildcards, and nothing outside the namespaces given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Render = Callable[..., Any]
BOUND = {"operator": {"watchNamespaces": ["team-a", "team-b"]}}
READ = {"get", "list", "watch"}
NEEDED = {
    "gitmart.dev/repositories": READ,
    "gitmart.dev/dbtschedules": READ,
    "gitmart.dev/repositories/status": {"patch"},
    "gitmart.dev/dbtschedules/status": {"patch"},
    "gitmart.dev/repositories/finalizers": {"update"},
    "gitmart.dev/dbtschedules/finalizers": {"update"},
    "batch/jobs": READ | {"create", "patch", "delete"},
    "batch/cronjobs": READ | {"create", "patch", "delete"},
    "/pods": READ,
    "/events": {"list", "create", "patch"},
}


def rights(role: dict[str, Any]) -> dict[str, set[str]]:
    """Return the verbs of each resource that a role names."""
    found: dict[str, set[str]] = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault(f"{group}/{resource}", set()).update(rule["verbs"])
    return found


def test_cluster_wide_the_operator_has_what_it_needs_and_no_more(render: Render) -> None:
    rendered = render()

    assert rights(rendered.one("ClusterRole", "gitmart-operator")) == NEEDED
    binding = rendered.one("ClusterRoleBinding", "gitmart-operator")
    assert binding["roleRef"]["name"] == "gitmart-operator"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "gitmart-operator", "namespace": "gitmart"}]
    assert rendered.pods["Deployment"]["serviceAccountName"] == "gitmart-operator"


@pytest.mark.parametrize("namespace", ["team-a", "team-b"])
def test_namespaced_it_has_the_same_in_each_namespace(render: Render, namespace: str) -> None:
    rendered = render(BOUND)

    assert rights(rendered.one("Role", "gitmart-operator", namespace)) == NEEDED
    binding = rendered.one("RoleBinding", "gitmart-operator", namespace)
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "gitmart-operator"}
    assert binding["subjects"][0]["namespace"] == "gitmart"


def test_namespaced_it_has_nothing_in_the_cluster(render: Render) -> None:
    rendered = render(BOUND)

    assert {each["kind"] for each in rendered.all} & {"ClusterRole", "ClusterRoleBinding"} == set()
    assert {each["metadata"]["namespace"] for each in rendered.of_kind("Role")} == {"team-a", "team-b"}


@pytest.mark.parametrize("values", [{}, BOUND], ids=["cluster-wide", "namespaced"])
def test_no_role_names_secrets_or_a_wildcard(render: Render, values: dict[str, Any]) -> None:
    roles = [each for kind in ("Role", "ClusterRole") for each in render(values).of_kind(kind)]

    assert roles
    for role in roles:
        found = rights(role)
        assert not [name for name in found if "*" in name or "secrets" in name]
        assert not [verbs for verbs in found.values() if "*" in verbs]


@pytest.mark.parametrize(
    ("name", "verbs", "to"),
    [
        ("view", READ, {"view", "edit", "admin"}),
        ("edit", {"create", "update", "patch", "delete", "deletecollection"}, {"edit", "admin"}),
    ],
)
def test_people_get_the_resources_with_the_cluster_s_roles(
    render: Render, name: str, verbs: set[str], to: set[str]
) -> None:
    role = render().one("ClusterRole", f"gitmart-{name}")

    assert rights(role) == {"gitmart.dev/repositories": verbs, "gitmart.dev/dbtschedules": verbs}
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    assert {key.removeprefix(prefix) for key in role["metadata"]["labels"] if key.startswith(prefix)} == to


def test_people_s_roles_may_be_left_out(render: Render) -> None:
    assert [each["metadata"]["name"] for each in render({"rbac": {"aggregate": False}}).of_kind("ClusterRole")] == [
        "gitmart-operator"
    ]
