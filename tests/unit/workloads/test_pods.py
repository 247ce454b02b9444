"""What the pods of runs are like: safe, bounded, and with the very words that the workers read."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitmart.contract.file_classes import FileClass
from gitmart.contract.outcomes import MEANINGS
from gitmart.contract.repository_url import parse_repository_url
from gitmart.controller.naming import job_name
from gitmart.controller.observed import job_seen
from gitmart.extract import command as extract
from gitmart.extract import project_command as fetch
from gitmart.extract.metadata.settings import metadata_of
from gitmart.extract.project import MOST_BYTES, MOST_FETCHED
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.quantity import Quantity
from gitmart.resources.repository import Repository
from gitmart.transform import command as transform
from gitmart.workloads.extraction import extraction_job
from gitmart.workloads.pods import WorkerSettings
from gitmart.workloads.transformation import cron_job, full_refresh_cron_job, transformation_job

Json = dict[str, Any]

SETTINGS = WorkerSettings(
    image="registry.example.org/gitmart:1",
    pull_secrets=("registry", "both"),
    allowed_networks=("10.0.0.0/8", "fd00::/8"),
    git_ca="-----BEGIN CERTIFICATE-----\nTWFuIGlz\n-----END CERTIFICATE-----\n",
    proxy="http://proxy.example.org:3128",
    no_proxy=".example.org",
)
POD_TEMPLATE = {
    "labels": {"team": "data"},
    "annotations": {"example.org/note": "x"},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"nodeAffinity": {}},
    "serviceAccountName": "loader",
    "priorityClassName": "low",
    "runtimeClassName": "gvisor",
    "imagePullSecrets": [{"name": "both"}, {"name": "mine"}],
}


def a_resource(kind: str, spec: Json, **metadata: Any) -> Json:
    known = {"name": "one", "namespace": "team", "uid": "u1", "generation": 3}
    return {"apiVersion": "gitmart.dev/v1alpha1", "kind": kind, "metadata": known | metadata, "spec": spec}


def a_repository(**spec: Any) -> Repository:
    return Repository.parse(a_resource("Repository", {"url": "https://git.example.org/a"} | spec))


def a_schedule(**spec: Any) -> DbtSchedule:
    return DbtSchedule.parse(a_resource("DbtSchedule", {"schedule": "0 * * * *"} | spec))


def an_extraction(config: WorkerSettings = SETTINGS, **spec: Any) -> Json:
    return extraction_job(a_repository(**spec), "one-1", "slot", None, config)


def a_transformation(config: WorkerSettings = SETTINGS, **spec: Any) -> Json:
    return transformation_job(a_schedule(**spec), "one-1", "slot", None, config)


def a_scheduled_one(config: WorkerSettings = SETTINGS, **spec: Any) -> Json:
    made: Json = cron_job(a_schedule(**spec), config, suspend=False)["spec"]["jobTemplate"]
    return made


def a_full_refresh(config: WorkerSettings = SETTINGS, **spec: Any) -> Json:
    schedule = a_schedule(fullRefreshSchedule="0 3 * * 0", **spec)
    made: Json = full_refresh_cron_job(schedule, config, suspend=False)["spec"]["jobTemplate"]
    return made


ALL = pytest.mark.parametrize("build", [an_extraction, a_transformation, a_scheduled_one, a_full_refresh])
PLAIN_AND_ADDED = pytest.mark.parametrize("spec", [{}, {"podTemplate": POD_TEMPLATE}], ids=["plain", "with-additions"])


def container_of(job: Json) -> Json:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    found: Json = container
    return found


def started(job: Json) -> tuple[list[str], dict[str, str]]:
    """Return arguments and environment as the kubelet makes them: $(NAME) of the environment is expanded, $$ is $."""
    container, environment = container_of(job), {}
    for variable in container["env"]:
        environment[variable["name"]] = expanded(variable["value"], environment)
    return [expanded(word, environment) for word in container["args"]], environment


def expanded(text: str, known: Mapping[str, str]) -> str:
    """Expand as k8s.io/kubernetes/third_party/forked/golang/expansion does."""

    def replaced(found: re.Match[str]) -> str:
        name = found["name"]
        return "$" if name is None else known.get(name, found[0])

    return re.sub(r"\$\$|\$\((?P<name>[^)]*)\)", replaced, text)


# The Pod Security Standard `restricted`, row by row:
# https://kubernetes.io/docs/concepts/security/pod-security-standards/

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def violations(template: Json) -> Iterator[str]:
    pod = template["spec"]
    if any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        yield "host namespaces"
    if any(next(key for key in volume if key != "name") not in VOLUMES for volume in pod["volumes"]):
        yield "volume types"
    context = pod["securityContext"]
    if context.get("sysctls") or context.get("seLinuxOptions") or context.get("windowsOptions"):
        yield "sysctls, SELinux, Windows"
    if any("apparmor" in key or "seccomp" in key for key in template["metadata"].get("annotations", {})):
        yield "AppArmor"
    for container in pod["containers"] + pod.get("initContainers", []) + pod.get("ephemeralContainers", []):
        own = container["securityContext"]
        if own.get("privileged") or own.get("procMount", "Default") != "Default":
            yield "privileged, proc mount"
        if own["capabilities"].get("drop") != ["ALL"] or own["capabilities"].get("add"):
            yield "capabilities"
        if own["allowPrivilegeEscalation"] is not False:
            yield "privilege escalation"
        if any(port.get("hostPort") for port in container.get("ports", [])):
            yield "host ports"
        if not own.get("runAsNonRoot", context.get("runAsNonRoot")):
            yield "running as non-root"
        if own.get("runAsUser", context.get("runAsUser")) in (0, None):
            yield "running as non-root user"
        if own.get("seccompProfile", context.get("seccompProfile"))["type"] not in ("RuntimeDefault", "Localhost"):
            yield "seccomp"


@ALL
@PLAIN_AND_ADDED
def test_a_pod_meets_the_restricted_standard(build: Any, spec: Json) -> None:
    template = build(**spec)["spec"]["template"]

    assert list(violations(template)) == []
    assert template["spec"]["automountServiceAccountToken"] is False
    assert container_of(build(**spec))["securityContext"]["readOnlyRootFilesystem"] is True


@ALL
@PLAIN_AND_ADDED
def test_a_pod_is_bounded_in_everything(build: Any, spec: Json) -> None:
    job = build(timeout="1h", retries=2, **spec)
    pod, container = job["spec"]["template"]["spec"], container_of(job)

    for bounds in ("requests", "limits"):
        assert set(container["resources"][bounds]) == {"cpu", "memory", "ephemeral-storage"}
    assert all(volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if "emptyDir" in volume)
    assert 3600 < pod["activeDeadlineSeconds"] <= 3600 + 120
    assert job["spec"]["activeDeadlineSeconds"] > 3 * pod["activeDeadlineSeconds"]
    assert (job["spec"]["backoffLimit"], job["spec"]["parallelism"]) == (2, 1)
    assert "ttlSecondsAfterFinished" not in job["spec"]  # its end must be told of before it goes


def test_every_written_path_is_a_volume() -> None:
    for job in (an_extraction(), a_transformation()):
        mounts = {mount["mountPath"] for mount in container_of(job)["volumeMounts"]}
        assert {"/tmp", "/work"} <= mounts  # noqa: S108 # of the pod


def documented_codes() -> set[int]:
    """Return the exit codes that docs/outcomes.md says are tried again."""
    page = (Path(__file__).parents[3] / "docs" / "outcomes.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (yes|no) \|", page, re.MULTILINE)
    assert len(rows) == len(MEANINGS)
    return {int(code) for word, code, again in rows if again == "yes" and word != "Timeout"}  # it would take as long


@ALL
def test_kubernetes_repeats_what_the_manual_says_may_pass(build: Any) -> None:
    policy = build()["spec"]["podFailurePolicy"]["rules"]
    by_code = next(rule["onExitCodes"] for rule in policy if "onExitCodes" in rule)

    assert (by_code["operator"], set(by_code["values"])) == ("NotIn", documented_codes())
    assert by_code["containerName"] == container_of(build())["name"]
    assert by_code["values"] == sorted(set(by_code["values"]))  # the API server asks for it
    assert {"type": "DisruptionTarget", "status": "True"} in policy[0]["onPodConditions"]


@ALL
def test_additions_stand_beside_what_gitmart_sets(build: Any) -> None:
    job = build(podTemplate=POD_TEMPLATE)
    template = job["spec"]["template"]
    pod = template["spec"]

    assert template["metadata"]["labels"].items() > build()["spec"]["template"]["metadata"]["labels"].items()
    assert template["metadata"]["annotations"] == POD_TEMPLATE["annotations"]
    assert pod["imagePullSecrets"] == [{"name": name} for name in ("registry", "both", "mine")]
    assert pod["serviceAccountName"] == "loader"
    assert pod["tolerations"] == [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}]
    plain = build()["spec"]["template"]["spec"]
    assert {name: pod[name] for name in plain if name != "imagePullSecrets"} == {
        name: value for name, value in plain.items() if name != "imagePullSecrets"
    }


# Words and environment


def parsed(command: Any, job: Json) -> argparse.Namespace:
    """Return what the worker's own parser makes of the words."""
    words, _ = started(job)
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.configure(parser)
    return parser.parse_args(words[1:])


