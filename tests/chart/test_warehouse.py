"""The connection Secrets, the passwords in them, and the Job that hands the passwords to the roles."""

from __future__ import annotations

import base64
import re
import shutil
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from urllib.parse import urlsplit

import pytest
from psycopg.conninfo import conninfo_to_dict

from gitmart.warehouse.command import configure
from gitmart.warehouse.replication.command import configure as configure_replicate

Render = Callable[..., Any]
Template = Callable[..., CompletedProcess[str]]
CHART = Path(__file__).parents[2] / "charts" / "gitmart"
EXTERNAL = {
    "postgresql": {"enabled": False},
    "warehouse": {"existingSecret": "mine"},
    "api": {"authentication": {"existingSecret": "tokens"}},
}
GITOPS = {
    "postgresql": {"existingSecret": "passwords"},
    "warehouse": {"existingSecret": "mine"},
    "api": {"authentication": {"existingSecret": "tokens"}},
}
REPLICA = {"replica": {"existingSecret": "theirs"}, "postgresql": {"settings": {"wal_level": "logical"}}}


def test_each_url_names_its_role_and_the_bundled_server(render: Render) -> None:
    rendered = render()

    passwords = rendered.one("Secret", "gitmart-postgresql")["stringData"]
    urls = rendered.one("Secret", "gitmart-warehouse")["stringData"]
    assert set(urls) == {"owner-url", "extract-url", "transform-url", "read-url"}
    for key, url in urls.items():
        parts = urlsplit(url)
        role = key.removesuffix("-url")
        assert (parts.scheme, parts.username, parts.path) == ("postgresql", f"gitmart_{role}", "/gitmart")
        assert (parts.hostname, parts.port) == ("gitmart-postgresql.gitmart.svc", 5432)
        assert parts.password == passwords[f"{role}-password"]
    assert len(set(passwords.values())) == len(passwords) == 5
    assert min(map(len, passwords.values())) == 32


def test_a_password_of_your_own_may_hold_any_character(render: Render, tmp_path: Path) -> None:
    password = "a b+c%d@e:f/g#h?i'ü"
    chart = Path(shutil.copytree(CHART, tmp_path / "gitmart"))
    helper = chart / "templates" / "_passwords.tpl"
    helper.write_text(helper.read_text().replace("(randAlphaNum 32)", f'(print "{password}")'))

    rendered = render(chart=chart)

    assert rendered.one("Secret", "gitmart-postgresql")["stringData"]["read-password"] == password
    url = rendered.one("Secret", "gitmart-warehouse")["stringData"]["read-url"]
    assert conninfo_to_dict(url)["password"] == password


def test_further_namespaces_get_what_workers_need_alone(render: Render) -> None:
    rendered = render({"warehouse": {"namespaces": ["team-a", "gitmart", "team-b"]}})

    whole = rendered.one("Secret", "gitmart-warehouse", "gitmart")["stringData"]
    for namespace in ("team-a", "team-b"):
        part = rendered.one("Secret", "gitmart-warehouse", namespace)["stringData"]
        assert part == {key: whole[key] for key in ("extract-url", "transform-url")}


@pytest.mark.parametrize("values", [EXTERNAL, GITOPS], ids=["external", "gitops"])
def test_with_your_secret_the_chart_makes_none(render: Render, values: dict[str, Any]) -> None:
    rendered = render(values)

    assert rendered.of_kind("Secret") == []
    assert rendered.pods["Job"]["volumes"][0]["secret"]["secretName"] == "mine"
    assert rendered.pods["Pod"]["volumes"][0]["secret"]["secretName"] == "mine"


def test_with_your_secret_nothing_is_left_to_chance(template: Template) -> None:
    assert template(GITOPS).stdout == template(GITOPS).stdout != ""


def test_with_your_secret_the_server_takes_its_passwords_from_there(render: Render) -> None:
    (container,) = render(GITOPS).pods["StatefulSet"]["containers"]

    references = [each["valueFrom"]["secretKeyRef"] for each in container["env"] if "valueFrom" in each]
    assert references == [
        {"name": "passwords", "key": "postgres-password"},
        {"name": "passwords", "key": "owner-password"},
    ]


