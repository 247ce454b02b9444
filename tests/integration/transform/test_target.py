"""The schema of a run: the whole project of gitmart's own in another one, beside the first, and schemas that are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.forked import Forks

from gitmart.contract.outcomes import Outcome
from gitmart.warehouse.locks import target_lock, try_lock
from gitmart.warehouse.migrate import migrate

from .conftest import Project, Transform

DBT = Path(__file__).parents[3] / "dbt"


@pytest.mark.slow
def test_two_targets_of_one_warehouse_hold_the_whole_project_each(warehouse: Any, tmp_path: Path, forks: Forks) -> None:
    migrate(warehouse.url("gitmart_owner"), targets=["sales"])
    transform = Transform(Project(DBT), warehouse.url("gitmart_transform"), tmp_path, forks)

    first = transform.run("--no-docs")
    second = transform.run("--schema", "sales")

    assert first.ended_as(Outcome.SUCCEEDED)
    assert second.ended_as(Outcome.SUCCEEDED)
    assert (first.result["schema"], second.result["schema"]) == ("analytics", "sales")
    built = "select count(*) from pg_class where relkind in ('r', 'v') and relnamespace = %s::regnamespace"
    for suffix in ("", "_staging", "_intermediate"):
        counts = [warehouse.query(built, f"{target}{suffix}") for target in ("analytics", "sales")]
        assert counts[0] == counts[1] != [(0,)]
    with psycopg.connect(warehouse.url("gitmart_read"), autocommit=True) as reader:
        assert reader.execute("select count(*) from sales.repository_summary").fetchone() == (0,)
        assert reader.execute("select target_schema from dbt_meta.docs").fetchall() == [("sales",)]
        told = reader.execute("select target_schema, outcome from dbt_meta.runs order by id").fetchall()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("select 1 from sales_intermediate.int_authorship")
    assert told == [("analytics", "Succeeded"), ("sales", "Succeeded")]


def test_a_schema_that_nobody_made_ends_with_the_cure(transform: Any, warehouse: Any) -> None:
    process = transform.run("--schema", "sales")

    assert process.ended_as(Outcome.WAREHOUSE_NOT_MIGRATED)
    assert "schema sales is not there" in process.result["message"]
    assert "run `gitmart migrate --target-schema sales` with the owner's connection" in process.result["message"]
    assert warehouse.query("select 1 from dbt_meta.runs") == []

    migrate(warehouse.url("gitmart_owner"), targets=["sales"])
    assert transform.run("--schema", "sales", "--select", "per_repository").ended_as(Outcome.SUCCEEDED)


def test_a_run_waits_for_none_into_another_schema(transform: Any, warehouse: Any) -> None:
    migrate(warehouse.url("gitmart_owner"), targets=["sales"])
    words = ("--select", "per_repository", "--lock-timeout", "0s")

    with psycopg.connect(transform.url, autocommit=True) as connection:
        assert try_lock(connection, target_lock("analytics"))
        assert transform.run(*words).ended_as(Outcome.SKIPPED)
        assert transform.run(*words, "--schema", "sales").ended_as(Outcome.SUCCEEDED)
