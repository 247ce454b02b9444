"""A project of the user's on top of gitmart's own: both are built, tested, told of and drawn as one."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gitmart.contract.outcomes import Outcome

OWN_PROJECT = Path(__file__).parents[3] / "dbt"
PROJECT = {
    "dbt_project.yml": "name: team\nversion: '1.0.0'\nprofile: of_the_team\nmodels: {team: {+materialized: table}}\n",
    "profiles.yml": "of_the_team: {outputs: {dev: {type: nothing}}}\n",
    "models/team_commits.sql": "select repository_id, count(*) as n from {{ ref('fct_commits') }} group by 1",
    "models/team_days.sql": "{{ config(materialized='incremental') }} select now() as built_at",
    "models/team_levels.sql": "select * from {{ ref('levels') }}",
    "models/_team.yml": (
        "models: [{name: team_commits, description: Commits of the team.,"
        " columns: [{name: n, data_tests: [not_null]}]}]\n"
        "unit_tests: [{name: levels_are_kept, model: team_levels, given: [{input: ref('levels'), rows: [{level: a}]}],"
        " expect: {rows: [{level: a}]}}]\n"
        "exposures: [{name: board, type: dashboard, owner: {name: team}, depends_on: [\"ref('team_commits')\"]}]\n"
    ),
    "seeds/levels.csv": "level,least\nlow,1\nhigh,9\n",
    "snapshots/team_history.sql": (
        "{% snapshot team_history %}{{ config(unique_key='repository_id', strategy='check', check_cols=['url']) }}"
        "select * from {{ ref('dim_repository') }}{% endsnapshot %}"
    ),
    "target/stale.sql": "no part of it",
}
BUILT = ["--select", "+package:team"]


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def own(transform: Any) -> Any:
    """Runs gitmart's own project."""
    transform.project.folder = OWN_PROJECT
    return transform


@pytest.fixture
def team(tmp_path: Path) -> Path:
    return write(tmp_path / "team", PROJECT)


@pytest.mark.own_interpreter
def test_both_are_built_tested_told_of_and_drawn(own: Any, team: Path, warehouse: Any) -> None:
    process = own.run("--extra-project", str(team), "--warn-error")

    assert process.ended_as(Outcome.SUCCEEDED)
    assert warehouse.query("select level from analytics.team_levels order by least") == [("low",), ("high",)]
    built = {str(name) for (name,) in warehouse.query("select unique_id from dbt_meta.node_runs")}
    assert {"model.gitmart.fct_commits", "model.team.team_commits", "seed.team.levels"} <= built
    assert {"snapshot.team.team_history", "model.team.team_days"} <= built
    assert any(name.startswith("test.team.not_null_team_commits_n") for name in built)
    assert "unit_test.team.team_levels.levels_are_kept" in built
    assert process.result["counts"]["total"] == len(built)
    [(text,)] = warehouse.query("select gzip from dbt_meta.artifacts where name = 'manifest.json'")
    children = json.loads(gzip.decompress(text))["child_map"]
    assert "model.team.team_commits" in children["model.gitmart.fct_commits"]
    assert "exposure.team.board" in children["model.team.team_commits"]
    [(page,)] = warehouse.query("select gzip from dbt_meta.docs")
    assert b"Commits of the team." in gzip.decompress(page)
    readable = "select has_table_privilege('gitmart_read', %s, 'select')"
    for table in ("team_commits", "levels", "team_history"):
        assert warehouse.query(readable, f"analytics.{table}") == [(True,)]
    assert list(own.temporary.iterdir()) == []

    again = own.run("--extra-project", str(team), "--select", "team_days", "--no-docs")  # gitmart's rule of columns
    assert again.ended_as(Outcome.SUCCEEDED)
    assert warehouse.query("select count(*) from analytics.team_days") == [(2,)]
    full = own.run("--extra-project", str(team), "--select", "team_days", "--no-docs", "--full-refresh")
    assert full.ended_as(Outcome.SUCCEEDED)
    assert warehouse.query("select count(*) from analytics.team_days") == [(1,)]