def test_a_server_of_your_own_replaces_the_bundled_one(render: Render) -> None:
    rendered = render(EXTERNAL)

    names = {each["metadata"]["name"] for each in rendered.all}
    assert not {name for name in names if "postgresql" in name}


def test_the_passwords_outlive_the_release_as_the_volume_does(render: Render) -> None:
    rendered = render()

    annotations = rendered.one("Secret", "gitmart-postgresql")["metadata"]["annotations"]
    policy = rendered.one("StatefulSet", "gitmart-postgresql")["spec"]["persistentVolumeClaimRetentionPolicy"]
    assert annotations["helm.sh/resource-policy"] == "keep"
    assert policy == {"whenDeleted": "Retain", "whenScaled": "Retain"}


def test_the_owner_is_made_with_the_password_of_its_url(render: Render) -> None:
    rendered = render()

    (container,) = rendered.pods["StatefulSet"]["containers"]
    (reference,) = (each["valueFrom"]["secretKeyRef"] for each in container["env"]
                    if each["name"] == "GITMART_OWNER_PASSWORD")  # fmt: skip
    password = rendered.one("Secret", reference["name"])["stringData"][reference["key"]]
    assert urlsplit(rendered.one("Secret", "gitmart-warehouse")["stringData"]["owner-url"]).password == password
    script = rendered.one("ConfigMap", "gitmart-postgresql-init")["data"]["10-gitmart.sh"]
    assert r"\getenv owner_password GITMART_OWNER_PASSWORD" in script


@pytest.mark.parametrize(("passwords", "folder"), [(True, Path("/etc/gitmart/warehouse")), (False, None)])
def test_the_migration_is_a_command_that_gitmart_has(render: Render, passwords: bool, folder: Path | None) -> None:
    (container,) = render({"migrate": {"passwords": passwords}}).pods["Job"]["containers"]

    subcommand, *words = container["args"]
    configure(parser := ArgumentParser())
    arguments = parser.parse_args(words)
    assert subcommand == "migrate"
    assert arguments.passwords_from == folder
    (mount,) = (each["mountPath"] for each in container["volumeMounts"] if each["name"] == "warehouse")
    assert container["env"] == [{"name": "GITMART_WAREHOUSE_URL_FILE", "value": f"{mount}/owner-url"}]
    assert folder in (None, Path(mount))


def test_the_migration_makes_the_schemas_that_are_named(render: Render) -> None:
    values = {"migrate": {"targetSchemas": ["sales", "sales_eu"]}}
    (container,) = render(values).pods["Job"]["containers"]

    configure(parser := ArgumentParser())
    assert parser.parse_args(container["args"][1:]).target_schema == ["sales", "sales_eu"]


def test_the_replica_is_migrated_first_and_connected_last(render: Render) -> None:
    pod = render({**REPLICA, "migrate": {"targetSchemas": ["sales"]}}).pods["Job"]

    first, second = pod["initContainers"]
    (last,) = pod["containers"]
    configure(parser := ArgumentParser())
    for container, folder in ((first, "replica"), (second, "warehouse")):
        arguments = parser.parse_args(container["args"][1:])
        assert (container["args"][0], arguments.passwords_from) == ("migrate", Path(f"/etc/gitmart/{folder}"))
        assert arguments.target_schema == ["sales"]
        assert container["env"][0]["value"] == f"/etc/gitmart/{folder}/owner-url"
    configure_replicate(parser := ArgumentParser())
    assert last["args"][0] == "replicate"
    assert parser.parse_args(last["args"][1:]).action == "set-up"
    assert {each["name"]: Path(each["value"]).name for each in last["env"]} == {
        "GITMART_WAREHOUSE_URL_FILE": "source-url",
        "GITMART_REPLICA_URL_FILE": "replica-url",
        "GITMART_REPLICATION_URL_FILE": "replication-url",
    }
    # Each sees what it needs alone.
    seen = [{each["name"] for each in container["volumeMounts"]} for container in (first, second, last)]
    assert seen == [{"replica", "tmp"}, {"warehouse", "tmp"}, {"replica", "tmp"}]
    secrets = {each["name"]: each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each}
    assert secrets == {"warehouse": "gitmart-warehouse", "replica": "theirs"}


