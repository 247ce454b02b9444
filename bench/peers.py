"""
Peers on the same repository, into the same tables, as ratios to gitmart.

    make bench-peers REPO=path/to/repository.git

PyDriller, GitPython and perceval, each a process of its own (see peer_readers.py) that reads all commits with
their files from a clone and loads them; gitmart likewise, without its clone. One round of everything after the
other; a peer takes minutes where gitmart takes seconds, so one round is the default. Beside the time: what each has
counted, and in how many commits that differs from git's own `--numstat -M`. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from extraction import database, extract
from made_up import HERMETIC
from peer_readers import TOOLS

from gitmart.local.postgres import EmbeddedPostgres
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

REQUIREMENTS = Path(__file__).parent / "peers.txt"
GITMART = "gitmart"
COUNTS = "select count(*), sum(files_changed), sum(lines_added), sum(lines_deleted) from commits"
BY_COMMIT = "select commit_hash, lines_added, lines_deleted, files_changed from commits where parent_count < 2"


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds, counts of commits, file rows, lines added and deleted, and those of each commit that is no merge."""

    seconds: float
    counts: tuple[int, ...]
    by_commit: dict[str, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Bench:
    """Where to read from and to."""

    python: Path  # of the peers
    repository: Path
    folder: Path
    server: EmbeddedPostgres

    def measure(self, tool: str) -> Measured:
        """Let a tool read into an empty warehouse."""
        with database(self.server) as name:
            if tool == GITMART:
                run = extract(self.repository, self.server.url("gitmart_extract", name), self.folder)
                seconds = run.wall - run.seconds("clone")
            else:
                seconds = self._peer(tool, self.server.url("gitmart_extract", name))
            with psycopg.connect(self.server.url("postgres", name)) as connection:
                (counts,) = connection.execute(COUNTS).fetchall()
                by_commit = {str(row[0]): row[1:] for row in connection.execute(BY_COMMIT)}
        return Measured(seconds, tuple(int(value) for value in counts), by_commit)

    def _peer(self, tool: str, url: str) -> float:
        start = time.monotonic()
        reader = Path(__file__).with_name("peer_readers.py")
        subprocess.run(
            [self.python, "-W", "ignore", str(reader), tool, str(self.repository), url],
            env={**HERMETIC, "HOME": str(self.folder)},
            check=True,
        )
        return time.monotonic() - start


def install(folder: Path) -> Path:
    """Make an environment for the peers and return its Python."""
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    python = folder / "bin/python"
    subprocess.run(
        [
            uv,
            "pip",
            "sync",
            "--quiet",
            "--require-hashes",
            "--compile-bytecode",
            f"--python={python}",
            str(REQUIREMENTS),
        ],
        check=True,
    )
    return python


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, required=True, help="a repository on this machine; it is not changed")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gitmart-peers-") as environment, temporary_postgres() as server:
        python = install(Path(environment))
        migrate(server.url("gitmart_owner"))
        folder = server.folder.parent
        repository = folder / "source.git"
        source = os.fspath(arguments.repo.resolve())
        subprocess.run(["git", "clone", "-q", "--bare", source, str(repository)], env=HERMETIC, check=True)
        bench = Bench(python, repository, folder, server)
        rounds = [{tool: bench.measure(tool) for tool in (GITMART, *TOOLS)} for _ in range(arguments.rounds)]
    report(rounds)


def report(rounds: list[dict[str, Measured]]) -> None:
    """Print the table and the line of JSON."""
    ours = rounds[0][GITMART]
    print(
        f"{'':10} {'seconds':>8} {'÷':>6} {'commits':>8} {'file rows':>9} {'added':>11} {'deleted':>11} {'differ':>7}"
    )
    figures = {}
    for tool, first in rounds[0].items():
        seconds = statistics.median(each[tool].seconds for each in rounds)
        ratio = statistics.median(each[tool].seconds / each[GITMART].seconds for each in rounds)
        differ = sum(first.by_commit.get(commit) != counts for commit, counts in ours.by_commit.items())
        commits, files, added, deleted = first.counts
        print(f"{tool:10} {seconds:>8.1f} {ratio:>6.1f} {commits:>8} {files:>9} {added:>11} {deleted:>11} {differ:>7}")
        figures[tool] = {"seconds": round(seconds, 2), "ratio": round(ratio, 2), "commits_that_differ": differ}
    print("differ: commits that are no merges and whose file rows or lines are not git's")
    print(json.dumps({"commits": ours.counts[0], "rounds": len(rounds), "tools": figures}))


if __name__ == "__main__":
    main()
