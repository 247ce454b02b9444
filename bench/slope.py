"""
What a commit costs while the tables grow: extractions into a warehouse that holds ever more of others.

    make bench-slope                     # 0, 1, 3 and 10 million commits, four files each
    make bench-slope SIZES=0,1000000

At each size: a history of 15,000 made-up commits, read whole (rows into staging: `diff`; into the tables: `merge`)
and removed again, and ten new commits of it. The commits of others are rows written by SQL, of repositories
with a million each. Ratios are to the smallest size. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from extraction import Extraction, extract
from made_up import add_commits, git, make_up
from synthetic_raw import RawTables

from gitmart.local.postgres import EmbeddedPostgres
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

SIZES = (0, 1_000_000, 3_000_000, 10_000_000)
PIECE = 1_000_000  # commits of one repository
COMMITS = 15_000
NEW = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """A whole extraction and one of ten new commits, both with this many commits of others beside them."""

    others: int
    whole: Extraction
    new: Extraction


@dataclass(slots=True)
class Bench:
    """The warehouse that grows, and the repository that is read again and again."""

    server: EmbeddedPostgres
    repository: Path
    folder: Path
    connection: psycopg.Connection[tuple[object, ...]]
    others: int = 0

    def grow(self, size: int) -> None:
        """Add rows until others have so many commits."""
        raw = RawTables(self.connection)
        while self.others < size:
            start, count = time.monotonic(), min(PIECE, size - self.others)
            raw.extract(raw.repository(f"other{self.others}"), commits=count, parents=True)
            self.others += count
            print(f"  {self.others:,} commits of others, {time.monotonic() - start:.0f} s for the last", flush=True)
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            connection.execute("vacuum analyze")
            connection.execute("checkpoint")

    def measure(self) -> Measured:
        """Extract all, then ten more, and take both away again."""
        warehouse = self.server.url("gitmart_extract")
        tip = git(self.repository, "rev-parse", "main")
        whole = extract(self.repository, warehouse, self.folder)
        add_commits(self.repository, NEW)
        new = extract(self.repository, warehouse, self.folder)
        git(self.repository, "update-ref", "refs/heads/main", tip)
        assert (whole.result["newCommits"], new.result["newCommits"]) == (COMMITS, NEW)
        self._purge(str(new.result["repositoryId"]))
        return Measured(self.others, whole, new)

    def _purge(self, repository: str) -> None:
        with self.connection.transaction():
            for table in (
                "commit_files",
                "commit_parents",
                "commits",
                "refs",
                "repository_contributors",
                "extraction_runs",
            ):
                self.connection.execute(f"delete from {table} where repository_id = {repository}".encode())
            self.connection.execute(f"delete from repositories where id = {repository}".encode())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="commits of others, comma between them")
    parser.add_argument("--rounds", type=int, default=3, help="measurements at each size")
    arguments = parser.parse_args()
    rows: list[list[Measured]] = []
    with temporary_postgres() as server:
        migrate(server.url("gitmart_owner"))
        folder = server.folder.parent
        repository = make_up(folder / "made-up.git", COMMITS, lines=20)
        with psycopg.connect(server.url("gitmart_extract"), autocommit=True) as connection:
            bench = Bench(server, repository, folder, connection)
            for size in sorted(int(word) for word in arguments.sizes.split(",")):
                bench.grow(size)
                bench.measure()  # warms up
                rows.append([bench.measure() for _ in range(arguments.rounds)])
    report(rows)


FIGURES = {
    "diff": lambda each: each.whole.seconds("diff"),
    "merge": lambda each: each.whole.seconds("merge"),
    "ten new": lambda each: each.new.wall,
    "their merge": lambda each: each.new.seconds("merge"),
}


def report(rows: list[list[Measured]]) -> None:
    """Print the table and the line of JSON."""
    print(f"{COMMITS:,} commits, {len(rows[0])} rounds, medians of seconds; ÷ those of the first row")
    print(f"{'of others':>12} " + " ".join(f"{name:>12} {'÷':>5}" for name in FIGURES))
    figures = []
    first = {name: statistics.median(map(figure, rows[0])) for name, figure in FIGURES.items()}
    for row in rows:
        medians = {name: statistics.median(map(figure, row)) for name, figure in FIGURES.items()}
        ratios = {name: round(value / first[name], 2) for name, value in medians.items()}
        print(f"{row[0].others:>12,} " + " ".join(f"{medians[name]:>12.2f} {ratios[name]:>5.2f}" for name in FIGURES))
        figures.append({"others": row[0].others, "seconds": medians, "ratios": ratios})
    print(json.dumps({"merge_ratio": figures[-1]["ratios"]["merge"], "rows": figures}))


if __name__ == "__main__":
    main()
