"""What each value does: a row per value that matters, and a sentence for each contradiction."""

from __future__ import annotations

import subprocess
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import pytest

from gitmart.handlers.settings import TABLE, Settings

Render = Callable[..., Any]
Template = Callable[..., subprocess.CompletedProcess[str]]

OPERATOR = ("Deployment", "gitmart-operator")
SERVER = ("StatefulSet", "gitmart-postgresql")
MIGRATION = ("Job", "gitmart-migrate-")
TEST = ("Pod", "gitmart-test")
POD = "spec.template.spec"
PEER = {"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}
DIGEST = "sha256:" + "0" * 64


def values(path: str, value: object) -> dict[str, Any]:
    """Return the values in which the one at a dotted path is set."""
    return reduce(lambda inner, name: {name: inner}, reversed(path.split(".")), value)  # type: ignore[arg-type, return-value]


def at(found: Any, path: str) -> Any:
    """Return what stands at a dotted path of an object: field names, and places in lists. None if there is nothing."""
    for step in path.split("."):
        if isinstance(found, list):
            found = found[int(step)]
        elif isinstance(found, Mapping):
            found = found.get(step)
        else:
            return None
    return found


def environment(container: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of a container, without what comes from Secrets."""
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}


PLACES: list[tuple[str, Any, tuple[str, str], str]] = [
    ("operator.resources.limits.cpu", "2", OPERATOR, f"{POD}.containers.0.resources.limits.cpu"),
    ("operator.priorityClassName", "operator", OPERATOR, f"{POD}.priorityClassName"),
    ("operator.nodeSelector", {"pool": "operator"}, OPERATOR, f"{POD}.nodeSelector"),
    ("operator.tolerations", [{"key": "operator", "operator": "Exists"}], OPERATOR, f"{POD}.tolerations"),
    ("operator.affinity", {"nodeAffinity": {}}, OPERATOR, f"{POD}.affinity"),
    ("operator.topologySpreadConstraints", [{"maxSkew": 1}], OPERATOR, f"{POD}.topologySpreadConstraints"),
    ("operator.annotations", {"a": "b"}, OPERATOR, "metadata.annotations"),
    ("operator.podAnnotations.a", "b", OPERATOR, "spec.template.metadata.annotations.a"),
    ("operator.podLabels.a", "b", OPERATOR, "spec.template.metadata.labels.a"),
    ("operator.serviceAccount.annotations", {"a": "b"}, ("ServiceAccount", "gitmart-operator"), "metadata.annotations"),
    ("podSecurityContext.runAsUser", 5, OPERATOR, f"{POD}.securityContext.runAsUser"),
    ("podSecurityContext.runAsUser", 5, MIGRATION, f"{POD}.securityContext.runAsUser"),
    ("podSecurityContext.runAsUser", 5, TEST, "spec.securityContext.runAsUser"),
    ("image.pullPolicy", "Always", OPERATOR, f"{POD}.containers.0.imagePullPolicy"),
    ("image.pullPolicy", "Always", MIGRATION, f"{POD}.containers.0.imagePullPolicy"),
    ("image.pullPolicy", "Always", TEST, "spec.containers.0.imagePullPolicy"),
    ("imagePullSecrets", [{"name": "a"}], OPERATOR, f"{POD}.imagePullSecrets"),
    ("imagePullSecrets", [{"name": "a"}], MIGRATION, f"{POD}.imagePullSecrets"),
    ("imagePullSecrets", [{"name": "a"}], SERVER, f"{POD}.imagePullSecrets"),
    ("imagePullSecrets", [{"name": "a"}], TEST, "spec.imagePullSecrets"),
    ("commonLabels.team", "a", OPERATOR, "metadata.labels.team"),
    ("commonLabels.team", "a", OPERATOR, "spec.template.metadata.labels.team"),
    ("commonLabels.team", "a", ("CustomResourceDefinition", "repositories"), "metadata.labels.team"),
    ("migrate.backoffLimit", 3, MIGRATION, "spec.backoffLimit"),
    ("migrate.activeDeadlineSeconds", 90, MIGRATION, "spec.activeDeadlineSeconds"),
    ("migrate.podAnnotations.again", "1", MIGRATION, "spec.template.metadata.annotations.again"),
    ("migrate.resources.limits.cpu", "2", MIGRATION, f"{POD}.containers.0.resources.limits.cpu"),
    ("migrate.nodeSelector", {"pool": "migration"}, MIGRATION, f"{POD}.nodeSelector"),
    ("migrate.tolerations", [{"key": "migration", "operator": "Exists"}], MIGRATION, f"{POD}.tolerations"),
    ("migrate.nodeSelector", {"pool": "migration"}, TEST, "spec.nodeSelector"),
    ("postgresql.image.pullPolicy", "Never", SERVER, f"{POD}.containers.0.imagePullPolicy"),
    ("postgresql.persistence.size", "1Ti", SERVER, "spec.volumeClaimTemplates.0.spec.resources.requests.storage"),
    ("postgresql.persistence.storageClass", "x", SERVER, "spec.volumeClaimTemplates.0.spec.storageClassName"),
    ("postgresql.persistence.annotations", {"a": "d"}, SERVER, "spec.volumeClaimTemplates.0.metadata.annotations"),
    ("postgresql.persistence.selector", {"a": "c"}, SERVER, "spec.volumeClaimTemplates.0.spec.selector.matchLabels"),
    ("postgresql.podSecurityContext.fsGroup", 70, SERVER, f"{POD}.securityContext.fsGroup"),
    ("postgresql.resources.limits.memory", "4Gi", SERVER, f"{POD}.containers.0.resources.limits.memory"),
    ("postgresql.sharedMemory", "1Gi", SERVER, f"{POD}.volumes.3.emptyDir.sizeLimit"),
    ("postgresql.podAnnotations", {"a": "c"}, SERVER, "spec.template.metadata.annotations"),
    ("postgresql.podLabels.a", "c", SERVER, "spec.template.metadata.labels.a"),
    ("postgresql.priorityClassName", "server", SERVER, f"{POD}.priorityClassName"),
    ("postgresql.nodeSelector", {"pool": "server"}, SERVER, f"{POD}.nodeSelector"),
    ("postgresql.tolerations", [{"key": "server", "operator": "Exists"}], SERVER, f"{POD}.tolerations"),
    ("postgresql.affinity", {"podAffinity": {}}, SERVER, f"{POD}.affinity"),
    ("networkPolicy.metricsFrom", [PEER], ("NetworkPolicy", "gitmart-operator"), "spec.ingress.0.from"),
    ("networkPolicy.operatorEgress", [{"to": [PEER]}], ("NetworkPolicy", "gitmart-operator"), "spec.egress"),
]  # fmt: skip
TOLD: list[tuple[str, Any, str, str]] = [
    ("image.pullPolicy", "Always", "GITMART_IMAGE_PULL_POLICY", "Always"),
    ("image.tag", "1.2", "GITMART_IMAGE", "localhost/gitmart:1.2"),
    ("imagePullSecrets", [{"name": "a"}, {"name": "b"}], "GITMART_IMAGE_PULL_SECRETS", "a,b"),
    ("operator.watchNamespaces", ["a", "b"], "GITMART_WATCH_NAMESPACES", "a,b"),
    ("operator.maxExtractions", 100000, "GITMART_MAX_EXTRACTIONS", "100000"),
    ("operator.maxExtractionsPerHost", 7, "GITMART_MAX_EXTRACTIONS_PER_HOST", "7"),
    ("operator.checks", False, "GITMART_CHECKS", "false"),
    ("operator.checkTimeout", "1m30s", "GITMART_CHECK_TIMEOUT", "1m30s"),
    ("operator.maxChecks", 7, "GITMART_MAX_CHECKS", "7"),
    ("operator.concurrency", 7, "GITMART_CONCURRENCY", "7"),
    ("operator.resync", "1h", "GITMART_RESYNC", "1h"),
    ("operator.logLevel", "debug", "GITMART_LOG_LEVEL", "debug"),
    ("git.allowedNetworks", ["10.0.0.0/8", "fd00::/8"], "GITMART_ALLOWED_NETWORKS", "10.0.0.0/8,fd00::/8"),
    ("git.proxy", "http://proxy.example.org:3128", "GITMART_GIT_PROXY", "http://proxy.example.org:3128"),
]


def all_of(rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """Return the values of all rows of a table at once: one rendering shows them all."""
    together: dict[str, Any] = {}
    for path, given, *_ in rows:
        *groups, name = path.split(".")
        reduce(lambda group, step: group.setdefault(step, {}), groups, together)[name] = given
    return together


@pytest.mark.parametrize(("value", "given", "thing", "path"), PLACES)
def test_a_value_stands_where_it_belongs(
    render: Render, value: str, given: object, thing: tuple[str, str], path: str
) -> None:
    assert at(render().one(*thing), path) != given  # else the row shows nothing
    assert at(render(all_of(PLACES)).one(*thing), path) == given


@pytest.mark.parametrize(("value", "given", "variable", "expected"), TOLD)
def test_the_operator_is_told(render: Render, value: str, given: object, variable: str, expected: str) -> None:
    assert environment(render().pods["Deployment"]["containers"][0])[variable] != expected
    assert environment(render(all_of(TOLD)).pods["Deployment"]["containers"][0])[variable] == expected


@pytest.mark.parametrize("rows", [[], TOLD], ids=["default", "all"])
def test_the_operator_understands_what_it_is_told(render: Render, rows: Sequence[tuple[Any, ...]]) -> None:
    told = environment(render(all_of(rows)).pods["Deployment"]["containers"][0])

    assert set(told) == {setting.variable for setting in TABLE}
    assert Settings.of(Namespace(), told).image == told["GITMART_IMAGE"]


def test_defaults_are_the_operator_s_own(render: Render) -> None:
    told = environment(render().pods["Deployment"]["containers"][0])

    assert told | {"GITMART_IMAGE": ""} == {setting.variable: setting.default for setting in TABLE}


def test_hosts_without_a_proxy_are_told(render: Render) -> None:
    rendered = render({"git": {"proxy": "http://proxy.example.org", "noProxy": "git.example.org,10.0.0.0/8"}})

    told = environment(rendered.pods["Deployment"]["containers"][0])
    assert told["GITMART_GIT_NO_PROXY"] == "git.example.org,10.0.0.0/8"


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param({}, "localhost/gitmart:0.1.0", id="the chart's appVersion"),
        pytest.param({"repository": "r.example.org/g", "tag": "1"}, "r.example.org/g:1", id="tag"),
        pytest.param({"tag": "1", "digest": DIGEST}, f"localhost/gitmart@{DIGEST}", id="digest goes before tag"),
    ],
)
def test_every_process_runs_the_same_image(render: Render, image: dict[str, str], expected: str) -> None:
    pods = render({"image": image}).pods

    assert {pods[kind]["containers"][0]["image"] for kind in ("Deployment", "API", "Job", "Pod")} == {expected}
    assert environment(pods["Deployment"]["containers"][0])["GITMART_IMAGE"] == expected


@pytest.mark.parametrize(
    ("image", "expected"),
    [({"tag": "17"}, "docker.io/library/postgres:17"), ({"digest": DIGEST}, f"docker.io/library/postgres@{DIGEST}")],
)
def test_the_server_runs_the_image_named(render: Render, image: dict[str, str], expected: str) -> None:
    assert render({"postgresql": {"image": image}}).pods["StatefulSet"]["containers"][0]["image"] == expected


def test_server_settings_are_arguments(render: Render) -> None:
    rendered = render({"postgresql": {"settings": {"work_mem": "64MB", "max_connections": 1000000, "jit": None}}})

    arguments = rendered.pods["StatefulSet"]["containers"][0]["args"]
    assert arguments[0] == "postgres"
    assert set(arguments[1::2]) == {"-c"}
    assert {"work_mem=64MB", "max_connections=1000000", "shared_buffers=384MB"} <= set(arguments[2::2])
    assert not [word for word in arguments if word.startswith("jit")]


def test_a_dash_is_a_volume_without_a_class(render: Render) -> None:
    rendered = render(values("postgresql.persistence.storageClass", "-"))

    assert rendered.one(*SERVER)["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] == ""


def test_a_ca_bundle_is_a_file_of_the_operator(render: Render) -> None:
    bundle = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
    rendered = render(values("git.caBundle", f"\n{bundle}\n\n"))

    assert rendered.one("ConfigMap", "gitmart-git-ca")["data"] == {"ca.crt": f"{bundle}\n"}
    pod = rendered.pods["Deployment"]
    file = environment(pod["containers"][0])["GITMART_GIT_CA_FILE"]
    mount = next(each for each in pod["containers"][0]["volumeMounts"] if file.startswith(each["mountPath"] + "/"))
    volume = next(each for each in pod["volumes"] if each["name"] == mount["name"])
    assert volume["configMap"]["name"] == "gitmart-git-ca"


def test_another_ca_bundle_starts_the_operator_anew(render: Render) -> None:
    first, second = (
        render(values("git.caBundle", f"-----BEGIN CERTIFICATE-----\n{word}")).one(*OPERATOR)["spec"]["template"]
        for word in ("a", "b")
    )

    assert first["metadata"]["annotations"] != second["metadata"]["annotations"]


@pytest.mark.parametrize("keep", [True, False])
def test_the_definitions_are_those_of_crds(render: Render, keep: bool) -> None:
    definitions = render(values("crds.keep", keep)).of_kind("CustomResourceDefinition")

    assert {each["metadata"]["name"] for each in definitions} == {
        "repositories.gitmart.dev",
        "dbtschedules.gitmart.dev",
    }
    annotations = {"helm.sh/resource-policy": "keep"} if keep else {}
    assert all(each["metadata"].get("annotations", {}) == annotations for each in definitions)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("crds.enabled", "CustomResourceDefinition"),
        ("networkPolicy.enabled", "NetworkPolicy"),
    ],
)
def test_what_is_switched_off_is_not_there(render: Render, value: str, kind: str) -> None:
    assert render().of_kind(kind)
    assert not render(values(value, False)).of_kind(kind)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("metrics.serviceMonitor", "ServiceMonitor"),
        ("metrics.podMonitor", "PodMonitor"),
    ],
)
def test_a_monitor_selects_the_operator(render: Render, value: str, kind: str) -> None:
    assert not render().of_kind(kind)
    rendered = render(values(value, {"enabled": True, "interval": "15s", "labels": {"release": "p"}}))
    monitor = rendered.one(kind, "gitmart-operator")

    (endpoint,) = monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["path"], endpoint["interval"]) == ("/metrics", "15s")
    assert monitor["metadata"]["labels"]["release"] == "p"
    operator, service = rendered.one(*OPERATOR), rendered.one("Service", "gitmart-operator")
    selected = service if kind == "ServiceMonitor" else operator["spec"]["template"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= selected["metadata"]["labels"].items()
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    ports = service["spec"]["ports"] if kind == "ServiceMonitor" else container["ports"]
    assert endpoint["port"] in {port["name"] for port in ports}


@pytest.mark.parametrize("name", ["gitmart-operator", "gitmart-postgresql"])
def test_a_service_finds_its_pods(render: Render, name: str) -> None:
    rendered = render()
    service = rendered.one("Service", name)
    (owner,) = (each for each in rendered.all if each["kind"] in ("Deployment", "StatefulSet")
                and each["metadata"]["name"] == name)  # fmt: skip

    labels = owner["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert owner["spec"]["selector"]["matchLabels"].items() <= labels.items()
    names = {port["name"] for port in owner["spec"]["template"]["spec"]["containers"][0]["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= names


@pytest.mark.parametrize(
    ("release", "override", "prefix"),
    [
        ("gitmart", "", "gitmart-"),
        ("my-gitmart", "", "my-gitmart-"),
        ("prod", "", "prod-gitmart-"),
        ("prod", "analytics", "analytics-"),
        ("r" * 53, "", "r" * 32 + "-gitmart-"),
    ],
)
def test_names_start_with_the_release(render: Render, release: str, override: str, prefix: str) -> None:
    rendered = render({"fullnameOverride": override}, release=release)

    names = {each["metadata"]["name"] for each in rendered.all if each["kind"] != "CustomResourceDefinition"}
    assert {name for name in names if not name.startswith(prefix)} <= {"gitmart-warehouse"}
    assert max(map(len, names)) <= 63


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"postgresql": {"enabled": False}}, "there is no warehouse: set warehouse.existingSecret"),
        (
            {"postgresql": {"enabled": False, "existingSecret": "a"}, "warehouse": {"existingSecret": "b"}},
            "postgresql.existingSecret holds passwords of the bundled PostgreSQL, but postgresql.enabled is false",
        ),
        ({"warehouse": {"existingSecret": "a"}}, "warehouse.existingSecret is given but not postgresql.existingSecret"),
        (
            {"postgresql": {"existingSecret": "a"}},
            "postgresql.existingSecret is given but not warehouse.existingSecret",
        ),
        (
            {"warehouse": {"existingSecret": "a", "namespaces": ["b"]}, "postgresql": {"existingSecret": "c"}},
            "warehouse.existingSecret and warehouse.namespaces exclude each other",
        ),
        (
            {"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}},
            "metrics.serviceMonitor and metrics.podMonitor exclude each other",
        ),
        ({"git": {"noProxy": "a"}}, "git.noProxy is given but git.proxy is not"),
        ({"postgresql": {"image": {"tag": ""}}}, "postgresql.image.tag is empty: name a version"),
    ],
)
def test_a_contradiction_is_refused_with_a_sentence(template: Template, given: dict[str, Any], message: str) -> None:
    done = template(given)

    assert done.returncode != 0
    assert message in done.stderr


@pytest.mark.parametrize(
    ("value", "given"),
    [
        ("imagePullPolicy", "Always"),
        ("operator.replicas", 2),
        ("operator.maxExtractions", -1),
        ("operator.concurrency", 101),
        ("operator.resync", "10"),
        ("operator.watchNamespaces", ["Team A"]),
        ("operator.logLevel", "loud"),
        ("image.repository", ""),
        ("image.digest", "sha256:1"),
        ("imagePullSecrets", ["ocir"]),
        ("podSecurityContext.runAsNonRoot", False),
        ("git.caBundle", "/etc/ssl/ca.pem"),
        ("git.caBundle", "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----"),
        ("git.allowedNetworks", ["10.0.0.1"]),
        ("git.proxy", "http://user:password@proxy.example.org"),
        ("postgresql.persistence.size", "50 GB"),
        ("postgresql.resources", {"limit": {}}),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(template: Template, value: str, given: object) -> None:
    done = template(values(value, given))

    assert done.returncode != 0
    assert "don't meet the specifications of the schema" in done.stderr
    assert value.split(".")[-1] in done.stderr


def test_a_chart_that_depends_on_this_one_may_have_globals(template: Template) -> None:
    assert template({"global": {"anything": 1}}).returncode == 0
