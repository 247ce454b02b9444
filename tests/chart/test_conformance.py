"""Everything the chart renders is what Kubernetes accepts: helm's own linter, and Kubernetes' schemas, strictly."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHART = Path(__file__).parents[2] / "charts" / "gitmart"
MODULE = Path(__file__).parents[1] / "cluster" / "environment" / "go" / "kubernetes"  # says which Kubernetes
OTHER_KINDS = "ServiceMonitor,PodMonitor,PrometheusRule"  # not Kubernetes' own
VALUES = [pytest.param((), id="default"), *(pytest.param((f,), id=f.stem) for f in sorted((CHART / "ci").iterdir()))]
REFERENCE = "#/definitions/"


@pytest.fixture(scope="session")
def schemas(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where kubeconform finds Kubernetes' schemas, made from the API description in Kubernetes' own Go module. Go built helm too."""
    found = subprocess.run(
        ["go", "mod", "download", "-json", "k8s.io/kubernetes"],
        cwd=MODULE, capture_output=True, text=True, check=True,
    )  # fmt: skip
    description = Path(json.loads(found.stdout)["Dir"]) / "api" / "openapi-spec" / "swagger.json"
    definitions = {name: strict(part) for name, part in json.loads(description.read_bytes())["definitions"].items()}
    folder = tmp_path_factory.mktemp("schemas")
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            group = kind["group"].partition(".")[0]
            file = "-".join(part for part in (kind["kind"].lower(), group, kind["version"]) if part)
            needed = {each: definitions[each] for each in closure(name, definitions)}
            (folder / f"{file}.json").write_text(json.dumps({**definition, "definitions": needed}))
    return f"{folder}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"


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


@pytest.mark.parametrize("files", VALUES)
def test_helm_finds_nothing_to_complain_of(helm: Path, files: tuple[Path, ...]) -> None:
    words = [word for file in files for word in ("--values", str(file))]

    done = subprocess.run(
        [helm, "lint", "--strict", "--quiet", "--kube-version", "1.30.0", CHART, *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("files", VALUES)
def test_every_object_is_valid(
    render: Callable[..., Any], the_program: Callable[[str], Path], schemas: str, files: tuple[Path, ...]
) -> None:
    verdict = judge(the_program("kubeconform"), schemas, render({}, *files).text)

    assert verdict["resources"] == []
    assert verdict["summary"]["valid"] > 10


def test_an_unknown_field_is_noticed(
    render: Callable[..., Any], the_program: Callable[[str], Path], schemas: str
) -> None:
    wrong = render().text.replace("automountServiceAccountToken: true", "automountServiceAccountTokens: true")

    verdict = judge(the_program("kubeconform"), schemas, wrong)

    assert [found["kind"] for found in verdict["resources"]] == ["Deployment"]
    assert "automountServiceAccountTokens" in verdict["resources"][0]["msg"]


def judge(kubeconform: Path, schemas: str, manifests: str) -> dict[str, Any]:
    """Return kubeconform's verdict: the invalid objects and a summary."""
    done = subprocess.run(
        [kubeconform, "-strict", "-summary", "-output=json", "-schema-location", schemas, "-skip", OTHER_KINDS, "-"],
        input=manifests, capture_output=True, text=True, check=False,
    )  # fmt: skip
    verdict: dict[str, Any] = json.loads(done.stdout)
    return verdict
