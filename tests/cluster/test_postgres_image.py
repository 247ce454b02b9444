"""Our stand-in for the official PostgreSQL image takes what the official one takes."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from .client import Cluster, Namespace, restricted_pod

PASSWORD = "a word"
SCRIPTS = {
    "10-table.sql": "create table greetings (word text);",
    "20-row.sh": "psql -v ON_ERROR_STOP=1 -c \"insert into greetings values ('hello')\"",
}


@pytest.fixture
def address(cluster: Cluster, namespace: Namespace) -> str:
    """The address of a pod with a database made by its variables, its password file and two scripts."""
    if cluster.obtained.kind != "native":
        pytest.skip("pods of other clusters cannot be reached from here")
    namespace.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "password"}, "stringData": {"password": PASSWORD}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "scripts"}, "data": SCRIPTS},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "postgres"}, "spec": postgres(cluster.postgres_image)},
    )
    pod = namespace.wait_for_condition("pod", "postgres", "Ready")
    found: str = pod["status"]["podIP"]
    return found


def test_the_first_start_makes_what_the_variables_say(address: str) -> None:
    with psycopg.connect(host=address, user="anna", dbname="mart", password=PASSWORD) as connection:
        assert connection.execute("select word from greetings").fetchall() == [("hello",)]
        assert connection.execute("select rolsuper from pg_roles where rolname = 'anna'").fetchall() == [(True,)]


def test_a_wrong_password_is_refused(address: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(host=address, user="anna", dbname="mart", password="another")


def postgres(image: str) -> dict[str, Any]:
    """Return a pod's spec, as a chart has it for the official image."""
    folders = {"tmp": "/tmp", "data": "/var/lib/postgresql/data", "run": "/var/run/postgresql"}  # noqa: S108
    mounts = [{"name": name, "mountPath": path} for name, path in folders.items()]
    environment = {
        "POSTGRES_USER": "anna",
        "POSTGRES_DB": "mart",
        "POSTGRES_PASSWORD_FILE": "/etc/password/password",
        "PGDATA": "/var/lib/postgresql/data/pgdata",
    }
    pod = restricted_pod(
        image,
        env=[{"name": name, "value": value} for name, value in environment.items()],
        readinessProbe={"exec": {"command": ["pg_isready", "-h", "127.0.0.1", "-U", "anna"]}, "periodSeconds": 1},
        volumeMounts=[
            *mounts,
            {"name": "password", "mountPath": "/etc/password"},
            {"name": "scripts", "mountPath": "/docker-entrypoint-initdb.d"},
        ],
    )
    pod["securityContext"] |= {"runAsUser": 999, "runAsGroup": 999, "fsGroup": 999}
    pod["volumes"] = [{"name": name, "emptyDir": {}} for name in folders] + [
        {"name": "password", "secret": {"secretName": "password"}},
        {"name": "scripts", "configMap": {"name": "scripts"}},
    ]
    return pod
