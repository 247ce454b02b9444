"""A project of the user's beside gitmart's: where its files go, and what is refused. dbt itself: the integration tests."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitmart.contract.outcomes import Outcome
from gitmart.transform.command import configure
from gitmart.transform.extra import ExtraProjectError, joined
from gitmart.transform.settings import Settings

TEAM = {"dbt_project.yml": "name: team\n", "models/a.sql": "select 1"}
HUB = "packages: [{package: dbt-labs/dbt_utils, version: 1.3.0}]"
LOCK = "packages: [{name: dbt_utils, package: dbt-labs/dbt_utils, version: 1.3.0}, {name: own_macros, git: u, revision: r}]"
VENDORED = {"dbt_packages/dbt_utils/dbt_project.yml": "name: dbt_utils\n", "dbt_packages/dbt_utils/macros/x.sql": "x"}


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def join(tmp_path: Path, files: dict[str, str], *words: str, name: str = "team") -> Path:
    """Return the folder with both projects."""
    own = write(tmp_path / "own", {"dbt_project.yml": "name: gitmart\n", "models/m.sql": "x", "target/old": "x"})
    extra = write(tmp_path / name, files)
    parser = argparse.ArgumentParser()
    configure(parser)
    given = parser.parse_args(["--project-dir", str(own), "--extra-project", str(extra), *words])
    settings = Settings.of(given, {"GITMART_WAREHOUSE_URL": "postgresql://h/d"})
    assert settings.extra is not None
    return joined(settings, settings.extra, tmp_path / "work").project_dir


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("files", "words", "found"),
    [
        pytest.param(TEAM, (), {"team/dbt_project.yml", "team/models/a.sql"}, id="a project"),
        pytest.param(
            {**TEAM, "target/x": "", "logs/x": "", ".git/config": "", "models/.x": "", "models/target/b.sql": ""},
            (),
            {"team/dbt_project.yml", "team/models/a.sql", "team/models/target/b.sql"},
            id="what is no part of it stays away",
        ),
        pytest.param(
            {"a.sql": "x", "b.yml": "x", "c.md": "x", "d.csv": "x", "e.txt": "x", "packages.yml": "{}"},
            ("--loose-files",),
            {"team/dbt_project.yml", "team/models/a.sql", "team/models/b.yml", "team/models/c.md", "team/seeds/d.csv",
             "team/e.txt", "team/packages.yml"},
            id="loose files",
        ),
        pytest.param(
            {"dbt_project.yml": "name: mine\nmodel-paths: [sql]\n", "a.sql": "x", "macros/m.sql": "x"},
            ("--loose-files",),
            {"mine/dbt_project.yml", "mine/sql/a.sql", "mine/macros/m.sql"},
            id="loose files where the project wants them",
        ),
        pytest.param(
            {**TEAM, **VENDORED, "packages.yml": HUB},
            (),
            {"team/dbt_project.yml", "team/models/a.sql", "team/packages.yml", "dbt_utils/dbt_project.yml",
             "dbt_utils/macros/x.sql"},
            id="vendored packages",
        ),
        pytest.param(
            {**TEAM, "packages.yml": "packages: [{local: ../gitmart/dbt}]", "dbt_packages/gitmart/dbt_project.yml": "name: gitmart"},
            (),
            {"team/dbt_project.yml", "team/models/a.sql", "team/packages.yml"},
            id="gitmart's own project is there already",
        ),
    ],
)  # fmt: skip
def test_files_go_where_dbt_looks(
    tmp_path: Path, files: dict[str, str], words: tuple[str, ...], found: set[str]
) -> None:
    root = join(tmp_path, files, *words)

    assert tree(root / "dbt_packages") == found
    assert tree(root) - {f"dbt_packages/{name}" for name in found} == {
        "dbt_project.yml", "models/m.sql", "packages.yml",
    }  # fmt: skip
    named = yaml.safe_load((root / "packages.yml").read_text())["packages"]
    assert {each["local"] for each in named} == {f"dbt_packages/{name.partition('/')[0]}" for name in found}


@pytest.mark.parametrize(
    ("files", "words", "outcome", "told"),
    [
        pytest.param({}, (), Outcome.PROJECT_ERROR, "is missing or empty", id="nothing"),
        pytest.param({}, ("--loose-files",), Outcome.SECRET_MISSING, "is missing or empty: it", id="no ConfigMap"),
        pytest.param(
            {}, ("--loose-files", "--extra-file=b.sql"), Outcome.SECRET_MISSING, "or has none of the keys",
            id="no key",
        ),
        pytest.param({"a.sql": "x"}, (), Outcome.PROJECT_ERROR, "has no dbt_project.yml", id="no project"),
        pytest.param(
            {"a.sql": "x"}, ("--loose-files", "--extra-file=b.sql"), Outcome.SECRET_MISSING, "items names for b.sql",
            id="a key that is not there",
        ),
        pytest.param({"dbt_project.yml": "a: ["}, (), Outcome.PROJECT_ERROR, "not valid YAML", id="no YAML"),
        pytest.param({"dbt_project.yml": "[a]"}, (), Outcome.PROJECT_ERROR, "must be a mapping", id="no mapping"),
        pytest.param({"dbt_project.yml": "name: 1a"}, (), Outcome.PROJECT_ERROR, "letters, digits and _", id="name"),
        pytest.param({"dbt_project.yml": "name: ../x"}, (), Outcome.PROJECT_ERROR, "letters, digits", id="name, path"),
        pytest.param({"dbt_project.yml": "x: y"}, (), Outcome.PROJECT_ERROR, "name None", id="no name"),
        pytest.param({"dbt_project.yml": "name: gitmart"}, (), Outcome.PROJECT_ERROR, "choose another", id="our name"),
        pytest.param({**TEAM, "packages.yml": HUB}, (), Outcome.PROJECT_ERROR, "packages dbt_utils", id="package"),
        pytest.param({**TEAM, "dependencies.yml": HUB}, (), Outcome.PROJECT_ERROR, "packages dbt_utils", id="its other file"),
        pytest.param(
            {**TEAM, **VENDORED, "packages.yml": HUB, "package-lock.yml": LOCK}, (), Outcome.PROJECT_ERROR,
            "packages own_macros: nothing is downloaded here", id="locked package",
        ),
        pytest.param(
            {**TEAM, "dbt_packages/x/dbt_project.yml": "name: team"}, (), Outcome.PROJECT_ERROR, "there already",
            id="a package of its name",
        ),
        pytest.param(
            {**TEAM, "dbt_packages/x/dbt_project.yml": "name: ../../y"}, (), Outcome.PROJECT_ERROR, "letters, digits",
            id="a package's path",
        ),
        pytest.param(
            {"dbt_project.yml": "name: team\npackages-install-path: ../x"}, (), Outcome.PROJECT_ERROR, "packages-install-path",
            id="packages elsewhere",
        ),
        pytest.param(
            {"dbt_project.yml": "name: team\nmodel-paths: [../../x]", "a.sql": "x"}, ("--loose-files",),
            Outcome.PROJECT_ERROR, "model-paths", id="models elsewhere",
        ),
    ],
)  # fmt: skip
def test_what_cannot_stand_beside_it_is_refused(
    tmp_path: Path, files: dict[str, str], words: tuple[str, ...], outcome: Outcome, told: str
) -> None:
    with pytest.raises(ExtraProjectError, match=told) as error:
        join(tmp_path, files, *words)

    assert error.value.outcome is outcome


@pytest.mark.parametrize(
    ("folder", "name"),
    [("team-marts", "team_marts"), ("a.b", "a_b"), ("1st", "project_1st"), ("gitmart", "project_gitmart")],
)
def test_loose_files_are_called_by_their_config_map(tmp_path: Path, folder: str, name: str) -> None:
    assert (join(tmp_path, {"a.sql": "x"}, "--loose-files", name=folder) / "dbt_packages" / name).is_dir()


@pytest.mark.parametrize(
    ("said", "found"),
    [
        pytest.param("", True, id="nothing"),
        pytest.param("models: {team: {+materialized: table}}", True, id="something else"),
        pytest.param("models:\n", True, id="an empty mapping"),
        pytest.param("models: {+grants: {select: [other]}}", False, id="other readers"),
        pytest.param("models: {grants: {}}", False, id="no readers"),
    ],
)
def test_readers_may_read_unless_it_says_otherwise(tmp_path: Path, said: str, found: bool) -> None:
    root = join(tmp_path, {"dbt_project.yml": f"name: team\n{said}\n"})

    written: dict[str, Any] = yaml.safe_load((root / "dbt_packages/team/dbt_project.yml").read_text())
    before: dict[str, Any] = (yaml.safe_load(said) or {}) if said else {}
    models = written["models"]
    assert ("gitmart_read" in str(models.get("+grants"))) == found
    assert {key: value for key, value in models.items() if not (found and key == "+grants")} == (
        before.get("models") or {}
    )
    assert written["data_tests"] == {"+schema": "test_failures"}


def test_the_former_word_for_data_tests_still_counts(tmp_path: Path) -> None:
    root = join(tmp_path, {"dbt_project.yml": "name: team\ntests: {+severity: warn}\n"})

    written: dict[str, Any] = yaml.safe_load((root / "dbt_packages/team/dbt_project.yml").read_text())
    assert written["tests"] == {"+schema": "test_failures", "+severity": "warn"}
    assert "data_tests" not in written


def test_it_is_made_anew_each_time(tmp_path: Path) -> None:
    root = join(tmp_path, TEAM)
    (root / "models/of_yesterday.sql").write_text("x")
    (tmp_path / "own").rename(tmp_path / "before")
    (tmp_path / "team").rename(tmp_path / "before-team")

    assert "models/of_yesterday.sql" not in tree(join(tmp_path, TEAM))
