"""
What a build costs while the history grows: everything anew, and after 1,000 new commits.

    make bench-growth                    # 100 thousand, 500 thousand, 1 and 2 million commits
    make bench-growth SIZES=100000

At each size the warehouse holds so many made-up commits in repositories of 100,000; `gitmart transform` runs with
--full-refresh, then 1,000 commits of a week come and 10 of any day vanish in one repository, and it runs again;
both --no-docs; at last the tests alone. Of the second run there are the seconds that models and tests took, added up
(four run at a time), and how many rows of tables and entries of indexes each of them read. Memory is that of gitmart's process, and what PostgreSQL's processes have for themselves (USS) at the
most, twenty times a second. At the end the functions are timed, medians of five calls, over everything and for one
repository, those of files for one. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil
import psycopg
from synthetic_raw import RawTables
from transform import PROJECT, Cost, measure

from gitmart.local.postgres import EmbeddedPostgres
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

SIZES = (100_000, 500_000, 1_000_000, 2_000_000)
PIECE = 100_000  # commits of one repository
NEW, GONE = 1_000, 10
CALLS = 5
TESTS = ("--select", "resource_type:test")
SECONDS = """
select coalesce(sum(seconds) filter (where resource_type <> 'test'), 0), coalesce(sum(seconds) filter (where resource_type = 'test'), 0)
from dbt_meta.node_runs where run_id = (select max(run_id) from dbt_meta.node_runs)
"""
# One that is made anew has a number of its own, and begins with none.
ROWS = """
select cast(relid as bigint), seq_tup_read + coalesce(
    (select sum(idx_tup_read) from pg_stat_user_indexes as i where i.relid = t.relid), 0
) from pg_stat_user_tables as t
"""
FUNCTIONS = (
    "activity_by_period('month'{})", "contributor_activity({})", "concentration({})", "contributor_flow('quarter'{})",
    "activity_hours({})", "burstiness({})",
)  # fmt: skip
FUNCTIONS_OF_FILES = (
    "file_hotspots({})", "file_hotspots({}, depth => 1)", "file_hotspots({}, since => '2023-07-01')",
    "file_coupling({})", "file_coupling({}, since => '2023-07-01')", "file_coupling({}, coupled_with => 'folder1/file17')",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """What models or tests of a build took: seconds of all of them together, rows and index entries that they read."""

    seconds: float
    rows: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Builds at one size."""

    commits: int
    full: Cost
    full_server_mib: float
    new: Cost
    new_server_mib: float
    models: Part  # of the build after a few new commits, as the tests
    tests: Part

    @property
    def ratio(self) -> float:
        """The time of a build after a few new commits ÷ that of one of everything."""
        return self.new.wall / self.full.wall


class ServerMemory:
    """The most that the server's processes have for themselves while it looks."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        pid = int((server.folder / "data" / "postmaster.pid").read_text(encoding="ascii").split()[0])
        self._server = psutil.Process(pid)
        self._end = threading.Event()
        self.mib = 0.0

    @contextmanager
    def watched(self) -> Iterator[ServerMemory]:
        """Look until the block ends."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield self
        finally:
            self._end.set()
            thread.join()

    def _watch(self) -> None:
        while not self._end.wait(0.05):
            total = 0
            for process in (self._server, *self._server.children()):
                with suppress(psutil.Error):
                    total += process.memory_full_info().uss
            self.mib = max(self.mib, total / 2**20)


