"""One table of good and bad objects, held against the models and against the schema of the CRD."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from gitmart.resources.base import CEL_KEY, Resource
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.generate import KINDS, structural_schema
from gitmart.resources.quantity import Quantity
from gitmart.resources.repository import DEFAULT_INTERVAL, Repository, RepositoryStatus

MODELS: dict[str, type[Resource]] = {kind.name: kind.model for kind in KINDS}


def a_repository(**spec: object) -> dict[str, Any]:
    return an_object("Repository", {"url": "https://git.example.org/group/name.git", **spec})


def a_schedule(**spec: object) -> dict[str, Any]:
    return an_object("DbtSchedule", {"schedule": "0 */6 * * *", **spec})


def an_object(kind: str, spec: object, name: str = "one") -> dict[str, Any]:
    return {"apiVersion": "gitmart.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


GOOD = {
    "smallest Repository": a_repository(),
    "interval": a_repository(interval="1h30m"),
    "schedule": a_repository(schedule="@daily"),
    "schedule and timeZone": a_repository(schedule="0 6 * * mon-fri", timeZone="Europe/Berlin"),
    "branches": a_repository(branches={"include": ["main", "release/*"], "exclude": ["wip/[a-z]*"]}),
    "classes of files": a_repository(
        paths={"exclude": ["attic/", "*.svg"], "classes": [{"glob": "/api/**/*.go", "class": "generated"}]}
    ),
    "all that can be kept": a_repository(firstParentCounts=True, patchIds=True),
    "ssh": a_repository(url="ssh://git@git.example.org:2222/group/name", secretRef={"name": "git"}),
    "limits alone": a_repository(resources={"limits": {"memory": "4Gi"}}),
    "whole cores": a_repository(resources={"requests": {"cpu": 1}, "limits": {"cpu": 4}}),
    "equal amounts": a_repository(resources={"requests": {"memory": "1024Mi"}, "limits": {"memory": "1Gi"}}),
    "longest name": an_object("Repository", a_repository()["spec"], "a" * 47),
    "cache": a_repository(cache={"persistentVolumeClaim": {"claimName": "git-cache.2"}}),
    "suspended": a_repository(suspend=True, timeout="10s", warehouseRef={"name": "other"}),
    "metadata of a known host": a_repository(url="https://github.com/o/r", metadata={}),
    "metadata over ssh": a_repository(
        url="ssh://git@ssh.github.com:443/o/r", secretRef={"name": "git"}, metadata={"contributors": False}
    ),
    "metadata of another host": a_repository(
        metadata={
            "provider": "gitlab",
            "apiURL": "https://git.example.org/gitlab/api/v4",
            "interval": "720h",
            "secretRef": {"name": "api"},
        }
    ),
    "smallest DbtSchedule": a_schedule(),
    "collector inside": a_schedule(openLineage={"url": "http://marquez.lineage.svc:5000"}),
    "collector outside": a_schedule(
        openLineage={"url": "https://a.example.org/b", "namespace": "https://a/b", "secretRef": {"name": "lineage"}}
    ),
    "selection": a_schedule(select=["+fct_commits", "tag:daily", "path:models/marts"], exclude=["@x"]),
    "CronJob's fields": a_schedule(
        concurrencyPolicy="Replace",
        startingDeadlineSeconds=60,
        successfulJobsHistoryLimit=1,
        failedJobsHistoryLimit=100,
        timeZone="Asia/Tokyo",
    ),
    "variables": a_schedule(vars={"count_rewrites_once": "everywhere", "": "{{ 1 }}"}),
    "variables of every type": a_schedule(
        vars={"a": ["source", "tests", 1, 0.5, False], "b": True, "c": -7, "d": 1e-7, "e": [], "f": "x" * 4096}
    ),
    "full refreshes": a_schedule(fullRefreshSchedule="0 3 * * sun"),
    "another target": a_schedule(target={"schema": "sales_eu"}),
    "a selector": a_schedule(selector="daily.v-1_x"),
    "project in an image": a_schedule(
        project={"image": {"name": "registry.example.org/a/b:1@sha256:00", "path": "/srv/dbt"}}
    ),
    "project in a ConfigMap": a_schedule(
        project={"configMap": {"name": "marts", "items": [{"key": "a.sql", "path": "models/a/a.sql"}]}}
    ),
    "project in git": a_schedule(
        project={
            "git": {
                "url": "ssh://git@git.example.org/a",
                "ref": "release/1.2",
                "path": "dbt/marts",
                "secretRef": {"name": "git"},
            }
        }
    ),
    "a bound for a replica": a_schedule(freshness={"maxReplicationLag": "1m"}),
    "no waiting": a_schedule(lockTimeout="0s", timeout="10s", threads=64),
}
# object, what the sentence holds, whether the part of the schema that is no CEL refuses it too
BAD = {
    "no url": (an_object("Repository", {}), "spec.url", True),
    "url no text": (a_repository(url=5), "spec.url", True),
    "url too long": (a_repository(url="https://git.example.org/" + "a" * 2048), "2048", True),
    "scp-like url": (a_repository(url="git@git.example.org:a"), "write git@host:path as", False),
    "url with password": (a_repository(url="https://a:b@git.example.org/a"), "must hold no user name", False),
    "file url": (a_repository(url="file:///srv/git"), "local mode only", False),
    "unknown field": (a_repository(intervall="1h"), "spec.intervall", True),
    "field in Python's spelling": (a_repository(time_zone="UTC"), "spec.time_zone", True),
    "interval no duration": (a_repository(interval="1d"), "from 1m to 720h", True),
    "interval a number": (a_repository(interval=60), "from 1m to 720h", True),
    "interval too short": (a_repository(interval="59s"), "from 1m to 720h", False),
    "interval too long": (a_repository(interval="721h"), "from 1m to 720h", False),
    "interval and schedule": (a_repository(interval="1h", schedule="@daily"), "exclude each other", False),
    "timeZone alone": (a_repository(timeZone="Etc/UTC"), "belongs to a schedule", False),
    "schedule no cron": (a_repository(schedule="every day"), "five cron fields", False),
    "zone in schedule": (a_schedule(schedule="TZ=UTC 0 * * * *"), "goes into timeZone", False),
    "zone of no form": (a_schedule(timeZone="../x"), "IANA", False),
    "suspend a text": (a_repository(suspend="no"), "spec.suspend", True),
    "glob with space": (a_repository(branches={"include": ["a b"]}), "must be a branch name", False),
    "glob as option": (a_repository(branches={"exclude": ["--all"]}), "must be a branch name", False),
    "empty glob": (a_repository(branches={"exclude": [""]}), "spec.branches.exclude[0]", True),
    "too many globs": (a_repository(branches={"include": ["a"] * 65}), "spec.branches.include", True),
    "globs no list": (a_repository(branches={"include": "main"}), "spec.branches.include", True),
    "pattern that excludes from excluding": (
        a_repository(paths={"exclude": ["!a"]}),
        "must be a pattern of paths",
        False,
    ),
    "pattern with a backslash": (a_repository(paths={"exclude": ["a\\b"]}), "must be a pattern of paths", False),
    "pattern with an open set": (
        a_repository(paths={"classes": [{"glob": "[a", "class": "tests"}]}),
        "every [ closed by ]",
        False,
    ),
    "pattern too long": (a_repository(paths={"exclude": ["a" * 256]}), "spec.paths.exclude[0]", True),
    "too many patterns": (a_repository(paths={"exclude": ["a"] * 65}), "spec.paths.exclude", True),
    "unknown class": (a_repository(paths={"classes": [{"glob": "a", "class": "test"}]}), "'tests'", True),
    "class that is for exclude alone": (
        a_repository(paths={"classes": [{"glob": "a", "class": "excluded"}]}),
        "'vendored'",
        True,
    ),
    "rule without a class": (a_repository(paths={"classes": [{"glob": "a"}]}), "spec.paths.classes[0].class", True),
    "class in Python's spelling": (
        a_repository(paths={"classes": [{"glob": "a", "file_class": "tests"}]}),
        "file_class",
        True,
    ),
    "quantity no quantity": (a_repository(resources={"limits": {"cpu": "2x"}}), "must be a quantity", True),
    "quantity zero": (a_repository(resources={"limits": {"cpu": 0}}), "must be a quantity above 0", False),
    "quantity negative": (a_repository(resources={"limits": {"memory": "-1Gi"}}), "must be a quantity above 0", False),
    # Kubernetes would write this number out before it compares it
    "quantity endless": (a_repository(resources={"limits": {"cpu": "1e999999999"}}), "must be a quantity", False),
    "quantity too large": (a_repository(resources={"limits": {"memory": "2Ei"}}), "at most 1Ei", False),
    "quantity a fraction": (a_repository(resources={"limits": {"cpu": 0.5}}), "must be a quantity", True),
    "request above limit": (a_repository(resources={"limits": {"memory": "128Mi"}}), "requests.memory must be", False),
    "unknown resource": (a_repository(resources={"limits": {"gpu": 1}}), "spec.resources.limits.gpu", True),
    "metadata of an unknown host": (a_repository(metadata={}), "metadata.provider must be github or gitlab", False),
    "metadata of no provider": (a_repository(metadata={"provider": "gitea"}), "spec.metadata.provider", True),
    "metadata too often": (a_repository(metadata={"provider": "github", "interval": "59m"}), "from 1h to 720h", False),
    "API without a provider": (
        a_repository(url="https://github.com/o/r", metadata={"apiURL": "https://h/api"}),
        "belongs to a provider",
        False,
    ),
    "API no address": (
        a_repository(metadata={"provider": "github", "apiURL": "http://h/api"}),
        "must be the https:// address",
        False,
    ),
    "API in Python's spelling": (a_repository(metadata={"api_url": "https://h"}), "spec.metadata.api_url", True),
    "timeout too short": (a_repository(timeout="1s"), "from 10s to 168h", False),
    "name of a Secret": (a_repository(warehouseRef={"name": "My_Secret"}), "must be a name of lower-case", False),
    "name too long": (an_object("Repository", a_repository()["spec"], "a" * 48), "at most 47 characters", False),
    "cache of nothing": (a_repository(cache={}), "spec.cache.persistentVolumeClaim", True),
    "cache without a name": (
        a_repository(cache={"persistentVolumeClaim": {}}),
        "persistentVolumeClaim.claimName",
        True,
    ),
    "cache that cannot be written": (
        a_repository(cache={"persistentVolumeClaim": {"claimName": "a", "readOnly": True}}),
        "spec.cache.persistentVolumeClaim.readOnly",
        True,
    ),
    "cache of another kind": (a_repository(cache={"emptyDir": {}}), "spec.cache.emptyDir", True),
    "name of a claim": (
        a_repository(cache={"persistentVolumeClaim": {"claimName": "A"}}),
        "must be a name of lower-case",
        False,
    ),
    "no schedule": (an_object("DbtSchedule", {}), "spec.schedule", True),
    "no spec": ({key: value for key, value in a_schedule().items() if key != "spec"}, "spec", True),
    "full refreshes at no time": (a_schedule(fullRefreshSchedule="0 24 * * *"), "has a wrong hour", False),
    "full refreshes in words": (a_schedule(fullRefreshSchedule="weekly"), "must be five cron fields", False),
    "target of the raw tables": (a_schedule(target={"schema": "public"}), "not public, gitmart_staging", False),
    "target beside another": (a_schedule(target={"schema": "analytics_staging"}), "nor one that ends in", False),
    "target of PostgreSQL's": (a_schedule(target={"schema": "pg_x"}), "must be a schema of at most 48", False),
    "target with capitals": (a_schedule(target={"schema": "Sales"}), "lower-case letters, digits and _", False),
    "target too long": (a_schedule(target={"schema": "s" * 49}), "spec.target.schema", True),
    "target of another kind": (a_schedule(target={"database": "x"}), "spec.target.database", True),
    "unknown policy": (a_schedule(concurrencyPolicy="forbid"), "spec.concurrencyPolicy", True),
    "keep no runs": (a_schedule(successfulJobsHistoryLimit=0), "spec.successfulJobsHistoryLimit", True),
    "keep too many": (a_schedule(failedJobsHistoryLimit=101), "spec.failedJobsHistoryLimit", True),
    "variable too long": (a_schedule(vars={"a": "x" * 4097}), "spec.vars.a", True),
    "list of a variable too long": (a_schedule(vars={"a": [1] * 65}), "a list of at most 64 of these", True),
    "too many variables": (a_schedule(vars={f"a{n}": n for n in range(65)}), "spec.vars", True),
    "variables no mapping": (a_schedule(vars=["a"]), "spec.vars", True),
    "no threads": (a_schedule(threads=0), "spec.threads", True),
    "threads a text": (a_schedule(threads="4"), "spec.threads", True),
    "deadline too short": (a_schedule(startingDeadlineSeconds=9), "spec.startingDeadlineSeconds", True),
    "two selectors in one": (a_schedule(select=["a b"]), "must be one dbt selector", False),
    "selector as option": (a_schedule(exclude=["--full-refresh"]), "must be one dbt selector", False),
    "selector beside select": (a_schedule(selector="daily", select=["a"]), "selector takes the place of", False),
    "the name of a selector as option": (a_schedule(selector="--x"), "must be the name of a selector", False),
    "project nowhere": (a_schedule(project={}), "must say in one way where", False),
    "project in two places": (
        a_schedule(project={"image": {"name": "a"}, "configMap": {"name": "b"}}),
        "image, configMap or git",
        False,
    ),
    "project in another place": (a_schedule(project={"s3": {}}), "spec.project.s3", True),
    "project of no image": (a_schedule(project={"image": {"name": "-a"}}), "must be the name of an image", False),
    "project in a folder of an image": (
        a_schedule(project={"image": {"name": "a", "path": "/a/../b"}}),
        "must be an absolute path",
        False,
    ),
    "project pulled at will": (
        a_schedule(project={"image": {"name": "a", "pullPolicy": "always"}}),
        "spec.project.image.pullPolicy",
        True,
    ),
    "file of a project above it": (
        a_schedule(project={"configMap": {"name": "a", "items": [{"key": "a", "path": "../a"}]}}),
        "must be a path such as models/marts.sql",
        False,
    ),
    "file of a project without a path": (
        a_schedule(project={"configMap": {"name": "a", "items": [{"key": "a"}]}}),
        "spec.project.configMap.items[0].path",
        True,
    ),
    "project at a password": (
        a_schedule(project={"git": {"url": "https://a:b@git.example.org/a"}}),
        "must hold no user name",
        False,
    ),
    "project over ssh without keys": (
        a_schedule(project={"git": {"url": "ssh://git@git.example.org/a"}}),
        "an ssh:// url needs secretRef",
        False,
    ),
    "project at an option": (
        a_schedule(project={"git": {"url": "https://git.example.org/a", "ref": "--upload-pack=x"}}),
        "must be a branch, a tag or the full hash",
        False,
    ),
    "a replica may not lag": (
        a_schedule(freshness={"maxReplicationLag": "59s"}),
        "a duration from 1m to 8760h",
        False,
    ),
    "collector nowhere": (a_schedule(openLineage={}), "spec.openLineage.url", True),
    "collector without a scheme": (
        a_schedule(openLineage={"url": "marquez:5000"}),
        "must be the https:// address",
        False,
    ),
    "collector at a password": (
        a_schedule(openLineage={"url": "https://a:b@example.org"}),
        "without user name, password",
        False,
    ),
    "collector at no text": (a_schedule(openLineage={"url": 5000}), "spec.openLineage.url", True),
    "namespace of jobs with a space": (
        a_schedule(openLineage={"url": "http://a", "namespace": "a b"}),
        "must be a namespace of jobs",
        False,
    ),
    "namespace of jobs too long": (
        a_schedule(openLineage={"url": "http://a", "namespace": "a" * 257}),
        "spec.openLineage.namespace",
        True,
    ),
    "collector with a key in the open": (
        a_schedule(openLineage={"url": "http://a", "apiKey": "x"}),
        "spec.openLineage.apiKey",
        True,
    ),
    "wait longer than the run": (a_schedule(timeout="5m"), "lockTimeout must be less than timeout", False),
}


@pytest.mark.parametrize(
    "value",
    [{}, {"b": 1}, [[1]], [{}], [None], ["x" * 4097], float("nan"), float("inf"), 2**63],
    ids=lambda value: str(value)[:20],
)
def test_a_value_of_no_variable_is_told_what_is_one(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        DbtSchedule.parse(a_schedule(vars={"a": value}))

    assert sentences(caught.value) == (
        "spec.vars.a Value error, must be a text of at most 4096 characters, a number, true or false, "
        "or a list of at most 64 of these"
    )


def closed(node: Any) -> Any:
    """Return the schema with unknown fields refused, as `kubectl` refuses them."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    copy = {key: closed(value) for key, value in node.items()}
    return copy | {"additionalProperties": False} if isinstance(node.get("properties"), dict) else copy


