"""The project is clean under the strictest checks of each dbt that it is said to work with."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.integration.dbt.conftest import PROJECT, Dbt, Raw
from tests.integration.dbt.environment import interpreter, undisturbed

pytestmark = pytest.mark.slow


@pytest.fixture
def older_dbt() -> Path:
    """An interpreter with the older dbt."""
    return interpreter("dbt-1.11")


def build(python: Path, dbt: Dbt, project: Path, target: Path) -> dict[str, Any]:
    """Build everything and return what the program says."""
    words = ["--project-dir", project, "--profiles-dir", project, "--target-path", target, "--log-path", target]
    done = subprocess.run(
        [python, Path(__file__).with_name("strict.py"), *words, "--log-level", "none"],
        env={**undisturbed(), **dbt.settings, "GITMART_DBT_SCHEMA": "analytics"},
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


@pytest.mark.parametrize("version", [pytest.param("1.11", id="dbt 1.11"), pytest.param("1.12", id="dbt 1.12")])
def test_no_deprecation_under_strict_checks(
    version: str, dbt: Dbt, raw: Raw, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    python = request.getfixturevalue("older_dbt") if version == "1.11" else Path(sys.executable)
    repository, person = raw.repository("strict"), raw.person("ada")
    with raw.run(repository) as run:
        run.add("first", person)

    said = build(python, dbt, PROJECT, tmp_path / "target")

    assert said["version"].startswith(f"{version}.")
    assert (said["exception"], said["deprecated"]) == ("", [])
    assert set(said["statuses"]) <= {"success", "pass", "no-op"}
    assert said["nodes"] > 40


def test_strict_checks_do_find_what_is_deprecated(dbt: Dbt, raw: Raw, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    staging = project / "models" / "staging" / "_staging.yml"
    text = staging.read_text(encoding="utf-8")
    staging.write_text(text.replace("  - name: stg_commits\n", "  - name: stg_commits\n    meta: {old: true}\n"))

    said = build(Path(sys.executable), dbt, project, tmp_path / "target")

    assert "Deprecat" in said["exception"] or said["deprecated"]
