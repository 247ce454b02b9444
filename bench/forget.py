"""
Measure what it costs an extraction that somebody is forgotten.

    make bench-forget REPO=path/to/repository.git

A round is an extraction into an empty warehouse in which nobody is forgotten, one, and ten: the most frequent authors.
Rounds are interleaved, and each ratio is taken within its round. The clone is left out of the time, not of the CPU
time. Then the ten are forgotten at once, where they are. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from extraction import Extraction, database, extract

from gitmart.local.postgres import EmbeddedPostgres
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate


def forget(url: str, person: str) -> None:
    """Forget the person with the command."""
    subprocess.run(
        [sys.executable, "-m", "gitmart", "identities", "forget", "--yes", "--unseen", person],
        env={**os.environ, "GITMART_WAREHOUSE_URL": url}, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def run(repository: Path, server: EmbeddedPostgres, people: list[str]) -> Extraction:
    """Extract into a warehouse of its own in which these are forgotten."""
    with database(server) as name:
        url = server.url("gitmart_extract", name)
        for person in people:
            forget(url, person)
        return extract(repository, url, server.folder.parent)


def afterwards(repository: Path, server: EmbeddedPostgres, person: str) -> float:
    """Return how long it takes to forget somebody whose commits are there."""
    with database(server) as name:
        url = server.url("gitmart_extract", name)
        extract(repository, url, server.folder.parent)
        start = time.monotonic()
        forget(url, person)
        return time.monotonic() - start


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
        authors = subprocess.run(
            ["git", f"--git-dir={repository}", "log", "--all", "--format=%an <%ae>"], check=True, capture_output=True
        ).stdout.decode(errors="replace")
        first = [person for person, _ in Counter(authors.splitlines()).most_common(10)]
        settings = {"nobody": first[:0], "one": first[:1], "ten": first}
        run(repository, server, [])  # warms the page cache
        rounds = [
            {name: run(repository, server, people) for name, people in settings.items()}
            for _ in range(arguments.rounds)
        ]
        took = afterwards(repository, server, first[0])
    figures: dict[str, object] = {"forgetting afterwards": round(took, 2)}
    print(f"{rounds[0]['nobody'].result['commits']} commits, {len(rounds)} rounds, medians; ÷ is by nobody")
    for name in settings:
        told = {}
        for kind, of in {
            "counting": lambda each: each.seconds("diff"),
            "wall": lambda each: each.wall - each.seconds("clone"),
            "cpu": lambda each: each.cpu,
        }.items():
            pairs = [(of(each[name]), of(each["nobody"])) for each in rounds]
            told[kind] = (statistics.median(mine for mine, _ in pairs), statistics.median(a / b for a, b in pairs))
        print(f"{name:10} " + " ".join(f"{kind} {value:7.2f} s {ratio:5.2f}" for kind, (value, ratio) in told.items()))
        figures[name] = {kind: {"seconds": round(v, 2), "ratio": round(r, 3)} for kind, (v, r) in told.items()}
    print(f"forgetting the first of them afterwards: {took:.1f} s")
    print(json.dumps({"figures": figures, "rounds": len(rounds)}))


if __name__ == "__main__":
    main()