def test_the_migration_reaches_a_replica_wherever_it_is(render: Render) -> None:
    policies = [render(values).one("NetworkPolicy", "gitmart-migrate")["spec"]["egress"] for values in ({}, REPLICA)]

    assert ["ipBlock" in str(egress) for egress in policies] == [False, True]


def test_a_source_that_cannot_be_replicated_is_refused(template: Template) -> None:
    done = template({"replica": {"existingSecret": "theirs"}})

    assert done.returncode != 0
    assert "postgresql.settings.wal_level is not logical" in done.stderr


@pytest.mark.parametrize("schema", ["Sales", "2026", "s" * 49, "a b"])
def test_a_schema_that_dbt_cannot_write_is_refused(template: Template, schema: str) -> None:
    done = template({"migrate": {"targetSchemas": [schema]}})

    assert done.returncode != 0
    assert "targetSchemas" in done.stderr


def test_the_migration_is_tried_again_until_the_server_answers(render: Render) -> None:
    job = render().one("Job", "gitmart-migrate-")

    assert job["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"
    assert job["spec"]["backoffLimit"] >= 100
    assert "ttlSecondsAfterFinished" not in job["spec"]  # a Job that goes by itself would be made again
    assert "annotations" not in job["metadata"]  # no hook: helm would wait for it before it starts the server


@pytest.mark.parametrize(
    ("values", "same"),
    [
        pytest.param({}, True, id="nothing"),
        pytest.param({"operator": {"concurrency": 3}}, True, id="another part"),
        pytest.param({"migrate": {"backoffLimit": 7}}, True, id="what may be changed in a Job"),
        pytest.param({"image": {"tag": "2"}}, False, id="image"),
        pytest.param({"migrate": {"podAnnotations": {"again": "1"}}}, False, id="annotation"),
        pytest.param({"migrate": {"targetSchemas": ["sales"]}}, False, id="another schema"),
        pytest.param({"migrate": {"resources": {"limits": {"cpu": "1"}}}}, False, id="resources"),
    ],
)
def test_a_changed_pod_is_another_job(render: Render, values: dict[str, Any], same: bool) -> None:
    first, second = (render({**GITOPS, **each}).one("Job", "gitmart-migrate-") for each in ({}, values))

    assert (first["metadata"]["name"] == second["metadata"]["name"]) is same
    assert (first["spec"]["template"] == second["spec"]["template"]) is same


def test_a_changed_password_is_another_job(template: Template) -> None:
    # Each rendering without a cluster makes passwords of its own.
    names = {found for _ in range(2) for found in re.findall("name: (gitmart-migrate-[0-9a-f]+)", template().stdout)}

    assert len(names) == 2


def test_only_gitmart_reaches_the_bundled_server(render: Render) -> None:
    rendered = render({"networkPolicy": {"postgresqlFrom": [{"podSelector": {"matchLabels": {"app": "bi"}}}]}})

    policy = rendered.one("NetworkPolicy", "gitmart-postgresql")["spec"]
    ((workers, own, given),) = (rule["from"] for rule in policy["ingress"])
    assert workers == {
        "namespaceSelector": {},
        "podSelector": {"matchLabels": {"app.kubernetes.io/managed-by": "gitmart"}},
    }
    assert own["podSelector"]["matchExpressions"][0]["values"] == ["api", "migrate", "test"]
    assert given == {"podSelector": {"matchLabels": {"app": "bi"}}}
    server = rendered.one("StatefulSet", "gitmart-postgresql")["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= server.items()


def test_no_password_stands_outside_a_secret(render: Render) -> None:
    rendered = render({"warehouse": {"namespaces": ["team-a"]}})

    passwords = rendered.one("Secret", "gitmart-postgresql")["stringData"].values()
    elsewhere = str([each for each in rendered.all if each["kind"] != "Secret"])
    forms = [form for each in passwords for form in (each, base64.b64encode(each.encode()).decode())]
    assert not [form for form in forms if form in elsewhere]
