"""Everything the chart renders is what Kubernetes accepts: helm's own linter, and Kubernetes' schemas, strictly."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import OTHER_KINDS

CHART = Path(__file__).parents[2] / "charts" / "gitmart"
VALUES = [pytest.param((), id="default"), *(pytest.param((f,), id=f.stem) for f in sorted((CHART / "ci").iterdir()))]


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
    render: Callable[..., Any], judge: Callable[[str], dict[str, Any]], files: tuple[Path, ...]
) -> None:
    verdict = judge(render({}, *files).text)

    assert verdict["resources"] == []
    assert verdict["summary"]["valid"] > 10
    assert verdict["summary"]["skipped"] == 0


def test_kinds_of_others_are_among_them(render: Callable[..., Any]) -> None:
    rendered = [render({}, *param.values[0]) for param in VALUES]

    for kinds in OTHER_KINDS.values():
        for kind in kinds:
            assert any(each.of_kind(kind) for each in rendered), kind


def test_an_unknown_field_is_noticed(render: Callable[..., Any], judge: Callable[[str], dict[str, Any]]) -> None:
    wrong = render().text.replace("automountServiceAccountToken: true", "automountServiceAccountTokens: true")

    verdict = judge(wrong)

    assert [found["kind"] for found in verdict["resources"]] == ["Deployment"] * 2
    assert "automountServiceAccountTokens" in verdict["resources"][0]["msg"]


def test_an_unknown_field_of_a_kind_of_others_is_noticed(
    render: Callable[..., Any], judge: Callable[[str], dict[str, Any]]
) -> None:
    route = {"api": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "web", "nome": "web"}]}}}

    verdict = judge(render(route).text)

    assert [found["kind"] for found in verdict["resources"]] == ["HTTPRoute"]
    assert "nome" in verdict["resources"][0]["msg"]
