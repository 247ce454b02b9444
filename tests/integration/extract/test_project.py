"""A dbt project in a git repository: what is written of it, what is refused, and what a host's refusals are called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitmart.cli import main
from gitmart.contract.fetched import read_commit
from gitmart.contract.outcomes import Outcome
from gitmart.extract import project as extract_project

Fetch = Callable[..., dict[str, Any]]


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    """Run the command and return its result, with the exit code."""

    def run(*words: str, to: Path | None = None, **environment: str) -> dict[str, Any]:
        result_file, temporary = tmp_path / "result.json", tmp_path / "tmp"
        temporary.mkdir(exist_ok=True)
        words = (*words, "--to", str(to or tmp_path / "to"), "--result-file", str(result_file))
        done = subprocess.run(
            [sys.executable, "-m", "gitmart", "fetch", "--allow-private-addresses", *words],
            env={**os.environ, "TMPDIR": str(temporary), **environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert list(temporary.iterdir()) == []
        found: dict[str, Any] = json.loads(result_file.read_text(encoding="utf-8"))
        assert done.returncode == Outcome(found["outcome"]).exit_code
        return {**found, "printed": done.stderr}

    return run


@pytest.fixture
def team(repository: Any) -> Any:
    """A repository with a project in a folder, a branch and a tag with other contents."""
    repository.git("config", "user.name", "Author One")
    repository.git("config", "user.email", "one@example.org")
    repository.write("README.md", "no part of it\n")
    repository.write("analytics/dbt_project.yml", "name: team\n")
    repository.write("analytics/models/a.sql", "select 1\n")
    repository.commit()
    repository.git("tag", "-a", "-m", "one", "v1")
    repository.git("checkout", "-q", "-b", "next")
    repository.write("analytics/models/a.sql", "select 2\n")
    repository.commit()
    repository.git("checkout", "-q", "-")
    return repository


def files(folder: Path) -> dict[str, str]:
    """Return the files but for the note of their commit."""
    found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert found.pop(".gitmart-commit", None) == f"{read_commit(folder)}\n"
    return found


@pytest.mark.parametrize(
    ("ref", "model"),
    [(None, 1), ("v1", 1), ("next", 2), ("refs/heads/next", 2), ("commit of next", 2), ("commit of next~1", 1)],
)
def test_a_folder_is_written_as_it_is_at_a_ref(
    ref: str | None, model: int, team: Any, host: Any, fetch: Fetch, tmp_path: Path
) -> None:
    if ref is not None and ref.startswith("commit of "):
        ref = str(team.git("rev-parse", ref.removeprefix("commit of "))).strip()
    words = ["--url", host.serve(team), "--path", "analytics", *(["--ref", ref] if ref else [])]
    (tmp_path / "to" / "models").mkdir(parents=True)
    (tmp_path / "to" / "models" / "of_yesterday.sql").touch()

    told = fetch(*words)

    assert told["outcome"] == "Succeeded", told
    assert (
        told["commit"]
        == read_commit(tmp_path / "to")
        == str(team.git("rev-parse", f"{ref or 'HEAD'}^{{commit}}")).strip()
    )
    assert files(tmp_path / "to") == {"dbt_project.yml": "name: team\n", "models/a.sql": f"select {model}\n"}


@pytest.mark.parametrize("filters", [True, False])
def test_the_files_beside_the_folder_are_not_fetched(
    filters: bool, team: Any, host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    """A project may stand in a repository that is much too large, if the host sends what is asked for alone."""
    team.write("large.bin", os.urandom(3 << 20))
    team.commit()
    team.git("config", "uploadpack.allowFilter", str(filters).lower())
    monkeypatch.setattr(extract_project, "MOST_FETCHED", 1 << 20)
    words = ["--url", host.serve(team), "--path", "analytics", "--to", str(tmp_path / "to")]

    code = main(["fetch", "--allow-private-addresses", *words])

    assert code == (Outcome.SUCCEEDED if filters else Outcome.LIMIT_EXCEEDED).exit_code
    assert filters or "more than the 1Mi that a dbt project may take" in capfd.readouterr().err


def test_a_local_folder_is_read_in_local_mode_alone(team: Any, fetch: Fetch, tmp_path: Path) -> None:
    assert fetch("--url", team.url, "--path", "analytics")["outcome"] == "InvalidInput"
    assert fetch("--url", team.url, "--path", "analytics", "--allow-file-urls")["outcome"] == "Succeeded"
    assert files(tmp_path / "to").keys() == {"dbt_project.yml", "models/a.sql"}


@pytest.mark.parametrize(
    ("words", "outcome", "told"),
    [
        (["--ref", "nothing"], Outcome.NOT_FOUND, "has no branch and no tag nothing"),
        (["--ref", "0" * 40], Outcome.NOT_FOUND, "no such commit"),
        (["--path", "nowhere"], Outcome.NOT_FOUND, "has no folder nowhere"),
        (["--path", "README.md"], Outcome.NOT_FOUND, "has no folder README.md"),
    ],
)
def test_what_is_not_there_is_told(
    words: list[str], outcome: Outcome, told: str, team: Any, host: Any, fetch: Fetch
) -> None:
    found = fetch("--url", host.serve(team), *words)

    assert (found["outcome"], told in found["message"]) == (outcome.value, True), found


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("moved", Outcome.MOVED),
        ("private", Outcome.AUTHENTICATION_FAILED),
        ("nothing", Outcome.NOT_FOUND),
        ("broken", Outcome.HOST_UNREACHABLE),
    ],
)
def test_each_refusal_of_a_host_has_its_outcome(path: str, outcome: Outcome, host: Any, fetch: Fetch) -> None:
    found = fetch("--url", f"{host.url}/{path}")

    assert found["outcome"] == outcome.value
    if path == "private":
        assert "spec.project.git.secretRef" in found["message"]


def test_credentials_are_shown_to_the_host_and_told_to_nobody(
    team: Any, host: Any, fetch: Fetch, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "token").write_text("canary-of-the-team")

    found = fetch("--url", f"{host.url}/members/project.git", GITMART_CREDENTIALS_DIR=str(secret),
                  GITMART_CREDENTIALS_SOURCE="Secret git in namespace team")  # fmt: skip

    assert found["outcome"] == "AuthenticationFailed"
    assert "Secret git in namespace team" in found["message"]
    assert "canary" not in json.dumps(found)


def test_an_address_that_is_not_allowed_is_not_asked(team: Any, host: Any, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gitmart", "fetch", "--url", host.serve(team), "--to", str(tmp_path / "to")],
        capture_output=True, check=False,
    )  # fmt: skip

    assert done.returncode == Outcome.ADDRESS_NOT_ALLOWED.exit_code
    assert host.asked == []


@pytest.mark.parametrize(
    ("target", "good"),
    [
        ("models/a.sql", True),
        ("./models/../models/a.sql", True),
        ("second.sql", True),
        ("../README.md", False),
        ("/etc/passwd", False),
        ("models", False),
        ("link.sql", False),
        ("nothing.sql", False),
    ],
)
def test_a_link_is_a_file_of_the_folder_or_refused(
    target: str, good: bool, team: Any, fetch: Fetch, tmp_path: Path
) -> None:
    (team.path / "analytics/link.sql").symlink_to(target)
    (team.path / "analytics/second.sql").symlink_to("models/a.sql")
    team.git("add", "-A")
    team.commit()

    found = fetch("--url", team.url, "--path", "analytics", "--allow-file-urls")

    if good:
        assert files(tmp_path / "to")["link.sql"] == "select 1\n"
        assert not any(path.is_symlink() for path in (tmp_path / "to").rglob("*"))
    else:
        assert (found["outcome"], "link.sql is a link to" in found["message"]) == ("ProjectError", True)
        assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("name", ["..", ".", "a\nb", "a\\..\\\x1bb"])
def test_no_name_leads_out_of_the_folder(name: str, team: Any, fetch: Fetch, tmp_path: Path) -> None:
    """As a host may send trees that no git would make."""
    blob = str(team.git("rev-parse", "HEAD:README.md")).strip()
    entry = b"100644 " + name.encode() + b"\0" + bytes.fromhex(blob)
    made = subprocess.run(
        ["git", "hash-object", "-w", "-t", "tree", "--stdin", "--literally"], cwd=team.path, input=entry,
        capture_output=True, check=True,
    )  # fmt: skip
    tree = made.stdout.decode().strip()
    commit = str(team.git("commit-tree", "-m", "x", tree)).strip()
    team.git("update-ref", "refs/heads/odd", commit)

    found = fetch("--url", team.url, "--ref", "odd", "--allow-file-urls")

    assert found["outcome"] == "RepositoryDamaged"
    assert not (tmp_path / "to").exists()


def test_a_submodule_is_named(team: Any, fetch: Fetch) -> None:
    commit = str(team.git("rev-parse", "HEAD")).strip()
    team.git("update-index", "--add", "--cacheinfo", f"160000,{commit},analytics/dbt_packages/tools")
    team.git("commit", "-q", "-m", "x")

    found = fetch("--url", team.url, "--path", "analytics", "--allow-file-urls")

    assert found["outcome"] == "ProjectError"
    assert "dbt_packages/tools is a submodule" in found["message"]


@pytest.mark.parametrize(("limit", "told"), [("MOST_FILES", "more than 1 files"), ("MOST_BYTES", "more than 1")])
def test_a_project_has_a_size(
    limit: str, told: str, team: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setattr(extract_project, limit, 1)

    code = main(["fetch", "--url", team.url, "--allow-file-urls", "--to", str(tmp_path / "to")])

    assert code == Outcome.LIMIT_EXCEEDED.exit_code
    assert told in capfd.readouterr().err
