"""`gitmart local demo`: from a folder to a summary that no name in it can break."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from .conftest import Local, commit, git

HOSTILE = ("\x1b[31mRed\x1b]0;owned\x07", "[red]Markup[/red]", "abc\u202edesrever", "x" * 300)


@pytest.mark.slow
def test_the_demo_shows_what_git_has_and_nothing_else_happens(local: Local, tmp_path: Path) -> None:
    repository = tmp_path / "it's [bold]ünique"
    git(tmp_path, "init", "-q", "-b", "main", str(repository))
    for number, author in enumerate((*HOSTILE, HOSTILE[0])):
        commit(repository, number, author)
    inside = repository / "deep" / "down"
    inside.mkdir(parents=True)

    said = local.run("demo", inside)

    count = git(repository, "rev-list", "--branches", "--tags", "--count").strip()
    assert f"{count} on the default branch, main ({count} on all branches and tags)" in said
    assert re.search(r"absence factor\W+2 ", said)
    assert re.search(r"2026-01  █+ 5", said)
    assert "[red]Markup[/red]" in said
    assert not {character for character in said if ord(character) < 32 or character == "\u202e"} - {"\n"}
    assert max(map(len, said.splitlines())) < 600
    assert re.search(r"dbt: \d+ models and tests good, 0 failed", said)

    again = local.run("demo", f"file://{repository.as_uri().removeprefix('file://')}")
    assert f"{count} commits (+0 -0)" in again
    assert len(local.run("get", "repositories").splitlines()) == 2


def test_a_folder_without_a_repository_starts_nothing(local: Local, tmp_path: Path) -> None:
    said = local.run("demo", tmp_path, code=64)

    assert f"{tmp_path} is not a git repository" in said
    assert not os.path.lexists(local.folder)
