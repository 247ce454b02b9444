"""
The memory that a whole extraction needs: all its processes, in a control group as a pod is.

    make bench-memory                  # 1,000,000 made-up commits in 1 GiB, 2,000 in 256 MiB
    make bench-memory REPO=path        # that repository in 1 GiB

The group has the limit that the pod would have, so a run that ends well has kept to it. Two figures more: the
greatest sum of what the processes had for themselves (anonymous memory, which nothing can take back), and
what the group ever held, files of the page cache included, which the kernel takes back before it kills. PostgreSQL
and the git host (HTTPS, on this machine) are outside, as in a cluster. After the history ten more commits are read. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from extraction import Extraction, extract
from made_up import add_commits, git, make_up

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' git host

from tests.cluster.git_server import GitServer

from gitmart.extract.settings import usable_cores
from gitmart.local.cgroups import limited_group
from gitmart.local.postgres import EmbeddedPostgres
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

MADE_UP = ((2_000, 256), (1_000_000, 1024))  # commits, MiB of the pod
DEFAULT_LIMIT = 1024  # MiB
NEW = 10  # commits
MIB = 1 << 20


@dataclass(slots=True)
class Peak:
    """Greatest sums over the processes, MiB."""

    own: float = 0.0
    group: float = 0.0


@dataclass(frozen=True, slots=True)
class Bench:
    """Where to extract."""

    server: EmbeddedPostgres
    folder: Path
    host: GitServer  # serves what is in the folder

    def extract(self, repository: Path, limit: int) -> tuple[Extraction, Peak]:
        """Extract within `limit` MiB; end the program if that did not do."""
        peak = Peak()
        group = limited_group("bench", cores=usable_cores(), memory=limit * MIB)
        try:
            with watching(group.folders, peak) as watch:
                run = extract(
                    repository, self.server.url("gitmart_extract"), self.folder, "--allow-network=127.0.0.0/8",
                    watch=watch, enter=group.entrances, url=self.host.url(repository.stem, "127.0.0.1"),
                    environment={"GITMART_GIT_CA": self.host.ca_pem},
                )  # fmt: skip
            peak.group = _peak_of(group.folders) / MIB
            if group.ran_out_of_memory():
                raise SystemExit(f"a process was killed: {limit} MiB are too few")
        finally:
            group.remove()
        return run, peak


@contextmanager
def watching(folders: tuple[Path, ...], peak: Peak) -> Iterator[object]:
    """Yield a watch that adds up what every process of the group has for itself, ten times a second."""
    end = threading.Event()

    def look() -> None:
        while not end.wait(0.1):
            own = 0
            for word in (folders[0] / "cgroup.procs").read_text(encoding="ascii").split():
                with suppress(psutil.Error):
                    memory = psutil.Process(int(word)).memory_info()
                    own += memory.rss - memory.shared
            peak.own = max(peak.own, own / MIB)

    @contextmanager
    def watch(_: int) -> Iterator[None]:
        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()

    yield watch


def _peak_of(folders: tuple[Path, ...]) -> int:
    for folder in folders:
        for name in ("memory.peak", "memory.max_usage_in_bytes"):
            with suppress(OSError):
                return int((folder / name).read_text(encoding="ascii"))
    return 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, help="a repository on this machine; it is not changed")
    parser.add_argument("--commits", type=int, help="so many made-up commits instead, in 1 GiB")
    arguments = parser.parse_args()
    made_up = ((arguments.commits, DEFAULT_LIMIT),) if arguments.commits else MADE_UP
    with temporary_postgres() as server:
        migrate(server.url("gitmart_owner"))
        folder = server.folder.parent
        host = GitServer(folder, "127.0.0.1")
        bench = Bench(server, folder, host)
        figures = []
        print(f"{'commits':>10} {'limit MiB':>10} {'own MiB':>8} {'with cache':>11} {'seconds':>8}   seconds by phase")
        if arguments.repo:
            copy = folder / "copy.git"
            git(arguments.repo.resolve(), "clone", "--quiet", "--bare", "--no-hardlinks", ".", str(copy))
            git(copy, "config", "uploadpack.allowFilter", "true")
            figures.append(measure(bench, copy, DEFAULT_LIMIT))
        else:
            for commits, limit in made_up:
                repository = make_up(folder / f"made-up-{commits}.git", commits, lines=20, most_files=2)
                figures.append(measure(bench, repository, limit))
                add_commits(repository, NEW)
                figures.append(measure(bench, repository, limit))
        host.down = True
    print(json.dumps({"runs": figures}))


def measure(bench: Bench, repository: Path, limit: int) -> dict[str, object]:
    """Extract once, print a row and return its figures."""
    run, peak = bench.extract(repository, limit)
    count, commits = (int(str(run.result[name])) for name in ("newCommits", "commits"))
    print(
        f"{count:>10,} {limit:>10} {peak.own:>8.0f} {peak.group:>11.0f} {run.wall:>8.1f}   {run.result['seconds']}",
        flush=True,
    )
    return {
        "new_commits": count,
        "commits": commits,
        "limit_mib": limit,
        "own_peak_mib": round(peak.own),
        "group_peak_mib": round(peak.group),
        "seconds": round(run.wall, 2),
        "seconds_by_phase": run.result["seconds"],
        "fetch": run.result["fetch"],
    }


if __name__ == "__main__":
    main()