@pytest.mark.parametrize(
    ("limits", "told", "storage"),
    [
        pytest.param({}, (16 << 30, None, None), "20Gi", id="default"),
        pytest.param({"bytes": "100Gi", "commits": 7}, (100 << 30, 7, None), "125Gi", id="large"),
        pytest.param({"bytes": "1Gi", "time": "90s"}, (1 << 30, None, timedelta(seconds=90)), "5Gi", id="small"),
        pytest.param({"bytes": 1000}, (1000, None, None), "4294968296", id="bytes"),
    ],
)
def test_limits_bound_the_run_and_the_pod_s_storage(limits: Json, told: tuple[object, ...], storage: str) -> None:
    job = an_extraction(limits=limits)

    found = parsed(extract, job)
    pod = job["spec"]["template"]["spec"]

    assert (found.limit_bytes, found.limit_commits, found.limit_time) == told
    assert pod["containers"][0]["resources"]["limits"]["ephemeral-storage"] == storage
    assert [volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if volume["name"] == "work"] == [storage]


def test_extract_reads_the_words_of_its_job() -> None:
    spec = {
        "branches": {"include": ["main", "release/*"], "exclude": ["old[0-9]"]},
        "paths": {
            "exclude": ["attic/", "-a=b"],
            "classes": [{"glob": "api/*.go", "class": "generated"}, {"glob": "a=b", "class": "source"}],
        },
        "timeout": "1h30m",
    }
    job = an_extraction(**spec)
    arguments = parsed(extract, job)

    assert started(job)[0][0] == "extract"
    assert arguments.url == "https://git.example.org/a"
    assert (arguments.include_branch, arguments.exclude_branch) == (["main", "release/*"], ["old[0-9]"])
    assert arguments.exclude_path == ["attic/", "-a=b"]
    assert arguments.path_class == [("api/*.go", FileClass.GENERATED), ("a=b", FileClass.SOURCE)]
    assert (arguments.first_parent_counts, arguments.patch_ids) == (False, False)
    assert arguments.timeout == timedelta(hours=1, minutes=30)
    assert [str(network) for network in arguments.allow_network] == ["10.0.0.0/8", "fd00::/8"]
    assert (str(arguments.work_dir), str(arguments.result_file)) == ("/work", "/dev/termination-log")


