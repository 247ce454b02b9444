"""The chart as helm renders it, for the oldest Kubernetes it supports."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster.environment import versions
from tests.cluster.environment.golang import tool
from tests.cluster.environment.places import ClusterError

CHART_TESTS = Path(__file__).parent
CHART = Path(__file__).parents[2] / "charts" / "gitmart"
MODULE = Path(__file__).parents[1] / "cluster" / "environment" / "go" / "kubernetes"  # says which Kubernetes
# The kinds that are not Kubernetes' own, by the module and the folder in it that has their definitions.
OTHER_KINDS = {
    (f"sigs.k8s.io/gateway-api@v{versions.GATEWAY_API}", "config/crd/standard"): {"HTTPRoute"},
    (
        f"github.com/prometheus-operator/prometheus-operator@v{versions.PROMETHEUS_OPERATOR}",
        "example/prometheus-operator-crd",
    ): {"ServiceMonitor", "PodMonitor", "PrometheusRule"},
}
REFERENCE = "#/definitions/"
OLDEST = "1.30.0"  # the oldest Kubernetes of Chart.yaml's kubeVersion


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder the time to build their programs, which the first one of a machine does."""
    for item in items:
        if CHART_TESTS in item.path.parents:
            item.add_marker(pytest.mark.timeout(1200))


