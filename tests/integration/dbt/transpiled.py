"""
Runs in DuckDB what the project was compiled to for another warehouse.

A program of its own, for the interpreter that has the adapters. The SQL is read as that warehouse's and written as
DuckDB's, so what is tried is what it means, as far as sqlglot knows the dialect; how the warehouse itself would run it
is not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import duckdb
import on_duckdb
import sqlglot


def main(folder: str, dialect: str) -> dict[str, Any]:
    """Load the raw tables, build every model from nothing as `compiled.json` has it, and read the marts."""
    database = f"{folder}/gitmart.duckdb"  # named like the database of the profile
    Path(database).unlink(missing_ok=True)  # another adapter's
    on_duckdb.load(database, Path(folder))
    said = json.loads(Path(folder, "compiled.json").read_text(encoding="utf-8"))
    with duckdb.connect(database) as connection:
        connection.execute("create macro pmod(a, b) as ((a % b) + b) % b")  # Spark's, which sqlglot passes on
        for name, statement in said["sql"]["fresh"].items():
            if name not in said["models"]:
                continue
            layer, types = said["models"][name]["schema"], said["types"][name]
            schema = f"analytics_{layer}" if layer else "analytics"
            [written] = sqlglot.transpile(statement, read=dialect, write="duckdb")
            typed = ", ".join(f"cast({column} as {kind}) as {column}" for column, kind in types.items())
            connection.execute(f"create schema if not exists {schema}")
            connection.execute(f"create table {schema}.{name} as select {typed or '*'} from ({written})")
    return {"marts": on_duckdb.marts(database, "analytics")}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
