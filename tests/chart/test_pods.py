"""Every pod the chart makes meets the Pod Security Standard `restricted`, and the project's own rules for pods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

Render = Callable[..., Any]
KINDS = ["Deployment", "API", "StatefulSet", "Job", "Pod"]


def violations(pod: dict[str, Any]) -> Iterator[str]:
    """Yield what in a pod's spec the standard `restricted` of Kubernetes 1.35 refuses."""
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield field
    for volume in pod.get("volumes", ()):
        allowed = {
            "configMap",
            "csi",
            "downwardAPI",
            "emptyDir",
            "ephemeral",
            "persistentVolumeClaim",
            "projected",
            "secret",
        }
        yield from (f"volume {volume['name']}: {kind}" for kind in set(volume) - {"name"} - allowed)
    whole = pod.get("securityContext", {})
    if whole.get("sysctls"):
        yield "sysctls"
    for container in (*pod["containers"], *pod.get("initContainers", ()), *pod.get("ephemeralContainers", ())):
        yield from (f"{container['name']}: {found}" for found in _container_violations(container, whole))


def _container_violations(container: dict[str, Any], pod: dict[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    both = pod | own
    if both.get("runAsNonRoot") is not True:
        yield "runAsNonRoot"
    if both.get("runAsUser") == 0:
        yield "runAsUser"
    if both.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "seccompProfile"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if own.get("privileged"):
        yield "privileged"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", ()) or set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
        yield "capabilities"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    if any("hostPort" in port for port in container.get("ports", ())):
        yield "hostPort"


@pytest.mark.parametrize("kind", KINDS)
def test_a_pod_is_restricted(render: Render, kind: str) -> None:
    assert list(violations(render().pods[kind])) == []


def test_the_pod_that_sets_a_replica_up_is_restricted(render: Render) -> None:
    values = {"replica": {"existingSecret": "theirs"}, "postgresql": {"settings": {"wal_level": "logical"}}}
    pod = render(values).pods["Job"]

    assert list(violations(pod)) == []
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_root_file_system_is_read_only(render: Render, kind: str) -> None:
    for container in render().pods[kind]["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}  # noqa: S108 # a pod's own


@pytest.mark.parametrize("kind", KINDS)
def test_a_pod_has_requests_and_limits(render: Render, kind: str) -> None:
    pod = render().pods[kind]

    for container in pod["containers"]:
        for side in ("requests", "limits"):
            assert set(container["resources"][side]) == {"cpu", "memory", "ephemeral-storage"}
    assert all("sizeLimit" in volume["emptyDir"] for volume in pod["volumes"] if "emptyDir" in volume)


@pytest.mark.parametrize("kind", KINDS)
def test_only_operator_and_api_have_a_token(render: Render, kind: str) -> None:
    rendered = render()

    assert rendered.pods[kind]["automountServiceAccountToken"] is (kind in ("Deployment", "API"))
    assert [each["automountServiceAccountToken"] for each in rendered.of_kind("ServiceAccount")] == [False, False]


def test_there_is_never_a_second_operator(render: Render) -> None:
    spec = render().one("Deployment", "gitmart-operator")["spec"]

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_operator_is_not_process_1_which_would_have_to_bury_the_dead(render: Render) -> None:
    assert render().pods["Deployment"]["shareProcessNamespace"] is True


def test_the_operator_is_asked_whether_it_lives_and_is_ready(render: Render) -> None:
    (container,) = render().pods["Deployment"]["containers"]

    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    told = {each["name"]: each["value"] for each in container["env"]}
    liveness, readiness = (container[probe]["httpGet"] for probe in ("livenessProbe", "readinessProbe"))
    assert (liveness["path"], str(ports[liveness["port"]])) == ("/healthz", told["GITMART_HEALTH_PORT"])
    assert (readiness["path"], str(ports[readiness["port"]])) == ("/readyz", told["GITMART_HTTP_PORT"])


def test_a_server_that_only_initialises_is_not_ready(render: Render) -> None:
    (container,) = render().pods["StatefulSet"]["containers"]

    for probe in ("startupProbe", "readinessProbe"):
        assert "--host=127.0.0.1" in container[probe]["exec"]["command"]  # it listens on its socket alone


def test_the_database_is_on_the_volume(render: Render) -> None:
    server = render().one("StatefulSet", "gitmart-postgresql")
    (container,) = server["spec"]["template"]["spec"]["containers"]

    (claim,) = server["spec"]["volumeClaimTemplates"]
    mount = next(each for each in container["volumeMounts"] if each["name"] == claim["metadata"]["name"])
    (folder,) = (each["value"] for each in container["env"] if each["name"] == "PGDATA")
    # Not in the folders that images declare as volumes of their own: another volume would be mounted there.
    assert mount["mountPath"] == "/var/lib/postgresql"
    assert folder.startswith("/var/lib/postgresql/")
    assert not folder.startswith("/var/lib/postgresql/data")