@pytest.mark.parametrize(("field", "option"), [("firstParentCounts", "first_parent_counts"), ("patchIds", "patch_ids")])
def test_what_is_asked_for_is_asked_of_the_worker_and_nothing_else(field: str, option: str) -> None:
    asked, not_asked = (vars(parsed(extract, an_extraction(**{field: value}))) for value in (True, False))

    assert {name for name in asked if asked[name] != not_asked[name]} == {option}
    assert asked[option] is True


VARIABLES = {"a": "$(b)", "c": "{d: 'e'}", "f": ["source", 1, 0.5, False], "g": 1e-7, "h": "yes", "i": True}


@pytest.mark.parametrize("build", [a_transformation, a_scheduled_one])
def test_transform_reads_the_words_of_its_job(build: Any) -> None:
    wanted = {"threads": 7, "timeout": "2h", "lockTimeout": "90s", "vars": VARIABLES}
    job = build(select=["tag:daily", "+a"], exclude=["@b"], **wanted)
    arguments = parsed(transform, job)

    assert (arguments.select, arguments.exclude, arguments.threads) == (["tag:daily", "+a"], ["@b"], 7)
    assert (arguments.timeout, arguments.lock_timeout) == (timedelta(hours=2), timedelta(seconds=90))
    assert json.loads(arguments.vars) == VARIABLES
    assert str(arguments.result_file) == "/dev/termination-log"
    assert (arguments.docs, arguments.history_retention) == (True, timedelta(days=90))
    assert not any(
        (arguments.fail_fast, arguments.warn_error, arguments.store_failures, arguments.freshness_blocks_build)
    )
    assert arguments.max_replication_lag is None
    freshness = {"blocksBuild": True, "maxReplicationLag": "1h30m"}
    said = {"failFast": True, "warnError": True, "storeFailures": True, "freshness": freshness}
    arguments = parsed(transform, build(docs=False, historyRetention="1h", selector="daily", **said))
    assert (arguments.docs, arguments.history_retention, arguments.selector) == (False, timedelta(hours=1), "daily")
    assert all((arguments.fail_fast, arguments.warn_error, arguments.store_failures, arguments.freshness_blocks_build))
    assert arguments.max_replication_lag == timedelta(minutes=90)