def sentences(error: ValidationError) -> str:
    return "\n".join(
        f"{'.'.join(map(str, found['loc']))} {found['msg']}".replace(".0", "[0]") for found in error.errors()
    )


@pytest.mark.parametrize("document", GOOD.values(), ids=GOOD)
def test_model_and_schema_accept(document: dict[str, Any]) -> None:
    model = MODELS[document["kind"]]

    resource = model.parse(document)

    jsonschema.validate(document, closed(structural_schema(model)))
    jsonschema.validate(resource.to_dict(), closed(structural_schema(model)))
    assert model.parse(resource.to_dict()) == resource


@pytest.mark.parametrize(("document", "words", "by_schema"), BAD.values(), ids=BAD)
def test_model_and_schema_refuse(document: dict[str, Any], words: str, by_schema: bool) -> None:
    model = MODELS[document["kind"]]
    validator = jsonschema.Draft202012Validator(closed(structural_schema(model)))

    with pytest.raises(ValidationError) as caught:
        model.parse(document)

    assert words in sentences(caught.value)
    assert validator.is_valid(document) is not by_schema


@pytest.mark.parametrize(
    ("document", "words"),
    [pytest.param(case[0], case[1], id=name) for name, case in BAD.items() if not case[2]],
)
def test_what_only_cel_can_refuse_has_the_same_sentence_there(document: dict[str, Any], words: str) -> None:
    rules = list(cel_messages(structural_schema(MODELS[document["kind"]])))

    with pytest.raises(ValidationError) as caught:
        MODELS[document["kind"]].parse(document)

    said = [found["msg"].removeprefix("Value error, ") for found in caught.value.errors()]
    assert [rule for rule in rules for sentence in said if rule.endswith(sentence) and words in rule]


