"""The API's part of the chart: what its process is told, who may read, and how it is reached."""

from __future__ import annotations

import shutil
import subprocess
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.chart.test_values import PEER, at, environment, values

from gitmart.api.middleware.tokens import parse_tokens
from gitmart.api.settings import NO_PORT, TABLE, Settings

Render = Callable[..., Any]
Template = Callable[..., subprocess.CompletedProcess[str]]
CHART = Path(__file__).parents[2] / "charts" / "gitmart"
DEPLOYMENT, POLICY = ("Deployment", "gitmart-api"), ("NetworkPolicy", "gitmart-api")
OIDC = {"mode": "oidc", "oidcIssuer": "https://id.example.org", "oidcAudience": "gitmart"}
ALL = {
    "replicas": 3, "logLevel": "debug", "resources": {"limits": {"cpu": "2"}}, "annotations": {"a": "b"},
    "serviceAccount": {"annotations": {"c": "d"}}, "podAnnotations": {"e": "f"}, "podLabels": {"g": "h"},
    "priorityClassName": "api", "nodeSelector": {"pool": "api"}, "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}}, "topologySpreadConstraints": [{"maxSkew": 1}],
    "settings": {"GITMART_API_CORS_ORIGINS": "https://a.example.org"}, "triggers": {"by": ["ci", "oidc:someone", "oidc-group:Platform Team"]},
    "webhooks": {"existingSecret": "hooks"}, "service": {"type": "NodePort", "port": 8000, "annotations": {"i": "j"}},
}  # fmt: skip
POD = "spec.template.spec"


def told(render: Render, given: Mapping[str, Any]) -> Settings:
    """Return the settings that the process reads with values of `api`."""
    variables = environment(render({"api": dict(given)}).pods["API"]["containers"][0])
    file = variables.pop("GITMART_WAREHOUSE_URL_FILE")
    assert file == "/etc/gitmart/warehouse/read-url"
    assert set(variables) <= {setting.variable for setting in TABLE}
    return Settings.of(Namespace(), variables | {"GITMART_WAREHOUSE_URL": "postgresql://gitmart_read@db/gitmart"})


def test_by_default_it_takes_static_tokens_and_one_may_ask_for_runs(render: Render) -> None:
    settings = told(render, {})

    assert (settings.host, settings.port, settings.metrics_port) == ("::", 8080, 8081)
    assert (settings.tokens_file, settings.no_authentication) == (Path("/etc/gitmart/tokens/tokens"), False)
    assert (settings.triggers_by, settings.hook_secrets, settings.watch_namespaces) == (("trigger",), None, ())
    tokens = parse_tokens(render().one("Secret", "gitmart-api")["stringData"]["tokens"])
    assert [each.name for each in tokens] == ["reader", "trigger"]


def test_all_that_is_given_reaches_it(render: Render) -> None:
    settings = told(render, ALL)
    rendered = render({"api": ALL})

    assert (settings.log_level, settings.cors_origins) == ("debug", ("https://a.example.org",))
    assert (settings.triggers_by, settings.hook_secrets) == (
        ("ci", "oidc:someone", "oidc-group:Platform Team"),
        Path("/etc/gitmart/hooks"),
    )
    deployment, service = rendered.one(*DEPLOYMENT), rendered.one("Service", "gitmart-api")
    for path, expected in {
        "spec.replicas": 3, "metadata.annotations.a": "b", f"{POD}.containers.0.resources.limits.cpu": "2",
        "spec.template.metadata.annotations.e": "f", "spec.template.metadata.labels.g": "h",
        f"{POD}.priorityClassName": "api", f"{POD}.nodeSelector": {"pool": "api"}, f"{POD}.affinity": {"nodeAffinity": {}},
        f"{POD}.tolerations": [{"operator": "Exists"}], f"{POD}.topologySpreadConstraints": [{"maxSkew": 1}],
    }.items():  # fmt: skip
        assert at(deployment, path) == expected, path
        assert at(render().one(*DEPLOYMENT), path) != expected, path
    assert (service["spec"]["type"], service["spec"]["ports"][0]["port"]) == ("NodePort", 8000)
    assert service["metadata"]["annotations"] == {"i": "j"}
    assert rendered.one("ServiceAccount", "gitmart-api")["metadata"]["annotations"] == {"c": "d"}


