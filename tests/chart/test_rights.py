"""What the chart lets the operator and people do: no Secrets, no wildcards, and nothing outside the namespaces given."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from gitmart.contract.kinds import REQUESTED_AT

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
    roles = [(each["metadata"]["name"], each["metadata"]["namespace"]) for each in rendered.of_kind("Role")]
    assert sorted(roles) == sorted(product(("gitmart-api", "gitmart-operator"), ("team-a", "team-b")))


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


API_NEEDS = {"gitmart.dev/repositories": {"list", "patch"}, "gitmart.dev/dbtschedules": {"patch"}}
OFF = {"api": {"triggers": {"enabled": False}}}


@pytest.mark.parametrize(("values", "namespace"), [({}, None), (BOUND, "team-a"), (BOUND, "team-b")])
def test_the_api_may_ask_for_runs_and_no_more(render: Render, values: dict[str, Any], namespace: str | None) -> None:
    rendered = render(values)

    assert rights(rendered.one("Role" if namespace else "ClusterRole", "gitmart-api", namespace)) == API_NEEDS
    binding = rendered.one("RoleBinding" if namespace else "ClusterRoleBinding", "gitmart-api", namespace)
    assert binding["roleRef"]["name"] == "gitmart-api"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "gitmart-api", "namespace": "gitmart"}]
    assert rendered.pods["API"]["serviceAccountName"] == "gitmart-api"


@pytest.mark.parametrize("values", [{}, BOUND], ids=["cluster-wide", "namespaced"])
def test_its_patches_are_held_to_an_annotation(render: Render, values: dict[str, Any]) -> None:
    rendered = render(values)

    policy = rendered.one("ValidatingAdmissionPolicy", "gitmart-api")
    (condition,) = policy["spec"]["matchConditions"]
    assert condition["expression"] == "request.userInfo.username == 'system:serviceaccount:gitmart:gitmart-api'"
    assert REQUESTED_AT in str(policy["spec"]["validations"])
    binding = rendered.one("ValidatingAdmissionPolicyBinding", "gitmart-api")["spec"]
    assert binding == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}


@pytest.mark.parametrize("values", [OFF, OFF | BOUND], ids=["cluster-wide", "namespaced"])
def test_without_triggers_the_api_has_no_rights_and_no_token(render: Render, values: dict[str, Any]) -> None:
    rendered = render(values)

    kinds = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    kinds += ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    assert not [each for kind in kinds for each in rendered.of_kind(kind) if "-api" in each["metadata"]["name"]]
    assert rendered.pods["API"]["automountServiceAccountToken"] is False


def test_people_s_roles_may_be_left_out(render: Render) -> None:
    assert [each["metadata"]["name"] for each in render({"rbac": {"aggregate": False}}).of_kind("ClusterRole")] == [
        "gitmart-api",
        "gitmart-operator",
    ]
