"""
Compare an extraction of what is new with one of everything, on the same repository.

    make bench-incremental REPO=path/to/repository.git

For 1, 10, 100 and 1,000 new commits of the default branch: the warehouse knows the branch without them, a
server (a bare copy, file://, filters allowed) has it with them. Each round does for each number: an
extraction into the warehouse that knows, then one into an empty warehouse, both the whole process from its
start to committed rows. Ratios are taken within a round, medians shown. Bytes are those of the packs that
were fetched. Without REPO a history of 15,000 commits is made up. The last line is JSON.
"""

from __future__ import annotations

import argparse
import bisect
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

from gitmart.local.postgres import EmbeddedPostgres
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

HERMETIC = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C"}
NEW = (1, 10, 100, 1000)  # commits
GOAL = 10  # the number of new commits whose ratios are the figures
MADE_UP = 15_000  # commits


@dataclass(frozen=True, slots=True)
class Measured:
    """One extraction."""

    wall: float  # seconds
    bytes_fetched: int
    result: dict[str, object]


def git(repository: Path, *words: str, stdin: bytes = b"") -> str:
    """Run git and return what it prints."""
    done = subprocess.run(
        ["git", f"--git-dir={repository}", *words], input=stdin, env=HERMETIC, check=True, stdout=subprocess.PIPE
    )
    return done.stdout.decode().strip()


def make_up(folder: Path) -> Path:
    """Make a history whose files grow and change as those of a program do."""
    chance = random.Random(1)  # noqa: S311 # the same history every time
    files: dict[str, list[str]] = {}
    stream = bytearray()
    for number in range(MADE_UP):
        stream += b"commit refs/heads/main\ncommitter A%d <%d@example.org> %d +0000\ndata 1\nm\n" % (
            number % 50, number % 50, 1_500_000_000 + number * 3600,
        )  # fmt: skip
        for _ in range(chance.randint(1, 4)):
            name = f"package{chance.randint(0, 30)}/module{chance.randint(0, 20)}.py"
            lines = files.setdefault(name, [f"{chance.random()}" for _ in range(150)])
            place = chance.randrange(len(lines))
            lines[place : place + chance.randint(0, 4)] = [f"{chance.random()}" for _ in range(chance.randint(1, 6))]
            content = "\n".join(lines).encode()
            stream += b"M 100644 inline %b\ndata %d\n%b\n" % (name.encode(), len(content), content)
    repository = folder / "made-up.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(repository)], env=HERMETIC, check=True)
    git(repository, "fast-import", "--quiet", stdin=bytes(stream))
    git(repository, "repack", "-adq")
    return repository


