"""
How fast the API answers, and in how much memory: an open-loop load over loopback, on made-up commits.

    make bench-api                            # 2 million commits, 200 requests a second for a minute
    make bench-api COMMITS=200000 SECONDS_EACH=20

The commits are in repositories of 100,000, built by `gitmart transform --full-refresh`. First each kind of query is
asked once, of a process that has just started: its cold time. Then come two loads, each for so many seconds, requests
sent at their time whether or not earlier ones are answered, and latency counted from that time: `warm` asks for what
was asked before, `mixed` for something new now and then (NEW_SHARE), as people do who change a switch. Memory is the
process's proportional set size (PSS) at its most, twice a second. The last line is JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
import psycopg
from growth import PIECE
from synthetic_raw import RawTables
from transform import PROJECT, measure

from gitmart.api.watermark import QUERY, parameters_of
from gitmart.local.postgres import EmbeddedPostgres
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

RATE = 200  # requests a second
NEW_SHARE = 0.02  # of the requests of the mixed load
SEED = 7

# Kinds of query: name, weight in the load, path with {repository}. SWITCHES are put behind what can have them.
KINDS = (
    ("repositories", 10, "/analytics/repositories?limit=20"),
    ("summary of a repository", 25, "/analytics/repository/{repository}/summary?"),
    ("leaderboard of a repository", 10, "/analytics/repository/{repository}/leaderboard?limit=20"),
    ("trend of a repository", 25, "/analytics/trends?granularity=month&repository={repository}"),
    ("trend of everything", 5, "/analytics/trends?granularity=month"),
    ("people of everything", 5, "/analytics/contributors?limit=20"),
    ("concentration of a repository", 10, "/analytics/concentration?repository={repository}"),
    ("hours of a repository", 5, "/analytics/hours?repository={repository}"),
    ("flow of a repository", 5, "/analytics/flow?granularity=quarter&repository={repository}"),
    ("page of all repositories", 5, "/"),
    ("page of a repository", 5, "/repositories/{repository}?"),
)
WITHOUT_SWITCHES = frozenset({"repositories", "leaderboard of a repository", "page of all repositories"})
SWITCHES = ("", "&merges=false", "&bots=false", "&merges=false&bots=false")
OTHER = "&merges=false&bots=false&since=2016-01-01"


@dataclass(slots=True)
class Load:
    """What became of the requests of a load."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    pss: int = 0  # bytes, the most
    cpu: float = 0.0  # seconds of the process

    def quantile(self, part: float) -> float:
        """Return the latency that so large a part of the requests did not exceed, in milliseconds."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def paths(repositories: list[int]) -> Iterator[tuple[str, str]]:
    """Yield every query of the warm load: its kind and its path."""
    for name, _, template in KINDS:
        each = repositories if "{repository}" in template else [0]
        switches = ("",) if name in WITHOUT_SWITCHES else SWITCHES
        variants = [template.format(repository=one) + switch for one in each for switch in switches]
        for path in variants:
            yield name, path


def watching(server: EmbeddedPostgres) -> float:
    """Return how long the query takes that tells whether what is kept is still true, in milliseconds: a median."""
    took = []
    with psycopg.connect(server.url("gitmart_read"), autocommit=True) as connection:
        for _ in range(100):
            began = time.perf_counter()
            connection.execute(QUERY, parameters_of("analytics")).fetchone()
            took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)


async def once(session: aiohttp.ClientSession, path: str) -> tuple[int, float]:
    """Ask once; return the status and the seconds."""
    began = time.perf_counter()
    async with session.get(path) as answer:
        await answer.read()
    return answer.status, time.perf_counter() - began


async def load(session: aiohttp.ClientSession, process: psutil.Process, asked: list[str], rate: int) -> Load:
    """Ask for the paths at a steady rate."""
    result, before, began = Load(), process.cpu_times(), time.perf_counter()

    async def ask(path: str, at: float) -> None:
        try:
            status, _ = await once(session, path)
        except aiohttp.ClientError:
            status = 0
        result.statuses[status] += 1
        result.seconds.append(time.perf_counter() - at)

    async def watch() -> None:
        while True:
            result.pss = max(result.pss, process.memory_full_info().pss)
            await asyncio.sleep(0.5)

    watching, asking = asyncio.create_task(watch()), []
    for number, path in enumerate(asked):
        at = began + number / rate
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        asking.append(asyncio.create_task(ask(path, at)))
    await asyncio.gather(*asking)
    watching.cancel()
    after = process.cpu_times()
    result.cpu = after.user + after.system - before.user - before.system
    return result


@contextmanager
def served(server: EmbeddedPostgres) -> Iterator[tuple[str, psutil.Process]]:
    """Yield the address and the process of an API on the server."""
    log = server.folder.parent / "api.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "gitmart", "api", "--port", "0", "--metrics-port", "none", "--no-authentication",
                "--rate-limit", "0", "--statement-timeout", "1m",
            ],
            env={**os.environ, "GITMART_WAREHOUSE_URL": server.url("gitmart_read")},
            stderr=stderr,
        )  # fmt: skip
    try:
        yield _address(log, process), psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    while process.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines():
            told = json.loads(line)
            if told["message"] == "listening":
                return str(told["address"])
        time.sleep(0.05)
    raise SystemExit(log.read_text(encoding="utf-8"))


def loads(known: list[tuple[str, str]], requests: int) -> tuple[list[str], list[str]]:
    """Return the paths of both loads: those that were asked for before, and these with something new among them."""
    chance = random.Random(SEED)  # noqa: S311 # the same load every time
    by_kind: dict[str, list[str]] = {}
    for name, path in known:
        by_kind.setdefault(name, []).append(path)
    names = chance.choices([kind[0] for kind in KINDS], [kind[1] for kind in KINDS], k=requests)
    mixed = []
    for name in names:
        path = chance.choice(by_kind[name])
        if name not in WITHOUT_SWITCHES and chance.random() < NEW_SHARE:
            path += f"&until=20{chance.randrange(16, 25)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"
        mixed.append(path)
    return [path.partition("&until=")[0] for path in mixed], mixed


async def cold(session: aiohttp.ClientSession, repository: int) -> float:
    """Ask for each kind of query once; print, and return the seconds of the slowest."""
    print(f"{'asked once, cold':60}{'ms':>8}")
    slowest = 0.0
    for name, _, template in KINDS:
        for switches in ("",) if name in WITHOUT_SWITCHES else ("", OTHER):
            path = template.format(repository=repository) + switches
            status, took = await once(session, path)
            assert status == 200, (status, path)
            slowest = max(slowest, took)
            print(f"{name + (', other switches' if switches else ''):60}{1000 * took:8.0f}")
    return slowest


async def measured(server: EmbeddedPostgres, repositories: list[int], seconds: int, rate: int) -> dict[str, object]:
    """Ask an API about the repositories; print, and return what the last line says."""
    timeout, connector = aiohttp.ClientTimeout(total=120), aiohttp.TCPConnector(limit=0)
    with served(server) as (address, process):
        async with aiohttp.ClientSession(address, connector=connector, timeout=timeout) as session:
            figures: dict[str, object] = {"slowest_cold_ms": round(1000 * await cold(session, repositories[-1]))}
            known = list(paths(repositories))
            for _, path in known:
                status, _ = await once(session, path)
                assert status == 200, (status, path)
            print(
                f"\n{'load':8}{'requests':>10}"
                + "".join(f"{name:>9}" for name in ("p50 ms", "p95 ms", "p99 ms", "most"))
            )
            for kind, asked in zip(("warm", "mixed"), loads(known, rate * seconds), strict=True):
                done = await load(session, process, asked, rate)
                errors, pss = len(asked) - done.statuses[200], round(done.pss / 2**20)
                others = {status: count for status, count in sorted(done.statuses.items()) if status != 200}
                refused = f"{errors} errors {others or ''}".strip()  # by status; 0: the connection broke
                quantiles = [done.quantile(part) for part in (0.5, 0.95, 0.99, 1)]
                told = "".join(f"{quantile:9.1f}" for quantile in quantiles)
                cpu = 1000 * done.cpu / len(asked)  # a figure that does not depend on what else the machine does
                print(f"{kind:8}{len(asked):10}{told}   {refused}, {pss} MiB, {cpu:.2f} ms of CPU a request")
                figures |= {
                    f"{kind}_p99_ms": round(quantiles[2], 1), f"{kind}_errors": errors, f"{kind}_pss_mib": pss, f"{kind}_cpu_ms": round(cpu, 2),
                }  # fmt: skip
    return figures


def main() -> None:
    """Make the warehouse, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=2_000_000, help="in repositories of 100,000 (default 2000000)")
    parser.add_argument("--seconds", type=int, default=60, help="of each load (default 60)")
    parser.add_argument("--rate", type=int, default=RATE, help=f"requests a second (default {RATE})")
    options = parser.parse_args()
    with temporary_postgres() as server:
        migrate(server.url("gitmart_owner"))
        repositories = []
        with psycopg.connect(server.url("gitmart_extract"), autocommit=True) as connection:
            raw = RawTables(connection)
            for first in range(0, options.commits, PIECE):
                repositories.append(raw.repository(f"repository{len(repositories)}"))
                raw.extract(repositories[-1], commits=min(PIECE, options.commits - first))
            connection.execute("vacuum analyze")
        build = [sys.executable, "-m", "gitmart", "transform", "--project-dir", str(PROJECT), "--no-docs"]
        environment = {**os.environ, "GITMART_WAREHOUSE_URL": server.url("gitmart_transform")}
        cost = measure(build, environment, server.folder.parent / "gitmart.log")
        print(f"{options.commits} commits in {len(repositories)} repositories, built in {cost.wall:.0f} s\n")
        watch = watching(server)
        print(f"state of the marts, asked for at most once a second: {watch:.2f} ms\n")
        figures = asyncio.run(measured(server, repositories, options.seconds, options.rate))
    print(json.dumps({"commits": options.commits, "rate": options.rate, "watch_ms": round(watch, 2), **figures}))


if __name__ == "__main__":
    main()
