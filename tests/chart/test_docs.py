"""The commands of the installation guide: shell that can be pasted, values that the chart knows, valid manifests."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "docs" / "install.md", ROOT / "charts" / "gitmart" / "README.md")
OLDEST = "1.30.0"


def blocks(language: str) -> list[str]:
    """Return the code blocks of one language."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def helm_commands() -> list[list[str]]:
    """Return the words of each command that installs or upgrades."""
    lines = "".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if re.match(r"helm (install|upgrade) ", line)]


@pytest.mark.parametrize("block", blocks("sh"))
def test_a_block_is_shell(block: str) -> None:
    done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_every_way_to_install_is_shown() -> None:
    assert len(helm_commands()) >= 9
    shown = {word for words in helm_commands() for word in words if word.startswith("charts/gitmart/ci/")}
    assert shown == {f"charts/gitmart/ci/{name}-values.yaml" for name in ("kind", "oke", "external")}


@pytest.mark.parametrize("words", helm_commands(), ids=" ".join)
def test_a_command_renders(helm: Path, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "charts").symlink_to(ROOT / "charts")
    # What these do is between helm and a cluster.
    left = [
        word for word in words[2:] if word not in ("--create-namespace", "--reuse-values", "--reset-then-reuse-values")
    ]

    done = subprocess.run(
        [helm, "template", *left, "--kube-version", OLDEST], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_manifests_are_valid_and_values_known(
    render: Callable[..., Any], judge: Callable[[str], dict[str, Any]]
) -> None:
    found = [yaml.safe_load(block) for block in blocks("yaml")]

    for each in found:
        if "kind" in each:
            verdict = judge(yaml.safe_dump(each))
            assert (verdict["resources"], verdict["summary"]["valid"]) == ([], 1)
        else:
            assert render(each).all
    assert len(found) >= 2


def test_the_policy_for_workers_selects_workers_and_reaches_the_server(render: Callable[..., Any]) -> None:
    (policy,) = (found for found in map(yaml.safe_load, blocks("yaml")) if found.get("kind") == "NetworkPolicy")
    server = render().one("StatefulSet", "gitmart-postgresql")["spec"]["template"]["metadata"]["labels"]

    assert policy["spec"]["podSelector"]["matchLabels"] == {"app.kubernetes.io/managed-by": "gitmart"}
    wanted = policy["spec"]["egress"][1]["to"][0]["podSelector"]["matchLabels"]
    assert wanted.items() <= server.items()


def test_the_table_of_sizes_is_that_of_the_values(render: Callable[..., Any]) -> None:
    pods = render({}, ROOT / "charts" / "gitmart" / "ci" / "oke-values.yaml").pods
    requests = {kind: pods[kind]["containers"][0]["resources"]["requests"] for kind in pods}

    assert {kind: (asked["cpu"], asked["memory"]) for kind, asked in requests.items()} == {
        "Deployment": ("50m", "128Mi"),
        "API": ("50m", "128Mi"),
        "StatefulSet": ("500m", "1536Mi"),
        "Job": ("50m", "128Mi"),
        "Pod": ("50m", "128Mi"),
    }
