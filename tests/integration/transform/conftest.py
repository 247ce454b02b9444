"""A small dbt project, and `gitmart transform` as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.forked import Forked, Forks

from gitmart.contract.outcomes import Outcome

HERE = Path(__file__).parent
PROFILES = HERE.parents[2] / "dbt" / "profiles.yml"


@dataclass(slots=True)
class Project:
    """A dbt project in a folder that a test may change."""

    folder: Path

    def model(self, name: str, sql: str) -> None:
        (self.folder / "models" / f"{name}.sql").write_text(sql, encoding="utf-8")

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }


@dataclass(slots=True)
class Process:
    """A running `gitmart transform`. What it leaves is read once it has ended."""

    popen: subprocess.Popen[str] | Forked
    result_file: Path
    errors: str = ""

    def wait(self) -> int:
        _, self.errors = self.popen.communicate(timeout=120)
        return self.popen.returncode

    def send(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    @property
    def result(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.result_file.read_text(encoding="utf-8"))
        return document

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.errors.splitlines()]

    def ended_as(self, outcome: Outcome) -> bool:
        """Whether exit code, result and last line all tell of this outcome."""
        code = self.wait() if self.popen.returncode is None else self.popen.returncode
        told = (code, self.result["outcome"], self.lines[-1]["outcome"])
        assert told == (outcome.exit_code, outcome.value, outcome.value), self.errors
        return True


@dataclass(slots=True)
class Transform:
    """Starts `gitmart transform` on one project and warehouse."""

    project: Project
    url: str
    folder: Path
    forks: Forks | None  # None: each run has an interpreter of its own
    started: list[subprocess.Popen[str] | Forked] = field(default_factory=list)

    def start(self, *words: str, prefix: tuple[str, ...] = (), **environment: str) -> Process:
        """Start a run; `prefix` stands before an interpreter of its own, the environment is added to a bare one."""
        result_file = self.folder / f"result-{len(self.started)}.json"
        command = ["transform", "--project-dir", str(self.project.folder), "--result-file", str(result_file), *words]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "PG", "GITMART_"))}
        environment = {**kept, "GITMART_WAREHOUSE_URL": self.url, "TMPDIR": str(self.temporary), **environment}
        popen: subprocess.Popen[str] | Forked
        if self.forks is None or prefix:
            popen = subprocess.Popen(
                [*prefix, sys.executable, "-m", "gitmart", *command],
                env=environment,
                cwd=self.folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        else:
            popen = self.forks.start(command, environment, self.folder, self.folder / f"errors-{len(self.started)}.txt")
        self.started.append(popen)
        return Process(popen, result_file)

    def run(self, *words: str, **environment: str) -> Process:
        """Start a run and wait for its end."""
        process = self.start(*words, **environment)
        process.wait()
        return process

    @property
    def temporary(self) -> Path:
        folder = self.folder / "tmp"
        folder.mkdir(exist_ok=True)
        return folder


def may_unshare(*namespaces: str) -> bool:
    """Whether a process may be put into namespaces of its own here."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", *namespaces, "true"], capture_output=True, check=False).returncode == 0


def small_project(folder: Path) -> Project:
    """Return a project of two models in that folder, which is new."""
    shutil.copytree(HERE / "project", folder)
    shutil.copy(PROFILES, folder)
    return Project(folder)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return small_project(tmp_path / "project")


@pytest.fixture
def transform(
    project: Project, warehouse: Any, tmp_path: Path, forks: Forks, request: pytest.FixtureRequest
) -> Iterator[Transform]:
    """
    Runs on a migrated warehouse; whatever a test leaves running is ended.

    Its processes have done their imports, but for those of tests marked `own_interpreter`.
    """
    alone = request.node.get_closest_marker("own_interpreter") is not None
    transform = Transform(project, warehouse.url("gitmart_transform"), tmp_path, None if alone else forks)
    yield transform
    for popen in transform.started:
        if popen.poll() is None:
            popen.kill()
            popen.communicate()


@pytest.fixture
def until(warehouse: Any) -> Any:
    """Wait until a query gives rows (or none), at most a given time that the server counts."""

    def wait(query: str, *, rows: bool = True, seconds: int = 60) -> list[tuple[Any, ...]]:
        for _ in range(seconds * 20):
            found: list[tuple[Any, ...]] = warehouse.query(query)
            if bool(found) == rows:
                return found
            warehouse.query("select pg_sleep(0.05)")
        raise AssertionError(f"after {seconds} s still {'no ' if rows else ''}rows: {query}")

    return wait