NAMES = ["$(HTTPS_PROXY)", "$HOME", "a$$b", "$$(HTTPS_PROXY)", "$", "$(", "'\"", "*", "é", "%s", "{x}", ";&|", "a=b"]
ODD = st.one_of(st.sampled_from(NAMES), st.text(st.sampled_from("$()ab'\"*;=%{}"), min_size=1, max_size=12))


@settings(deadline=None, max_examples=60)
@given(st.lists(ODD, min_size=1, max_size=4))
def test_odd_characters_reach_the_worker_as_they_were_written(words: list[str]) -> None:
    selectors = [word for word in words if word.isascii()]

    assert parsed(extract, an_extraction(branches={"include": words})).include_branch == words
    assert parsed(transform, a_transformation(select=selectors)).select == selectors


def test_an_address_with_a_dollar_stays_the_same_address() -> None:
    url = "https://git.example.org/a$(HTTPS_PROXY)"

    assert parsed(extract, an_extraction(url=url)).url == url


def test_the_address_that_it_had_before_is_told() -> None:
    job = extraction_job(a_repository(), "one-1", "slot", None, SETTINGS, "https://git.example.org/before")

    assert parsed(extract, job).previous_url == "https://git.example.org/before"
    assert parsed(extract, an_extraction()).previous_url is None


def test_variables_reach_the_worker_as_they_were_written() -> None:
    odd = WorkerSettings(image="x", git_ca="$(GITMART_WAREHOUSE_URL_FILE)$$", proxy="http://a$$b:1", no_proxy="$(HOME)")
    _, environment = started(an_extraction(odd))

    assert (environment["GITMART_GIT_CA"], environment["HTTPS_PROXY"]) == (odd.git_ca, odd.proxy)
    assert environment["NO_PROXY"] == odd.no_proxy


def test_a_worker_is_told_where_its_secrets_are_and_none_of_their_values() -> None:
    job = an_extraction(secretRef={"name": "login"}, warehouseRef={"name": "dwh"})
    _, environment = started(job)
    volumes = {each["name"]: each.get("secret") for each in job["spec"]["template"]["spec"]["volumes"]}
    mounts = {each["name"]: each["mountPath"] for each in container_of(job)["volumeMounts"]}

    assert environment["GITMART_WAREHOUSE_URL_FILE"] == f"{mounts['warehouse']}/extract-url"
    assert environment["GITMART_WAREHOUSE_URL_SOURCE"] == "key extract-url of Secret dwh in namespace team"
    assert environment["GITMART_CREDENTIALS_DIR"] == mounts["credentials"]
    assert environment["GITMART_CREDENTIALS_SOURCE"] == "Secret login in namespace team"
    assert volumes["warehouse"]["items"] == [{"key": "extract-url", "path": "extract-url"}]
    assert (volumes["warehouse"]["secretName"], volumes["credentials"]["secretName"]) == ("dwh", "login")
    assert volumes["warehouse"]["optional"] is volumes["credentials"]["optional"] is True
    assert all(set(variable) == {"name", "value"} for variable in container_of(job)["env"])
    assert "envFrom" not in container_of(job)


