"""Wrong requests: each is told what was wrong and what is allowed, and none makes the server fail."""

from __future__ import annotations

import httpx
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]

BIG = 2**63
# (request, status, parameter, words of the detail)
WRONG = (
    ("trends?from=2022-01-01", 422, "from", "allowed are contributor, repository, format"),
    ("trends?since=2022-02-30", 422, "since", "valid date"),
    ("trends?since=1", 422, "since", "write YYYY-MM-DD"),
    ("trends?since=%00", 422, "since", "write YYYY-MM-DD"),
    ("trends?since=-4713-01-01", 422, "since", "from 0001-01-01 to 9999-12-31"),
    ("trends?since=99999-01-01", 422, "since", "from 0001-01-01 to 9999-12-31"),
    ("trends?since=2022-01-02&until=2022-01-01", 422, "until", "allowed is that day or a later one"),
    ("trends?granularity=decade", 422, "granularity", "'day', 'week', 'month', 'quarter' or 'year'"),
    ("trends?metric=stars", 422, "metric", "'commits'"),
    ("trends?classes=source&classes=code", 422, "classes", "'source', 'tests'"),
    ("trends?merges=1", 422, "merges", "allowed are true, false"),
    ("trends?dates=pushed", 422, "dates", "'authored' or 'committed'"),
    ("trends?refs=main", 422, "refs", "'default_branch' or 'all'"),
    ("trends?count_once=yes", 422, "count_once", "'never', 'per_repository' or 'everywhere'"),
    ("trends?format=xlsx", 422, "format", "'json', 'csv', 'parquet' or 'arrow'"),
    ("trends?merges=true&merges=false", 422, "merges", "given more than once"),
    (f"trends?repository={BIG}", 422, "repository", str(BIG - 1)),
    ("trends?repository=999999", 404, "repository", "no repository 999999"),
    ("trends?contributor=999999", 404, "contributor", "no contributor 999999"),
    ("hours?dates=authored", 422, "dates", "allowed are"),
    ("hours?from_hour=25", 422, "from_hour", "less than or equal to 24"),
    ("commits?repository=1", 422, "day", "is missing"),
    ("commits?repository=1&day=2022-01-01&since=2022-01-01", 422, "since", "allowed are"),
    ("comparison", 422, "repository", "is missing"),
    (f"comparison?{'&'.join(['repository=1'] * 11)}", 422, "repository", "at most 10"),
    ("comparison?repository=1&repository=999999", 404, "repository", "999999"),
    ("contributors?search=", 422, "search", "at least 1"),
    (f"contributors?search={'x' * 201}", 422, "search", "at most 200"),
    ("contributors?search=a%00b", 422, "search", "NUL"),
    ("contributors?search=%ff", 400, "search", "UTF-8"),
    ("contributors?search=%ed%a0%80", 400, "search", "UTF-8"),
    ("contributors?%ff=1", 400, "\ufffd", "UTF-8"),
    ("contributors?sort=stars", 422, "sort", "'commits'"),
    ("contributors?order=up", 422, "order", "'asc' or 'desc'"),
    ("contributors?limit=10001", 422, "limit", "10000"),
    ("contributors?limit=0", 422, "limit", "1"),
    ("contributors?cursor=AAAA", 422, "cursor", "allowed is the next_cursor"),
    ("contributors?cursor=%22", 422, "cursor", "pattern"),
    ("levels?levels=5&levels=5", 422, "levels", "rising order"),
    (f"levels?levels={2**31}", 422, "levels", str(2**31 - 1)),
    ("engagement?window_days=36526", 422, "window_days", "36525"),
    ("lorenz-curve?points=0", 422, "points", "greater than or equal to 1"),
    ("concentration?measure=files", 422, "measure", "'commits' or 'lines'"),
    ("concentration?format=csv", 422, "format", "allowed are"),
    ("repository/0/summary", 422, "repository", "greater than or equal to 1"),
    (f"repository/{BIG}/summary", 422, "repository", str(BIG - 1)),
    ("repository/999999/summary", 404, "repository", "no repository 999999"),
    ("repository/one/summary", 422, "repository", "integer"),
    ("repository/999999/leaderboard", 404, "repository", "no repository"),
    ("contributor/999999/summary", 404, "contributor", "no contributor"),
    ("runs/999999", 404, "run", "no run"),
    ("runs/1?x=1", 422, "x", "allowed are none"),
    ("runs/1/nodes?status=%00", 422, "status", "pattern"),
    ("metrics?x=1", 422, "x", "allowed are none"),
)


@pytest.mark.parametrize(("request_", "status", "parameter", "words"), WRONG, ids=[each[0][:60] for each in WRONG])
def test_a_wrong_request(client: httpx.Client, request_: str, status: int, parameter: str, words: str) -> None:
    answer = client.get(f"/analytics/{request_}")
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (problem["status"], problem["parameter"]) == (status, parameter)
    assert words in problem["detail"], problem["detail"]


@pytest.mark.parametrize(
    "request_",
    [
        "trends?since=0001-01-01&until=9999-12-31&granularity=year",
        "flow?since=0001-01-01&until=9999-12-31&granularity=day",
        "engagement?until=0001-01-01&window_days=36525&drifting_days=36525",
        "engagement?until=9999-12-31&window_days=36525&occasional_commits=2147483647",
        "lorenz-curve?points=10000",
        "hotspots?repository=1&half_life_days=1&until=9999-12-31",
        "hotspots?repository=1&depth=100&half_life_days=36525&until=0001-01-01",
        "coupling?repository=1&at_least_together=2147483647&most_files=1000&coupled_with=%F0%9F%8C%B1%25",
        "hours?from_hour=24&to_hour=0",
        "commits?repository=1&day=0001-01-01",
        "contributors?search=%F0%9F%8C%B1%25_%5C%27",
        "contributors?limit=10000",
        "levels?levels=2147483647",
        "release-frequency?since=9999-12-31",
    ],
)
def test_what_is_allowed_at_most(client: httpx.Client, request_: str) -> None:
    assert client.get(f"/analytics/{request_}").status_code == 200


def test_paths_and_methods_that_there_are_not(client: httpx.Client) -> None:
    for answer, status in (
        (client.get("/analytics/nothing"), 404),
        (client.post("/analytics/trends"), 405),
        (client.get("/analytics/runs/1/nodes/2"), 404),
    ):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
