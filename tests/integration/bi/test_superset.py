"""The files for Superset: they fit together, and their SQL and metrics run on the sample warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.bi.conftest import Ask

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]

FOLDER = Path(__file__).parents[3] / "bi" / "superset"
TYPES = {
    "BIGINT": {"int8"},
    "INTEGER": {"int4"},
    "STRING": {"text"},
    "DATE": {"date"},
    "TIMESTAMP WITH TIME ZONE": {"timestamptz"},
    "BOOLEAN": {"bool"},
    "NUMERIC": {"numeric"},
    "FLOAT": {"float8"},
}


def loaded(folder: str) -> dict[str, dict[str, Any]]:
    """Return the files of a folder by the uuid that others know them by."""
    found = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted((FOLDER / folder).rglob("*.yaml"))]
    assert len({each["uuid"] for each in found}) == len(found)
    return {each["uuid"]: each for each in found}


DATABASES, DATASETS, CHARTS, DASHBOARDS = map(loaded, ("databases", "datasets", "charts", "dashboards"))
EACH_DATASET = [pytest.param(each, id=each["table_name"]) for each in DATASETS.values()]
EACH_CHART = [pytest.param(each, id=each["slice_name"]) for each in CHARTS.values()]


def rows_of(dataset: dict[str, Any]) -> str:
    """Return what Superset reads a dataset from."""
    return f"({dataset['sql']}) as t" if dataset["sql"] else f"{dataset['schema']}.{dataset['table_name']} as t"


def test_it_is_what_superset_imports() -> None:
    metadata = yaml.safe_load((FOLDER / "metadata.yaml").read_text(encoding="utf-8"))
    [database] = DATABASES.values()

    assert (metadata["version"], metadata["type"]) == ("1.0.0", "Dashboard")
    assert "://gitmart_read:XXXXXXXXXX@" in database["sqlalchemy_uri"]  # so that it asks for the password
    assert database["allow_dml"] is False
    assert {each["database_uuid"] for each in DATASETS.values()} == set(DATABASES)
    assert {each["dataset_uuid"] for each in CHARTS.values()} == set(DATASETS)


def test_the_dashboard_shows_every_chart_once() -> None:
    [dashboard] = DASHBOARDS.values()
    position = dashboard["position"]
    shown = [each["meta"] for each in position.values() if isinstance(each, dict) and each["type"] == "CHART"]

    assert sorted(each["uuid"] for each in shown) == sorted(CHARTS)
    assert all(CHARTS[each["uuid"]]["slice_name"] == each["sliceName"] for each in shown)
    for place in position.values():
        if isinstance(place, dict):
            assert set(place.get("children", ())) <= set(position)
        if isinstance(place, dict) and place["type"] == "ROW":
            assert sum(position[child]["meta"]["width"] for child in place["children"]) == 12
    for chosen in dashboard["metadata"]["native_filter_configuration"]:
        for target in filter(None, chosen["targets"]):
            columns = {column["column_name"] for column in DATASETS[target["datasetUuid"]]["columns"]}
            assert target["column"]["name"] in columns


@pytest.mark.parametrize("dataset", EACH_DATASET)
def test_a_dataset_has_its_columns_and_metrics(dataset: dict[str, Any], ask: Ask) -> None:
    columns = {column["column_name"]: column for column in dataset["columns"]}
    found = ask(f"select {', '.join(columns)} from {rows_of(dataset)}")

    assert found.rows
    for name, kind in zip(found.columns, found.types, strict=True):
        assert kind in TYPES[columns[name]["type"]], name
        assert columns[name]["is_dttm"] == (kind in ("date", "timestamptz")), name
    if dataset["sql"]:
        assert ask(dataset["sql"]).columns == list(columns)
    assert dataset["main_dttm_col"] in columns
    values = ask(f"select {', '.join(metric['expression'] for metric in dataset['metrics'])} from {rows_of(dataset)}")
    assert all(value > 0 for value in values.rows[0])


def test_columns_mean_what_the_marts_say(ask: Ask) -> None:
    comments = ask(
        "select relname, attname, col_description(attrelid, attnum) from pg_class join pg_attribute on attrelid = pg_class.oid"
        " where relnamespace = 'analytics'::regnamespace and relkind in ('r', 'v') and attnum > 0 and not attisdropped"
    ).rows
    for dataset in DATASETS.values():
        if dataset["schema"] != "analytics":
            continue
        said = {(name, comment) for relation, name, comment in comments if relation == dataset["table_name"]}
        for column in dataset["columns"]:
            assert (column["column_name"], column["description"]) in said, dataset["table_name"]


@pytest.mark.parametrize("chart", EACH_CHART)
def test_a_chart_uses_what_its_dataset_has(chart: dict[str, Any]) -> None:
    dataset, params = DATASETS[chart["dataset_uuid"]], chart["params"]

    assert params["viz_type"] == chart["viz_type"]
    assert set(_columns(params)) <= {column["column_name"] for column in dataset["columns"]}
    metrics = {*params.get("metrics", ()), *([params["metric"]] if "metric" in params else ())}
    assert metrics <= {metric["metric_name"] for metric in dataset["metrics"]}
    assert metrics or params["all_columns"]


def _columns(params: dict[str, Any]) -> Iterator[str]:
    yield from params.get("groupby", ())
    yield from params.get("all_columns", ())
    yield from (rule["subject"] for rule in params["adhoc_filters"])
    if "x_axis" in params:
        yield params["x_axis"]


def test_figures_are_those_of_the_marts(ask: Ask) -> None:
    named = {each["table_name"]: each for each in DATASETS.values()}
    daily, monthly, files = (
        rows_of(named[name]) for name in ("bi_daily_commits", "bi_monthly_activity", "bi_file_changes")
    )
    metrics, of_files = (
        {metric["metric_name"]: metric["expression"] for metric in named[name]["metrics"]}
        for name in ("bi_daily_commits", "bi_file_changes")
    )

    counted = ask(
        f"select repository_id, {metrics['commits']}, {metrics['contributors']}, {metrics['active_days']},"
        f" {metrics['lines_added']} from {daily} group by repository_id order by 1"
    ).rows
    new = ask(f"select repository_id, sum(new_contributors) from {monthly} group by repository_id order by 1").rows

    summary = ask(
        "select repository_id, commits, contributors, active_days, lines_added from analytics.repository_summary"
        " where commits > 0 order by 1"
    ).rows
    assert counted == summary
    assert new == [(row[0], row[2]) for row in summary]
    hotspots = ask(
        "select repository_id, path, commits, contributors, lines_added, lines_deleted from analytics.file_hotspots()"
        " order by 1, 2"
    ).rows
    assert (
        hotspots
        == ask(
            f"select repository_id, path, {of_files['commits']}, {of_files['contributors']}, {of_files['lines_added']},"
            f" {of_files['lines_deleted']} from {files} group by 1, 2 order by 1, 2"
        ).rows
    )
