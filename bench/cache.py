"""
Compare a run with a cache with one that finds nothing in it, and see what keeping the cache small costs.

    make bench-cache REPO=path/to/repository.git

A server (a bare copy, file://, no filters) gets commits of the default branch: ten at a time for some rounds, then one
at a time, so often that packs become one several times. Each of the first rounds is followed by a run whose cache is
empty, so that it clones; ratios are taken within a round, medians shown. All are whole processes, into a warehouse
that knows the history without the new commits. Without REPO a history of 15,000 commits is made up. The last line is
JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
from pathlib import Path

from extraction import Extraction, database, extract
from made_up import HERMETIC, git, make_up

from gitmart.extract.mirror import MOST_PACKS
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

MADE_UP = 15_000  # commits
NEW = 10  # commits of a round
SINGLE = 2 * MOST_PACKS + 5  # runs of one new commit each


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, help="a repository on this machine; it is not changed")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with temporary_postgres() as server:
        migrate(server.url("gitmart_owner"))
        folder = server.folder.parent
        source = arguments.repo or make_up(folder / "made-up.git", MADE_UP)
        served = folder / "served.git"
        words = ["git", "clone", "--quiet", "--bare", "--single-branch", "--no-tags"]
        subprocess.run([*words, f"file://{source.resolve()}", str(served)], env=HERMETIC, check=True)
        branch, tip = git(served, "symbolic-ref", "HEAD"), git(served, "rev-parse", "HEAD")
        left = arguments.rounds * NEW + SINGLE
        line = git(served, "rev-list", "--first-parent", f"--max-count={left + 1}", tip).split()
        cache, empty = folder / "cache", folder / "empty"
        cache.mkdir()
        with database(server) as one, database(server) as other:

            def run(name: str, volume: Path, commits_left: int) -> Extraction:
                git(served, "update-ref", branch, line[commits_left])
                return extract(served, server.url("gitmart_extract", name), folder, f"--cache-dir={volume}")

            def run_empty(commits_left: int) -> Extraction:
                shutil.rmtree(empty, ignore_errors=True)
                empty.mkdir()
                return run(other, empty, commits_left)

            first = run(one, cache, left)
            run_empty(left)
            rounds = []
            for _ in range(arguments.rounds):
                left -= NEW
                rounds.append((run(one, cache, left), run_empty(left)))
            singles = []
            while left:
                left -= 1
                singles.append((run(one, cache, left), len(list(cache.glob("*/*.pack")))))
            report(first, rounds, singles, cache)


def report(
    first: Extraction,
    rounds: list[tuple[Extraction, Extraction]],
    singles: list[tuple[Extraction, int]],
    cache: Path,
) -> None:
    """Print the figures and the line of JSON."""
    assert all(cached.result["fetch"] == "cached" for cached, _ in (*rounds, *singles))
    cloned, (cached, full) = int(str(first.result["bytesFetched"])), rounds[0]
    bytes_ratio = statistics.median(
        int(str(part.result["bytesFetched"])) / int(str(whole.result["bytesFetched"])) for part, whole in rounds
    )
    time_ratio = statistics.median(part.wall / whole.wall for part, whole in rounds)
    check = statistics.median(part.seconds("check") for part, _ in rounds)
    print(f"{first.result['commits']} commits at first, a clone of {cloned:,} bytes; git {first.result['gitVersion']}")
    print(f"with the cache {cached.wall:.2f} s {cached.result['seconds']}")
    print(f"with an empty one {full.wall:.2f} s {full.result['seconds']}")
    print(f"÷ with an empty one: bytes {bytes_ratio:.5f}, time {time_ratio:.3f}; the check {check:.2f} s")
    stores = [(single.seconds("store"), packs) for single, packs in singles]
    plain = statistics.median(store for store, _ in stores)
    folds = [store for (store, packs), (_, before) in zip(stores[1:], stores, strict=False) if packs < before]
    held = sum(file.stat().st_size for file in cache.glob("*/*"))
    print(f"storing {plain:.3f} s; {len(folds)} times packs became one, at most {max(folds, default=0):.3f} s")
    print(f"after {len(singles)} runs {stores[-1][1]} packs, the cache ÷ the clone's pack {held / cloned:.3f}")
    print(
        json.dumps(
            {
                "bytes_ratio": round(bytes_ratio, 5),
                "time_ratio": round(time_ratio, 4),
                "check_bytes_per_second": round(cloned / check) if check else None,
                "store_seconds": plain,
                "fold_seconds": max(folds, default=None),
                "size_ratio": round(held / cloned, 4),
                "rounds": len(rounds),
            }
        )
    )


if __name__ == "__main__":
    main()
