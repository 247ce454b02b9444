"""The git host that other tests lean on, asked by git on this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .git_server import GitServer

Ask = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def server(tmp_path: Path) -> Any:
    """A server of the test's own; it needs no cluster."""
    (tmp_path / "served").mkdir()
    server = GitServer(tmp_path / "served", "127.0.0.1")
    yield server
    server.down = True


@pytest.fixture
def ask(server: GitServer, repository: Any, tmp_path: Path) -> Ask:
    """Publish a commit as `project`, and return a way to run git on it, by default to list its branches."""
    repository.write("file", "x\n")
    repository.commit()
    server.publish(repository)
    (tmp_path / "ca.pem").write_text(server.ca_pem)

    def ask(*command: str, user: str = "", header: str = "") -> subprocess.CompletedProcess[str]:
        url = server.url("project", "localhost").replace("://", f"://{user}@" if user else "://")
        words = ["-c", f"http.sslCAInfo={tmp_path / 'ca.pem'}", "-c", f"http.extraHeader={header}"]
        words += command or ["ls-remote", "--heads"]
        environment = {"PATH": os.environ["PATH"], "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        return subprocess.run(
            ["git", *words, url], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return ask


def test_it_serves_what_was_published_and_counts(server: GitServer, ask: Ask, repository: Any) -> None:
    assert ask().stdout.split() == [repository.git("rev-parse", "HEAD"), "refs/heads/main"]
    assert server.count("project") == 2  # the refs' advertisement, and the listing itself


def test_a_clone_has_all_commits(server: GitServer, ask: Ask, repository: Any, tmp_path: Path) -> None:
    repository.commit()
    server.publish(repository)

    assert ask("clone", "--bare").returncode == 0

    assert repository.git(f"--git-dir={tmp_path / 'project.git'}", "rev-list", "--count", "HEAD") == "2"


def test_a_protected_repository_wants_its_credentials(server: GitServer, ask: Ask) -> None:
    server.protect("project", password=("anna", "word"), bearer="token")

    assert "could not read Username" in ask().stderr
    assert "Authentication failed" in ask(user="anna:wrong").stderr
    assert ask(user="anna:word").returncode == 0
    assert ask(header="Authorization: Bearer token").returncode == 0


def test_it_goes_down_and_comes_back(server: GitServer, ask: Ask) -> None:
    server.down = True
    refused = ask()
    server.down = False

    assert "Failed to connect" in refused.stderr
    assert ask().returncode == 0


def test_it_fails_when_told_to(server: GitServer, ask: Ask) -> None:
    server.failing = 503

    assert "error: 503" in ask().stderr