@dataclass(frozen=True, slots=True)
class Bench:
    """The warehouse that grows."""

    server: EmbeddedPostgres
    environment: Mapping[str, str]
    connection: psycopg.Connection[tuple[object, ...]]

    def build(self, *words: str) -> tuple[Cost, float]:
        """Run `gitmart transform`; return its cost, and the server's memory."""
        command = [sys.executable, "-m", "gitmart", "transform", "--project-dir", str(PROJECT), "--no-docs", *words]
        with ServerMemory(self.server).watched() as memory:
            cost = measure(command, self.environment, self.server.folder.parent / "gitmart.log")
        return cost, memory.mib

    def at(self, size: int, repositories: list[int]) -> Measured:
        """Grow to a size, and build twice."""
        raw = RawTables(self.connection)
        while len(repositories) * PIECE < size:
            repositories.append(raw.repository(f"repository{len(repositories)}"))
            raw.extract(repositories[-1], commits=PIECE)
        # What autovacuum does in the time that a history takes to grow.
        self.connection.execute("vacuum analyze")
        full, full_mib = self.build("--full-refresh")
        raw.extract(repositories[0], commits=NEW, removals=GONE, recent=True)
        before = self.rows()
        new, new_mib = self.build()
        built = self.rows()
        models, tests = self._numbers(SECONDS)[0]
        self.build(*TESTS)
        read, tested = _read(before, built), _read(built, self.rows())
        return Measured(
            size, full, full_mib, new, new_mib, Part(models, round(read - tested)), Part(tests, round(tested))
        )

    def rows(self) -> dict[float, float]:
        """Return the number of rows read so far of each table, by the table's number."""
        self.connection.execute("select pg_stat_force_next_flush()")
        return dict(self._numbers(ROWS))

    def _numbers(self, query: str) -> list[tuple[float, float]]:
        with psycopg.connect(self.server.url("gitmart_transform"), autocommit=True) as reader:
            return [(float(str(one)), float(str(other))) for one, other in reader.execute(query.encode())]

    def read(self, repository: int) -> dict[str, float]:
        """Return the seconds of each function, over everything and for one repository; of files, for one repository."""
        of_one = f"repository => {repository}"
        calls = [function.format(of_one) for function in FUNCTIONS_OF_FILES]
        for function in FUNCTIONS:
            calls += [function.format(f", {words}" if words and "'" in function else words) for words in ("", of_one)]
        found = {}
        with psycopg.connect(self.server.url("gitmart_read"), autocommit=True) as reader:
            for call in calls:
                seconds = []
                for _ in range(CALLS):
                    began = time.monotonic()
                    reader.execute(f"select count(*) from analytics.{call}".encode())
                    seconds.append(time.monotonic() - began)
                found[call] = statistics.median(seconds)
        return found


def _read(before: Mapping[float, float], after: Mapping[float, float]) -> float:
    return sum(read - before.get(table, 0) for table, read in after.items())


def report(rows: list[Measured], functions: dict[str, float]) -> dict[str, object]:
    """Print the tables, and return what the last line says."""
    print(f"{'':>10}{'everything anew':>36}{f'after {NEW} new commits':>36}")
    print(f"{'commits':>10}" + 2 * f"{'wall s':>9}{'CPU s':>8}{'MiB':>8}{'server':>11}" + f"{'ratio':>8}")
    for row in rows:
        halves = ((row.full, row.full_server_mib), (row.new, row.new_server_mib))
        told = "".join(f"{cost.wall:9.1f}{cost.cpu:8.1f}{cost.peak:8.0f}{server:7.0f} MiB" for cost, server in halves)
        print(f"{row.commits:10}{told}{row.ratio:8.3f}")
    print(f"{'':>10}{f'after {NEW} new commits: models':>36}{'tests':>36}")
    print(f"{'commits':>10}" + 2 * f"{'s':>9}{'rows read':>13}{'÷ first':>14}")
    for row in rows:
        parts = ((row.models, rows[0].models), (row.tests, rows[0].tests))
        told = "".join(f"{part.seconds:9.1f}{part.rows:13}{part.rows / first.rows:14.2f}" for part, first in parts)
        print(f"{row.commits:10}{told}")
    for call, seconds in functions.items():
        print(f"{call:70}{1000 * seconds:8.0f} ms")
    last = rows[-1]
    return {
        "commits": last.commits,
        "incremental_ratio": round(last.ratio, 3),
        "full_seconds": round(last.full.wall, 1),
        "peak_mib": round(max(last.full.peak, last.new.peak)),
        "server_mib": round(last.full_server_mib),
        "slope": round(last.new.wall / rows[0].new.wall, 2),
        "slope_of_models": round(last.models.seconds / rows[0].models.seconds, 2),
        "slope_of_rows_read_by_models": round(last.models.rows / rows[0].models.rows, 2),
        "slope_of_tests": round(last.tests.seconds / rows[0].tests.seconds, 2),
        "slowest_function_seconds": round(max(functions.values()), 3),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of commits, rising, with commas")
    sizes = [int(size) for size in parser.parse_args().sizes.split(",")]
    with temporary_postgres() as server:
        migrate(server.url("gitmart_owner"))
        environment = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONOPTIMIZE")
        } | {
            "PYTHONPYCACHEPREFIX": str(server.folder.parent / "bytecode"),
            "GITMART_WAREHOUSE_URL": server.url("gitmart_transform"),
        }  # fmt: skip
        with psycopg.connect(server.url("gitmart_extract"), autocommit=True) as connection:
            bench, repositories = Bench(server, environment, connection), list[int]()
            rows = [bench.at(size, repositories) for size in sizes]
        print(json.dumps(report(rows, bench.read(repositories[0]))))


if __name__ == "__main__":
    main()
