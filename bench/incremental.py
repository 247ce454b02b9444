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
import statistics
import subprocess
from pathlib import Path

import psycopg
from extraction import Extraction, database, extract
from made_up import HERMETIC, git, make_up
from psycopg import sql

from gitmart.local.postgres import EmbeddedPostgres
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

NEW = (1, 10, 100, 1000)  # commits
GOAL = 10  # the number of new commits whose ratios are the figures
MADE_UP = 15_000  # commits


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

    def extract(self, name: str) -> Extraction:
        """Run the command."""
        return extract(self.served, self.server.url("gitmart_extract", name), self.folder)

    def round(self, known: dict[int, str]) -> dict[int, tuple[Extraction, Extraction]]:
        """Return for each number of new commits the extraction of what is new and that of everything."""
        measured = {}
        for count, template in known.items():
            with database(self.server, template) as name:
                new = self.extract(name)
            assert new.result["fetch"] == "incremental", new.result
            with database(self.server) as name:
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
        bench = Bench(arguments.repo or make_up(folder / "made-up.git", MADE_UP), folder, server)
        known = {count: bench.know(count) for count in NEW}
        report([bench.round(known) for _ in range(arguments.rounds)])


def bytes_of(extraction: Extraction) -> int:
    """Return the bytes of the packs that were fetched."""
    return int(str(extraction.result["bytesFetched"]))


def report(rounds: list[dict[int, tuple[Extraction, Extraction]]]) -> None:
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
            statistics.median(bytes_of(part) / bytes_of(whole) for part, whole in pairs),
            statistics.median(part.wall / whole.wall for part, whole in pairs),
        )
        print(
            f"{new.result['newCommits']:>11} {bytes_of(new):>11,} {rows[count][0]:>7.4f} {seconds:>8.2f}"
            f" {rows[count][1]:>7.3f}   {new.result['seconds']}"
        )
    whole = [each[GOAL][1] for each in rounds]
    seconds = statistics.median(each.wall for each in whole)
    print(f"{'everything':>11} {bytes_of(whole[0]):>11,} {1:>7} {seconds:>8.2f} {1:>7}   {whole[0].result['seconds']}")
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
