"""A change that was made once and copied is counted once, if the project's variable says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.dbt.conftest import NO_UNIT_TESTS

if TYPE_CHECKING:
    from tests.integration.dbt.conftest import Dbt, Marts, Raw

COUNTS = "select repository_id, commits, all_refs_commits, lines_added from analytics.repository_summary order by 1"


@pytest.fixture
def repositories(raw: Raw) -> tuple[int, int]:
    """A project and a fork of it, which have a commit and a merge in common."""
    one, two = raw.person("one"), raw.person("two")
    project, fork = raw.repository("project"), raw.repository("fork")
    with raw.run(project) as run:
        run.add("base", one, "2024-05-02 10:00+00", patch="a")
        run.add("picked", two, "2024-05-03 10:00+00", patch="a")
        run.add("on a branch, and older", two, "2024-05-01 10:00+00", patch="a", in_default_branch=False)
        run.add("merge", one, "2024-05-04 10:00+00", merge=True)
        run.add("on a branch alone", two, "2024-05-05 10:00+00", patch="c", in_default_branch=False)
    with raw.run(fork) as run:
        run.add("base", one, "2024-05-02 10:00+00", patch="a")
        run.add("merge", one, "2024-05-04 10:00+00", merge=True)
        run.add("of the fork", two, "2024-05-06 10:00+00", patch="d")
        run.add("rebased from the branch", two, "2024-05-05 10:00+00", patch="c")
    return project, fork


def test_each_value_of_the_variable_counts_what_it_says(
    dbt: Dbt, raw: Raw, marts: Marts, repositories: tuple[int, int]
) -> None:
    project, fork = repositories
    assert set(dbt.build(*NO_UNIT_TESTS).values()) <= {"success", "pass", "no-op"}
    assert marts.query(COUNTS) == [(project, 3, 5, 6), (fork, 4, 4, 9)]

    everywhere = dbt.having(count_rewrites_once="everywhere")
    assert set(everywhere.build(*NO_UNIT_TESTS).values()) <= {"success", "pass", "no-op"}
    assert marts.query(COUNTS) == [(project, 2, 2, 3), (fork, 2, 2, 6)]
    people = marts.query("select contributor_id, commits from analytics.contributor_summary order by 1")
    assert [commits for _, commits in people] == [2, 2]

    per_repository = dbt.having(count_rewrites_once="per_repository")
    assert set(per_repository.build(*NO_UNIT_TESTS).values()) <= {"success", "pass", "no-op"}
    assert marts.query(COUNTS) == [(project, 2, 3, 3), (fork, 4, 4, 9)]
    days = marts.query("select commit_day::text from analytics.fct_daily_commits where repository_id = %s", project)
    assert sorted(days) == [("2024-05-02",), ("2024-05-04",), ("2024-05-05",)]
    per_repository.run("--full-refresh", schema="rebuilt")
    marts.assert_equal_to_full_refresh()


def test_another_value_is_refused(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    with pytest.raises(
        AssertionError, match="count_rewrites_once is often: allowed are never, per_repository, everywhere"
    ):
        dbt.having(count_rewrites_once="often").run()
