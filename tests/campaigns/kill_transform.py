"""
Kill `gitmart transform` at random moments, again and again, while the raw tables change.

After each kill no statement of it may be left in PostgreSQL after 5 s. All the time a reader looks at
the marts: each must be there, and hold for each repository exactly what some extraction left, never a
part of it. After every few kills a run is let through; then the marts must equal the raw tables.

Prints a line for each kill, a table, and as the last line the figures as JSON. Exit code 1 if anything
was wrong. Bounded: every wait has an end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from gitmart.contract.outcomes import Outcome
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))
from synthetic_raw import RawTables  # noqa: E402

Connection = psycopg.Connection[tuple[object, ...]]
Totals = tuple[object, ...]  # commits and lines added of a repository

GONE_AFTER = 5.0  # seconds in which the statements of a killed run must be gone
LONGEST_RUN = 180.0  # seconds; a run that takes longer has hung
SESSIONS = "select count(*) from pg_stat_activity where usename = 'gitmart_transform' and datname = current_database()"
# Each mart in the words (repository, commits, lines added); NULL where it does not know lines.
READERS = {
    "fct_commits": "select repository_id, count(*), sum(lines_added) from analytics.fct_commits group by 1",
    "fct_daily_commits": "select repository_id, sum(all_refs_commits), null from analytics.fct_daily_commits group by 1",
    "repository_summary": "select repository_id, all_refs_commits, null from analytics.repository_summary",
}
RAW = "select repository_id, count(*), sum(lines_added) from commits group by 1"
DIFFERENCES = """
select 'fct_commits', count(*) from (
    (select repository_id, commit_hash, contributor_id, lines_added, in_default_branch from commits
     except select repository_id, commit_hash, author_id, lines_added, in_default_branch from analytics.fct_commits)
    union all
    (select repository_id, commit_hash, author_id, lines_added, in_default_branch from analytics.fct_commits
     except select repository_id, commit_hash, contributor_id, lines_added, in_default_branch from commits)
) as rows
union all
select 'fct_daily_commits', count(*) from (
    (select repository_id, contributor_id, (commit_date at time zone 'UTC')::date, count(*) from commits group by 1, 2, 3
     except select repository_id, contributor_id, commit_day, all_refs_commits from analytics.fct_daily_commits)
    union all
    (select repository_id, contributor_id, commit_day, all_refs_commits from analytics.fct_daily_commits
     except select repository_id, contributor_id, (commit_date at time zone 'UTC')::date, count(*) from commits
     group by 1, 2, 3)
) as rows
union all
select 'repository_summary', count(*) from (
    select repository_id, count(*), count(*) filter (where in_default_branch) from commits group by 1
    except select repository_id, all_refs_commits, commits from analytics.repository_summary
) as rows
union all
select 'left behind', count(*) from pg_tables
where schemaname like 'analytics%%' and (tablename like '%%__dbt_tmp%%' or tablename like '%%__dbt_backup%%')
"""


@dataclass(slots=True)
class Reader:
    """Looks at the marts all the time. `known` is what each repository has held after an extraction."""

    url: str
    known: dict[object, set[Totals]] = field(default_factory=dict)
    looks: int = 0
    wrong: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def learn(self, rows: list[Totals]) -> None:
        """Remember what the raw tables hold now."""
        for repository, commits, lines in rows:
            self.known.setdefault(repository, set()).update({(commits, lines), (commits, None)})

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look while the block runs."""
        thread = threading.Thread(target=self._look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.stop.set()
            thread.join(30)

    def _look(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            while not self.stop.wait(0.005):
                for mart, query in READERS.items():
                    try:
                        rows = connection.execute(query.encode()).fetchall()
                    except psycopg.Error as error:
                        self.wrong.append(f"{mart} cannot be read: {error}")
                        continue
                    if len(rows) != len(self.known):
                        self.wrong.append(f"{mart} has {len(rows)} of {len(self.known)} repositories")
                    self.wrong += [f"{mart} holds {row}" for row in rows if row[1:] not in self.known[row[0]]]
                self.looks += 1


@dataclass(slots=True)
class Campaign:
    """One warehouse and what was seen on it."""

    url: str
    raw: RawTables
    watcher: Connection
    reader: Reader
    repositories: list[int]
    random: random.Random
    folder: Path
    kills: Counter[str] = field(default_factory=Counter)
    slowest_end: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def change_raw(self) -> None:
        """Extract something new into some repositories, and let some of the old vanish."""
        for repository in self.random.sample(self.repositories, self.random.randint(1, len(self.repositories))):
            self.raw.extract(
                repository, commits=self.random.randint(1, 3000), removals=self.random.choice([0, 0, 7, 400])
            )
            # Before any build can see it: builds start after this.
            self.reader.learn(self.watcher.execute(RAW.encode()).fetchall())

    def start(self) -> subprocess.Popen[str]:
        """Start a run."""
        return subprocess.Popen(
            [sys.executable, "-m", "gitmart", "transform", "--result-file", str(self.folder / "result.json")],
            env={**os.environ, "GITMART_WAREHOUSE_URL": self.url, "TMPDIR": str(self.folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill_one(self) -> None:
        """Start a run, kill it somewhere, and see what it leaves."""
        (self.folder / "result.json").unlink(missing_ok=True)
        process = self.start()
        moment = self._random_moment(process)
        how = self.random.choice([signal.SIGKILL, signal.SIGTERM])
        process.send_signal(how)
        killed_at = time.monotonic()
        process.communicate(timeout=LONGEST_RUN)
        left = self._sessions_after(killed_at)
        self.slowest_end = max(self.slowest_end, left)
        if left > GONE_AFTER:
            self.wrong.append(f"{how.name} {moment}: a session was left after {GONE_AFTER} s")
        self._check_ending(process.returncode, how, moment)
        print(f"{how.name} {moment:32} exit {process.returncode:4}  sessions gone after {left:.2f} s", flush=True)

    def _random_moment(self, process: subprocess.Popen[str]) -> str:
        """Wait until a random moment of the run: half of the time any, else between two nodes of the build."""
        pause = self.random.random()
        if self.random.random() < 0.3:
            try:
                process.wait(pause * 8)
            except subprocess.TimeoutExpired:
                return f"{pause * 8:.2f} s after its start"
            return "after its end"
        nodes = self.random.randint(0, 40)
        assert process.stderr is not None
        for _ in range(nodes):
            if not process.stderr.readline():
                return "after its end"
        try:
            process.wait(pause * 0.1)
        except subprocess.TimeoutExpired:
            return f"{pause * 100:.0f} ms after {nodes} nodes"
        return "after its end"

    def _check_ending(self, code: int, how: signal.Signals, moment: str) -> None:
        allowed = {Outcome.SUCCEEDED.exit_code, -how.value, Outcome.CANCELLED.exit_code}
        self.kills[how.name if code != 0 else f"{how.name}, too late"] += 1
        if code not in allowed:
            self.wrong.append(f"{how.name} {moment}: exit code {code}")
        if code == Outcome.CANCELLED.exit_code:
            outcome = json.loads((self.folder / "result.json").read_text(encoding="utf-8"))["outcome"]
            if outcome != Outcome.CANCELLED:
                self.wrong.append(f"{how.name} {moment}: outcome {outcome}")

    def _sessions_after(self, killed_at: float) -> float:
        while True:
            waited = time.monotonic() - killed_at
            row = self.watcher.execute(SESSIONS.encode()).fetchone()
            if row == (0,) or waited > GONE_AFTER:
                return waited
            self.watcher.execute("select pg_sleep(0.02)")

    def let_one_through(self) -> None:
        """Run to the end, and compare every mart with the raw tables."""
        process = self.start()
        _, errors = process.communicate(timeout=LONGEST_RUN)
        if process.returncode != 0:
            self.wrong.append(f"a run that nobody killed ended with {process.returncode}: {errors[-500:]}")
            return
        for what, rows in self.watcher.execute(DIFFERENCES.replace("%%", "%").encode()).fetchall():
            if rows:
                self.wrong.append(f"after a good run: {rows} rows differ in {what}")
        print("a run was let through: marts compared with raw", flush=True)


def campaign(kills: int, every: int, seed: int) -> dict[str, object]:
    """Run it on a server of its own and return the figures."""
    with temporary_postgres(durable=False) as server:
        folder = server.folder.parent
        migrate(server.url("gitmart_owner"))
        with (
            psycopg.connect(server.url("gitmart_extract"), autocommit=True) as writer,
            psycopg.connect(server.url("postgres"), autocommit=True) as watcher,
        ):
            raw = RawTables(writer)
            repositories = [raw.repository(name) for name in ("one", "two", "three")]
            for repository in repositories:
                raw.extract(repository, commits=10_000)
            reader = Reader(server.url("gitmart_read"))
            reader.learn(watcher.execute(RAW.encode()).fetchall())
            it = Campaign(
                server.url("gitmart_transform"), raw, watcher, reader, repositories, random.Random(seed), folder
            )  # fmt: skip
            it.let_one_through()
            if not it.wrong:
                with reader.looking():
                    for number in range(1, kills + 1):
                        it.change_raw()
                        it.kill_one()
                        if number % every == 0 or number == kills:
                            it.let_one_through()
            return summary(it, kills, seed)


def summary(it: Campaign, kills: int, seed: int) -> dict[str, object]:
    """Print the table and return the figures."""
    wrong = [*it.wrong, *it.reader.wrong]
    print()
    for how, count in sorted(it.kills.items()):
        print(f"{how:24}{count:8}")
    print(f"{'looks at the marts':24}{it.reader.looks:8}")
    print(f"{'slowest end of sessions':24}{it.slowest_end:8.2f} s")
    print(f"{'wrong':24}{len(wrong):8}")
    for line in wrong[:20]:
        print(f"  {line}")
    return {
        "kills": kills, "seed": seed, "by_signal": dict(it.kills), "looks": it.reader.looks,
        "slowest_end_seconds": round(it.slowest_end, 2), "wrong": len(wrong),
    }  # fmt: skip


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--every", type=int, default=5, help="let a run through after so many kills")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    arguments = parser.parse_args()
    figures = campaign(arguments.kills, arguments.every, arguments.seed)
    print(json.dumps(figures))
    return 1 if figures["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