def test_a_look_at_the_api_gets_its_words_and_its_own_secret() -> None:
    metadata = {
        "provider": "gitlab", "apiURL": "https://git.example.org/api/v4", "interval": "36h", "contributors": False,
        "secretRef": {"name": "api"},
    }  # fmt: skip
    job = an_extraction(metadata=metadata)
    asked = metadata_of(parsed(extract, job), parse_repository_url("https://git.example.org/a", allow_file=False))
    _, environment = started(job)
    volumes = {each["name"]: each.get("secret") for each in job["spec"]["template"]["spec"]["volumes"]}

    assert asked is not None
    assert (asked.provider, str(asked.api)) == ("gitlab", "https://git.example.org/api/v4")
    assert (asked.interval, asked.contributors) == (timedelta(hours=36), False)
    assert environment["GITMART_METADATA_CREDENTIALS_DIR"] == "/etc/gitmart/metadata"
    assert environment["GITMART_METADATA_CREDENTIALS_SOURCE"] == "Secret api in namespace team"
    assert (volumes["metadata"]["secretName"], volumes["metadata"]["optional"]) == ("api", True)
    assert volumes["metadata"]["items"] == [{"key": "token", "path": "token"}]
    assert "--metadata" not in str(an_extraction())
    assert parsed(extract, an_extraction()).metadata is None


def test_a_mailmap_is_mounted_from_its_config_map() -> None:
    job = an_extraction(identity={"mailmap": {"configMapRef": {"name": "people", "key": "ours"}}})
    _, environment = started(job)
    volumes = {each["name"]: each.get("configMap") for each in job["spec"]["template"]["spec"]["volumes"]}
    mounts = {each["name"]: each for each in container_of(job)["volumeMounts"]}

    assert volumes["mailmap"] == {
        "name": "people", "optional": True, "defaultMode": 0o440, "items": [{"key": "ours", "path": "mailmap"}],
    }  # fmt: skip
    assert mounts["mailmap"]["readOnly"] is True
    assert environment["GITMART_MAILMAP_FILE"] == f"{mounts['mailmap']['mountPath']}/mailmap"
    assert environment["GITMART_MAILMAP_SOURCE"] == "key ours of ConfigMap people in namespace team"
    assert "GITMART_MAILMAP_FILE" not in started(an_extraction())[1]


def test_a_cache_is_the_claim_mounted_for_writing() -> None:
    job = an_extraction(cache={"persistentVolumeClaim": {"claimName": "git-cache"}})
    pod = job["spec"]["template"]["spec"]
    mounts = {each["name"]: each for each in container_of(job)["volumeMounts"]}

    assert [each for each in pod["volumes"] if each["name"] == "cache"] == [
        {"name": "cache", "persistentVolumeClaim": {"claimName": "git-cache"}}
    ]
    assert mounts["cache"] == {"name": "cache", "mountPath": "/cache"}
    assert str(parsed(extract, job).cache_dir) == "/cache"
    assert list(violations(job["spec"]["template"])) == []
    plain = an_extraction()
    assert parsed(extract, plain).cache_dir is None
    assert "cache" not in str(plain)


def test_a_transformation_gets_its_own_key_and_nothing_of_git() -> None:
    _, environment = started(a_transformation(warehouseRef={"name": "dwh"}))

    assert environment == {
        "GITMART_WAREHOUSE_URL_FILE": "/etc/gitmart/warehouse/transform-url",
        "GITMART_WAREHOUSE_URL_SOURCE": "key transform-url of Secret dwh in namespace team",
    }


