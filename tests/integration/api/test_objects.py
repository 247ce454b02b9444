"""What is answered with one object, compared with what SQL says of the marts."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import httpx
import pytest
from tests.conftest import Warehouse

from gitmart.contract.metrics import catalogue

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]


def get(client: httpx.Client, path: str, **parameters: Any) -> dict[str, Any]:
    """Return an object."""
    told: dict[str, Any] = client.get(f"/analytics/{path}", params=parameters).raise_for_status().json()
    return told


def test_a_person(client: httpx.Client, sample_warehouse: Warehouse, ids: dict[str, int]) -> None:
    told = get(client, f"contributor/{ids['Dee']}/summary", merges="false", since="2022-06-01", refs="all")

    commits = (
        "from analytics.fct_commits join analytics.dim_repository using (repository_id)"
        " where contributor_id = %s and not is_merge and commit_day >= '2022-06-01'"
    )
    [expected] = sample_warehouse.query(
        f"select count(*), sum(lines_added)::bigint, count(distinct commit_day), max(commit_day)::text {commits}",
        ids["Dee"],
    )
    by_repository = sample_warehouse.query(
        f"select repository_name, count(*), sum(files_changed) {commits} group by repository_id, 1 order by 2 desc",
        ids["Dee"],
    )
    assert tuple(told[name] for name in ("commits", "lines_added", "active_days", "last_day")) == expected
    assert [
        (each["repository_name"], each["commits"], each["files_changed"]) for each in told["repositories"]
    ] == by_repository
    assert {name for name, *_ in by_repository} == {"garden", "shed"}
    assert (told["email"], told["contributor_kind"], told["identities"]) == ("dee@tools.example", "human", 1)


def test_a_person_of_whom_nothing_counts(client: httpx.Client, ids: dict[str, int]) -> None:
    told = get(client, f"contributor/{ids['renovate[bot]']}/summary", bots="false")
    assert (told["contributor_kind"], told["commits"], told["lines_added"], told["first_day"]) == ("bot", 0, 0, None)
    assert told["repositories"] == []


def test_a_repository_without_commits(client: httpx.Client, ids: dict[str, int]) -> None:
    told = get(client, f"repository/{ids['empty']}/summary")
    assert (told["commits"], told["contributors"], told["first_commit_day"], told["default_branch"]) == (
        0,
        0,
        None,
        None,
    )
    assert told["concentration"] == {
        "holders": 0, "total": 0, "absence_factor": None, "gini_coefficient": None,
        "corrected_gini_coefficient": None, "largest_share": None,
    }  # fmt: skip


@pytest.mark.parametrize("measure", ["commits", "lines"])
@pytest.mark.parametrize("of_whom", ["contributor", "organization"])
def test_concentration_and_its_curve(
    client: httpx.Client, sample_warehouse: Warehouse, ids: dict[str, int], measure: str, of_whom: str
) -> None:
    asked = {"repository": ids["garden"], "measure": measure, "of_whom": of_whom, "bots": "false"}
    told = get(client, "concentration", **asked)

    amount = {"commits": "count(*)", "lines": "sum(c.lines_added + c.lines_deleted)"}[measure]
    holder = {"contributor": "contributor_id::text", "organization": "split_part(email, '@', 2)"}[of_whom]
    amounts = [
        int(str(made))
        for (made,) in sample_warehouse.query(
            f"select {amount} as made from analytics.fct_commits as c join analytics.dim_contributor"
            f" using (contributor_id) where repository_id = %s and in_default_branch and contributor_kind = 'human'"
            f" group by {holder} having {amount} > 0 order by made",
            ids["garden"],
        )
    ]
    n, total = len(amounts), sum(amounts)
    gini = sum((2 * i - n - 1) * made for i, made in enumerate(amounts, 1)) / (n * total)
    fewest = next(k for k in range(1, n + 1) if 2 * sum(amounts[-k:]) >= total)
    assert (told["holders"], told["total"], told["absence_factor"]) == (n, total, fewest)
    assert told["gini_coefficient"] == pytest.approx(gini, abs=1e-6)
    assert told["largest_share"] == pytest.approx(amounts[-1] / total, abs=1e-6)

    points = get(client, "lorenz-curve", **asked)["items"]
    assert [point["amount"] for point in points] == [sum(amounts[:i]) for i in range(1, n + 1)]
    curve = [(0.0, 0.0), *((point["holder_share"], point["amount_share"]) for point in points)]
    area = sum((x1 - x0) * (y0 + y1) for (x0, y0), (x1, y1) in pairwise(curve))
    assert 1 - area == pytest.approx(gini, abs=1e-5)


def test_burstiness(client: httpx.Client, sample_warehouse: Warehouse, ids: dict[str, int]) -> None:
    told = get(client, "burstiness", repository=ids["garden"], contributor=ids["Ada"])
    days = [
        float(str(moment))
        for (moment,) in sample_warehouse.query(
            "select extract(epoch from activity_at) from analytics.fct_commits where repository_id = %s"
            " and contributor_id = %s and in_default_branch order by 1",
            ids["garden"],
            ids["Ada"],
        )
    ]
    gaps = [after - before for before, after in pairwise(days)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert told["commits"] == len(days) > 10
    assert told["burstiness"] == pytest.approx((deviation - mean) / (deviation + mean), abs=1e-6)


def test_a_run(client: httpx.Client, sample_warehouse: Warehouse) -> None:
    [listed] = get(client, "runs")["items"]
    assert get(client, f"runs/{listed['run_id']}") == listed
    [(outcome, nodes)] = sample_warehouse.query("select outcome, nodes from dbt_meta.runs")
    assert (listed["outcome"], listed["nodes"]) == (outcome, nodes) == ("Succeeded", nodes)


def test_the_catalogue(client: httpx.Client, sample_warehouse: Warehouse) -> None:
    told = get(client, "metrics")
    assert told == catalogue()
    functions = sample_warehouse.query(
        "select proname, proargnames[1:pronargs] from pg_proc where pronamespace = 'analytics'::regnamespace"
        " and to_regclass('analytics.' || proname) is null order by 1"  # the rows of a view are no function to ask
    )
    assert sorted((each["name"], each["arguments"]) for each in told["functions"]) == [tuple(row) for row in functions]
