"""What runs leave in `dbt_meta`: for each how it ended, whatever ended it, for people to read in SQL."""

from __future__ import annotations

import gzip
import json
import signal
from typing import Any

import psycopg
import pytest

from gitmart.contract.outcomes import RESULT_LOST, Outcome

SLOW = "{{ config(materialized='table') }} select pg_sleep(600)::text as slept"
SLOW_STATEMENTS = "select pid from pg_stat_activity where state = 'active' and query ~ 'pg_sleep[(]600[)]'"
OUTCOMES = "select outcome from dbt_meta.runs order by id"
FILES = {"manifest.json", "run_results.json", "sources.json", "catalog.json"}


def read(warehouse: Any, query: str, *words: object) -> list[tuple[Any, ...]]:
    """Ask as those who may only read."""
    with psycopg.connect(warehouse.url("gitmart_read")) as connection:
        return connection.execute(query.encode(), words).fetchall()


def artifact(warehouse: Any, run: int, name: str) -> Any:
    [(raw, size)] = read(
        warehouse, "select gzip, size_bytes from dbt_meta.artifacts where (run_id, name) = (%s, %s)", run, name
    )
    text = gzip.decompress(raw)
    assert len(text) == size
    return json.loads(text)


def test_a_good_run_can_be_read_in_sql(transform: Any, warehouse: Any) -> None:
    transform.project.model("extra", "select 1 as x")
    process = transform.run("--exclude", "extra", "--select", "total+", "--select", "per_repository+")
    assert process.ended_as(Outcome.SUCCEEDED)

    [(run, *told)] = read(
        warehouse,
        "select id, target_schema, outcome, message, invocation_id, dbt_version, full_refresh, selected, excluded, threads,"
        " nodes, succeeded, passed, warned, failed, errored, skipped from dbt_meta.runs",
    )
    result = process.result
    assert told == [
        "analytics", "Succeeded", result["message"], result["invocationId"], result["dbtVersion"], False,
        ["total+", "per_repository+"], ["extra"], 4, 4, 2, 2, 0, 0, 0, 0,
    ]  # fmt: skip
    nodes = read(warehouse, "select unique_id, resource_type, status, failures, message from dbt_meta.node_runs")
    assert {(kind, status) for _, kind, status, *_ in nodes} == {("model", "success"), ("test", "pass")}
    assert {message for *_, message in nodes} == {None}
    assert read(warehouse, "select rows_affected from dbt_meta.node_runs where name = 'total'") == [(1,)]
    assert read(warehouse, "select source, max_loaded_at from dbt_meta.source_freshness") == [
        ("raw.extraction_runs", None)
    ]
    assert {name for (name,) in read(warehouse, "select name from dbt_meta.artifacts")} == FILES
    results = artifact(warehouse, run, "run_results.json")
    assert {one["unique_id"] for one in results["results"]} == {unique_id for unique_id, *_ in nodes}
    assert "model.tiny.total" in artifact(warehouse, run, "manifest.json")["nodes"]
    assert "model.tiny.total" in artifact(warehouse, run, "catalog.json")["nodes"]
    assert read(warehouse, "select name, runs from dbt_meta.slowest_models order by 1") == [
        ("per_repository", 1),
        ("total", 1),
    ]


def test_the_docs_are_those_of_the_last_good_run(transform: Any, warehouse: Any) -> None:
    page = "select run_id, gzip, size_bytes from dbt_meta.docs where target_schema = 'analytics'"
    marked = "</script><b>marked</b>"
    (transform.project.folder / "models" / "marked.yml").write_text(
        json.dumps({"models": [{"name": "total", "description": marked}]}), encoding="utf-8"
    )
    assert transform.run("--no-docs").ended_as(Outcome.SUCCEEDED)
    assert read(warehouse, page) == []
    assert transform.run().ended_as(Outcome.SUCCEEDED)

    [(run, raw, size)] = read(warehouse, page)
    html = gzip.decompress(raw).decode()
    assert len(html.encode()) == size
    assert "model.tiny.total" in html
    assert "INLINE DATA" not in html
    assert marked not in html, "what a description says must not end the page's script"

    transform.project.model("broken", "{{ config(materialized='table') }} select 1 / 0 as x")
    assert transform.run().ended_as(Outcome.DATA_FAILED)

    assert read(warehouse, "select run_id from dbt_meta.docs") == [(run,)]
    assert read(warehouse, OUTCOMES) == [("Succeeded",), ("Succeeded",), ("DataFailed",)]
    [(name, status, message)] = read(
        warehouse, "select name, status, message from dbt_meta.node_runs where status = 'error'"
    )
    assert (name, status) == ("broken", "error")
    assert "division by zero" in message
    kept = read(warehouse, "select run_id, array_agg(name order by name) from dbt_meta.artifacts group by 1 order by 1")
    without_docs = sorted(FILES - {"catalog.json"})
    assert [names for _, names in kept] == [without_docs, sorted(FILES), without_docs]