class Rendered:
    """The objects of a rendering, by kind and name; two of one name differ in their namespace."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.all: list[dict[str, Any]] = [found for found in yaml.safe_load_all(text) if found]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Return the objects of a kind."""
        return [found for found in self.all if found["kind"] == kind]

    def one(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        """Return the one object of this kind whose name starts like this."""
        found = [
            each
            for each in self.of_kind(kind)
            if each["metadata"]["name"].startswith(name) and namespace in (None, each["metadata"].get("namespace"))
        ]
        assert len(found) == 1, f"{len(found)} objects {kind} {name}, of {[each['kind'] for each in self.all]}"
        return found[0]

    @property
    def pods(self) -> dict[str, dict[str, Any]]:
        """The spec of each pod that any object makes, by the object's kind; the API's, a second Deployment, as API."""
        templates = {
            "API" if found["metadata"]["name"].endswith("-api") else found["kind"]: found["spec"]["template"]["spec"]
            for kind in ("Deployment", "StatefulSet", "Job")
            for found in self.of_kind(kind)
        }
        (test,) = self.of_kind("Pod")
        return templates | {"Pod": test["spec"]}


Render = Callable[..., Rendered]


def program(name: str) -> Path:
    """Return the path of a program, built if need be, or skip the test; where a cluster is required, fail it."""
    try:
        return tool(name)
    except ClusterError as error:
        if os.environ.get("GITMART_REQUIRE_CLUSTER") == "1":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def the_program() -> Callable[[str], Path]:
    """Return a function that gives the path of a program, or skips the test without it."""
    return program


@pytest.fixture(scope="session")
def helm() -> Path:
    """The program helm."""
    return program("helm")


@pytest.fixture(scope="session")
def template(helm: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs `helm template` with values, or with files of values, as release `gitmart`."""

    def run(
        values: Mapping[str, Any] | None = None, *files: Path, chart: Path = CHART, release: str = "gitmart"
    ) -> subprocess.CompletedProcess[str]:
        words = [word for file in files for word in ("--values", str(file))]
        return subprocess.run(
            [helm, "template", release, chart, "--namespace", "gitmart", "--kube-version", OLDEST, *words, "--values", "-"],
            input=yaml.safe_dump(dict(values or {})), capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


@pytest.fixture(scope="session")
def render(template: Callable[..., subprocess.CompletedProcess[str]]) -> Render:
    """Return a function that renders the chart with values and must succeed. What is known is not rendered again."""
    known: dict[str, Rendered] = {}

    def run(*words: Any, **options: Any) -> Rendered:
        key = repr((words, options))
        if key not in known:
            done = template(*words, **options)
            assert done.returncode == 0, done.stderr
            known[key] = Rendered(done.stdout)
        return known[key]

    return run


@pytest.fixture(scope="session")
def schemas(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where kubeconform finds schemas, made from what the Go modules of the kinds hold. Go built helm too."""
    description = module("k8s.io/kubernetes") / "api" / "openapi-spec" / "swagger.json"
    definitions = {name: strict(part) for name, part in json.loads(description.read_bytes())["definitions"].items()}
    folder = tmp_path_factory.mktemp("schemas")
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            group = kind["group"].partition(".")[0]
            file = "-".join(part for part in (kind["kind"].lower(), group, kind["version"]) if part)
            needed = {each: definitions[each] for each in closure(name, definitions)}
            (folder / f"{file}.json").write_text(json.dumps({**definition, "definitions": needed}))
    for (name, part), kinds in OTHER_KINDS.items():
        for definition in (loaded(file) for file in (module(name) / part).glob("*.yaml")):
            if definition["kind"] == "CustomResourceDefinition" and definition["spec"]["names"]["kind"] in kinds:
                spec = definition["spec"]
                for version in spec["versions"]:
                    file = "-".join((spec["names"]["kind"].lower(), spec["group"].partition(".")[0], version["name"]))
                    schema = strict(version["schema"]["openAPIV3Schema"])
                    schema["properties"]["metadata"] = {"type": "object"}  # Kubernetes' own, not told there
                    (folder / f"{file}.json").write_text(json.dumps(schema))
    return f"{folder}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"


def module(name: str) -> Path:
    """Return the folder of a Go module; one without a version is of the version that the cluster's programs have."""
    words = ["go", "mod", "download", "-json", name]
    found = subprocess.run(words, cwd=MODULE, capture_output=True, text=True, check=True)
    return Path(json.loads(found.stdout)["Dir"])


def loaded(file: Path) -> Any:
    """Return what a file of YAML says, read as Kubernetes does: PyYAML takes a lone `=` for more than a text."""
    return yaml.load(file.read_text(), Loader=PlainLoader)  # noqa: S506 # it is a SafeLoader


class PlainLoader(yaml.SafeLoader):
    """A loader to which `=` is a text."""


PlainLoader.add_constructor("tag:yaml.org,2002:value", PlainLoader.construct_yaml_str)


def strict(node: Any) -> Any:
    """Return a part of the API description as a JSON schema that refuses unknown fields."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: strict(value) for key, value in node.items() if key != "description" or not isinstance(value, str)}
    if isinstance(node.get("properties"), dict):
        node.setdefault("additionalProperties", False)
    if node.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    return node


def closure(name: str, definitions: dict[str, Any]) -> set[str]:
    """Return a definition's name and those of all that it refers to."""
    seen: set[str] = set()
    left = [name]
    while left:
        if (each := left.pop()) not in seen:
            seen.add(each)
            left += references(definitions[each])
    return seen


def references(node: Any) -> list[str]:
    """Return the names of the definitions that a part of a schema refers to."""
    if isinstance(node, list):
        return [name for item in node for name in references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"].removeprefix(REFERENCE)] if isinstance(node.get("$ref"), str) else []
    return own + [name for value in node.values() for name in references(value)]


@pytest.fixture(scope="session")
def judge(schemas: str) -> Callable[[str], dict[str, Any]]:
    """Return a function that gives kubeconform's verdict on manifests: the invalid objects and a summary."""
    kubeconform = program("kubeconform")

    def run(manifests: str) -> dict[str, Any]:
        done = subprocess.run(
            [kubeconform, "-strict", "-summary", "-output=json", "-schema-location", schemas, "-"],
            input=manifests, capture_output=True, text=True, check=False,
        )  # fmt: skip
        verdict: dict[str, Any] = json.loads(done.stdout)
        return verdict

    return run
