"""The project on other warehouses than PostgreSQL: compiled for each of them, and run on the one that can be had."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from tests.integration.dbt.conftest import FACTS, MARTS, PROJECT, STEPS, Dbt, Marts, Raw
from tests.integration.dbt.environment import interpreter, undisturbed
from tests.integration.dbt.events import EVENTS, History
from tests.integration.dbt.test_on_paper import make

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("adapters")]

HERE = Path(__file__).parent
PROFILES = HERE / "adapters"
REBUILDING = {"bigquery", "databricks", "spark"}  # they cannot replace all rows of a key
SOURCES = (
    "repositories", "contributors", "commits", "commit_files", "commit_trailers", "removed_commits",
    "repository_contributors", "identity_merges", "extraction_runs", "repository_snapshots", "repository_languages",
    "repository_topics", "refs",
)  # fmt: skip

# What the SQL calls and casts to; of each adapter, what its manual has and another's may not.
CALLS = {"abs", "cast", "coalesce", "count", "exists", "lower", "max", "min", "nullif", "reverse", "row_number", "substr",
         "sum"}  # fmt: skip
TYPES = {"bigint", "date", "integer", "smallint"}
OWN_CALLS = {
    "duckdb": {"date_trunc", "extract", "position", "regexp_matches"},
    "snowflake": {
        "convert_timezone",
        "date_trunc",
        "dateadd",
        "datediff",
        "dayofweekiso",
        "extract",
        "position",
        "regexp_like",
    },
    "bigquery": {
        "date",
        "date_diff",
        "date_trunc",
        "datetime",
        "datetime_add",
        "extract",
        "regexp_contains",
        "strpos",
        "timestamp_add",
    },
    "redshift": {"date_trunc", "dateadd", "extract", "mod", "position"},
    "databricks": {
        "date_from_unix_date",
        "date_trunc",
        "datediff",
        "floor",
        "pmod",
        "position",
        "regexp_like",
        "unix_seconds",
    },
}
OWN_TYPES = {
    "duckdb": {"numeric(28,6)", "numeric(7, 6)", "text", "timestamp", "timestamp with time zone"},
    "snowflake": {"numeric(28,6)", "numeric(7, 6)", "text", "timestamp", "timestamp with time zone"},
    "bigquery": {"numeric", "numeric(7, 6)", "string", "timestamp"},
    "redshift": {"numeric(28,6)", "numeric(7, 6)", "text", "timestamp", "timestamp with time zone"},
    "databricks": {"decimal(28,6)", "int", "numeric(7, 6)", "string", "timestamp"},
}
POSTGRES_ALONE = ("::", "lateral", "offset 0", "isodow", "at time zone", "interval '", "union distinct", "distinct on")
OWN_PHRASES = {
    "duckdb": {"isodow", "at time zone", "interval '", "union distinct"},
    "snowflake": {"union distinct"},
    "bigquery": {"union distinct"},
    "redshift": {"at time zone", "interval '"},
    "databricks": {"union distinct"},
}
# The adapter of Databricks is made from that of Spark.
for known in (OWN_CALLS, OWN_TYPES, OWN_PHRASES):
    known["spark"] = known["databricks"]
OUT_OF_REACH = sorted(set(OWN_CALLS) - {"duckdb"})
# Words that a parenthesis may follow, too.
NO_CALLS = {"and", "as", "decimal", "from", "in", "join", "like", "not", "numeric", "or", "over", "where"}


def foreign(text: str, adapter: str) -> set[str]:
    """Return what a statement calls, casts to or says that the adapter is not known to have."""
    text = re.sub(r"--[^\n]*|'[^']*'", lambda found: "" if found[0].startswith("--") else "''", text.lower())
    text = re.sub(r"\binsert into \S+", "", text)  # a list of columns may follow
    calls = set(re.findall(r"\b([a-z_]\w*)\s*\(", text)) - NO_CALLS - CALLS - OWN_CALLS[adapter]
    types = set(re.findall(r"\bcast\(.*?\bas\s+([a-z][a-z ]*(?:\([\d, ]+\))?)\s*\)", text, re.DOTALL))
    phrases = {phrase for phrase in POSTGRES_ALONE if phrase in text}
    return calls | (types - TYPES - OWN_TYPES[adapter]) | (phrases - OWN_PHRASES[adapter])


@pytest.mark.parametrize(
    ("adapter", "text", "expected"),
    [
        pytest.param("bigquery", "select cast(a as text) -- date_part(b)", {"text"}, id="a type"),
        pytest.param("bigquery", "select cast(sum(a) as bigint), cast(b as timestamp with time zone)",
                     {"timestamp with time zone"}, id="the second of two types"),
        pytest.param("snowflake", "select a::int", {"::"}, id="a cast"),
        pytest.param("redshift", "select extract(isodow from a)", {"isodow"}, id="a field"),
        pytest.param("redshift", "select 1 union distinct select 2", {"union distinct"}, id="a union"),
        pytest.param("spark", "select string_agg(a, ','), a at time zone 'UTC' from b", {"string_agg", "at time zone"},
                     id="a function and a zone"),
        pytest.param("duckdb", "select cast(a at time zone 'UTC' as date), cast((b) as numeric(7, 6)), 'f(x::y)'",
                     set(), id="nothing"),
    ],
)  # fmt: skip
def test_what_an_adapter_does_not_have_is_found(adapter: str, text: str, expected: set[str]) -> None:
    assert foreign(text, adapter) == expected


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter that has the adapters."""
    return interpreter("dbt-adapters")