def test_a_collector_is_told_under_the_names_of_the_resource() -> None:
    plain = parsed(transform, a_transformation())
    assert plain.openlineage_url is None

    job = a_transformation(openLineage={"url": "http://marquez.lineage.svc:5000"})
    arguments, (_, environment) = parsed(transform, job), started(job)
    told = (str(arguments.openlineage_url), arguments.openlineage_namespace, arguments.openlineage_job)
    assert told == ("http://marquez.lineage.svc:5000/api/v1/lineage", "team", "one")
    assert not any(name.startswith("GITMART_OPENLINEAGE") for name in environment)


def test_the_collector_s_key_is_mounted_and_stands_nowhere_else() -> None:
    told = {"url": "https://example.org/a", "namespace": "elsewhere", "secretRef": {"name": "lineage"}}
    job = a_transformation(openLineage=told)
    _, environment = started(job)

    assert parsed(transform, job).openlineage_namespace == "elsewhere"
    assert environment["GITMART_OPENLINEAGE_CREDENTIALS_DIR"] == "/etc/gitmart/openlineage"
    assert environment["GITMART_OPENLINEAGE_CREDENTIALS_SOURCE"] == "Secret lineage in namespace team"
    volumes = job["spec"]["template"]["spec"]["volumes"]
    [secret] = [volume["secret"] for volume in volumes if volume["name"] == "openlineage"]
    assert secret == {"secretName": "lineage", "optional": True, "defaultMode": 0o440}
    mount = {"name": "openlineage", "mountPath": "/etc/gitmart/openlineage", "readOnly": True}
    assert mount in container_of(job)["volumeMounts"]
    assert list(violations(job["spec"]["template"])) == []


# A project of the user's

GIT = {"url": "https://git.example.org/a$b", "ref": "v1", "path": "dbt", "secretRef": {"name": "login"}}


def an_image_project(**spec: Any) -> Json:
    image = {"name": "registry.example.org/team/gitmart:1", "path": "/srv/dbt", "pullPolicy": "Always"}
    return a_scheduled_one(project={"image": image}, **spec)


def a_mounted_project(**spec: Any) -> Json:
    items = [{"key": "a", "path": "models/a.sql"}, {"key": "b", "path": "dbt_project.yml"}]
    return a_scheduled_one(project={"configMap": {"name": "team-marts", "items": items}}, **spec)


def a_fetched_project(**spec: Any) -> Json:
    return a_scheduled_one(project={"git": GIT}, **spec)


WITH_PROJECT = pytest.mark.parametrize("build", [an_image_project, a_mounted_project, a_fetched_project])


def containers_of(job: Json) -> list[Json]:
    pod = job["spec"]["template"]["spec"]
    return [*pod.get("initContainers", ()), *pod["containers"]]


@WITH_PROJECT
@PLAIN_AND_ADDED
def test_a_pod_with_a_project_is_as_safe_and_bounded(build: Any, spec: Json) -> None:
    template = build(**spec)["spec"]["template"]

    assert list(violations(template)) == []
    assert all(each["emptyDir"]["sizeLimit"] for each in template["spec"]["volumes"] if "emptyDir" in each)
    for container in containers_of(build(**spec)):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
        assert container["terminationMessagePath"] == "/dev/termination-log"


@WITH_PROJECT
def test_each_container_s_passing_failures_are_tried_again(build: Any) -> None:
    rules = [rule["onExitCodes"] for rule in build()["spec"]["podFailurePolicy"]["rules"] if "onExitCodes" in rule]

    assert {rule["containerName"] for rule in rules} == {container["name"] for container in containers_of(build())}
    assert all(set(rule["values"]) == documented_codes() for rule in rules)


def test_an_image_runs_in_the_place_of_ours() -> None:
    job = an_image_project()
    container, arguments = container_of(job), parsed(transform, job)

    assert (container["image"], container["imagePullPolicy"]) == ("registry.example.org/team/gitmart:1", "Always")
    assert (str(arguments.extra_project), arguments.loose_files) == ("/srv/dbt", False)
    told = started(job)[1]["GITMART_EXTRA_PROJECT_SOURCE"]
    assert told == "folder /srv/dbt of image registry.example.org/team/gitmart:1"


