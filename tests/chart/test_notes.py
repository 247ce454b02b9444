"""What helm prints after an installation: true for the values given, and its commands can be pasted."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gitmart.resources.manifests import load_manifests

CHART = Path(__file__).parents[2] / "charts" / "gitmart"
Notes = Callable[[Mapping[str, Any]], str]
VALUES = [
    pytest.param({}, id="default"),
    pytest.param({"operator": {"watchNamespaces": ["team-a"]}}, id="namespaced"),
    pytest.param({"postgresql": {"enabled": False}, "warehouse": {"existingSecret": "mine"}}, id="external"),
]


@pytest.fixture
def notes(render: Callable[..., Any], tmp_path: Path) -> Notes:
    """Return a function that renders the notes; helm shows them only to who installs, so they become an object here."""
    chart = tmp_path / "gitmart"
    shutil.copytree(CHART, chart)
    templates = chart / "templates"
    text = (templates / "NOTES.txt").read_text()
    (templates / "_notes.tpl").write_text('{{ define "notes" }}' + text + "{{ end }}")
    (templates / "notes.yaml").write_text(
        'kind: Notes\nmetadata: {name: notes}\ntext: {{ include "notes" . | quote }}\n'
    )

    return lambda values: str(render(values, chart=chart).one("Notes", "notes")["text"])


@pytest.mark.parametrize("values", VALUES)
def test_their_manifests_are_good(notes: Notes, values: Mapping[str, Any], tmp_path: Path) -> None:
    (manifests,) = re.findall(r"<<EOF\n(.*?)^EOF$", notes(values), re.DOTALL | re.MULTILINE)
    (tmp_path / "manifests.yaml").write_text(manifests)

    found = load_manifests([tmp_path / "manifests.yaml"], allow_file_urls=False)

    assert [type(each).__name__ for each in found] == ["Repository", "DbtSchedule"]


@pytest.mark.parametrize("values", VALUES)
def test_their_commands_are_shell(notes: Notes, values: Mapping[str, Any]) -> None:
    commands = re.findall(r"^(?:kubectl|helm) .*?(?:<<EOF\n.*?^EOF)?$", notes(values), re.DOTALL | re.MULTILINE)

    assert len(commands) >= 6
    for command in commands:
        done = subprocess.run(["bash", "-n"], input=command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), command


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "works in all namespaces."),
        ({}, "It is in gitmart; warehouse.namespaces adds others."),
        ({"operator": {"watchNamespaces": ["team-a", "team-b"]}}, "works in the namespaces team-a, team-b."),
        ({"operator": {"watchNamespaces": ["team-a", "gitmart"]}}, "It is missing in team-a.\n\n3."),
        (
            {"operator": {"watchNamespaces": ["team-a"]}, "warehouse": {"namespaces": ["team-a"]}},
            "It is in gitmart, team-a; warehouse.namespaces adds others.\n\n3.",
        ),
        (
            {"postgresql": {"enabled": False}, "warehouse": {"existingSecret": "mine"}},
            "Make it there yourself; gitmart has mine, which resources there must name in spec.warehouseRef.\n\n3.",
        ),
        (
            {"postgresql": {"enabled": False}, "warehouse": {"existingSecret": "gitmart-warehouse"}},
            "Make it there yourself; gitmart has gitmart-warehouse.\n\n3.",
        ),
    ],
)
def test_they_say_where_the_secret_is(notes: Notes, values: Mapping[str, Any], words: str) -> None:
    assert words in notes(values)


@pytest.mark.parametrize("values", VALUES)
def test_no_password_is_printed(notes: Notes, values: Mapping[str, Any]) -> None:
    assert not re.search(r"[A-Za-z0-9]{32}", notes(values))
