"""
Measure what the options cost that keep more of a commit.

    make bench-options REPO=path/to/repository.git

A round is an extraction into an empty warehouse without them, with `--first-parent-counts`, and with `--patch-ids`.
Rounds are interleaved, and each ratio is taken within its round. The clone is left out of the time, not of the CPU
time. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
from pathlib import Path

from extraction import Extraction, database, extract

from gitmart.local.postgres import EmbeddedPostgres
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

OPTIONS = {"neither": (), "--first-parent-counts": ("--first-parent-counts",), "--patch-ids": ("--patch-ids",)}
COUNTING = ("diff", "patches")  # phases


def run(repository: Path, server: EmbeddedPostgres, words: tuple[str, ...]) -> Extraction:
    """Extract into a warehouse of its own."""
    with database(server) as name:
        return extract(repository, server.url("gitmart_extract", name), server.folder.parent, *words)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, required=True, help="a bare repository or a work tree on this machine")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with temporary_postgres() as server:
        repository = server.folder.parent / "source.git"
        subprocess.run(
            ["git", "clone", "--quiet", "--bare", str(arguments.repo.resolve()), str(repository)], check=True
        )
        migrate(server.url("gitmart_owner"))
        run(repository, server, ())  # warms the page cache
        rounds = [
            {name: run(repository, server, words) for name, words in OPTIONS.items()} for _ in range(arguments.rounds)
        ]
    figures = {}
    print(f"{rounds[0]['neither'].result['commits']} commits, {len(rounds)} rounds, medians; ÷ is by neither")
    print(f"{'':24} {'counting s':>10} {'÷':>6} {'wall s':>8} {'÷':>6} {'CPU s':>8} {'÷':>6}")
    for name in OPTIONS:
        counting = [(each[name].seconds(*COUNTING), each["neither"].seconds(*COUNTING)) for each in rounds]
        wall = [
            (each[name].wall - each[name].seconds("clone"), each["neither"].wall - each["neither"].seconds("clone"))
            for each in rounds
        ]
        cpu = [(each[name].cpu, each["neither"].cpu) for each in rounds]
        told = [
            (statistics.median(mine for mine, _ in pairs), statistics.median(mine / plain for mine, plain in pairs))
            for pairs in (counting, wall, cpu)
        ]
        print(
            f"{name:24} "
            + " ".join(f"{value:{8 + 2 * (n == 0)}.2f} {ratio:6.2f}" for n, (value, ratio) in enumerate(told))
        )
        figures[name] = {
            kind: {"seconds": round(value, 2), "ratio": round(ratio, 3)}
            for kind, (value, ratio) in zip(("counting", "wall", "cpu"), told, strict=True)
        }
    print(json.dumps({"figures": figures, "rounds": len(rounds)}))


if __name__ == "__main__":
    main()
