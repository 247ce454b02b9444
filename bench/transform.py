"""
One `gitmart transform` against the four dbt commands it stands for, on the same warehouse.

Both sides run as they would in the image: with byte code. The four share a folder, so that the later
ones profit from what the first has parsed. Rounds are interleaved, the first one warms up and does not
count. CPU and peak memory are the kernel's figures for each process (wait4): the resident set counts pages of
libraries too, which the kernel takes back when it must. What a pod needs is told by real control groups, smaller
and smaller until the kernel kills a run in one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from extraction import entering
from psycopg.conninfo import conninfo_to_dict
from synthetic_raw import RawTables

from gitmart.local.cgroups import NoLimitsError, limited_group
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

PROJECT = Path(__file__).parents[1] / "dbt"
FOUR = (("source", "freshness"), ("run",), ("test",), ("docs", "generate"))
LARGEST_GROUP, STEP = 130, 5  # MiB
KIB_PER_UNIT = 1 / 1024 if sys.platform == "darwin" else 1  # ru_maxrss: bytes on macOS, KiB elsewhere


@dataclass(frozen=True, slots=True)
class Cost:
    """What processes took: seconds of CPU and of the clock, the largest resident set in MiB."""

    cpu: float
    wall: float
    peak: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.cpu + other.cpu, self.wall + other.wall, max(self.peak, other.peak))


class FailedError(SystemExit):
    """A command failed; the text is its name and its output. Whom it does not concern ends with it."""


def measure(words: list[str], environment: Mapping[str, str], log: Path) -> Cost:
    """Run a command to its end. Raises FailedError."""
    began = time.monotonic()
    with open(log, "wb") as output:
        actions = [(os.POSIX_SPAWN_DUP2, output.fileno(), 1), (os.POSIX_SPAWN_DUP2, output.fileno(), 2)]
        pid = os.posix_spawn(words[0], words, environment, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - began
    if os.waitstatus_to_exitcode(status) != 0:
        output_of = log.read_text(encoding="utf-8", errors="replace")[-3000:]
        raise FailedError(f"{' '.join(words)} failed:\n{output_of}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * KIB_PER_UNIT / 1024)


def dbt_settings(url: str) -> dict[str, str]:
    """Return what dbt's profile wants to know."""
    known = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    return {
        "GITMART_DBT_TARGET": "prod",
        "GITMART_DBT_HOST": known["host"],
        "GITMART_DBT_PORT": known["port"],
        "GITMART_DBT_USER": known["user"],
        "GITMART_DBT_DBNAME": known["dbname"],
        "DBT_ENV_SECRET_PASSWORD": known["password"],
        "DO_NOT_TRACK": "1",
    }


def one_process(url: str, folder: Path, environment: Mapping[str, str], *first: str) -> Cost:
    """Measure `gitmart transform`, begun by other words if there are `first` ones."""
    words = [*first, sys.executable, "-m", "gitmart", "transform", "--project-dir", str(PROJECT)]
    return measure(words, {**environment, "GITMART_WAREHOUSE_URL": url}, folder / "gitmart.log")


def least_group(url: str, folder: Path, environment: Mapping[str, str]) -> int:
    """Return the memory of the smallest control group that a build ended well in, in MiB; 0: there are none here."""
    least = 0
    for mebibytes in range(LARGEST_GROUP, 0, -STEP):
        try:
            group = limited_group(f"bench-{mebibytes}", cores=os.cpu_count() or 1, memory=mebibytes * 2**20)
        except NoLimitsError as error:
            print(f"no control groups here: {error}")
            return 0
        try:
            one_process(url, folder, environment, *entering(group.entrances))
        except FailedError:
            if not group.ran_out_of_memory():
                raise
            break
        finally:
            group.remove()
        least = mebibytes
    return least


def four_processes(url: str, folder: Path, environment: Mapping[str, str]) -> list[Cost]:
    """Measure the four commands, in a fresh folder that they share."""
    target = Path(tempfile.mkdtemp(dir=folder))
    common = [
        "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT),
        "--target-path", str(target), "--log-path", str(target), "--no-version-check",
    ]  # fmt: skip
    dbt = str(Path(sys.executable).with_name("dbt"))
    settings = {**environment, **dbt_settings(url)}
    return [measure([dbt, *words, *common], settings, folder / "dbt.log") for words in FOUR]


def bench(rounds: int, commits: int) -> dict[str, float]:
    """Make a warehouse, measure, print the table and return the figures."""
    with temporary_postgres() as server:
        folder = server.folder.parent
        migrate(server.url("gitmart_owner"))
        with psycopg.connect(server.url("gitmart_extract"), autocommit=True) as connection:
            raw = RawTables(connection)
            for name in ("one", "two"):
                raw.extract(raw.repository(name), commits=commits // 2)
        url = server.url("gitmart_transform")
        environment = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONOPTIMIZE")
        } | {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}  # fmt: skip
        ours: list[Cost] = []
        theirs: list[list[Cost]] = []
        for number in range(rounds + 1):
            one, four = one_process(url, folder, environment), four_processes(url, folder, environment)
            if number:
                ours.append(one)
                theirs.append(four)
        least = least_group(url, folder, environment)
    return report(ours, theirs, commits, least)


def report(ours: list[Cost], theirs: list[list[Cost]], commits: int, least: int) -> dict[str, float]:
    """Print medians of the rounds, and return what the last line says."""
    rows = {"gitmart transform": _median(ours)}
    for index, words in enumerate(FOUR):
        rows[f"dbt {' '.join(words)}"] = _median([four[index] for four in theirs])
    rows["the four together"] = _median([four[0] + four[1] + four[2] + four[3] for four in theirs])
    print(f"medians of {len(ours)} interleaved rounds, {commits} commits")
    print(f"{'':24}{'CPU s':>8}{'wall s':>8}{'peak MiB':>10}")
    for name, cost in rows.items():
        print(f"{name:24}{cost.cpu:8.2f}{cost.wall:8.2f}{cost.peak:10.1f}")
    print(f"smallest control group in steps of {STEP} MiB in which gitmart transform ended well: {least or '-'} MiB")
    one, four = rows["gitmart transform"], rows["the four together"]
    return {
        "cpu_ratio": round(one.cpu / four.cpu, 3),
        "wall_ratio": round(one.wall / four.wall, 3),
        "peak_mib": round(one.peak, 1),
        "four_peak_mib": round(four.peak, 1),
        "group_mib": least,
        "cpu_seconds": round(one.cpu, 2),
        "commits": commits,
        "rounds": len(ours),
    }


def _median(costs: list[Cost]) -> Cost:
    middle = statistics.median
    return Cost(middle(c.cpu for c in costs), middle(c.wall for c in costs), middle(c.peak for c in costs))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--commits", type=int, default=20_000)
    arguments = parser.parse_args()
    print(json.dumps(bench(arguments.rounds, arguments.commits)))


if __name__ == "__main__":
    main()
