"""
Extract a real repository as it grows and is rewritten, and compare everything with git at every step.

    make campaign-real-repository REPO=path/to/repository.git

Steps: a part of the history; all of it; the same again; a force-push; a deleted branch; the branch
again. After each one: `gitmart extract`, row by row comparison with `git log`, `gitmart transform`
(incremental). In the end the raw rows equal those of a fresh extraction, and the marts those of a full
refresh. Stops by itself; the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
from psycopg import sql
from tests.campaigns import compare_with_git

from gitmart.local.postgres import EmbeddedPostgres
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

GIT = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C",
       "GIT_COMMITTER_NAME": "Rewriter", "GIT_COMMITTER_EMAIL": "rewriter@example.org",
       "GIT_AUTHOR_NAME": "Rewriter", "GIT_AUTHOR_EMAIL": "rewriter@example.org"}  # fmt: skip


class Subject:
    """The repository as a host would show it, and the warehouse it goes into."""

    def __init__(self, source: Path, folder: Path, server: EmbeddedPostgres) -> None:
        self.repository = folder / "live.git"
        self.folder = folder
        self.server = server
        self.key = f"file://{folder}/live"
        self.seconds: dict[str, float] = {}
        subprocess.run(["git", "clone", "-q", "--bare", str(source), str(self.repository)], env=GIT, check=True)
        self.main = self.git("symbolic-ref", "HEAD")

    def git(self, *words: str) -> str:
        """Run git on the repository."""
        return subprocess.run(
            ["git", f"--git-dir={self.repository}", *words], env=GIT, check=True, capture_output=True, text=True
        ).stdout.strip()

    def gitmart(self, part: str, role: str, *words: str, database: str = "gitmart") -> dict[str, object]:
        """Run a worker and return its result."""
        result_file = self.folder / "result.json"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "gitmart", part, f"--result-file={result_file}", *words],
            env={**os.environ, "GITMART_WAREHOUSE_URL": self.server.url(role, database)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        result: dict[str, object] = json.loads(result_file.read_text(encoding="utf-8"))
        return result

    def extract(self, database: str = "gitmart") -> dict[str, object]:
        """Run `gitmart extract`."""
        return self.gitmart(
            "extract", "gitmart_extract", f"--url=file://{self.repository}", "--allow-file-urls",
            f"--work-dir={self.folder}", database=database,
        )  # fmt: skip

    def natural(self, database: str = "gitmart") -> dict[str, list[tuple[object, ...]]]:
        """Return what a fresh extraction would give again."""
        with psycopg.connect(self.server.url("postgres", database)) as connection:
            return compare_with_git.natural(connection, self.key)

    def marts(self) -> dict[str, str]:
        """Return a digest of every mart's rows, whatever their order."""
        with psycopg.connect(self.server.url("postgres")) as connection:
            names = connection.execute(
                "select tablename from pg_tables where schemaname = 'analytics' order by 1"
            ).fetchall()
            digest = (
                "select count(*) || ' ' || coalesce(md5(string_agg(t::text, '' order by t::text)), '') from {} as t"
            )
            return {
                name: str(connection.execute(sql.SQL(digest).format(sql.Identifier("analytics", name))).fetchone())
                for (name,) in names
            }

    def step(self, name: str) -> dict[str, object]:
        """Extract, compare with git, transform; return the extraction's result."""
        start = time.monotonic()
        result = self.extract()
        with psycopg.connect(self.server.url("gitmart_transform")) as connection:
            wrong = compare_with_git.compare(connection, self.repository, self.key)
        assert wrong == 0, f"{name}: the warehouse differs from git"
        self.gitmart("transform", "gitmart_transform")
        self.seconds[name] = round(time.monotonic() - start, 1)
        print(
            f"== {name}: {result['commits']} commits, +{result['newCommits']} -{result['removedCommits']}", flush=True
        )
        return result


def campaign(subject: Subject) -> None:
    """Take the steps and compare in the end."""
    tip = subject.git("rev-parse", subject.main)
    count = int(subject.git("rev-list", "--count", "--first-parent", tip))
    part, recent = f"{tip}~{count // 3}", f"{tip}~{min(40, count // 4)}"
    subject.git("update-ref", "refs/heads/kept-aside", f"{tip}~{count // 5}")
    others = subject.git("for-each-ref", "--format=%(refname)", "refs/tags", "refs/heads").split()
    hidden = {
        ref: subject.git("rev-parse", ref) for ref in others if ref not in {subject.main, "refs/heads/kept-aside"}
    }
    for ref in hidden:
        subject.git("update-ref", "-d", ref)
    subject.git("update-ref", subject.main, part)
    subject.step("a part of the history")

    subject.git("update-ref", subject.main, tip)
    for ref, target in hidden.items():
        subject.git("update-ref", ref, target)
    subject.step("all of it")

    before = subject.natural()
    result = subject.step("the same again")
    assert (result["newCommits"], result["removedCommits"]) == (0, 0)
    assert subject.natural() == before

    rewritten = subject.git("commit-tree", f"{tip}^{{tree}}", "-p", recent, "-m", "squashed")
    subject.git("update-ref", subject.main, rewritten)
    subject.step("a force-push")

    branch = subject.git("rev-parse", "refs/heads/kept-aside")
    for ref in [ref for ref in hidden if ref.startswith("refs/tags/")][-20:]:
        subject.git("update-ref", "-d", ref)
    subject.git("update-ref", "-d", "refs/heads/kept-aside")
    subject.step("deleted refs")

    subject.git("update-ref", "refs/heads/kept-aside", branch)
    subject.git("update-ref", subject.main, tip)
    subject.step("the old tip again")


def compare_with_fresh(subject: Subject) -> None:
    """Compare with a fresh extraction and a full refresh."""
    subject.server.stop()
    subject.server.start()
    with psycopg.connect(subject.server.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute("create database fresh owner gitmart_owner")
    migrate(subject.server.url("gitmart_owner", "fresh"))
    subject.extract("fresh")
    for name, rows in subject.natural("fresh").items():
        assert rows == subject.natural()[name], f"{name} differ from a fresh extraction's"
    print("== the raw rows equal those of a fresh extraction")
    incremental = subject.marts()
    assert incremental
    subject.gitmart("transform", "gitmart_transform", "--full-refresh")
    refreshed = subject.marts()
    assert incremental == refreshed, {
        name: (incremental[name], refreshed[name]) for name in refreshed if incremental[name] != refreshed[name]
    }
    print(f"== {len(refreshed)} marts equal those of a full refresh")


def main() -> None:
    """Run the campaign on a server of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repo", type=Path, required=True, help="a repository on this machine; it is not changed")
    arguments = parser.parse_args()
    with temporary_postgres(durable=False) as server:
        migrate(server.url("gitmart_owner"))
        subject = Subject(arguments.repo.resolve(), server.folder.parent, server)
        campaign(subject)
        compare_with_fresh(subject)
    print(json.dumps({"wrong": 0, "seconds": subject.seconds}))


if __name__ == "__main__":
    main()
