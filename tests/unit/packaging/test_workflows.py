"""The workflows of the host that runs them, judged by actionlint."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.cluster.environment.golang import tool
from tests.cluster.environment.places import UnavailableError

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def actionlint() -> Path:
    """The program, built if need be."""
    try:
        return tool("actionlint")
    except UnavailableError as error:
        pytest.skip(str(error))


def test_every_workflow_is_valid(actionlint: Path) -> None:
    workflows = sorted((PROJECT / ".github" / "workflows").glob("*.yaml"))
    done = subprocess.run([str(actionlint), *map(str, workflows)], capture_output=True, text=True, check=False)

    assert len(workflows) > 1
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_workflow_would_be_noticed(actionlint: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("on: push\njobs: {test: {runs-on: ubuntu-24.04, steps: [{uses: nothing}]}}\n")

    done = subprocess.run([str(actionlint), str(tmp_path / "wrong.yaml")], capture_output=True, text=True, check=False)

    assert '"nothing" in invalid format' in done.stdout