def test_in_some_namespaces_it_is_told_which(render: Render) -> None:
    rendered = render({"operator": {"watchNamespaces": ["team-a", "team-b"]}})

    assert environment(rendered.pods["API"]["containers"][0])["GITMART_WATCH_NAMESPACES"] == "team-a,team-b"


@pytest.mark.parametrize(
    ("authentication", "tokens", "oidc", "everybody"),
    [
        ({"mode": "tokens", "existingSecret": "mine"}, True, False, False),
        (OIDC, False, True, False),
        (OIDC | {"mode": "tokens-and-oidc"}, True, True, False),
        ({"mode": "everybody"}, False, False, True),
    ],
)
def test_who_may_read_is_chosen(
    render: Render, authentication: dict[str, str], tokens: bool, oidc: bool, everybody: bool
) -> None:
    settings = told(render, {"authentication": authentication})
    rendered = render({"api": {"authentication": authentication}})

    found = (settings.tokens_file is not None, bool(settings.oidc_issuer), settings.no_authentication)
    assert found == (tokens, oidc, everybody)
    own = [each for each in rendered.of_kind("Secret") if each["metadata"]["name"] == "gitmart-api"]
    assert bool(own) is (tokens and "existingSecret" not in authentication)
    volumes = {each["name"]: each.get("secret", {}).get("secretName") for each in rendered.pods["API"]["volumes"]}
    assert volumes.get("tokens") == (authentication.get("existingSecret", "gitmart-api") if tokens else None)


def test_browsers_sign_in_as_a_client(render: Render) -> None:
    given = OIDC | {"oidcClientId": "browsers", "oidcClientSecretName": "mine"}
    settings = told(render, {"authentication": given})

    assert settings.oidc_client_id == "browsers"
    assert settings.oidc_client_secret_file == Path("/etc/gitmart/oidc/client-secret")
    pod = render({"api": {"authentication": given}}).pods["API"]
    [volume] = [each for each in pod["volumes"] if each["name"] == "oidc"]
    items = [{"key": "client-secret", "path": "client-secret"}]
    assert volume["secret"] == {"secretName": "mine", "items": items}
    [mount] = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "oidc"]
    assert (mount["mountPath"], mount["readOnly"]) == ("/etc/gitmart/oidc", True)


def test_the_pod_has_the_url_of_the_role_that_reads_alone(render: Render) -> None:
    volumes = {each["name"]: each for each in render().pods["API"]["volumes"]}

    assert volumes["warehouse"]["secret"]["items"] == [{"key": "read-url", "path": "read-url"}]


def test_tokens_that_are_there_stay(render: Render, tmp_path: Path) -> None:
    chart = Path(shutil.copytree(CHART, tmp_path / "gitmart"))
    helper = chart / "templates" / "_tokens.tpl"
    helper.write_text(helper.read_text().replace('lookup "v1" "Secret"', 'dict "data" (dict "tokens" ("b2xkPW9uZQ==")) | list | first | default (lookup "v1" "Secret"').replace('(include "gitmart.api.secret" .) -}}\n{{- $known', '(include "gitmart.api.secret" .)) -}}\n{{- $known'))  # fmt: skip

    assert render(chart=chart).one("Secret", "gitmart-api")["stringData"]["tokens"] == "old=one"


def test_it_is_asked_whether_it_lives_and_is_ready(render: Render) -> None:
    (container,) = render().pods["API"]["containers"]

    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    settings = told(render, {})
    assert ports == {"http": settings.port, "metrics": settings.metrics_port}
    assert settings.metrics_port != NO_PORT
    probes = {probe: container[probe]["httpGet"] for probe in ("livenessProbe", "readinessProbe")}
    assert {each["port"] for each in probes.values()} == {"metrics"}


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor"])
def test_a_monitor_selects_its_port_of_figures_once(render: Render, kind: str) -> None:
    value = kind[0].lower() + kind[1:]
    rendered = render(values(f"metrics.{value}", {"enabled": True, "labels": {"release": "p"}}))
    monitor = rendered.one(kind, "gitmart-api")

    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    targets = (
        rendered.of_kind("Service") if kind == "ServiceMonitor" else [rendered.one(*DEPLOYMENT)["spec"]["template"]]
    )
    (selected,) = [each for each in targets if wanted <= each["metadata"]["labels"].items()]
    ports = selected["spec"]["ports"] if kind == "ServiceMonitor" else selected["spec"]["containers"][0]["ports"]
    (endpoint,) = monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in ports}


