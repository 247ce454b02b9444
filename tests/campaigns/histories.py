"""
Histories drawn at random, each extracted after every step and compared with git and with a fresh extraction.

    make campaign-histories
    .venv/bin/python -m tests.campaigns.histories --examples 100 --seed 7

It stops at the first history that makes a difference or stops an extraction, and prints the simplest like it.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback

import psycopg
from hypothesis import HealthCheck, Phase, given, seed, settings
from tests.integration.extract.histories import History, histories
from tests.integration.extract.live import Stage

from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

TOLD_EVERY = 100  # histories


def campaign(stage: Stage, examples: int, number: int) -> tuple[int, int]:
    """Play so many histories; return how many there were until the first difference, and whether there was one."""
    played = 0

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(history=histories(most_steps=4))
    def play(history: History) -> None:
        nonlocal played
        played += 1
        if played % TOLD_EVERY == 0:
            print(f"{played} histories, {stage.steps} steps", flush=True)
        stage.play(history, fresh_at_every_step=True)

    try:
        play()
    except Exception:
        traceback.print_exc(file=sys.stdout)
        return played, 1
    return played, 0


def main() -> int:
    """Play on a server of the campaign's own; return 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=2_000, help="number of histories")
    parser.add_argument("--seed", type=int, default=1, help="other histories for each")
    parser.add_argument("--cache", action="store_true", help="keep what was fetched between the extractions")
    arguments = parser.parse_args()
    start = time.monotonic()
    with temporary_postgres(durable=False) as server:
        migrate(server.url("gitmart_owner"))
        with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute("create database fresh template gitmart owner gitmart_owner")
        with Stage.between(server.folder.parent, server.url, lambda role: server.url(role, "fresh")) as stage:
            if arguments.cache:
                stage.cache = server.folder.parent / "cache"
                stage.cache.mkdir()
            played, differences = campaign(stage, arguments.examples, arguments.seed)
    print(
        json.dumps(
            {
                "histories": played,
                "steps": stage.steps,
                "ways": stage.ways,
                "differences": differences,
                "seed": arguments.seed,
                "seconds": round(time.monotonic() - start),
            }
        )
    )
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