def test_a_config_map_is_mounted_in_a_folder_of_its_name() -> None:
    job = a_mounted_project()
    arguments = parsed(transform, job)
    volumes = {each["name"]: each.get("configMap") for each in job["spec"]["template"]["spec"]["volumes"]}
    mounts = {each["name"]: each for each in container_of(job)["volumeMounts"]}

    assert volumes["project"] == {
        "name": "team-marts", "optional": True, "defaultMode": 0o440,
        "items": [{"key": "a", "path": "models/a.sql"}, {"key": "b", "path": "dbt_project.yml"}],
    }  # fmt: skip
    assert mounts["project"] == {"name": "project", "mountPath": str(arguments.extra_project), "readOnly": True}
    assert arguments.extra_project.name == "team-marts"
    assert (arguments.loose_files, arguments.extra_file) == (True, ["models/a.sql", "dbt_project.yml"])
    assert started(job)[1]["GITMART_EXTRA_PROJECT_SOURCE"] == "ConfigMap team-marts in namespace team"
    whole = a_scheduled_one(project={"configMap": {"name": "a"}})
    assert "items" not in next(
        each["configMap"] for each in whole["spec"]["template"]["spec"]["volumes"] if "configMap" in each
    )


def test_git_s_secret_is_the_fetcher_s_and_the_warehouse_s_is_dbt_s() -> None:
    job = a_fetched_project()
    fetcher, worker = containers_of(job)
    mounts = [{each["name"]: each for each in container["volumeMounts"]} for container in (fetcher, worker)]
    environments = [{each["name"]: each["value"] for each in container["env"]} for container in (fetcher, worker)]

    assert set(mounts[0]) == {"fetching", "fetched", "credentials"}
    assert set(mounts[1]) == {"tmp", "work", "fetched", "warehouse"}
    assert (mounts[0]["fetched"].get("readOnly"), mounts[1]["fetched"]["readOnly"]) == (None, True)
    assert {"GITMART_GIT_CA", "HTTPS_PROXY", "GITMART_CREDENTIALS_DIR"} <= set(environments[0])
    assert not any("WAREHOUSE" in name for name in environments[0])
    assert set(environments[1]) == {
        "GITMART_WAREHOUSE_URL_FILE", "GITMART_WAREHOUSE_URL_SOURCE", "GITMART_EXTRA_PROJECT_SOURCE",
    }  # fmt: skip
    assert fetcher["image"] == worker["image"] == SETTINGS.image
    volumes = {each["name"]: each for each in job["spec"]["template"]["spec"]["volumes"]}
    assert volumes["credentials"]["secret"]["secretName"] == "login"


def test_fetch_reads_the_words_of_its_container() -> None:
    job = a_fetched_project(timeout="1h")
    fetcher, _ = containers_of(job)
    parser = argparse.ArgumentParser(exit_on_error=False)
    fetch.configure(parser)
    words = [expanded(word, {}) for word in fetcher["args"]]
    arguments = parser.parse_args(words[1:])

    assert words[0] == "fetch"
    assert (arguments.url, arguments.ref, arguments.path) == ("https://git.example.org/a$b", "v1", "dbt")
    assert [str(network) for network in arguments.allow_network] == ["10.0.0.0/8", "fd00::/8"]
    assert str(arguments.result_file) == "/dev/termination-log"
    assert arguments.to == parsed(transform, job).extra_project
    # The pod lives as long as both may take.
    pod = job["spec"]["template"]["spec"]
    assert pod["activeDeadlineSeconds"] >= 3600 + arguments.timeout.total_seconds()
    assert (
        a_scheduled_one(timeout="1h")["spec"]["template"]["spec"]["activeDeadlineSeconds"]
        < pod["activeDeadlineSeconds"]
    )
    assert "initContainers" not in str(a_scheduled_one())


def test_a_pod_has_room_for_all_that_it_may_write() -> None:
    """EmptyDir counts against the limits of the containers; what is more is evicted."""
    limit = containers_of(a_fetched_project())[1]["resources"]["limits"]["ephemeral-storage"]

    assert Quantity(limit).bytes >= MOST_FETCHED + 8 * MOST_BYTES


# Names, labels, owners


