"""What all tables have in common: pages, formats, and the order of what is null."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pytest
from arro3.io import read_ipc_stream, read_parquet

from gitmart.api.queries.contributors import ContributorSort
from gitmart.api.queries.repositories import RepositorySort

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]

LISTS = (
    *(("repositories", sort, "repository_id") for sort in RepositorySort),
    *(("contributors", sort, "contributor_id") for sort in ContributorSort),
)
COLUMNS = {
    ("repositories", "name"): "repository_name",
    ("contributors", "name"): "contributor_name",
}


def pages(client: httpx.Client, path: str, parameters: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Return all pages of a list, each found by the link of the one before."""
    found = []
    answer = client.get(f"/analytics/{path}", params=parameters)
    while True:
        told = answer.raise_for_status().json()
        found.append(told["items"])
        assert ("next" in answer.links) == (told["next_cursor"] is not None)
        if told["next_cursor"] is None:
            return found
        assert httpx.URL(answer.links["next"]["url"]).params["cursor"] == told["next_cursor"]
        answer = client.get(answer.links["next"]["url"])


@pytest.mark.parametrize(("path", "sort", "key"), LISTS)
@pytest.mark.parametrize("order", ["asc", "desc", None])
def test_pages_are_the_list_and_the_list_is_sorted(
    client: httpx.Client, path: str, sort: str, key: str, order: str | None
) -> None:
    parameters = {"sort": sort} | ({"order": order} if order else {})
    [whole] = pages(client, path, parameters)

    in_pages = pages(client, path, parameters | {"limit": 1 if path == "repositories" else 4})
    assert [row for page in in_pages for row in page] == whole
    assert len(in_pages) > 2

    column = COLUMNS.get((path, sort), sort)
    values = [row[column] for row in whole if row[column] is not None]
    assert [row[column] for row in whole[len(values) :]] == [None] * (len(whole) - len(values)), "null comes last"
    if "name" not in column:  # names are sorted as the server's collation says
        descending = order == "desc" or order is None
        assert values == sorted(values, reverse=descending)
        alike = [[row[key] for row in whole if row[column] == value] for value in set(values)]
        assert all(keys == sorted(keys) for keys in alike)


def test_names_are_sorted_both_ways(client: httpx.Client) -> None:
    for path, column in (("repositories", "repository_name"), ("contributors", "contributor_name")):
        ascending, descending = (
            [row[column] for row in pages(client, path, {"sort": "name", "order": order})[0]]
            for order in ("asc", "desc")
        )
        assert ascending == descending[::-1]


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("repository/{garden}/leaderboard", {}),
        ("committers", {}),
        ("engagement", {"until": "2023-12-31"}),
        ("commits", {"repository": "{garden}", "day": "2022-05-01", "refs": "all"}),
        ("branches", {}),
        ("hotspots", {"repository": "{garden}"}),
        ("hotspots", {"repository": "{garden}", "sort": "recent_churn", "depth": "1", "until": "2023-12-31"}),
        ("coupling", {"repository": "{garden}", "at_least_together": "1"}),
        ("extractions", {}),
        ("releases", {}),
        ("runs/1/nodes", {}),
    ],
)
def test_pages_of_other_lists(client: httpx.Client, ids: dict[str, int], path: str, parameters: dict[str, str]) -> None:
    given = {name: value.format_map(ids) for name, value in parameters.items()}
    [whole] = pages(client, path.format_map(ids), given | {"limit": "1000"})
    in_pages = pages(client, path.format_map(ids), given | {"limit": str(len(whole) // 2 or 1)})
    assert [row for page in in_pages for row in page] == whole
    assert whole


TABLES = (
    ("repositories", {}),
    ("contributors", {"limit": "3"}),
    ("trends", {"granularity": "year"}),
    ("hours", {}),
    ("releases", {}),
    ("comparison", {"repository": "{garden}"}),
    ("freshness", {}),
    ("trends", {"granularity": "year", "metric": "commits"}),
    ("trends", {"since": "2100-01-01"}),
)


@pytest.mark.parametrize(("path", "parameters"), TABLES)
def test_each_format_says_the_same(
    client: httpx.Client, ids: dict[str, int], path: str, parameters: dict[str, str]
) -> None:
    given = {name: value.format_map(ids) for name, value in parameters.items()}
    told = {
        form: client.get(f"/analytics/{path}", params={**given, "format": form}).raise_for_status()
        for form in ("json", "csv", "parquet", "arrow")
    }
    items = [flat(item) for item in told["json"].json()["items"]]
    lines = list(csv.reader(io.StringIO(told["csv"].text, newline="")))
    assert lines[1:] == [[cell(value) for value in item.values()] for item in items]
    parquet = read_parquet(io.BytesIO(told["parquet"].content)).read_all()
    arrow = read_ipc_stream(io.BytesIO(told["arrow"].content)).read_all()
    for table in (parquet, arrow):
        assert table.num_rows == len(items)
        assert list(table.column_names) == lines[0]
        for name in table.column_names:
            values = table[name].to_pylist()
            assert [plain(value) for value in values] == [item[name] for item in items], name
    if items:
        assert lines[0] == list(items[0])
    assert told["csv"].headers["content-type"] == "text/csv; charset=utf-8"
    assert told["parquet"].headers["content-type"] == "application/vnd.apache.parquet"
    assert told["arrow"].headers["content-type"] == "application/vnd.apache.arrow.stream"
    assert told["arrow"].headers["content-disposition"] == f'attachment; filename="{path}.arrow"'
    links = {form: "next" in answer.links for form, answer in told.items()}
    assert set(links.values()) == {path == "contributors"}
    assert all("Accept" in answer.headers["vary"].split(", ") for answer in told.values())


def test_the_header_accept_chooses_too(client: httpx.Client) -> None:
    for accept, expected in (
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/json;q=0.1, application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("text/html, */*;q=0.1", "application/json"),
    ):
        answer = client.get("/analytics/hours", headers={"Accept": accept})
        assert answer.headers["content-type"] == expected
    refused = client.get("/analytics/hours", headers={"Accept": "image/png"})
    assert refused.status_code == 406
    assert refused.headers["content-type"] == "application/problem+json"


def flat(item: dict[str, Any]) -> dict[str, Any]:
    """Return an object with what is within another beside the rest."""
    found: dict[str, Any] = {}
    for name, value in item.items():
        inner = {f"{name}_{key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
        found |= inner
    return found


def cell(value: object) -> str:
    """Return a value of JSON as CSV has it."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def plain(value: Any) -> object:
    """Return a value of Arrow as JSON has it."""
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value
