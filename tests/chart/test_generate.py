"""The files of the chart that are made from others, and how staleness is noticed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A copy of the chart to spoil."""
    return Path(shutil.copytree(ROOT / "charts" / "gitmart", tmp_path / "gitmart"))


def generate(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "charts" / "generate.py", *map(str, words)], capture_output=True, text=True, check=False
    )


def test_what_is_committed_is_fresh() -> None:
    done = generate("--check", ROOT / "charts" / "gitmart")

    assert (done.returncode, done.stderr) == (0, "")


def edit(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_changed_comment_makes_schema_and_table_stale(chart: Path) -> None:
    edit(chart / "values.yaml", "The least severe lines that are logged.", "Which lines are logged.")

    done = generate("--check", chart)

    assert done.returncode == 1
    assert re.findall(r"(\S+) is missing, stale or left over: run `make generate`", done.stderr) == [
        str(chart / "values.schema.json"), str(chart / "README.md"),
    ]  # fmt: skip
    assert generate(chart).returncode == 0
    assert '| `operator.logLevel` | `"info"` | Which lines are logged. |' in (chart / "README.md").read_text()
    assert generate("--check", chart).returncode == 0


def test_a_definition_of_old_is_taken_away(chart: Path) -> None:
    (chart / "files" / "crds" / "gitmart.dev_projects.yaml").write_text("kind: CustomResourceDefinition\n")

    assert generate("--check", chart).returncode == 1
    assert generate(chart).returncode == 0
    assert generate("--check", chart).returncode == 0


def test_a_value_without_a_description_is_refused(chart: Path) -> None:
    (chart / "values.yaml").write_text("# Described.\na: 1\nb:\n  c: 2\n")

    done = generate("--check", chart)

    assert done.returncode != 0
    assert "values.yaml, line 4: c has no comment: describe it" in done.stderr


def test_the_schema_says_what_the_comments_say(chart: Path) -> None:
    (chart / "values.yaml").write_text(
        "a:\n  # How many,\n  # at a time.\n  # @schema {minimum: 1}\n  b: 4\n"
        '# Limits.\n# @schema {$ref: "#/definitions/resources"}\nc: {}\n'
    )
    assert generate(chart).returncode == 0

    schema = json.loads((chart / "values.schema.json").read_text())["properties"]
    assert schema["a"] == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "b": {"description": "How many, at a time.", "default": 4, "type": "integer", "minimum": 1},
        },
    }
    assert schema["c"]["allOf"] == [{"$ref": "#/definitions/resources"}]


def test_the_chart_installs_the_package_of_its_version() -> None:
    chart = (ROOT / "charts" / "gitmart" / "Chart.yaml").read_text()
    package = (ROOT / "pyproject.toml").read_text()

    assert re.findall(r'^appVersion: "(.+)"$', chart, re.MULTILINE) == re.findall(
        r'^version = "(.+)"$', package, re.MULTILINE
    )