def test_a_name_is_the_same_for_the_same_slot_and_another_for_another_object() -> None:
    longest = "a" * 47
    names = {job_name(longest, uid, slot) for uid in ("u1", "u2") for slot in ("s1", "s2", "request-" + "x" * 256)}

    assert len(names) == 6
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", name) for name in names)
    assert job_name(longest, "u1", "s1") == job_name(longest, "u1", "s1")


def test_a_job_is_known_again_by_what_is_written_on_it() -> None:
    made = extraction_job(a_repository(), "one-1", "20260101T000000Z", "please", SETTINGS)
    seen = job_seen(json.loads(json.dumps(made)))

    assert (seen.resource, seen.slot, seen.token, seen.generation) == ("one", "20260101T000000Z", "please", 3)
    assert (seen.claimed_by, seen.owner, seen.host) == ("u1", "u1", "git.example.org")
    assert seen.image == SETTINGS.image
    assert made["metadata"]["namespace"] == "team"


def test_a_job_made_from_the_cron_job_is_known_again() -> None:
    seen = job_seen(json.loads(json.dumps(a_scheduled_one())))

    assert (seen.resource, seen.claimed_by, seen.generation, seen.slot) == ("one", "u1", 3, "")


def test_the_cron_job_keeps_the_schedule_as_it_is_written() -> None:
    schedule = a_schedule(
        timeZone="Europe/Berlin", concurrencyPolicy="Replace", startingDeadlineSeconds=60,
        successfulJobsHistoryLimit=5, failedJobsHistoryLimit=6,
    )  # fmt: skip
    made = cron_job(schedule, SETTINGS, suspend=True)

    assert (made["metadata"]["name"], made["metadata"]["ownerReferences"][0]["uid"]) == ("one", "u1")
    wanted = {
        "schedule": "0 * * * *", "timeZone": "Europe/Berlin", "suspend": True, "concurrencyPolicy": "Replace",
        "successfulJobsHistoryLimit": 5, "failedJobsHistoryLimit": 6, "startingDeadlineSeconds": 60,
    }  # fmt: skip
    assert {name: value for name, value in made["spec"].items() if name != "jobTemplate"} == wanted
    assert "startingDeadlineSeconds" not in cron_job(a_schedule(), SETTINGS, suspend=False)["spec"]


def test_the_cron_job_of_full_refreshes_differs_in_name_schedule_and_that_alone() -> None:
    spec = {"fullRefreshSchedule": "0 3 * * 0", "timeZone": "Europe/Berlin", "select": ["a"], "retries": 7}
    schedule = a_schedule(**spec, podTemplate=POD_TEMPLATE, startingDeadlineSeconds=60)
    plain, full = (make(schedule, SETTINGS, suspend=False) for make in (cron_job, full_refresh_cron_job))

    assert (full["metadata"].pop("name"), full["spec"].pop("schedule")) == ("one-full", "0 3 * * 0")
    assert (plain["metadata"].pop("name"), plain["spec"].pop("schedule")) == ("one", "0 * * * *")
    container_of(full["spec"]["jobTemplate"])["args"].remove("--full-refresh")
    assert full["spec"]["jobTemplate"]["metadata"]["annotations"].pop("gitmart.dev/full-refresh") == "true"
    assert full == plain


@pytest.mark.parametrize(("build", "full_refresh"), [(a_full_refresh, True), (a_scheduled_one, False)])
def test_a_full_refresh_is_known_again_and_told_to_dbt(build: Any, full_refresh: bool) -> None:
    made = build()
    parser = argparse.ArgumentParser()
    transform.configure(parser)

    seen = job_seen(json.loads(json.dumps(made)))
    assert (seen.resource, seen.claimed_by, seen.full_refresh) == ("one", "u1", full_refresh)
    assert parser.parse_args(started(made)[0][1:]).full_refresh is full_refresh


def test_the_longest_name_leaves_room_for_that_of_full_refreshes() -> None:
    schedule = DbtSchedule.parse(
        a_resource("DbtSchedule", {"schedule": "@daily", "fullRefreshSchedule": "@weekly"}, name="a" * 47)
    )

    assert (
        len(full_refresh_cron_job(schedule, SETTINGS, suspend=False)["metadata"]["name"]) == 52
    )  # the most there may be
