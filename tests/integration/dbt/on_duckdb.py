"""
Runs the project in a DuckDB file: a program of its own, for the interpreter that has the adapters.

It takes the raw tables from a folder, in place of those of the run before, lets dbt do what its words say, and
prints how each node ended and every row of the marts.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from dbt.cli.main import dbtRunner


def load(database: str, folder: Path) -> None:
    """Make the raw tables from CSV files and the types of their columns."""
    tables: dict[str, dict[str, str]] = json.loads((folder / "tables.json").read_text(encoding="utf-8"))
    with duckdb.connect(database) as connection:
        connection.execute("create schema if not exists public")
        for table, types in tables.items():
            columns = ", ".join(f"{name!r}: {kind!r}" for name, kind in types.items())
            connection.execute(
                f"create or replace table public.{table} as select * from read_csv('{folder / table}.csv', header = true,"
                f" auto_detect = false, delim = ',', quote = '\"', escape = '\"', columns = {{{columns}}})"
            )


def text(value: object) -> str | None:
    """Return a value as it is compared: an instant in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return None if value is None else str(value)


def marts(database: str, schema: str) -> dict[str, list[dict[str, str | None]]]:
    """Return the rows of all marts, by column."""
    with duckdb.connect(database) as connection:
        names = connection.execute(
            "select table_name from information_schema.tables where table_schema = ?", [schema]
        ).fetchall()
        found = {}
        for (name,) in names:
            cursor = connection.execute(f"select * from {schema}.{name}")
            columns = [column[0] for column in cursor.description or ()]
            found[name] = [dict(zip(columns, map(text, row), strict=True)) for row in cursor.fetchall()]
    return found


def main(folder: str, *words: str) -> dict[str, Any]:
    """Load, build and read."""
    database = os.environ["GITMART_DBT_DUCKDB"]
    load(database, Path(folder))
    done = dbtRunner().invoke(list(words))
    if done.exception is not None:
        raise done.exception
    return {
        "statuses": {result.node.name: str(result.status) for result in done.result.results},
        "messages": {
            result.node.name: result.message
            for result in done.result.results
            if str(result.status) not in ("success", "pass", "no-op")
        },
        "marts": marts(database, "analytics"),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
