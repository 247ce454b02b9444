"""
Kill `gitmart extract` in every phase and look at what it leaves behind.

    make campaign-kill-extract            ten kills in each phase, half SIGKILL, half SIGTERM

The repository switches between two histories that share their first half, so every run has commits to
add and commits to remove. After each kill: readers see the state before or the state after, whole;
within five seconds no query of the run is left in PostgreSQL. Then a run to the end: the warehouse
equals git, and no staging table is left. Stops by itself; the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

PHASES = ("fetch", "diff", "copy", "merge", "commit")
PATIENCE = 120.0  # seconds a run may take to reach a phase
QUIET_WITHIN = 5.0  # seconds after which PostgreSQL must have noticed
COMPARE = Path(__file__).with_name("compare_with_git.py")
GIT = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C"}


@dataclass
class Subject:
    """A repository with two histories, and the warehouse it is extracted into."""

    repository: Path
    url: str
    work_dir: Path
    log: Path

    def switch(self) -> None:
        """Point main to the other history."""
        branch = "b" if self._git("rev-parse", "main") == self._git("rev-parse", "refs/kept/a") else "a"
        self._git("update-ref", "refs/heads/main", f"refs/kept/{branch}")

    def _git(self, *words: str) -> str:
        return subprocess.run(
            ["git", f"--git-dir={self.repository}", *words], env=GIT, check=True, capture_output=True, text=True
        ).stdout.strip()

    def start(self) -> subprocess.Popen[str]:
        """Start an extraction; its lines come on standard error."""
        return subprocess.Popen(
            [
                sys.executable, "-W", "ignore", "-m", "gitmart", "extract", "--url", f"file://{self.repository}",
                "--allow-file-urls", "--work-dir", str(self.work_dir), "--workers", "2",
            ],
            stderr=subprocess.PIPE, text=True, env={**os.environ, "GITMART_WAREHOUSE_URL": self.url},
        )  # fmt: skip

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Ask the warehouse."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()

    def visible(self) -> tuple[object, ...]:
        """Return what tells one state of the warehouse from another, each figure from another table."""
        return self.query(
            """select (select count(*) from commits), (select md5(string_agg(commit_hash, '' order by commit_hash)) from commits),
               (select count(*) from commit_files), (select count(*) from commit_parents),
               (select coalesce(sum(commit_count), 0) from repository_contributors),
               (select max(run_number) from extraction_runs), (select count(*) from removed_commits)"""
        )[0]


def make_repository(folder: Path, commits: int) -> Path:
    """Make a bare repository whose histories a and b share their first half."""
    path = folder / "source.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], env=GIT, check=True)

    def stream() -> Iterator[bytes]:
        half = commits // 2
        for branch, numbers in (("a", range(commits)), ("b", range(half, commits))):
            for number in numbers:
                text = "".join(f"{branch} {number} {line}\n" for line in range(30)).encode()
                mark = b"mark :%d\n" % (number + 1) if branch == "a" else b""
                parent = b"from :%d\n" % half if branch == "b" and number == half else b""
                yield b"commit refs/kept/%s\n%s" % (branch.encode(), mark)
                yield b"author Author %d <%d@example.org> %d +0000\n" % (
                    number % 50,
                    number % 50,
                    1_500_000_000 + number,
                )
                yield b"committer Author %d <%d@example.org> %d +0000\n" % (
                    number % 7,
                    number % 7,
                    1_500_000_000 + number,
                )
                yield b"data 2\nm\n%sM 100644 inline file%d\ndata %d\n%s\n" % (parent, number % 200, len(text), text)

    subprocess.run(
        ["git", f"--git-dir={path}", "fast-import", "--quiet"], input=b"".join(stream()), env=GIT, check=True
    )
    subprocess.run(["git", f"--git-dir={path}", "update-ref", "refs/heads/main", "refs/kept/a"], env=GIT, check=True)
    return path


def kill_in(subject: Subject, phase: str, number: signal.Signals, delay: float) -> str:
    """Start a run, kill it `delay` seconds into the phase, and return how it ended: killed or finished before."""
    process = subject.start()
    reached = threading.Event()

    def read() -> None:
        assert process.stderr is not None
        with subject.log.open("a", encoding="utf-8") as log:
            for line in process.stderr:
                log.write(line)
                if f'"phase": "{"diff" if phase == "copy" else phase}"' in line:
                    reached.set()
        reached.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert reached.wait(PATIENCE), f"no run reached the phase {phase}"
        if phase == "copy":
            _await_copy(subject, process)
        time.sleep(delay)  # a random moment is what is wanted
        process.send_signal(number)
        process.wait(30)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        reader.join()
        assert process.stderr is not None
        process.stderr.close()
    if process.returncode == 0:
        return "finished"
    expected = 80 if number is signal.SIGTERM else -signal.SIGKILL
    assert process.returncode == expected, f"ended with {process.returncode}, not {expected}: see {subject.log}"
    return "killed"


def _await_copy(subject: Subject, process: subprocess.Popen[str]) -> None:
    """Wait until a COPY of rows is under way."""
    with psycopg.connect(subject.url, autocommit=True) as connection:
        while process.poll() is None:
            if connection.execute("select 1 from pg_stat_progress_copy where command = 'COPY FROM'").fetchone():
                return


def check_after_kill(subject: Subject, before: tuple[object, ...]) -> None:
    """Assert that nothing half-done is visible and nothing goes on."""
    deadline = time.monotonic() + QUIET_WITHIN
    active = "select pid, query from pg_stat_activity where application_name = 'gitmart-extract' and state <> 'idle'"
    while left := subject.query(active):
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)
    seen = subject.visible()
    whole = seen == before or (
        seen[5] == int(str(before[5] or 0)) + 1 and seen[0] == seen[4]  # the run had committed
    )
    assert whole, f"readers saw {before}, now {seen}"


def check_after_run(subject: Subject) -> None:
    """Run to the end and assert that the warehouse equals git and holds nothing else."""
    process = subject.start()
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert subject.query("select tablename from pg_tables where schemaname = 'gitmart_staging'") == []
    assert subject.query("select state from repositories") == [("completed",)]
    done = subprocess.run(
        [sys.executable, str(COMPARE), str(subject.repository), "--url-key", f"file://{subject.repository}".removesuffix(".git")],
        env={**os.environ, "GITMART_WAREHOUSE_URL": subject.url}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    orphans = """select count(*) from (select commit_id from commit_files union all select commit_id from commit_parents
                 union all select commit_id from commit_trailers) as child where not exists (select from commits where id = child.commit_id)"""
    assert subject.query(orphans) == [(0,)]


def campaign(subject: Subject, kills: int, seed: int) -> dict[str, dict[str, int]]:
    """Kill `kills` times in each phase; return how the runs ended by phase."""
    chance = random.Random(seed)
    check_after_run(subject)
    ended: dict[str, dict[str, int]] = {phase: {"killed": 0, "finished": 0} for phase in PHASES}
    longest = {"fetch": 0.3, "diff": 1.0, "copy": 0.01, "merge": 0.4, "commit": 0.003}
    for phase in PHASES:
        while ended[phase]["killed"] < kills:
            assert ended[phase]["finished"] <= 10 * kills, (
                f"runs end before they can be killed in {phase}: more --commits"
            )
            turn = sum(ended[phase].values())
            subject.switch()
            before = subject.visible()
            number = signal.SIGKILL if turn % 2 else signal.SIGTERM
            end = kill_in(subject, phase, number, chance.uniform(0, longest[phase]))
            ended[phase][end] += 1
            if end == "finished":
                longest[phase] *= 0.7  # it was too late
            check_after_kill(subject, before)
            check_after_run(subject)
            # What the killed run left of its clone; a pod's folder goes with the pod.
            shutil.rmtree(subject.work_dir)
            subject.work_dir.mkdir()
        print(f"{phase:8} {ended[phase]}", flush=True)
    return ended


def main() -> None:
    """Run the campaign on a server of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10, help="per phase")
    parser.add_argument("--commits", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 16))
    arguments = parser.parse_args()
    with temporary_postgres(durable=False) as server:
        folder = server.folder.parent
        migrate(server.url("gitmart_owner"))
        (folder / "work").mkdir()
        repository = make_repository(folder, arguments.commits)
        subject = Subject(repository, server.url("gitmart_extract"), folder / "work", folder / "extract.log")
        ended = campaign(subject, arguments.kills, arguments.seed)
    print(json.dumps({"kills": arguments.kills * len(PHASES), "seed": arguments.seed, "ended": ended, "wrong": 0}))


if __name__ == "__main__":
    main()
