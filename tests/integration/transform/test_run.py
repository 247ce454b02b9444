"""What a run does and tells, on a real PostgreSQL with a real dbt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from gitmart.contract.outcomes import Outcome

OURS = Path(__file__).parents[3] / "dbt"


def an_extraction(warehouse: Any, hours_ago: int) -> None:
    warehouse.query("insert into repositories (url, url_key, host, name) values ('u', 'u', 'h', 'n')")
    warehouse.query(
        "insert into extraction_runs select id, 1, now(), now() - make_interval(hours => %s), 'main', null, '',"
        " 0, 0, 0, 0, 0, 0, 0, 0, '{}', '', '' from repositories",
        hours_ago,
    )
    warehouse.query(
        "insert into commits (repository_id, contributor_id, committer_id, commit_hash, commit_message, lines_added,"
        " lines_deleted, changed_run, files_changed, parent_count, in_default_branch)"
        " select id, 1, 1, generate_series(1, 3)::text, '', 0, 0, 1, 0, 1, true from repositories"
    )


@pytest.mark.own_interpreter
def test_a_run_builds_tests_and_tells(transform: Any, warehouse: Any) -> None:
    an_extraction(warehouse, hours_ago=13)
    before = transform.project.files()

    process = transform.run()

    assert process.ended_as(Outcome.SUCCEEDED)
    assert warehouse.query("select commit_count from analytics.total") == [(3,)]
    facts = process.result
    assert facts["counts"] == {"total": 4, "success": 2, "pass": 2, "warn": 0, "fail": 0, "error": 0, "skipped": 0}
    assert facts["schema"] == "analytics"
    assert facts["dbtVersion"].startswith("1.12.")
    assert len(facts["invocationId"]) == 36
    assert len(facts["slowest"]) == 4
    assert facts["failures"] == []
    [source] = facts["sources"]
    assert (source["name"], source["status"]) == ("raw.extraction_runs", "warn")
    assert 13 * 3600 <= source["ageSeconds"] < 14 * 3600
    assert [line["of"] for line in process.lines[:-1]] == [4, 4, 4, 4]
    assert list(transform.temporary.iterdir()) == []
    assert transform.project.files() == before


def test_a_stale_source_is_told_and_stops_nothing(transform: Any, warehouse: Any) -> None:
    an_extraction(warehouse, hours_ago=25)

    process = transform.run()

    assert process.ended_as(Outcome.SUCCEEDED)
    assert process.result["sources"][0]["status"] == "error"


def test_sources_that_were_never_loaded_have_no_date(transform: Any) -> None:
    """Of our own project in a new warehouse: a date would be a made-up one."""
    process = transform.run("--project-dir", str(OURS), "--select", "stg_contributors", "--no-docs")

    assert process.ended_as(Outcome.SUCCEEDED)
    assert {(each["status"], each["maxLoadedAt"]) for each in process.result["sources"]} == {("error", None)}


def test_a_stale_source_blocks_the_build_if_that_is_asked_for(transform: Any, warehouse: Any) -> None:
    an_extraction(warehouse, hours_ago=25)

    process = transform.run("--freshness-blocks-build")

    assert process.ended_as(Outcome.SOURCES_STALE)
    assert "raw.extraction_runs" in process.result["message"]
    assert warehouse.query("select 1 from pg_tables where schemaname = 'analytics'") == []


def test_fail_fast_starts_nothing_more(transform: Any) -> None:
    transform.project.model("a_broken", "{{ config(materialized='table') }} select 1 / 0 as x")

    process = transform.run("--fail-fast", "--threads", "1", "--select", "a_broken", "--select", "per_repository+")

    assert process.ended_as(Outcome.DATA_FAILED)
    assert process.result["counts"]["error"] == 1
    assert process.result["counts"]["skipped"] >= 3


def test_a_warning_can_be_an_error_and_failing_rows_can_be_kept(transform: Any, warehouse: Any) -> None:
    with open(transform.project.folder / "dbt_project.yml", "a", encoding="utf-8") as file:
        file.write("data_tests:\n  +severity: warn\n  +schema: test_failures\n")
    (transform.project.folder / "selectors.yml").write_text(
        "selectors: [{name: twice, definition: 'twice+'}]\n", encoding="utf-8"
    )
    transform.project.model("twice", "{{ config(materialized='table') }} select 1 as n from generate_series(1, 2)")
    (transform.project.folder / "models" / "twice.yml").write_text(
        "models: [{name: twice, columns: [{name: n, data_tests: [unique]}]}]\n", encoding="utf-8"
    )

    process = transform.run("--selector", "twice", "--store-failures")
    assert process.ended_as(Outcome.SUCCEEDED)
    assert process.result["counts"] | {"total": 2} == {
        "total": 2, "success": 1, "pass": 0, "warn": 1, "fail": 0, "error": 0, "skipped": 0,
    }  # fmt: skip
    assert warehouse.query("select n_records from analytics_test_failures.unique_twice_n") == [(2,)]

    process = transform.run("--selector", "twice", "--warn-error")
    assert process.ended_as(Outcome.DATA_FAILED)


def test_a_work_dir_keeps_what_dbt_writes(transform: Any, tmp_path: Path) -> None:
    process = transform.run("--work-dir", str(tmp_path / "work"))

    assert process.ended_as(Outcome.SUCCEEDED)
    written = {path.name for path in (tmp_path / "work" / "target").iterdir()}
    assert {"manifest.json", "run_results.json", "sources.json", "partial_parse.msgpack"} <= written


def test_variables_reach_the_project(transform: Any, warehouse: Any) -> None:
    transform.project.model(
        "extra", "{{ config(materialized='table') }} select '{{ var('day') }}' as day, {{ var('list') | length }} as n"
    )

    process = transform.run("--vars", "{day: 2024-01-01, list: [a, b]}")

    assert process.ended_as(Outcome.SUCCEEDED)
    assert warehouse.query("select day, n from analytics.extra") == [("2024-01-01", 2)]


@pytest.mark.parametrize(
    ("words", "model", "outcome", "said"),
    [
        pytest.param(("--select", "nonsense"), None, Outcome.NOTHING_SELECTED, "nonsense", id="no such node"),
        pytest.param(
            ("--select", "total", "--exclude", "total"), None, Outcome.NOTHING_SELECTED, "no node", id="all excluded"
        ),
        pytest.param(("--select", "color:red"), None, Outcome.INVALID_INPUT, "color", id="no such method"),
        pytest.param((), "{{ ref('nowhere') }}", Outcome.PROJECT_ERROR, "nowhere", id="reference to nothing"),
        pytest.param((), "{% if %}", Outcome.PROJECT_ERROR, "extra.sql", id="template that does not parse"),
        pytest.param((), "select 1/0 as x from pg_class limit 1", Outcome.SUCCEEDED, "5 nodes", id="a view is lazy"),
        pytest.param(
            (),
            "{{ config(materialized='table') }} select 1/(2-2) as x",
            Outcome.DATA_FAILED,
            "extra",
            id="model that fails",
        ),
    ],
)
def test_each_end_has_its_outcome(
    transform: Any, words: tuple[str, ...], model: str | None, outcome: Outcome, said: str
) -> None:
    if model:
        transform.project.model("extra", model)

    process = transform.run(*words)

    assert process.ended_as(outcome)
    assert said in process.result["message"]


def test_a_failed_test_stops_what_stands_on_it_and_the_mart_keeps_its_last_good_state(
    transform: Any, warehouse: Any
) -> None:
    an_extraction(warehouse, hours_ago=1)
    assert transform.run().ended_as(Outcome.SUCCEEDED)
    before = warehouse.query("select commit_count, xmin::text from analytics.total")
    model = transform.project.folder / "models" / "per_repository.sql"
    model.write_text(model.read_text(encoding="utf-8") + "\nunion all select null, 1")

    process = transform.run()

    assert process.ended_as(Outcome.DATA_FAILED)
    assert process.result["counts"]["skipped"] == 1
    assert warehouse.query("select commit_count, xmin::text from analytics.total") == before


def test_a_failed_test_is_told_with_its_rows(transform: Any, warehouse: Any) -> None:
    an_extraction(warehouse, hours_ago=1)
    model = transform.project.folder / "models" / "per_repository.sql"
    model.write_text(model.read_text(encoding="utf-8") + "\nunion all select null, 1 from generate_series(1, 2)")

    process = transform.run()

    assert process.ended_as(Outcome.DATA_FAILED)
    [failure] = process.result["failures"]
    assert (failure["name"], failure["status"]) == ("not_null_per_repository_repository_id", "fail")
    assert failure["failures"] == 2
    assert process.result["counts"]["skipped"] == 1  # what stands on a failed test is not built


@pytest.mark.parametrize(
    ("failures", "outcome"), [(1, Outcome.SUCCEEDED), (2, Outcome.DATA_FAILED)], ids=["once", "twice"]
)
def test_a_deadlock_gets_one_more_try(transform: Any, warehouse: Any, failures: int, outcome: Outcome) -> None:
    warehouse.query(
        """
        create sequence tries;
        grant usage on sequence tries to gitmart_transform;
        create function collide(failures int) returns int language plpgsql as $$ begin
            if nextval('public.tries') <= failures then
                raise exception 'deadlock detected' using errcode = '40P01';
            end if;
            return 1;
        end $$;
        """
    )
    transform.project.model(
        "unlucky", f"{{{{ config(materialized='table') }}}} select public.collide({failures}) as one"
    )

    process = transform.run()

    assert process.ended_as(outcome)
    assert process.result["counts"]["total"] == 5
    assert warehouse.query("select last_value from tries") == [(2,)]


@pytest.mark.slow
def test_full_refresh_rebuilds_incremental_models(transform: Any, warehouse: Any) -> None:
    transform.project.model("grown", "{{ config(materialized='incremental') }} select 1 as one")
    for words, rows in (((), 1), ((), 2), (("--full-refresh",), 1)):
        assert transform.run("--select", "grown", *words).ended_as(Outcome.SUCCEEDED)
        assert warehouse.query("select count(*) from analytics.grown") == [(rows,)]


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        pytest.param(
            "postgresql://gitmart_transform:wrong@{host}/{base}", Outcome.AUTHENTICATION_FAILED, id="password"
        ),
        pytest.param("postgresql://{user}@127.0.0.1:1/{base}", Outcome.WAREHOUSE_UNREACHABLE, id="nobody listens"),
        pytest.param("", Outcome.INVALID_INPUT, id="no address"),
        pytest.param("postgresql://[", Outcome.INVALID_INPUT, id="no address at all"),
    ],
)
def test_a_warehouse_that_cannot_be_had(transform: Any, url: str, outcome: Outcome) -> None:
    user, rest = transform.url.removeprefix("postgresql://").split("@")
    host, base = rest.split("/")
    transform.url = url.format(user=user, host=host, base=base)

    process = transform.run()

    assert process.ended_as(outcome)
    assert user.partition(":")[2] not in process.errors


def test_a_warehouse_that_is_not_migrated(transform: Any, empty_database: Any) -> None:
    transform.url = empty_database.url("gitmart_transform")

    process = transform.run()

    assert process.ended_as(Outcome.WAREHOUSE_NOT_MIGRATED)
    assert "gitmart migrate" in process.result["message"]


def test_all_that_the_address_says_reaches_dbt(transform: Any, warehouse: Any) -> None:
    transform.project.model(
        "settings",
        "{{ config(materialized='table') }} select"
        " current_setting('work_mem') as work_mem, current_setting('statement_timeout') as statement_timeout,"
        " current_setting('lock_timeout') as lock_timeout, current_setting('timezone') as zone,"
        " current_setting('client_connection_check_interval') as checked, application_name as name"
        " from pg_stat_activity where pid = pg_backend_pid()",
    )
    transform.url = make_conninfo(transform.url, options="-c work_mem=7MB", keepalives_idle=77, sslmode="prefer")

    assert transform.run("--select", "settings", "--timeout", "2m").ended_as(Outcome.SUCCEEDED)

    [(work_mem, statement, lock, zone, checked, name)] = warehouse.query("select * from analytics.settings")
    assert (work_mem, statement, lock, zone, checked) == ("7MB", "2min", "2min", "UTC", "2s")
    assert str(name).startswith("gitmart-transform analytics ")


@pytest.mark.own_interpreter
def test_a_shell_full_of_settings_changes_nothing(transform: Any, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DBT_FULL_REFRESH=nonsense\n", encoding="utf-8")

    process = transform.run(DBT_TARGET="nowhere", DBT_PROFILES_DIR="/nowhere", DBT_FULL_REFRESH="nonsense")

    assert process.ended_as(Outcome.SUCCEEDED)


@pytest.mark.own_interpreter
def test_the_password_leaves_the_process_nowhere(transform: Any, warehouse: Any, tmp_path: Path) -> None:
    canary = "canary-81f0e2"
    warehouse.query("create role canary_user login password 'canary-81f0e2' in role gitmart_transform")
    try:
        host = transform.url.partition("@")[2]
        transform.url = f"postgresql://canary_user:{canary}@{host}"
        transform.project.model(
            "leak", "{{ config(materialized='table') }} select '{{ env_var('DBT_ENV_SECRET_PASSWORD', 'hidden') }}'"
        )
        transform.project.model("fails", f"{{{{ config(materialized='table') }}}} select cast('{canary}' as int)")

        for words in ((), ("--exclude", "leak")):
            process = transform.run("--work-dir", str(tmp_path / "work"), *words)

            assert process.popen.returncode != 0
            files = [path for path in (tmp_path / "work").rglob("*") if path.is_file()]
            written = b"".join(path.read_bytes() for path in files if "leak" not in path.name)
            assert canary not in process.errors
            assert canary not in process.result_file.read_text(encoding="utf-8")
            assert b"canary_user" not in written or canary.encode() not in written.replace(
                f"cast('{canary}'".encode(), b""
            )
    finally:
        warehouse.query("drop owned by canary_user; drop role canary_user")


def test_the_schema_is_what_the_environment_says(transform: Any, warehouse: Any) -> None:
    warehouse.query("create schema elsewhere; grant usage, create on schema elsewhere to gitmart_transform")

    process = transform.run("--select", "per_repository", GITMART_DBT_SCHEMA="elsewhere")

    assert process.ended_as(Outcome.SUCCEEDED)
    assert process.result["schema"] == "elsewhere"
    with psycopg.connect(transform.url) as connection:
        assert connection.execute("select count(*) from elsewhere.per_repository").fetchone() == (0,)
