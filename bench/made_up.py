"""Histories that are made up, the same ones every time: files grow and change as those of a program do."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

HERMETIC = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C"}
PACKAGES, MODULES = 31, 21


def git(repository: Path, *words: str, stdin: bytes = b"") -> str:
    """Run git and return what it prints."""
    done = subprocess.run(
        ["git", f"--git-dir={repository}", *words], input=stdin, env=HERMETIC, check=True, stdout=subprocess.PIPE
    )
    return done.stdout.decode().strip()


def make_up(repository: Path, commits: int, *, lines: int = 150, most_files: int = 4) -> Path:
    """Make a bare repository of so many commits, of at most so many files with about so many lines."""
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(repository)], env=HERMETIC, check=True)
    # It stands for what a host serves: a pack with its deltas, filters allowed.
    git(repository, "config", "uploadpack.allowFilter", "true")
    process = subprocess.Popen(
        ["git", f"--git-dir={repository}", "fast-import", "--quiet"], stdin=subprocess.PIPE, env=HERMETIC
    )
    assert process.stdin is not None
    with process.stdin as stream:
        for commit in _commits(commits, lines, most_files):
            stream.write(commit)
    assert process.wait() == 0
    return repository


def add_commits(repository: Path, commits: int) -> None:
    """Add commits to the branch, each of one small file."""
    tip = git(repository, "rev-parse", "main")
    stream = bytearray(b"reset refs/heads/main\nfrom %b\n" % tip.encode())
    for number in range(commits):
        stream += _head(number, 1_900_000_000 + number)
        stream += _file(b"added/file%d" % number, b"new\n" * 10)
    git(repository, "fast-import", "--quiet", stdin=bytes(stream))


def _commits(commits: int, lines: int, most_files: int) -> Iterator[bytes]:
    chance = random.Random(1)  # noqa: S311 # the same history every time
    files: dict[str, list[str]] = {}
    for number in range(commits):
        text = _head(number, 1_500_000_000 + number * 300)
        for _ in range(chance.randint(1, most_files)):
            name = f"package{chance.randrange(PACKAGES)}/module{chance.randrange(MODULES)}.py"
            content = files.setdefault(name, [f"{chance.random()}" for _ in range(lines)])
            place = chance.randrange(len(content))
            # As many come as go, in the long run, so that a long history does not end in large files.
            content[place : place + chance.randint(0, 4)] = [f"{chance.random()}" for _ in range(chance.randint(0, 4))]
            text += _file(name.encode(), "\n".join(content or ["0"]).encode())
            files[name] = content or ["0"]
        yield text


def _head(number: int, seconds: int) -> bytes:
    return b"commit refs/heads/main\ncommitter A%d <%d@example.org> %d +0000\ndata 1\nm\n" % (
        number % 50, number % 50, seconds,
    )  # fmt: skip


def _file(name: bytes, content: bytes) -> bytes:
    return b"M 100644 inline %b\ndata %d\n%b\n" % (name, len(content), content)
