"""
A dbt project of the user's on a real cluster: from a ConfigMap, a git host and an image, on top of gitmart's marts.

Each has a namespace of its own, and all go on at the same time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from tests.conftest import Repository

from .client import condition_of
from .environment import buildah, native
from .environment.images import Built
from .environment.places import Site
from .git_server import GitServer
from .release import Release, secret
from .side_by_side import Stage, side_by_side, stage
from .troubles import CANARY, LATER, Place, Scene

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("release"), pytest.mark.timeout(900)]

MODEL = "{{ config(materialized='table') }} select count(*) as n from {{ ref('dim_repository') }}"


@pytest.fixture(scope="module")
def scene(
    request: pytest.FixtureRequest, release: Release, git_server: GitServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """All tests of this module, running."""
    made = Scene(release, git_server, tmp_path_factory.mktemp("own-project"))
    try:
        with stage(request, made) as running:
            yield running
    finally:
        made.end()


def is_built(place: Place, model: str) -> bool:
    """Whether the model stands on what our mart has."""
    ((same,),) = place.scene.release.query(f"select n > 0 from analytics.{model}")
    return same == "t"


@side_by_side
def test_a_config_map_that_comes_late_is_built(scene: Scene) -> None:
    place = scene.place("late-marts")
    place.repository(place.publish())
    place.ready()
    items = [
        {"key": "counted", "path": "models/counted_by_config_map.sql"},
        {"key": "levels", "path": "seeds/levels_of_config_map.csv"},
    ]
    project = {"configMap": {"name": "late-marts", "items": items}}
    place.schedule(project=project, select=["+package:late_marts"])
    place.run_now("dbtschedule", "first")
    place.failed_run("SecretMissing", f"ConfigMap late-marts in namespace {place.namespace.name} is missing or empty")
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late-marts"}}
    place.namespace.apply(config_map | {"data": {"levels": "level\nlow\n"}})
    place.run_now("dbtschedule", "second")
    place.when("dbtschedules", lambda found: "models/counted" in condition_of(found, "LastRunSucceeded")["message"])

    place.namespace.apply(config_map | {"data": {"counted": MODEL, "levels": "level\nlow\n"}})
    place.run_now("dbtschedule", "third")

    place.good_run(LATER)
    assert is_built(place, "counted_by_config_map")
    mine = "select has_table_privilege('gitmart_read', 'analytics.counted_by_config_map', 'select')"
    assert scene.release.query(mine) == [["t"]]


@side_by_side
def test_a_private_git_repository_is_fetched_and_built(scene: Scene) -> None:
    place = scene.place("fetched")
    place.repository(place.publish())
    place.ready()
    project = Repository(scene.folder / "fetched-project")
    project.write("README.md", "no part of it\n")
    project.write("dbt/dbt_project.yml", "name: fetched\n")
    project.write("dbt/models/counted_by_git.sql", MODEL)
    project.commit()
    scene.git_server.publish(project, "fetched-project")
    scene.git_server.protect("fetched-project", password=("x-access-token", f"{CANARY}-token"))
    git = {"url": scene.git_server.url("fetched-project", host="fetched-project.git.test"), "path": "dbt"}
    place.schedule(project={"git": git}, select=["+package:fetched"])
    place.run_now("dbtschedule", "first")
    place.failed_run("AuthenticationFailed", "spec.project.git.secretRef")

    place.namespace.apply(secret("git", {"token": f"{CANARY}-token"}))
    git |= {"secretRef": {"name": "git"}}
    place.schedule(project={"git": git | {"ref": "no-such-branch"}}, select=["+package:fetched"])
    place.run_now("dbtschedule", "second")
    place.when("dbtschedules", lambda found: condition_of(found, "LastRunSucceeded").get("reason") == "NotFound")
    place.schedule(project={"git": git | {"ref": "main"}}, select=["+package:fetched"])
    place.run_now("dbtschedule", "third")

    found = place.good_run(LATER)
    assert is_built(place, "counted_by_git")
    said = place.namespace.kubectl("logs", f"job/{found['status']['lastRun']['job']}", "--container", "fetcher")
    assert project.git("rev-parse", "HEAD") == found["status"]["lastRun"]["projectCommit"]
    assert found["status"]["lastRun"]["projectCommit"] in said
    assert CANARY not in said
    pod = next(pod for pod in place.pods() if found["status"]["lastRun"]["job"] in pod["metadata"]["name"])["spec"]
    secrets = {volume["name"]: volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
    seen = [
        {secrets[mount["name"]] for mount in container["volumeMounts"] if mount["name"] in secrets}
        for container in (*pod["initContainers"], *pod["containers"])
    ]
    assert seen == [{"git"}, {"gitmart-warehouse"}]


@contextmanager
def derived_image(scene: Scene) -> Iterator[str]:
    """Have an image with a project, made from gitmart's, on the node."""
    context = scene.folder / "image"
    (context / "dbt" / "models").mkdir(parents=True)
    (context / "dbt" / "dbt_project.yml").write_text("name: of_image\n")
    (context / "dbt" / "models" / "counted_by_image.sql").write_text(MODEL)
    (context / "Dockerfile").write_text(f"FROM {scene.release.cluster.image}\nCOPY dbt /srv/team/dbt\n")
    built, site = Built("own-project", uuid4().hex[:12]), Site.of_environment()
    stamp = Path(site.store / "imported" / built.archive.name)
    try:
        buildah.build(built.reference, context)
        buildah.export(built.reference, built.archive)
        native.load(site, [built])
        yield built.reference
    finally:
        buildah.forget(built.reference)
        built.archive.unlink(missing_ok=True)
        stamp.unlink(missing_ok=True)


@side_by_side
def test_an_image_made_from_gitmarts_runs_in_its_place(scene: Scene) -> None:
    if scene.release.cluster.obtained.kind != "native":
        pytest.skip("only a node of our own takes an image that is built here")
    place = scene.place("image")
    place.repository(place.publish())
    place.ready()
    image = {"name": "localhost/nowhere:1", "path": "/srv/team/dbt", "pullPolicy": "Never"}
    place.schedule(project={"image": image}, select=["+package:of_image"])
    place.run_now("dbtschedule", "first")
    place.when("dbtschedules", lambda found: condition_of(found, "LastRunSucceeded").get("reason") == "ImagePullFailed")
    with derived_image(scene) as name:
        place.schedule(project={"image": image | {"name": name}}, select=["+package:of_image"])
        place.run_now("dbtschedule", "second")

        found = place.good_run(LATER)
        assert is_built(place, "counted_by_image")
    job = place.namespace.get("job", found["status"]["lastRun"]["job"])
    assert [each["image"] for each in job["spec"]["template"]["spec"]["containers"]] == [name]