@pytest.mark.parametrize(
    ("changes", "outcome", "told"),
    [
        ({"models/bad.sql": "select * from {{ ref('stg_commits') }}"}, Outcome.PROJECT_ERROR, "stg_commits"),
        ({"models/bad.sql": "select {{ 1"}, Outcome.PROJECT_ERROR, "models/bad.sql"),
        ({"models/bad.sql": "select * from {{ ref('nothing') }}"}, Outcome.PROJECT_ERROR, "models/bad.sql"),
        ({"models/bad.yml": "models: [{name: x"}, Outcome.PROJECT_ERROR, "bad.yml"),
        ({"models/fct_commits.sql": "select 1 as x"}, Outcome.PROJECT_ERROR, "model.gitmart.fct_commits"),
        ({"models/a/x.sql": "select 1 as x", "models/b/x.sql": "select 1 as x"}, Outcome.PROJECT_ERROR, "model.team.x"),
        (
            {"dbt_project.yml": PROJECT["dbt_project.yml"] + "require-dbt-version: '>=9.0.0'\n"},
            Outcome.PROJECT_ERROR,
            "9.0.0",
        ),
        (
            {"models/secret.sql": "select '{{ env_var('DBT_ENV_SECRET_PASSWORD') }}' as password"},
            Outcome.PROJECT_ERROR,
            "DBT_ENV_SECRET_PASSWORD",
        ),
        (
            {"dbt_project.yml": "name: team\nmodels: {+meta: {p: \"{{ env_var('DBT_ENV_SECRET_PASSWORD') }}\"}}\n"},
            Outcome.PROJECT_ERROR,
            "DBT_ENV_SECRET_PASSWORD",
        ),
        (
            {"models/away.sql": "{{ config(schema='board') }} select 1 as x"},
            Outcome.WAREHOUSE_NOT_MIGRATED,
            "gitmart migrate --target-schema analytics_board",
        ),
        ({"dbt_project.yml": "name: gitmart\n"}, Outcome.PROJECT_ERROR, "choose another"),
    ],
)
def test_what_is_wrong_with_it_is_told(
    own: Any, team: Path, warehouse: Any, changes: dict[str, str], outcome: Outcome, told: str
) -> None:
    write(team, changes)

    process = own.run("--extra-project", str(team))

    assert process.ended_as(outcome)
    assert told in process.result["message"]
    assert warehouse.query("select 1 from pg_tables where schemaname = 'analytics'") == []


def test_a_failing_model_or_test_of_it_is_named(own: Any, team: Path) -> None:
    write(
        team,
        {
            "models/broken.sql": "select 1 / (n - n) as x from generate_series(1, 2) as n",
            "tests/no_level_is_high.sql": "select * from {{ ref('levels') }} where level = 'high'",
        },
    )

    process = own.run("--extra-project", str(team), "--select", "levels+", "--select", "broken", "--store-failures")

    assert process.ended_as(Outcome.DATA_FAILED)
    failures = {failure["name"]: failure for failure in process.result["failures"]}
    assert failures.keys() == {"broken", "no_level_is_high"}
    assert "division by zero" in failures["broken"]["message"]


def test_its_hooks_run_and_one_that_fails_is_told(own: Any, team: Path, warehouse: Any) -> None:
    hooks = "on-run-start: 'create table analytics.begun as select 1 as x'\n"
    write(team, {"dbt_project.yml": PROJECT["dbt_project.yml"] + hooks})

    process = own.run("--extra-project", str(team), "--select", "levels")
    assert process.ended_as(Outcome.SUCCEEDED)
    assert process.result["counts"]["total"] == 1
    assert warehouse.query("select x from analytics.begun") == [(1,)]

    process = own.run("--extra-project", str(team), "--select", "levels")
    assert process.ended_as(Outcome.DATA_FAILED)
    assert "team-on-run-start-0" in process.result["message"]


def test_its_models_go_where_it_says_once_that_is_there(own: Any, team: Path, warehouse: Any) -> None:
    write(
        team,
        {
            "models/here.sql": "{{ config(schema='staging') }} select 1 as x",
            "models/away.sql": "{{ config(schema='board') }} select 2 as x",
            "models/named.sql": "{{ config(schema='by_macro') }} select 3 as x",
            "macros/generate_schema_name.sql": (
                "{% macro generate_schema_name(name, node) %}{% if name == 'by_macro' %}{{ target.schema }}_intermediate"
                "{% else %}{{ default__generate_schema_name(name, node) }}{% endif %}{% endmacro %}"
            ),
        },
    )
    words = ("--extra-project", str(team), "--select", "here away named")
    assert own.run(*words).ended_as(Outcome.WAREHOUSE_NOT_MIGRATED)
    subprocess.run(
        [sys.executable, "-m", "gitmart", "migrate", "--target-schema", "analytics_board"],
        env={**os.environ, "GITMART_WAREHOUSE_URL": warehouse.url("gitmart_owner")}, check=True,
    )  # fmt: skip

    assert own.run(*words).ended_as(Outcome.SUCCEEDED)

    found = warehouse.query("select schemaname, tablename from pg_tables where tablename in ('here', 'away', 'named')")
    assert sorted(found) == [
        ("analytics_board", "away"), ("analytics_intermediate", "named"), ("analytics_staging", "here"),
    ]  # fmt: skip
    with psycopg.connect(warehouse.url("gitmart_read")) as reader:
        assert reader.execute("select x from analytics_board.away").fetchall() == [(2,)]


def test_a_name_means_its_own_model_first(own: Any, team: Path, warehouse: Any) -> None:
    write(
        team,
        {
            "models/dim_identity.sql": "{{ config(schema='staging') }} select 4 as x",
            "models/on_it.sql": "select x from {{ ref('dim_identity') }}",
        },
    )

    process = own.run("--extra-project", str(team), "--select", "package:team,dim_identity+")

    assert process.ended_as(Outcome.SUCCEEDED)
    assert warehouse.query("select x from analytics.on_it") == [(4,)]
    assert not [line for line in process.lines if line["level"] != "info"]


