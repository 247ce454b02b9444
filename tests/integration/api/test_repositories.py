"""Repositories over HTTP, compared with what SQL says of the marts."""

from __future__ import annotations

import httpx
import pytest
from tests.conftest import Warehouse

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]


@pytest.fixture
def garden(sample_warehouse: Warehouse) -> int:
    """The id of the repository with most in it."""
    [(identity,)] = sample_warehouse.query(
        "select repository_id from analytics.dim_repository where repository_name = 'garden'"
    )
    assert isinstance(identity, int)
    return identity


def test_a_summary_is_what_the_mart_says(client: httpx.Client, garden: int, sample_warehouse: Warehouse) -> None:
    summary = client.get(f"/analytics/repository/{garden}/summary").raise_for_status().json()

    [expected] = sample_warehouse.query(
        "select commits, contributors, merge_commits, lines_added, lines_deleted, absence_factor"
        " from analytics.repository_summary where repository_id = %s",
        garden,
    )
    names = ("commits", "contributors", "merge_commits", "lines_added", "lines_deleted")
    assert (*(summary[name] for name in names), summary["concentration"]["absence_factor"]) == expected


def test_switches_choose_what_counts(client: httpx.Client, garden: int, sample_warehouse: Warehouse) -> None:
    switches = {"merges": "false", "bots": "false", "since": "2022-06-01"}
    summary = client.get(f"/analytics/repository/{garden}/summary", params=switches).raise_for_status().json()

    [(expected,)] = sample_warehouse.query(
        "select count(*) from analytics.fct_commits join analytics.dim_contributor using (contributor_id)"
        " where repository_id = %s and in_default_branch and not is_merge and contributor_kind = 'human'"
        " and commit_day >= '2022-06-01'",
        garden,
    )
    assert summary["commits"] == expected
    assert isinstance(expected, int)
    assert 0 < expected < 120
