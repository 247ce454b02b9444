"""
Time `gitmart extract` as a ratio to `git log --all --numstat` alone on the same repository.

    make bench-extract REPO=path/to/repository.git

A round is: git log; gitmart with a worker per core; gitmart with one worker. Rounds are interleaved and
each ratio is taken within its round, so that a machine whose speed drifts does not matter. gitmart's
time is that of its whole process, from start to committed and indexed rows in an empty warehouse,
without the clone, which is reported apart. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from extraction import database, extract
from made_up import HERMETIC

from gitmart.extract.settings import usable_cores
from gitmart.local.postgres import EmbeddedPostgres
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a process."""

    wall: float  # seconds, without the clone
    cpu: float  # seconds of the process and all it waited for
    python_mib: float = 0.0
    git_mib: float = 0.0  # the largest single process of git while counting
    result: dict[str, object] | None = None


def run_git_log(repository: Path) -> Measured:
    """Time the baseline."""
    start = time.monotonic()
    process = subprocess.Popen(
        ["git", f"--git-dir={repository}", "log", "--all", "--numstat"], stdout=subprocess.DEVNULL, env=HERMETIC
    )
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    return Measured(time.monotonic() - start, usage.ru_utime + usage.ru_stime)


def run_gitmart(repository: Path, server: EmbeddedPostgres, workers: int, folder: Path) -> Measured:
    """Time an extraction into a warehouse of its own."""
    watches: list[MemoryWatch] = []

    @contextmanager
    def watch(pid: int) -> Iterator[None]:
        watches.append(MemoryWatch(pid))
        yield
        watches[-1].stop()

    with database(server) as name:
        run = extract(repository, server.url("gitmart_extract", name), folder, f"--workers={workers}", watch=watch)
    return Measured(run.wall - run.seconds("clone"), run.cpu, watches[0].python_mib, watches[0].git_mib, run.result)


class MemoryWatch:
    """Looks twenty times a second at the peak resident sizes of gitmart and of its git processes that count lines."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.python_mib = 0.0
        self.git_mib = 0.0  # the largest single one; the mapped pack counts
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._end.wait(0.05):
            try:
                self.python_mib = max(self.python_mib, peak_mib(self._pid))
                children = psutil.Process(self._pid).children()
            except (psutil.NoSuchProcess, OSError, IndexError):
                return
            for child in children:
                with suppress(psutil.Error, OSError, IndexError):
                    if "diff-tree" in child.cmdline():
                        self.git_mib = max(self.git_mib, peak_mib(child.pid))

    def stop(self) -> None:
        """Look no more."""
        self._end.set()
        self._thread.join()


def peak_mib(pid: int) -> float:
    """Return a process's peak resident size so far."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repo", type=Path, required=True, help="a bare repository or a work tree on this machine")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with temporary_postgres() as server:
        folder = server.folder.parent
        # A bare clone of its own: gitmart clones branches and tags, and the baseline must read the same.
        repository = folder / "source.git"
        subprocess.run(
            ["git", "clone", "--quiet", "--bare", str(arguments.repo.resolve()), str(repository)], check=True
        )
        migrate(server.url("gitmart_owner"))
        cores = usable_cores()
        runs: dict[str, Callable[[], Measured]] = {
            "git log --all --numstat": lambda: run_git_log(repository),
            f"gitmart, {cores} workers": lambda: run_gitmart(repository, server, cores, folder),
            "gitmart, 1 worker": lambda: run_gitmart(repository, server, 1, folder),
        }
        run_git_log(repository)  # warms the page cache
        rounds = [{name: run() for name, run in runs.items()} for _ in range(arguments.rounds)]
    report(rounds)


def report(rounds: list[dict[str, Measured]]) -> None:
    """Print the table and the line of JSON."""
    baseline, many, one = rounds[0]
    result = rounds[0][many].result or {}

    def median(name: str, figure: Callable[[Measured, Measured], float]) -> float:
        return round(statistics.median(figure(each[name], each[baseline]) for each in rounds), 3)

    print(f"{result['commits']} commits, git {result['gitVersion']}, {len(rounds)} rounds, medians")
    print(
        f"{'':26} {'wall s':>8} {'wall ÷':>7} {'CPU s':>8} {'CPU ÷':>7} {'Python MiB':>11} {'git MiB':>8} {'clone s':>8}"
    )
    for name in (baseline, many, one):
        clone = median(name, lambda run, _: float(run.result["seconds"]["clone"]) if run.result else 0.0)  # type: ignore[index,call-overload]
        print(
            f"{name:26} {median(name, lambda run, _: run.wall):8.2f} {median(name, lambda run, base: run.wall / base.wall):7.2f}"
            f" {median(name, lambda run, _: run.cpu):8.2f} {median(name, lambda run, base: run.cpu / base.cpu):7.2f}"
            f" {median(name, lambda run, _: run.python_mib):11.0f} {median(name, lambda run, _: run.git_mib):8.0f} {clone:8.2f}"
        )
    print(
        json.dumps(
            {
                "ratio": median(many, lambda run, base: run.wall / base.wall),
                "ratio_one_worker": median(one, lambda run, base: run.wall / base.wall),
                "seconds": median(many, lambda run, _: run.wall),
                "baseline_seconds": median(baseline, lambda run, _: run.wall),
                "commits": result["commits"],
                "python_peak_mib": median(many, lambda run, _: run.python_mib),
                "git_peak_mib": median(many, lambda run, _: run.git_mib),
                "seconds_by_phase": result["seconds"],
                "rounds": len(rounds),
            }
        )
    )


if __name__ == "__main__":
    main()