class Bench:
    """The server's repository and a PostgreSQL with a database per state of it."""

    def __init__(self, source: Path, folder: Path, server: EmbeddedPostgres) -> None:
        self.folder, self.server = folder, server
        self.served = folder / "served.git"
        subprocess.run(
            ["git", "clone", "--quiet", "--bare", "--single-branch", f"file://{source.resolve()}", str(self.served)],
            env=HERMETIC, check=True,
        )  # fmt: skip
        git(self.served, "config", "uploadpack.allowFilter", "true")
        self.branch = git(self.served, "symbolic-ref", "HEAD")
        self.tip = git(self.served, "rev-parse", "HEAD")
        # A tag could keep what the branch shall not have yet.
        for tag in git(self.served, "for-each-ref", "--format=%(refname)", "refs/tags").split():
            git(self.served, "update-ref", "-d", tag)
        self.before = {count: self._without(count) for count in NEW}

    def _without(self, count: int) -> str:
        """Return the commit of the first-parent line that lacks `count` commits of the tip's history, or somewhat more."""
        line = git(self.served, "rev-list", "--first-parent", self.tip).split()

        def lacking(commit: str) -> int:
            return int(git(self.served, "rev-list", "--count", self.tip, f"^{commit}"))

        place = bisect.bisect_left(line, count, key=lacking)
        if place == len(line):
            raise SystemExit(f"the repository's default branch has no {count} commits")
        return line[place]

    @contextmanager
    def warehouse(self, template: str) -> Iterator[str]:
        """Make a database like that one and yield its name."""
        name = f"bench_{uuid4().hex}"
        with psycopg.connect(self.server.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("create database {} template {} owner gitmart_owner").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
            connection.execute("checkpoint")
            try:
                yield name
            finally:
                connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    def extract(self, database: str) -> Measured:
        """Run the command."""
        result_file = self.folder / "result.json"
        start = time.monotonic()
        done = subprocess.run(
            [
                sys.executable, "-m", "gitmart", "extract", f"--url=file://{self.served}", "--allow-file-urls",
                f"--work-dir={self.folder}", f"--result-file={result_file}",
            ],
            stderr=subprocess.DEVNULL, check=False,
            env={**os.environ, "GITMART_WAREHOUSE_URL": self.server.url("gitmart_extract", database)},
        )  # fmt: skip
        wall = time.monotonic() - start
        result = json.loads(result_file.read_text(encoding="utf-8"))
        assert done.returncode == 0, result
        return Measured(wall, int(result["bytesFetched"]), result)

    def round(self, known: dict[int, str]) -> dict[int, tuple[Measured, Measured]]:
        """Return for each number of new commits the extraction of what is new and that of everything."""
        measured = {}
        for count, template in known.items():
            with self.warehouse(template) as name:
                new = self.extract(name)
            assert new.result["fetch"] == "incremental", new.result
            with self.warehouse("gitmart") as name:
                measured[count] = new, self.extract(name)
            assert new.result["commits"] == measured[count][1].result["commits"]
        return measured

    def know(self, count: int) -> str:
        """Return a database that knows the branch without the new commits."""
        name = f"known_{count}"
        with psycopg.connect(self.server.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("create database {} template gitmart owner gitmart_owner").format(sql.Identifier(name))
            )
        git(self.served, "update-ref", self.branch, self.before[count])
        self.extract(name)
        git(self.served, "update-ref", self.branch, self.tip)
        return name


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, help="a repository on this machine; it is not changed")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with temporary_postgres() as server:
        migrate(server.url("gitmart_owner"))
        folder = server.folder.parent
        bench = Bench(arguments.repo or make_up(folder), folder, server)
        known = {count: bench.know(count) for count in NEW}
        report([bench.round(known) for _ in range(arguments.rounds)])


def report(rounds: list[dict[int, tuple[Measured, Measured]]]) -> None:
    """Print the table and the line of JSON."""
    result = rounds[0][GOAL][1].result
    print(f"{result['commits']} commits, git {result['gitVersion']}, {len(rounds)} rounds, medians")
    print(f"{'new commits':>11} {'bytes':>11} {'÷ all':>7} {'seconds':>8} {'÷ all':>7}   seconds by phase")
    rows = {}
    for count in rounds[0]:
        pairs = [each[count] for each in rounds]
        new = pairs[0][0]
        seconds = statistics.median(pair[0].wall for pair in pairs)
        rows[count] = (
            statistics.median(part.bytes_fetched / whole.bytes_fetched for part, whole in pairs),
            statistics.median(part.wall / whole.wall for part, whole in pairs),
        )
        print(
            f"{new.result['newCommits']:>11} {new.bytes_fetched:>11,} {rows[count][0]:>7.4f} {seconds:>8.2f}"
            f" {rows[count][1]:>7.3f}   {new.result['seconds']}"
        )
    whole = [each[GOAL][1] for each in rounds]
    seconds = statistics.median(each.wall for each in whole)
    print(
        f"{'everything':>11} {whole[0].bytes_fetched:>11,} {1:>7} {seconds:>8.2f} {1:>7}   {whole[0].result['seconds']}"
    )
    print(
        json.dumps(
            {
                "bytes_ratio": round(rows[GOAL][0], 5),
                "time_ratio": round(rows[GOAL][1], 4),
                "by_new_commits": {str(n): {"bytes": round(b, 5), "time": round(t, 4)} for n, (b, t) in rows.items()},
                "commits": result["commits"],
                "rounds": len(rounds),
            }
        )
    )


if __name__ == "__main__":
    main()
