"""
Lives of raw tables drawn at random: after every few events the marts of an incremental build equal a full refresh.

    make campaign-marts
    .venv/bin/python -m tests.campaigns.marts --examples 50 --seed 7

It stops at the first life that makes a difference, and prints the simplest like it. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st
from psycopg import sql
from tests.integration.dbt.conftest import REBUILT, SUFFIXES, Dbt, Marts, Raw
from tests.integration.dbt.events import EVENTS, History

from gitmart.local.postgres import SUPERUSER
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate

TOLD_EVERY = 10  # lives
REWRITES = ("never", "per_repository", "everywhere")


@dataclass(slots=True)
class Stage:
    """Where lives are played."""

    dbt: Dbt
    raw: Raw
    marts: Marts
    lives: int = 0
    builds: int = 0

    def play(self, number: int, rewrites: str, rounds: list[list[int]]) -> None:
        """Let the events of each round happen, build, and compare; `number` decides what each event does."""
        self.lives += 1
        self.marts.clear()
        dbt = self.dbt.having(count_rewrites_once=rewrites)
        history = History(self.raw, number)
        dbt.run()
        for events in rounds:
            for event in events:
                history.happen(EVENTS[event])
            note(f"{', '.join(history.told)}")
            self.build_on_one_day(dbt)
            self.marts.assert_equal_to_full_refresh()
            self.builds += 1

    def build_on_one_day(self, dbt: Dbt) -> None:
        """Build incrementally and anew, again if it was another day meanwhile: the summaries say which day it was."""
        began = None
        while began != datetime.now(UTC).date():
            began = datetime.now(UTC).date()
            dbt.run()
            dbt.run("--full-refresh", schema=REBUILT)


def campaign(stage: Stage, examples: int, number: int) -> int:
    """Play so many lives; return 1 if one made a difference."""

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        history=st.integers(0, 10_000),
        rewrites=st.sampled_from(REWRITES),
        rounds=st.lists(st.lists(st.integers(0, len(EVENTS) - 1), min_size=1, max_size=4), min_size=1, max_size=4),
    )
    def play(history: int, rewrites: str, rounds: list[list[int]]) -> None:
        stage.play(history, rewrites, rounds)
        if stage.lives % TOLD_EVERY == 0:
            print(f"{stage.lives} lives, {stage.builds} builds", flush=True)

    try:
        play()
    except Exception:
        traceback.print_exc(file=sys.stdout)
        return 1
    return 0


def main() -> int:
    """Play on a server of the campaign's own; return 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=200, help="number of lives")
    parser.add_argument("--seed", type=int, default=1, help="other lives for each")
    arguments = parser.parse_args()
    start = time.monotonic()
    with temporary_postgres(durable=False) as server:
        migrate(server.url("gitmart_owner"))
        folder = Path(server.folder.parent / "dbt")
        folder.mkdir()
        with (
            psycopg.connect(server.url(SUPERUSER), autocommit=True) as administrator,
            psycopg.connect(server.url("gitmart_extract"), autocommit=True) as extractor,
        ):
            for schema in [sql.Identifier(REBUILT + suffix) for suffix in SUFFIXES]:
                administrator.execute(sql.SQL("create schema {}").format(schema))
                administrator.execute(sql.SQL("grant usage, create on schema {} to gitmart_transform").format(schema))
            stage = Stage(Dbt.of(server.url("gitmart_transform"), folder), Raw(extractor), Marts(server.url(SUPERUSER)))
            differences = campaign(stage, arguments.examples, arguments.seed)
    print(
        json.dumps(
            {
                "lives": stage.lives,
                "builds": stage.builds,
                "differences": differences,
                "seed": arguments.seed,
                "seconds": round(time.monotonic() - start),
            }
        )
    )
    return differences


if __name__ == "__main__":
    sys.exit(main())