@pytest.mark.slow
def test_a_run_that_is_ended_is_told_of(transform: Any, warehouse: Any, until: Any) -> None:
    transform.project.model("slow", SLOW)
    # A table is there before dbt has told of it; what stands on it is begun after that.
    transform.project.model("on_total", "select * from {{ ref('total') }}")
    process = transform.start("--threads", "2")
    until(SLOW_STATEMENTS)
    until("select 1 from pg_views where (schemaname, viewname) = ('analytics', 'on_total')")
    assert read(warehouse, "select outcome, finished_at from dbt_meta.runs") == [(None, None)], "it runs"

    process.send(signal.SIGTERM)
    assert process.ended_as(Outcome.CANCELLED)
    assert read(warehouse, OUTCOMES) == [("Cancelled",)]
    assert ("total", "success") in read(warehouse, "select name, status from dbt_meta.node_runs")

    process = transform.start("--threads", "2")
    until(SLOW_STATEMENTS)
    process.send(signal.SIGKILL)
    process.wait()
    transform.run("--select", "total")

    assert read(warehouse, OUTCOMES) == [("Cancelled",), (RESULT_LOST,), ("Succeeded",)]
    assert read(warehouse, "select 1 from dbt_meta.runs where finished_at is null") == []


def test_a_verdict_that_changes_again_and_again_is_flaky(transform: Any, warehouse: Any) -> None:
    def verdicts(words: str, name: str) -> None:
        for status in words.split():
            warehouse.query(
                "with run as (insert into dbt_meta.runs (target_schema, started_at, gitmart_version, full_refresh,"
                " selected, excluded, threads) values ('analytics', now(), '', false, '{}', '{}', 1) returning id)"
                " insert into dbt_meta.node_runs select id, %s, %s, 'test', %s, 1 from run",
                f"test.{name}", name, status,
            )  # fmt: skip

    verdicts("pass fail pass skipped fail pass", "flaky")
    verdicts("pass pass fail fail error", "broken")
    verdicts("pass pass", "good")

    assert read(warehouse, "select name, runs, failures, changes from dbt_meta.flaky_tests") == [("flaky", 5, 2, 4)]


def test_what_is_old_goes_but_for_the_last_good_run(transform: Any, warehouse: Any) -> None:
    assert transform.run().ended_as(Outcome.SUCCEEDED)
    warehouse.query("update dbt_meta.runs set started_at = now() - interval '91 days'")
    warehouse.query(
        "insert into dbt_meta.runs (target_schema, started_at, finished_at, outcome, gitmart_version, full_refresh, selected,"
        " excluded, threads) select s, now() - make_interval(days => d), now(), 'DataFailed', '', false, '{}', '{}', 1"
        " from unnest(array['analytics', 'other']) as s, unnest(array[89, 92]) as d"
    )
    transform.project.model("broken", "{{ config(materialized='table') }} select 1 / 0 as x")
    assert transform.run().ended_as(Outcome.DATA_FAILED)

    left = "select target_schema, outcome, (extract(day from now() - started_at))::int from dbt_meta.runs order by 1, 3"
    assert read(warehouse, left) == [
        ("analytics", "DataFailed", 0), ("analytics", "DataFailed", 89), ("analytics", "Succeeded", 91),
        ("other", "DataFailed", 89), ("other", "DataFailed", 92),
    ]  # fmt: skip
    assert transform.run("--history-retention", "0s").ended_as(Outcome.DATA_FAILED)
    assert read(warehouse, left)[:-2] == [("analytics", "DataFailed", 0), ("analytics", "Succeeded", 91)]


def test_history_that_cannot_be_written_changes_no_outcome(transform: Any, warehouse: Any) -> None:
    warehouse.query("revoke insert on dbt_meta.runs from gitmart_transform")
    try:
        process = transform.run()
        assert process.ended_as(Outcome.SUCCEEDED)
    finally:
        warehouse.query("grant insert on dbt_meta.runs to gitmart_transform")

    assert any("history" in line["message"] for line in process.lines)


def test_nothing_of_it_holds_the_password(transform: Any, warehouse: Any) -> None:
    password = psycopg.conninfo.conninfo_to_dict(transform.url)["password"]
    transform.project.model("leak", f"{{{{ config(materialized='table') }}}} select '{password}' as it")

    assert transform.run().ended_as(Outcome.SUCCEEDED)
    transform.project.model("told", f"{{{{ config(materialized='table') }}}} select '{password}'::integer as it")
    assert transform.run().ended_as(Outcome.DATA_FAILED)

    packed = read(warehouse, "select gzip from dbt_meta.artifacts union all select gzip from dbt_meta.docs")
    messages = read(warehouse, "select message from dbt_meta.node_runs where status = 'error'")
    texts = [*(gzip.decompress(raw).decode() for (raw,) in packed), *(message for (message,) in messages)]
    assert len(texts) == 4 + 3 + 1 + 1
    assert "invalid input syntax" in texts[-1]
    assert not [text for text in texts if str(password) in text]
