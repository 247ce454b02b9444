"""Tags are releases, of the type that their names tell; branches have a last commit."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.integration.dbt.conftest import commit_hash

if TYPE_CHECKING:
    from tests.integration.dbt.conftest import Dbt, Marts, Raw

TYPES = {
    "v1.0.0": "major",
    "2.0": "major",
    "release-3.0.0.0": "major",
    "v1.10.0": "minor",
    "2.1": "minor",
    "project/24.04": "minor",
    "v1.0.1": "patch",
    "1.2.3.4": "patch",
    "v2.0.0-rc1": "pre_release",
    "v2.0.0-RC.2": "pre_release",
    "v2.1b3": "pre_release",
    "3.0.0a1": "pre_release",
    "v4.0.0-SNAPSHOT": "pre_release",
    "v1": "other",
    "latest": "other",
    "REL_12_3": "other",
    "v1.0.0-with-fixes": "other",
}


def test_names_tell_the_type(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    with raw.run(raw.repository("tools")) as run:
        run.add("first", raw.person("one"))
        for name in TYPES:
            run.point(f"tags/{name}", commit_hash("first"))
        run.point("tags/on-a-tree", commit_hash("nothing"))

    dbt.run("--select", "+fct_releases")

    assert dict(marts.query("select tag_name, release_type from analytics.fct_releases")) == TYPES


def test_releases_by_their_dates(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    one = raw.person("one")
    with raw.run(raw.repository("tools")) as run:
        run.add("a", one, committed="2024-01-01 12:00+00")
        run.add("b", one, committed="2024-01-11 12:00+00", in_default_branch=False)
        run.add("c", one, committed="2024-02-10 12:00+00")
        run.add("dateless", one, None, committed=None)
        for tag, name in (("v1.0.0", "a"), ("v1.0.1", "b"), ("v1.1.0", "c"), ("stable", "c"), ("v0.1", "dateless")):
            run.point(f"tags/{tag}", commit_hash(name))
    with raw.run(raw.repository("others")) as run:
        run.add("d", one, committed="2024-01-05 12:00+00")
        run.point("tags/v9.0.0", commit_hash("d"))

    dbt.build("--select", "+fct_releases", "+release_frequency")

    found = marts.query(
        "select tag_name, released_on::text, days_since_previous, in_default_branch from analytics.fct_releases"
        " order by repository_id, released_on, tag_name"
    )
    assert found == [
        ("v1.0.0", "2024-01-01", None, True),
        ("v1.0.1", "2024-01-11", 10, False),
        ("stable", "2024-02-10", 30, True),
        ("v1.1.0", "2024-02-10", 0, True),
        ("v0.1", None, None, True),
        ("v9.0.0", "2024-01-05", None, True),
    ]
    by_month = marts.query(
        "select * from analytics.release_frequency('month', repository => %(one)s)", named={"one": 1}
    )
    assert [(str(row[0]), *row[1:]) for row in by_month] == [
        ("2024-01-01", 2, 1, 0, 1, 0, 0, Decimal("10.0")),
        ("2024-02-01", 2, 0, 1, 0, 0, 1, Decimal("15.0")),
    ]
    assert marts.query("select releases from analytics.release_frequency('year')") == [(5,)]
    assert marts.query("select releases from analytics.release_frequency('day', until => '2024-01-04')") == [(1,)]


def test_branches_and_their_last_commit(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    one, two = raw.person("one"), raw.person("two")
    repository = raw.repository("tools")
    raw.query("update repositories set default_branch = 'main' where id = %s returning 1", repository)
    with raw.run(repository) as run:
        run.add("old", one, "2024-01-01 12:00+00")
        run.add("new", one, "2024-03-01 12:00+00")
        run.add("side", two, "2024-02-01 12:00+00", in_default_branch=False)
        for branch, name in (("main", "new"), ("merged/long-ago", "old"), ("work", "side")):
            run.point(f"heads/{branch}", commit_hash(name))

    dbt.run("--select", "+dim_branch")

    columns = "branch_name, is_default, is_merged, contributor_id, last_commit_day::text"
    assert marts.query(f"select {columns} from analytics.dim_branch order by 1") == [
        ("main", True, True, one, "2024-03-01"),
        ("merged/long-ago", False, True, one, "2024-01-01"),
        ("work", False, False, two, "2024-02-01"),
    ]