def test_ways_in_lead_to_the_service(render: Render) -> None:
    rendered = render({"api": {
        "ingress": {"enabled": True, "host": "g.example.org", "className": "nginx", "tlsSecret": "tls", "annotations": {"a": "b"}},
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "gw"}], "hostnames": ["g.example.org"]},
        "service": {"port": 8000},
        "autoscaling": {"enabled": True, "maxReplicas": 9},
    }})  # fmt: skip

    ingress, route = rendered.one("Ingress", "gitmart-api"), rendered.one("HTTPRoute", "gitmart-api")
    assert ingress["spec"]["tls"] == [{"secretName": "tls", "hosts": ["g.example.org"]}]
    assert (ingress["spec"]["ingressClassName"], ingress["metadata"]["annotations"]) == ("nginx", {"a": "b"})
    (rule,) = ingress["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "gitmart-api", "port": {"name": "http"}}
    assert route["spec"]["rules"][0]["backendRefs"] == [{"name": "gitmart-api", "port": 8000}]
    assert (route["spec"]["parentRefs"], route["spec"]["hostnames"]) == ([{"name": "gw"}], ["g.example.org"])
    scaler = rendered.one("HorizontalPodAutoscaler", "gitmart-api")["spec"]
    assert (scaler["scaleTargetRef"]["name"], scaler["maxReplicas"]) == ("gitmart-api", 9)
    assert "replicas" not in rendered.one(*DEPLOYMENT)["spec"]


def test_it_reaches_no_more_than_it_needs(render: Render) -> None:
    whole = render({"networkPolicy": {"apiFrom": [PEER]}}).one(*POLICY)["spec"]
    least = render({"api": {"triggers": {"enabled": False}}}).one(*POLICY)["spec"]

    assert whole["ingress"][0]["from"] == [PEER]
    assert [rule.get("ports", [{}])[0].get("port") for rule in whole["egress"]] == [53, 5432, None]
    assert [rule["ports"][0]["port"] for rule in least["egress"]] == [53, 5432]


def test_it_may_be_left_out(render: Render) -> None:
    names = [each["metadata"]["name"] for each in render({"api": {"enabled": False}}).all]

    assert not [name for name in names if "-api" in name]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"authentication": {"mode": "oidc"}},
            "give api.authentication.oidcIssuer and api.authentication.oidcAudience",
        ),
        ({"authentication": OIDC | {"mode": "tokens"}}, "choose oidc or tokens-and-oidc"),
        ({"authentication": OIDC | {"existingSecret": "a"}}, "choose tokens or tokens-and-oidc"),
        ({"authentication": {"mode": "nobody"}}, "mode"),
        ({"authentication": OIDC | {"oidcClientId": "a"}}, "need each other"),
        ({"authentication": OIDC | {"oidcClientSecretName": "a"}}, "need each other"),
        ({"authentication": {"oidcClientId": "a", "oidcClientSecretName": "b"}}, "takes no OpenID Connect"),
        ({"triggers": {"enabled": False}, "webhooks": {"existingSecret": "a"}}, "a webhook asks for runs"),
        ({"triggers": {"by": ["a b"]}}, "triggers"),
        ({"triggers": {"by": ["oidc-group:a,b"]}}, "triggers"),
        ({"ingress": {"enabled": True}}, "api.ingress.host is empty"),
        ({"httpRoute": {"enabled": True}}, "name the Gateway"),
        ({"autoscaling": {"minReplicas": 5}}, "minReplicas is greater"),
        ({"settings": {"PATH": "/"}}, "GITMART_API_"),
    ],
)
def test_a_contradiction_is_refused_with_a_sentence(template: Template, given: dict[str, Any], message: str) -> None:
    done = template({"api": given})

    assert done.returncode != 0
    assert message in done.stderr


def test_helm_test_asks_it_whether_it_is_ready(render: Render) -> None:
    rendered = render()
    url = environment(rendered.pods["Pod"]["containers"][0])["API_READY_URL"]

    service = rendered.one("Service", "gitmart-metrics")
    assert url == f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}/readyz"
    without = render({"api": {"enabled": False}}).pods["Pod"]["containers"][0]
    assert "API_READY_URL" not in environment(without)
