"""Extractions into a warehouse of the test's own, and two ways to look at what came of them."""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

from gitmart.contract.repository_url import parse_repository_url
from gitmart.extract.merge import Totals
from gitmart.extract.progress import Lines
from gitmart.extract.run import Run, extract
from gitmart.extract.settings import Remote, Settings

CAMPAIGNS = Path(__file__).parents[2] / "campaigns"

TABLES = ("commits", "commit_parents", "commit_files", "contributors", "refs", "removed_commits", "quarantine",
          "repository_contributors")  # fmt: skip


@dataclass
class Extraction:
    """A way to extract into one warehouse."""

    warehouse: Any
    work_dir: Path
    runs: int = 0
    facts: dict[str, object] = field(default_factory=dict)

    def __call__(self, repository: Any, *, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> Totals:
        """Extract and return the totals."""
        self.runs += 1
        folder = self.work_dir / f"run{self.runs}"
        folder.mkdir(parents=True)
        settings = Settings(
            remote=Remote(parse_repository_url(repository.url, allow_file=True)),
            warehouse=self.warehouse.url("gitmart_extract"),
            work_dir=folder,
            include=include,
            exclude=exclude,
            workers=2,
        )
        run = Run(settings, Lines())
        try:
            return extract(run)
        finally:
            self.facts = run.facts

    def natural(self, repository: Any) -> dict[str, list[tuple[object, ...]]]:
        """Return everything about a repository that a fresh extraction would give again."""
        with psycopg.connect(self.warehouse.url("postgres")) as connection:
            key = parse_repository_url(repository.url, allow_file=True).key
            rows: dict[str, list[tuple[object, ...]]] = load_comparison().natural(connection, key)
            return rows

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """Return every row of every table with data, ids and run numbers too."""
        return {name: self.warehouse.query(f"select * from {name} order by 1, 2, 3") for name in TABLES}


@pytest.fixture
def extraction(warehouse: Any, tmp_path: Path) -> Extraction:
    return Extraction(warehouse, tmp_path / "work")


@pytest.fixture
def fresh_extraction(second_warehouse: Any, tmp_path: Path) -> Extraction:
    """An extraction into a second, empty warehouse."""
    return Extraction(second_warehouse, tmp_path / "fresh")


@pytest.fixture(scope="session")
def comparison() -> ModuleType:
    """The script that compares a warehouse with git and imports nothing of gitmart."""
    return load_comparison()


@functools.cache
def load_comparison() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compare_with_git", CAMPAIGNS / "compare_with_git.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def assert_equals_git(
    extraction: Extraction, comparison: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Any], None]:
    """Assert that the warehouse holds, row by row, what git prints."""

    def check(repository: Any) -> None:
        monkeypatch.setenv("GITMART_WAREHOUSE_URL", extraction.warehouse.url("gitmart_transform"))
        key = parse_repository_url(repository.url, allow_file=True).key
        monkeypatch.setattr("sys.argv", ["compare", str(repository.git_dir), "--url-key", key])
        assert comparison.main() == 0

    return check


@pytest.fixture(autouse=True)
def no_git_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do to the test's own process what the command does to its own at the start."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