@pytest.fixture(scope="module")
def compiled(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Return what the project compiles to for an adapter."""

    @cache
    def compiled_for(adapter: str) -> dict[str, Any]:
        return printed(python, "compiling.py", adapter, *words_of_dbt(tmp_path_factory.mktemp(adapter)))

    return compiled_for


def printed(python: Path, program: str, *words: str | Path, **variables: str) -> dict[str, Any]:
    """Run one of the programs here and return what it prints."""
    done = subprocess.run(
        [python, HERE / program, *words],
        env={**undisturbed(), "DO_NOT_TRACK": "1", "TZ": "America/New_York", **variables},  # no day is the session's
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def words_of_dbt(folder: Path) -> list[str | Path]:
    return [
        "--project-dir", PROJECT, "--profiles-dir", PROFILES, "--target-path", folder / "target",
        "--log-path", folder, "--log-level", "none",
    ]  # fmt: skip


@pytest.mark.parametrize("adapter", OWN_CALLS)
def test_it_compiles_without_a_warehouse(adapter: str, compiled: Callable[[str], dict[str, Any]]) -> None:
    said = compiled(adapter)

    assert said["calls"] == []
    assert said["problems"] == {}
    assert set(said["models"]) == {path.stem for path in (PROJECT / "models").rglob("*.sql")}
    assert set(said["models"]) < set(said["sql"]["fresh"]) <= set(said["sql"]["built"])
    strange = {
        (name, word)
        for statements in said["sql"].values()
        for name, text in statements.items()
        for word in foreign(text, adapter)
    }
    assert strange == set()


def any_run(text: str) -> str:
    """Return SQL without the id of the run it was made for."""
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "run", text)


@pytest.mark.parametrize("adapter", OUT_OF_REACH)
def test_the_adapter_goes_through_a_build(adapter: str, compiled: Callable[[str], dict[str, Any]]) -> None:
    """It takes every setting of the models, on a first build and on one that finds all tables there."""
    assert compiled(adapter)["stopped"] == {"fresh": {}, "built": {}}


@pytest.mark.parametrize("adapter", OWN_CALLS)
def test_facts_replace_rows_or_are_built_anew(adapter: str, compiled: Callable[[str], dict[str, Any]]) -> None:
    said = compiled(adapter)
    fresh, built = said["sql"]["fresh"], said["sql"]["built"]

    incremental = {name for name in said["models"] if any_run(fresh[name]) != any_run(built[name])}
    by_repository = {"int_fingerprints", "fct_repository_activity"}
    assert incremental == (set() if adapter in REBUILDING else {*FACTS, *STEPS, *by_repository})
    assert any(text.startswith("delete from") for text in built.values()) == (adapter not in REBUILDING)
    for name, settings in said["models"].items():
        assert settings["incremental_strategy"] in (
            ("merge", "append") if adapter in REBUILDING else ("delete+insert",)
        ), name
        assert not settings["grants"], name


@dataclass(frozen=True, slots=True)
class DuckDB:
    """The project in a DuckDB file."""

    python: Path
    folder: Path
    raw: Raw

    def bring_raw_tables(self) -> None:
        """Write the raw tables as they are in PostgreSQL for the next run to take."""
        tables = {}
        for table in SOURCES:
            columns = self.raw.query(
                "select attname::text, case format_type(atttypid, atttypmod) when 'bigint' then 'bigint'"
                " when 'integer' then 'integer' when 'smallint' then 'smallint' when 'boolean' then 'boolean'"
                " when 'date' then 'date' when 'timestamp with time zone' then 'timestamptz'"
                " when 'numeric(7,6)' then 'decimal(7, 6)' else 'varchar' end"
                " from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
                table,
            )
            tables[table] = dict(columns)
            copy = sql.SQL("copy (select * from {}) to stdout (format csv, header)").format(sql.Identifier(table))
            with open(self.folder / f"{table}.csv", "wb") as file, self.raw.connection.cursor().copy(copy) as rows:
                file.writelines(rows)
        (self.folder / "tables.json").write_text(json.dumps(tables), encoding="utf-8")

    def build(self, *words: str) -> Rows:
        """Build and test, each node well; return the rows of the marts."""
        said = printed(
            self.python, "on_duckdb.py", self.folder, "build", *words, *words_of_dbt(self.folder),
            GITMART_DBT_DUCKDB=str(self.folder / "built.duckdb"),
        )  # fmt: skip
        assert set(said["statuses"].values()) <= {"success", "pass", "no-op"}, said["messages"]
        marts: Rows = said["marts"]
        return marts

    def run_compiled(self, said: dict[str, Any], dialect: str) -> Rows:
        """Run what the project was compiled to for another warehouse; return the rows of the marts."""
        (self.folder / "compiled.json").write_text(json.dumps(said), encoding="utf-8")
        marts: Rows = printed(self.python, "transpiled.py", self.folder, dialect)["marts"]
        return marts


Rows = dict[str, list[dict[str, str | None]]]  # of marts, by column


@pytest.fixture
def duckdb(python: Path, raw: Raw, tmp_path: Path) -> DuckDB:
    return DuckDB(python, tmp_path, raw)


def text(value: object) -> str | None:
    """Return a value as it is compared: an instant in UTC. The programs do the same."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return None if value is None else str(value)


def counted(rows: list[dict[str, str | None]]) -> Counter[frozenset[tuple[str, str | None]]]:
    return Counter(frozenset(row.items()) for row in rows)


def assert_equal(found: Rows, marts: Marts, history: History) -> None:
    """Every mart has the rows that PostgreSQL has."""
    assert set(found) == set(MARTS)
    with psycopg.connect(marts.url) as connection:
        for mart in MARTS:
            cursor = connection.execute(sql.SQL("select * from analytics.{}").format(sql.Identifier(mart)))
            columns = [column.name for column in cursor.description or ()]
            here = counted([dict(zip(columns, map(text, row), strict=True)) for row in cursor.fetchall()])
            there = counted(found[mart])
            assert here, mart
            assert not there - here, f"{mart} has others after {history.told}: {(there - here).most_common(1)}"
            assert not here - there, f"{mart} lacks some after {history.told}: {(here - there).most_common(1)}"


def a_history(raw: Raw, seed: int) -> History:
    """Return a random one, beside a repository that its events leave alone and whose host tells something."""
    with raw.run(raw.repository("hosted")) as run:
        raw.snapshot(run.repository, "2024-05-01", 2, Python="0.9", Shell="0.1")
    return History(raw, seed)


def extract(url: str, repository: Any) -> None:
    """Extract a repository as the operator does."""
    subprocess.run(
        [sys.executable, "-m", "gitmart", "extract", "--url", repository.url, "--allow-file-urls"],
        env={**undisturbed(), "GITMART_WAREHOUSE_URL": url},
        capture_output=True,
        check=True,
    )


def test_duckdb_has_the_marts_that_postgresql_has(
    duckdb: DuckDB, dbt: Dbt, raw: Raw, marts: Marts, server: Any, dbt_database: str, repository: Any
) -> None:
    """After a first build, after builds of what changed since, and after a full refresh."""
    history = a_history(raw, 11)
    make(repository)
    events = history.random.sample(EVENTS, len(EVENTS))
    for step in ([], events):
        for event in step:
            history.happen(event)
        extract(server.url("gitmart_extract", dbt_database), repository)
        repository.git("update-ref", "refs/heads/main", "main^")  # the next step has a commit less
        dbt.run()
        duckdb.bring_raw_tables()

        assert_equal(duckdb.build(), marts, history)
    assert_equal(duckdb.build("--full-refresh"), marts, history)


def test_what_others_are_given_means_what_postgresql_is_given(
    compiled: Callable[[str], dict[str, Any]], duckdb: DuckDB, dbt: Dbt, raw: Raw, marts: Marts
) -> None:
    history = a_history(raw, 12)
    for event in EVENTS:
        history.happen(event)
    dbt.run()
    duckdb.bring_raw_tables()

    for adapter in OUT_OF_REACH:
        history.told.append(f"as {adapter}")
        assert_equal(duckdb.run_compiled(compiled(adapter), adapter), marts, history)