def test_packages_it_has_vendored_are_used_and_its_selectors_known(own: Any, team: Path, warehouse: Any) -> None:
    write(
        team,
        {
            "packages.yml": "packages: [{package: example/tools, version: 1.0.0}, {local: ../gitmart/dbt}]\n",
            "dbt_packages/tools/dbt_project.yml": "name: tools\nversion: 1.0.0\n",
            "dbt_packages/tools/macros/answer.sql": "{% macro answer() %}42{% endmacro %}",
            "dbt_packages/gitmart/dbt_project.yml": "name: gitmart\nversion: 1.0.0\n",
            "models/answer.sql": "select {{ tools.answer() }} as answer",
            "selectors.yml": "selectors: [{name: nightly, definition: answer}]\n",
        },
    )

    process = own.run("--extra-project", str(team), "--selector", "nightly")

    assert process.ended_as(Outcome.SUCCEEDED)
    assert warehouse.query("select answer from analytics.answer") == [(42,)]


def test_a_run_that_was_cut_off_goes_on_unless_it_has_changed(own: Any, team: Path, warehouse: Any, until: Any) -> None:
    write(
        team,
        {"models/slow.sql": "select pg_sleep(600)::text as slept, (select count(*) from {{ ref('levels') }}) as n"},
    )
    words = ("--extra-project", str(team), "--select", "levels+", "--threads", "1")

    def cut_off() -> Any:
        process = own.start(*words)
        until("select pid from pg_stat_activity where state = 'active' and query ~ 'pg_sleep[(]600[)]'")
        process.send(signal.SIGTERM)
        assert process.ended_as(Outcome.CANCELLED)
        return process.result

    assert "resumed" not in cut_off()
    assert cut_off()["resumed"] >= 1
    write(team, {"seeds/levels.csv": "level,least\nlow,1\n"})
    assert "resumed" not in cut_off()


def test_loose_files_of_a_config_map_are_a_project(own: Any, tmp_path: Path, warehouse: Any) -> None:
    """As the kubelet mounts it: names that are links to what is in a hidden folder."""
    mount = tmp_path / "team-marts"
    write(
        mount / "..2026",
        {
            "level_count.sql": "{{ config(materialized='table') }} select count(*) as n from {{ ref('levels') }}",
            "levels.csv": "level\nlow\nhigh\n",
            "schema.yml": "models: [{name: level_count, columns: [{name: n, data_tests: [unique]}]}]\n",
        },
    )
    (mount / "..data").symlink_to("..2026")
    for name in ("level_count.sql", "levels.csv", "schema.yml"):
        (mount / name).symlink_to(f"..data/{name}")
    words = ("--extra-project", str(mount), "--loose-files", "--select", "package:team_marts")

    process = own.run(*words)

    assert process.ended_as(Outcome.SUCCEEDED)
    assert process.result["counts"] | {"success": 2, "pass": 1, "total": 3} == process.result["counts"]
    assert warehouse.query("select n from analytics.level_count") == [(2,)]
    told = own.run(*words, "--extra-file", "models/more.sql", GITMART_EXTRA_PROJECT_SOURCE="ConfigMap team-marts")
    assert told.ended_as(Outcome.SECRET_MISSING)
    assert "ConfigMap team-marts lacks" in told.result["message"]
    assert "models/more.sql" in told.result["message"]


def test_it_can_be_the_root_with_ours_as_its_package(
    team: Path, transform: Any, warehouse: Any, tmp_path: Path
) -> None:
    """As people develop: with dbt alone, a profile of their own and gitmart's project as a local package."""
    write(
        team,
        {
            "dbt_project.yml": PROJECT["dbt_project.yml"] + "flags: {indirect_selection: cautious}\n",
            "packages.yml": f"packages: [{{local: {OWN_PROJECT}}}]\n",
            "profiles.yml": (
                "of_the_team:\n  target: dev\n  outputs:\n    dev: {type: postgres, host: \"{{ env_var('TEAM_HOST') }}\","
                " port: \"{{ env_var('TEAM_PORT') | as_number }}\", user: gitmart_transform, dbname:"
                " \"{{ env_var('TEAM_DATABASE') }}\", password: \"{{ env_var('DBT_ENV_SECRET_PASSWORD') }}\","
                " schema: analytics, threads: 4}\n"
            ),
        },
    )
    told = psycopg.conninfo.conninfo_to_dict(warehouse.url("gitmart_transform"))
    environment = {
        **os.environ, "TEAM_HOST": str(told["host"]), "TEAM_PORT": str(told["port"]),
        "TEAM_DATABASE": str(told["dbname"]), "DBT_ENV_SECRET_PASSWORD": str(told["password"]),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }  # fmt: skip
    for words in (["deps"], ["build", "--select", "+package:team"]):
        done = subprocess.run(
            [str(Path(sys.executable).with_name("dbt")), *words, "--profiles-dir", str(team)],
            cwd=team, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
    assert warehouse.query("select count(*) from analytics.team_levels") == [(2,)]

    # The very folder, dbt_packages and all, is what a run in the cluster takes.
    transform.project.folder = OWN_PROJECT
    process = transform.run("--extra-project", str(team), "--select", "team_levels+")
    assert process.ended_as(Outcome.SUCCEEDED)
