"""A dbt project of the user's in local mode: from a ConfigMap beside the manifest, and from a git repository."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from gitmart.local.exits import Exit
from gitmart.resources.dbtschedule import DbtSchedule

from .conftest import Local, conditions, git, stored
from .following import following

Manifest = Callable[..., Path]

CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: team-marts}
data:
  level_count.sql: "{{ config(materialized='table') }} select count(*) as n from {{ ref('levels') }}"
  levels.csv: "level\\nlow\\nhigh\\n"
"""


def level_counts(local: Local) -> list[tuple[object, ...]]:
    with psycopg.connect(local.state.server.url("gitmart_read")) as connection:
        return connection.execute("select n from analytics.level_count").fetchall()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a project in a folder."""
    folder = tmp_path / "of the team"
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    files = {
        "dbt/dbt_project.yml": "name: team\n",
        "dbt/models/level_count.sql": "{{ config(materialized='table') }} select count(*) as n from {{ ref('levels') }}",
        "dbt/seeds/levels.csv": "level\nlow\nhigh\nhighest\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    save(folder)
    return folder


def save(folder: Path) -> None:
    git(folder, "add", ".")
    git(folder, "-c", "user.name=One", "-c", "user.email=one@example.org", "commit", "-q", "-m", "x")


@pytest.mark.slow
def test_a_config_map_beside_the_manifest_is_a_project(ready: Local, manifest: Manifest, tmp_path: Path) -> None:
    schedule = manifest("analytics", project={"configMap": {"name": "team-marts"}}, select=["package:team_marts"])
    said = ready.run("up", "--once", "-f", schedule, code=Exit.RESOURCES_FAILED)
    assert "SecretMissing: ConfigMap team-marts in namespace default" in said

    (tmp_path / "config-map.yaml").write_text(CONFIG_MAP)
    said = ready.run("up", "--once", "-f", schedule, "-f", tmp_path / "config-map.yaml")
    assert "ok     dbtschedule/analytics: Succeeded" in said
    assert level_counts(ready) == [(2,)]


@pytest.mark.slow
def test_a_git_repository_is_a_project(ready: Local, manifest: Manifest, project: Path) -> None:
    git_project = {"url": project.as_uri(), "path": "dbt", "ref": "main"}
    schedule = manifest("analytics", project={"git": git_project}, select=["package:team"])
    assert "ok     dbtschedule/analytics: Succeeded" in ready.run("up", "--once", "-f", schedule)
    assert level_counts(ready) == [(3,)]
    last = stored(ready, "analytics", DbtSchedule)["status"]["lastRun"]
    assert last["projectCommit"] == git(project, "rev-parse", "HEAD").strip()

    schedule = manifest("analytics", project={"git": git_project | {"ref": "nothing"}}, select=["package:team"])
    said = ready.run("up", "--once", "-f", schedule, code=Exit.RESOURCES_FAILED)
    assert "NotFound" in said
    assert "has no branch and no tag nothing" in said
    assert conditions(stored(ready, "analytics", DbtSchedule))["LastRunSucceeded"] == ("False", "NotFound")


@pytest.mark.slow
def test_who_follows_fetches_before_each_run(ready: Local, manifest: Manifest, project: Path) -> None:
    git_project = {"url": project.as_uri(), "path": "dbt"}
    words = {"select": ["package:team"], "schedule": "0 * * * *", "retries": 0}
    with following(ready, manifest("analytics", project={"git": git_project}, **words)) as followed:
        followed.after(timedelta(minutes=31))
        followed.settle()
        assert level_counts(ready) == [(3,)]
        (project / "dbt/seeds/levels.csv").write_text("level\nlow\n")
        save(project)
        followed.after(timedelta(hours=1))
        followed.settle()
        assert level_counts(ready) == [(1,)]
        (project / "dbt").rename(project / "elsewhere")
        save(project)
        followed.after(timedelta(hours=1))
        followed.settle()
    told = stored(ready, "analytics", DbtSchedule)
    assert conditions(told)["LastRunSucceeded"] == ("False", "NotFound")
    assert "has no folder dbt" in told["status"]["lastRun"]["message"]
    assert not list(ready.state.folder("work").glob("*.fetch.json"))


def test_an_image_needs_a_cluster(ready: Local, manifest: Manifest) -> None:
    schedule = manifest("analytics", project={"image": {"name": "registry.example.org/team/gitmart:1"}})

    said = ready.run("up", "--once", "-f", schedule, code=Exit.INVALID_INPUT)

    assert "local mode runs no containers" in said