def cel_messages(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (rule["message"] for rule in node.get(CEL_KEY, []))
        for value in node.values():
            yield from cel_messages(value)
    elif isinstance(node, list):
        for value in node:
            yield from cel_messages(value)


def test_all_mistakes_of_an_object_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        Repository.parse(an_object("Repository", {"url": "x", "interval": "1h", "schedule": "x", "more": 1}, "a" * 48))

    assert {found["loc"] for found in caught.value.errors()} == {
        ("metadata", "name"),
        ("spec",),
        ("spec", "url"),
        ("spec", "schedule"),
        ("spec", "more"),
    }


def test_no_error_repeats_an_address() -> None:
    with pytest.raises(ValidationError) as caught:
        Repository.parse(a_repository(url="https://one:canary@git.example.org/a"))

    assert "canary" not in str(caught.value)


def test_no_error_repeats_the_address_of_an_api() -> None:
    with pytest.raises(ValidationError) as caught:
        Repository.parse(a_repository(metadata={"provider": "github", "apiURL": "https://one:canary@h/api"}))

    assert "canary" not in str(caught.value)


def test_a_file_address_needs_permission() -> None:
    resource = Repository.parse(a_repository(url="file:///srv/git/name"), allow_file_urls=True)

    assert str(resource.spec.url) == "file:///srv/git/name"


def test_the_defaults_are_those_of_the_design() -> None:
    repository, schedule = Repository.parse(a_repository()), DbtSchedule.parse(a_schedule())

    assert repository.spec.effective_interval == DEFAULT_INTERVAL
    assert repository.spec.resources.limits.memory == Quantity("1Gi")
    assert schedule.to_dict()["spec"] == {
        "schedule": "0 */6 * * *",
        "timeZone": "Etc/UTC",
        "suspend": False,
        "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
        "select": [],
        "exclude": [],
        "vars": {},
        "threads": 4,
        "failFast": False,
        "warnError": False,
        "storeFailures": False,
        "freshness": {"blocksBuild": False},
        "target": {"schema": "analytics"},
        "docs": True,
        "historyRetention": "2160h",
        "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "timeout": "1h",
        "lockTimeout": "10m",
        "retries": 2,
        "warehouseRef": {"name": "gitmart-warehouse"},
    }


def test_a_schedule_takes_the_place_of_the_interval() -> None:
    assert Repository.parse(a_repository(schedule="@daily")).spec.effective_interval is None


def test_a_status_of_a_newer_version_is_read() -> None:
    document = a_repository() | {"status": {"commits": 5, "lastCheckTime": "2026-01-01T00:00:00Z", "later": [1]}}

    status = Repository.parse(document).status

    assert status.commits == 5
    assert json.loads(status.model_dump_json(by_alias=True))["lastCheckTime"] == "2026-01-01T00:00:00Z"


def test_a_fresh_status_belongs_to_no_generation() -> None:
    assert RepositoryStatus().observed_generation == -1
