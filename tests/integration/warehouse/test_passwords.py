"""`gitmart migrate --passwords-from`: an owner that is no superuser, on a server of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gitmart.local.temporary import temporary_postgres

PASSWORD = "canary 'ä\"%s$1"
WORKERS = ("gitmart_extract", "gitmart_transform", "gitmart_read")

Migrate = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def own_server() -> Iterator[Any]:
    """A server whose owner may create roles, whose workers' roles are not there yet, and that logs every statement."""
    with temporary_postgres(durable=False) as server:
        _as_administrator(
            server,
            *(f"drop role {role}" for role in WORKERS),
            "alter role gitmart_owner createrole",
            "revoke connect on database gitmart from public",
            "alter system set log_statement = 'all'",
            "select pg_reload_conf()",
        )
        yield server


def _as_administrator(server: Any, *statements: str) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture
def run_migrate(own_server: Any, tmp_path: Path) -> Migrate:
    """Run the command with these files' content and return its result, exit code and what it printed."""

    def run(**files: str) -> dict[str, Any]:
        folder = tmp_path / "urls"
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name.replace("_", "-")).write_text(content, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "gitmart", "migrate", f"--passwords-from={folder}", "--result-file=result"],
            env={**os.environ, "GITMART_WAREHOUSE_URL": own_server.url("gitmart_owner")},
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        result: dict[str, Any] = json.loads((tmp_path / "result").read_text(encoding="utf-8"))
        assert "canary" not in done.stderr + json.dumps(result)
        return result | {"exit": done.returncode, "printed": done.stderr}

    return run


def _url(server: Any, role: str, password: str = PASSWORD) -> str:
    from urllib.parse import quote

    port = server.url("gitmart_owner").rpartition(":")[2].partition("/")[0]
    return f"postgresql://{role}:{quote(password, safe='')}@127.0.0.1:{port}/gitmart"


def _logs_in(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def test_the_roles_log_in_with_the_passwords_of_the_secret(own_server: Any, run_migrate: Migrate) -> None:
    urls = {role: _url(own_server, role) for role in WORKERS}

    for _ in range(2):  # a Job may be started again
        result = run_migrate(**{f"{role.removeprefix('gitmart_')}_url": url + "\n" for role, url in urls.items()})
        assert (result["exit"], result["outcome"]) == (0, "Succeeded"), result

    assert all(_logs_in(url) for url in urls.values())
    assert not _logs_in(_url(own_server, "gitmart_extract", "another"))
    said = own_server.log.read_text(encoding="utf-8", errors="replace")
    assert "alter role" in said
    assert "canary" not in said


def test_a_new_password_replaces_the_old_one(own_server: Any, run_migrate: Migrate) -> None:
    run_migrate(read_url=_url(own_server, "gitmart_read", "first canary"))
    run_migrate(read_url=_url(own_server, "gitmart_read", "second canary"))

    assert not _logs_in(_url(own_server, "gitmart_read", "first canary"))
    assert _logs_in(_url(own_server, "gitmart_read", "second canary"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param("postgresql://postgres:canary@h/d", "names the user 'postgres'", id="superuser"),
        pytest.param("postgresql://gitmart_owner:canary@h/d", "gitmart_extract, gitmart_transform", id="owner"),
        pytest.param("postgresql://h/d", "names the user ''", id="nobody"),
        pytest.param("postgresql://gitmart_read@h/d", "holds no password", id="no password"),
        pytest.param("mysql://gitmart_read:canary@h/d", "is not a connection URL", id="another database"),
    ],
)
def test_a_file_that_is_wrong_is_named(content: str, says: str, run_migrate: Migrate) -> None:
    result = run_migrate(extract_url=content)

    assert (result["exit"], result["outcome"]) == (64, "InvalidInput")
    assert "extract-url" in result["message"]
    assert says in result["message"]


def test_two_passwords_for_one_role_are_refused(own_server: Any, run_migrate: Migrate) -> None:
    result = run_migrate(
        extract_url=_url(own_server, "gitmart_read", "canary 1"), read_url=_url(own_server, "gitmart_read", "canary 2")
    )

    assert (result["exit"], result["outcome"]) == (64, "InvalidInput")
    assert "read-url" in result["message"]


def test_an_empty_folder_is_a_missing_secret(run_migrate: Migrate) -> None:
    result = run_migrate()

    assert (result["exit"], result["outcome"]) == (79, "SecretMissing")
    assert "extract-url, transform-url, read-url" in result["message"]


def test_what_an_administrator_must_run_is_told_and_works(own_server: Any, run_migrate: Migrate) -> None:
    run_migrate(read_url=_url(own_server, "gitmart_read"))
    _as_administrator(
        own_server,
        "drop owned by gitmart_read", "drop role gitmart_read", "create role gitmart_read",
        "alter role gitmart_owner nocreaterole",
    )  # fmt: skip
    try:
        refused = run_migrate(read_url=_url(own_server, "gitmart_read"))
        assert (refused["exit"], refused["outcome"]) == (77, "AuthenticationFailed")
        _, _, told = refused["message"].partition("the administrator runs once: ")
        _as_administrator(own_server, told)

        assert run_migrate(read_url=_url(own_server, "gitmart_read"))["outcome"] == "Succeeded"
        assert _logs_in(_url(own_server, "gitmart_read"))
    finally:
        _as_administrator(own_server, "alter role gitmart_owner createrole")
