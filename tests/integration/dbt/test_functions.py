"""The functions that compute metrics when they are read: published numbers, numbers on paper, and every switch."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from tests.integration.dbt.conftest import PROJECT
from tests.integration.dbt.events import History, a_commit_beside_the_default_branch, commits_of_known_days

from gitmart.local.postgres import EmbeddedPostgres
from gitmart.transform.catalogue import functions_of

if TYPE_CHECKING:
    from tests.integration.dbt.conftest import Dbt, Marts, Raw

FUNCTIONS = (
    "activity_by_period('month')",
    "activity_hours()",
    "burstiness()",
    "committer_activity()",
    "concentration()",
    "contributor_activity()",
    "contributor_engagement()",
    "contributor_flow('month')",
    "contributor_levels()",
    "counted_commits()",
    "file_coupling()",
    "file_hotspots()",
    "lorenz_curve()",
    "organization_activity()",
    "release_frequency('month')",
    "repository_activity()",
)
PUBLISHED = (1000, 202, 90, 33, 332, 343, 42, 433)  # CHAOSS, Contributor Absence Factor


class Written:
    """Rows of the marts that the functions read, written by hand in a transaction that is taken back."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self.connection = connection

    def person(self, number: int, email: str = "", kind: str = "human") -> None:
        self.connection.execute(
            "insert into dim_contributor (contributor_id, contributor_name, email, contributor_kind, identities)"
            " values (%s, %s, %s, %s, 1)",
            [number, f"person {number}", email or f"{number}@example.org", kind],
        )

    def day(self, person: int, day: str, commits: int = 1) -> None:
        zeros = ["tests", "documentation", "configuration", "generated", "vendored", "excluded"]
        measures = ("lines_added", "lines_deleted", "files_changed")
        names = [f"{name}_{measure}" for name in ("source", *zeros) for measure in measures]
        values = [10 * commits, commits, commits, *[0] * 3 * len(zeros)]
        self.connection.execute(
            "insert into fct_daily_activity (repository_id, contributor_id, date_kind, activity_day, in_default_branch,"
            f" is_merge, is_first_of_patch, is_first_of_patch_anywhere, changed_run, commits, {', '.join(names)}) values"
            f" (1, %s, 'authored', %s, true, false, true, true, 1, %s{', %s' * len(values)})".encode(),
            [person, day, commits, *values],
        )

    def commit(
        self, number: int, person: int, day: str | None, *paths: str, lines: int = 1, letter: str = "source"
    ) -> None:
        """Write a commit, and for each path a file of a class that it added lines to."""
        facts = {
            "repository_id": 1, "commit_hash": str(number), "commit_id": number, "contributor_id": person,
            "commit_day": day, "in_default_branch": True, "is_first_of_patch": True, "is_first_of_patch_anywhere": True,
            f"{letter}_files_changed": len(paths),
        }  # fmt: skip
        needed = self.connection.execute(
            "select column_name, case data_type when 'boolean' then 'false' else '0' end from information_schema.columns"
            " where (table_schema, table_name, is_nullable) = ('analytics', 'fct_commits', 'NO')"
        ).fetchall()
        facts = dict(needed) | facts
        self.connection.execute(
            f"insert into fct_commits ({', '.join(facts)}) values (%s{', %s' * (len(facts) - 1)})".encode(),
            list(facts.values()),
        )
        for position, path in enumerate(paths, 1):
            self.connection.execute(
                "insert into fct_file_changes (repository_id, commit_id, file_number, path, change_type, file_class,"
                " lines_added, lines_deleted, changed_run) values (1, %s, %s, %s, 'modified', %s, %s, null, 1)",
                [number, position, path, letter, lines],
            )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode()).fetchall()


@pytest.fixture
def written(dbt: Dbt, raw: Raw, marts: Marts) -> Iterator[Written]:
    statuses = dbt.build("--exclude-resource-type", "unit_test", "test")
    assert set(statuses.values()) <= {"success", "no-op"}, statuses
    assert {name.partition("(")[0] for name in FUNCTIONS} <= set(statuses)
    with psycopg.connect(marts.url, options="-c search_path=analytics") as connection:
        yield Written(connection)
        connection.rollback()


def test_published_numbers_and_numbers_on_paper(written: Written) -> None:
    """One build, many small stories: each is taken back before the next."""
    for story in (
        a_warehouse_without_commits,
        the_numbers_of_the_absence_factor,
        organizations_by_their_domains,
        who_comes_stays_and_returns,
        who_drifts_away,
        how_many_reach_which_level,
        periods_and_newcomers,
        files_and_directories_that_change_most,
        churn_that_halves,
        the_coupling_that_code_maat_publishes,
        commits_of_very_many_files_couple_none,
        values_that_are_not_allowed,
    ):
        story(written)
        written.connection.rollback()


def a_warehouse_without_commits(written: Written) -> None:
    found = {name: written.rows(f"select * from {name}") for name in FUNCTIONS}
    assert found.pop("concentration()") == [(0, 0, None, None, None, None)]
    assert found.pop("burstiness()") == [(0, None, 0, None, None)]
    assert found.pop("contributor_levels()") == [(1, 1, 0, None), (2, 5, 0, None), (3, 25, 0, None), (4, 100, 0, None)]
    assert set(map(tuple, found.values())) == {()}


def the_numbers_of_the_absence_factor(written: Written) -> None:
    for number, commits in enumerate(PUBLISHED, 1):
        written.person(number)
        written.day(number, "2024-05-01", commits)
    # 1000 + 433 is more than half of 2475; the Gini coefficient is that of dbt's unit test, times 8/7 corrected.
    assert written.rows("select * from concentration()") == [
        (8, 2475, 2, Decimal("0.485505"), Decimal("0.554863"), Decimal("0.404040"))
    ]
    # The trapezoids between the curve and the diagonal, twice: the Gini coefficient again.
    curve = [(0, Decimal(0), 0, Decimal(0)), *written.rows("select * from lorenz_curve()")]
    assert [(holders, amount) for holders, _, amount, _ in curve] == [
        (0, 0), (1, 33), (2, 75), (3, 165), (4, 367), (5, 699), (6, 1042), (7, 1475), (8, 2475)
    ]  # fmt: skip
    area = sum((x1 - x0) * (y0 + y1) for (_, x0, _, y0), (_, x1, _, y1) in pairwise(curve))
    assert abs(1 - area - Decimal("0.485505")) < Decimal("0.00001")
    assert written.rows("select holders from lorenz_curve(points => 3)") == [(3,), (6,), (8,)]
    assert written.rows("select holders from lorenz_curve(points => 0)") == [(8,)]
    [(_, lines, factor, *_)] = written.rows("select * from concentration(measure => 'lines')")
    assert (lines, factor) == (11 * 2475, 2)
    assert written.rows("select holders, gini_coefficient from concentration(until => '2024-04-30')") == [(0, None)]


def organizations_by_their_domains(written: Written) -> None:
    people = (
        "a@one.example",
        "b@ONE.example",
        "c@gmail.com",
        "d@two.example",
        "1+e@users.noreply.github.com",
        "nobody",
    )
    for number, email in enumerate(people, 1):
        written.person(number, email)
        written.day(number, "2024-05-01", number)
    # None: 3 + 5 + 6 commits of three people; two.example 4 of one; one.example 1 + 2 of two; 21 in all.
    assert written.rows("select organization, contributors, contributor_share, commits, commit_share"
                        " from organization_activity()") == [
        (None, 3, Decimal("0.500000"), 14, Decimal("0.666667")),
        ("two.example", 1, Decimal("0.166667"), 4, Decimal("0.190476")),
        ("one.example", 2, Decimal("0.333333"), 3, Decimal("0.142857")),
    ]  # fmt: skip
    assert written.rows("select holders, total, absence_factor from concentration(of_whom => 'organization')") == [
        (2, 7, 1)
    ]


def who_comes_stays_and_returns(written: Written) -> None:
    written.person(1)
    written.person(2)
    written.person(3)
    for person, months in ((1, (1, 2, 3, 6)), (2, (1, 3)), (3, (2,))):
        for month in months:
            written.day(person, f"2024-{month:02}-15")
    # period, contributors, new, retained, resurrected, churned, retention
    whole = written.rows(
        "select to_char(period_start, 'MM'), contributors, new_contributors, retained_contributors,"
        " resurrected_contributors, churned_contributors, retention from contributor_flow('month')"
    )
    assert whole == [
        ("01", 2, 2, 0, 0, 0, None),
        ("02", 2, 1, 1, 0, 1, Decimal("0.500000")),
        ("03", 2, 0, 1, 1, 1, Decimal("0.500000")),
        ("04", 0, 0, 0, 0, 2, Decimal("0.000000")),
        ("05", 0, 0, 0, 0, 0, None),
        ("06", 1, 0, 0, 1, 0, None),
    ]  # fmt: skip
    assert written.rows("select churned_contributors from contributor_flow('month', since => '2024-04-01')"
                        " limit 1") == [(2,)]  # fmt: skip
    assert written.rows("select contributors, retained_contributors, retention from contributor_flow('quarter')") == [
        (3, 0, None),
        (1, 1, Decimal("0.333333")),
    ]


def who_drifts_away(written: Written) -> None:
    for person, days in (
        (1, ("2024-06-21", "2024-06-22", "2024-06-23")),
        (2, ("2023-12-01",)),
        (3, ("2022-01-01", "2023-06-29")),
    ):
        written.person(person)
        for day in days:
            written.day(person, day, 2)
    assert written.rows("select contributor_id, days_since_last, longest_gap_days, engagement, active_days_in_window,"
                        " workload, is_occasional from contributor_engagement(until => '2024-06-30')") == [
        (1, 7, 1, "active", 3, "part_time", False),
        (3, 367, 544, "away", 0, "none", True),
        (2, 212, None, "drifting", 0, "none", True),
    ]  # fmt: skip
    assert written.rows("select workload, is_occasional from contributor_engagement(until => '2024-06-30',"
                        " full_time_days => 3, occasional_commits => 7) limit 1") == [("full_time", True)]  # fmt: skip


def how_many_reach_which_level(written: Written) -> None:
    for number, commits in enumerate((1, 1, 4, 5, 30), 1):
        written.person(number)
        written.day(number, "2024-05-01", commits)
    assert written.rows("select * from contributor_levels(levels => array[1, 5, 25])") == [
        (1, 1, 5, None),
        (2, 5, 2, Decimal("0.400000")),
        (3, 25, 1, Decimal("0.500000")),
    ]


def periods_and_newcomers(written: Written) -> None:
    written.person(1)
    written.person(2, kind="bot")
    for person, day in ((1, "2024-12-30"), (1, "2025-01-01"), (2, "2025-01-01"), (2, "2025-03-31")):
        written.day(person, day)
    columns = "to_char(period_start, 'YYYY-MM-DD'), commits, active_days, contributors, new_contributors"
    assert written.rows(f"select {columns} from activity_by_period('week')") == [
        ("2024-12-30", 3, 2, 2, 2), ("2025-03-31", 1, 1, 1, 0),
    ]  # fmt: skip
    assert written.rows(f"select {columns} from activity_by_period('quarter', since => '2025-01-01')") == [
        ("2025-01-01", 3, 2, 2, 1),
    ]
    assert written.rows(f"select {columns} from activity_by_period('year', bots => false)") == [
        ("2024-01-01", 1, 1, 1, 1), ("2025-01-01", 1, 1, 1, 0),
    ]  # fmt: skip
    assert written.rows(f"select {columns} from activity_by_period('year', contributor => 2)") == [
        ("2025-01-01", 2, 2, 1, 1),
    ]
    assert written.rows("select contributor_id, commits from contributor_activity(contributor => 2)") == [(2, 2)]
    assert written.rows("select contributor_id from contributor_engagement(contributor => 1)") == [(1,)]


def files_and_directories_that_change_most(written: Written) -> None:
    for person in (1, 2):
        written.person(person, kind="human" if person == 1 else "bot")
    written.commit(1, 1, "2024-05-01", "README", "src/core/a.py", "src/core/b.py", lines=2)
    written.commit(2, 2, "2024-05-02", "src/core/a.py", "src/z.py", lines=3)
    written.commit(3, 1, None, "src/core/a.py")
    written.commit(4, 1, "2024-05-03", "vendor/src/x.js", letter="vendored")
    columns = "path, commits, lines_added, contributors, to_char(first_day, 'DD'), to_char(last_day, 'DD')"
    assert written.rows(f"select {columns} from file_hotspots() where file_class = 'source'") == [
        ("src/core/a.py", 3, 6, 2, "01", "02"), ("README", 1, 2, 1, "01", "01"), ("src/core/b.py", 1, 2, 1, "01", "01"),
        ("src/z.py", 1, 3, 1, "02", "02"),
    ]  # fmt: skip
    assert written.rows("select path, commits, lines_added, contributors, file_class from file_hotspots(depth => 1)") == [
        ("src/", 3, 11, 2, None), ("./", 1, 2, 1, None), ("vendor/", 1, 1, 1, None),
    ]  # fmt: skip
    assert written.rows("select path, commits from file_hotspots(depth => 2)") == [
        ("src/core/", 3), ("./", 1), ("src/", 1), ("vendor/src/", 1),
    ]  # fmt: skip
    assert written.rows("select path, commits from file_hotspots(depth => 1000)") == written.rows(
        "select path, commits from file_hotspots(depth => 2)"
    )
    assert written.rows("select path, commits, contributors from file_hotspots(depth => 0)") == [("./", 4, 2)]
    assert written.rows("select path from file_hotspots(classes => array['vendored'])") == [("vendor/src/x.js",)]
    assert written.rows("select path, commits from file_hotspots(bots => false, depth => 1)") == [
        ("src/", 2), ("./", 1), ("vendor/", 1),
    ]  # fmt: skip
    assert written.rows("select path, commits from file_hotspots(since => '2024-05-02', until => '2024-05-02')") == [
        ("src/core/a.py", 1), ("src/z.py", 1),
    ]  # fmt: skip


def churn_that_halves(written: Written) -> None:
    """100 lines count 100 on the day, 50 after a half-life, 25 after two; a day that is to come counts as today."""
    written.person(1)
    written.commit(1, 1, "2024-05-01", "a", lines=100)
    written.commit(2, 1, "2024-05-11", "a", "b", lines=100)
    written.commit(3, 1, None, "c", lines=100)
    churn = "select path, recent_churn from file_hotspots(until => {}, half_life_days => {})"
    assert written.rows(churn.format("'2024-05-11'", 10)) == [("a", Decimal("150.000")), ("b", Decimal("100.000"))]
    assert written.rows(churn.format("'2024-05-21'", 10)) == [("a", Decimal("75.000")), ("b", Decimal("50.000"))]
    assert written.rows(churn.format("'2024-07-30'", "null"))[1] == ("b", Decimal("54.003"))  # 100 / 2^(80/90)
    assert written.rows("select path, recent_churn from file_hotspots() where path = 'c'") == [("c", Decimal("0.000"))]
    assert {left for _, left in written.rows(churn.format("'9999-12-31'", 1))} == {Decimal("0.000")}
    written.commit(4, 1, "2999-01-01", "d", lines=100)
    assert written.rows("select recent_churn from file_hotspots() where path = 'd'") == [(Decimal("100.000"),)]


def the_coupling_that_code_maat_publishes(written: Written) -> None:
    """Its test `outputs-verbose-details-when-prompted-to`: revisions of both, and those they share."""
    written.person(1)
    written.commit(1, 1, "2024-05-01", "A", "B", "C")
    written.commit(2, 1, "2024-05-02", "A", "B")
    one, half = Decimal("1.000000"), Decimal("0.500000")
    columns = "path, other_path, commits, other_commits, commits_together, confidence, jaccard"
    assert written.rows(f"select {columns} from file_coupling(at_least_together => 1)") == [
        ("A", "B", 2, 2, 2, one, one), ("A", "C", 2, 1, 1, one, half), ("B", "C", 2, 1, 1, one, half),
    ]  # fmt: skip
    assert written.rows(f"select {columns} from file_coupling(at_least_together => 1, coupled_with => 'B')") == [
        ("B", "A", 2, 2, 2, one, one), ("B", "C", 2, 1, 1, one, half),
    ]  # fmt: skip
    assert written.rows(f"select {columns} from file_coupling(at_least_together => 2, coupled_with => 'C')") == []
    assert written.rows("select path, other_path from file_coupling(at_least_together => 2)") == [("A", "B")]
    assert written.rows("select * from file_coupling()") == []


def commits_of_very_many_files_couple_none(written: Written) -> None:
    written.person(1)
    for number in range(5):
        written.commit(number, 1, "2024-05-01", *(f"file {position:02}" for position in range(30)))
        written.commit(10 + number, 1, "2024-05-02", *(f"file {position:02}" for position in range(31)))
    counts = "select count(*), min(commits_together), max(commits_together), max(commits) from file_coupling({})"
    assert written.rows(counts.format("")) == [(30 * 29 // 2, 5, 5, 5)]
    assert written.rows(counts.format("most_files => 31")) == [(31 * 30 // 2, 5, 10, 10)]


def values_that_are_not_allowed(written: Written) -> None:
    written.person(1)
    written.day(1, "2024-05-01")
    written.commit(1, 1, "2024-05-01", "a", "b")
    for call, message in (
        ("contributor_activity(refs => 'main')", "refs is main: allowed are default_branch, all"),
        ("contributor_activity(dates => 'pushed')", "dates is pushed: allowed are authored, committed"),
        (
            "contributor_activity(count_once => 'yes')",
            "count_once is yes: allowed are never, per_repository, everywhere",
        ),
        ("contributor_activity(classes => array['code'])", "classes is {code}: allowed are source, tests"),
        ("concentration(measure => 'files')", "measure is files: allowed are commits, lines"),
        ("concentration(of_whom => 'team')", "of_whom is team: allowed are contributor, organization"),
        ("activity_by_period('decade')", "granularity is decade: allowed are day, week, month, quarter, year"),
        ("contributor_flow('hour')", "granularity is hour: allowed are"),
        ("file_hotspots(depth => -1)", "depth is -1: allowed are NULL, numbers from 0"),
        ("file_hotspots(half_life_days => 0)", "half_life_days is 0: allowed are numbers above 0"),
        ("file_hotspots(dates => 'pushed')", "dates is pushed: allowed are authored, committed"),
        ("file_coupling(classes => array['code'])", "classes is {code}: allowed are source, tests"),
    ):
        with pytest.raises(psycopg.Error, match=message.replace("{", r"\{")), written.connection.transaction():
            written.rows(f"select * from {call}")
    calls = {function.partition("(")[0]: function for function in FUNCTIONS}
    for function in functions_of(PROJECT):
        call = calls[function.name]
        given = call.rstrip(")").partition("(")[2]
        nulls = [f"{name} => null" for name, words in function.arguments if words.startswith(" (")]  # has a default
        every = ", ".join([given, *nulls] if given else nulls)
        assert written.rows(f"select * from {function.name}({every})") == written.rows(f"select * from {call}"), call


def brute(switches: dict[str, Any]) -> str:
    """Return the query that counts commits one by one, as the switches say."""
    day = {"authored": "commit_day", "committed": "committed_day"}[switches["dates"]]
    flags = {"never": "true", "per_repository": "is_first_of_patch", "everywhere": "is_first_of_patch_anywhere"}
    added = " + ".join(f"{name}_lines_added" for name in switches["classes"])
    conditions = [f"{day} is not null", flags[switches["count_once"]]]
    conditions += ["not is_merge"] * (not switches["merges"])
    conditions += ["contributor_kind = 'human'"] * (not switches["bots"])
    conditions += ["in_default_branch"] * (switches["refs"] == "default_branch")
    conditions += [f"repository_id = {switches['repository']}"] * (switches["repository"] is not None)
    return (
        f"select contributor_id, count(*), sum({added}), count(distinct {day}) from analytics.fct_commits"
        f" join analytics.dim_contributor using (contributor_id) where {' and '.join(conditions)} group by 1 order by 1"
    )


def brute_files(switches: dict[str, Any]) -> tuple[str, str]:
    """Return queries that count files and pairs of them one by one, as the switches say."""
    flags = {"never": "true", "per_repository": "is_first_of_patch", "everywhere": "is_first_of_patch_anywhere"}
    day = {"authored": "commit_day", "committed": "committed_day"}[switches["dates"]]
    conditions = [flags[switches["count_once"]], f"{day} <= '2024-05-03'"]
    conditions += ["contributor_kind = 'human'"] * (not switches["bots"])
    conditions += ["in_default_branch"] * (switches["refs"] == "default_branch")
    conditions += [f"repository_id = {switches['repository']}"] * (switches["repository"] is not None)
    conditions += [f"file_class = any(array{switches['classes']})"]
    rows = (
        "select *, count(*) over (partition by repository_id, commit_id) as files from analytics.fct_file_changes"
        " join (select repository_id, commit_id, contributor_id, commit_day, committed_day, in_default_branch,"
        " is_first_of_patch, is_first_of_patch_anywhere from analytics.fct_commits) as c using (repository_id, commit_id)"
        f" join analytics.dim_contributor using (contributor_id) where {' and '.join(conditions)}"
    )
    hotspots = (
        f"select repository_id, path, count(*), coalesce(sum(f.lines_added), 0), coalesce(sum(f.lines_deleted), 0),"
        f" count(distinct contributor_id), min({day}), max({day}) from ({rows}) as f group by 1, 2 order by 3 desc, 1, 2"
    )
    of_files = "(select count(*) from f where f.repository_id = a.repository_id and f.files <= 2 and f.path = {}.path)"
    coupling = (
        f"with f as ({rows}) select a.repository_id, a.path, b.path, count(*), {of_files.format('a')},"
        f" {of_files.format('b')} from f as a join f as b on a.commit_id = b.commit_id and a.path < b.path"
        " where a.files <= 2 group by 1, 2, 3 order by 4 desc, 1, 2, 3"
    )
    return hotspots, coupling


def test_every_combination_of_switches_counts_what_it_says(
    dbt: Dbt, raw: Raw, marts: Marts, server: EmbeddedPostgres, dbt_database: str
) -> None:
    history = History(raw, 7)
    for _ in range(6):
        history.happen(commits_of_known_days)
        history.happen(a_commit_beside_the_default_branch)
    dbt.build("--exclude-resource-type", "unit_test", "test")
    seen, seen_files, seen_pairs = set(), set(), set()
    with psycopg.connect(server.url("gitmart_read", dbt_database)) as reader:  # as those who may only read
        for repository, merges, bots, classes, dates, refs, count_once in product(
            (None, history.repositories[0]), (True, False), (True, False), (["source"], ["tests", "vendored", "excluded"]),
            ("authored", "committed"), ("default_branch", "all"), ("never", "per_repository", "everywhere"),
        ):  # fmt: skip
            switches = {
                "repository": repository, "merges": merges, "bots": bots, "classes": classes, "dates": dates,
                "refs": refs, "count_once": count_once,
            }  # fmt: skip
            words = ", ".join(f"{name} => %({name})s" for name in switches)
            read = reader.execute(
                "select contributor_id, commits, lines_added, active_days from analytics.contributor_activity"
                f"({words}) order by 1".encode(), switches,
            ).fetchall()  # fmt: skip
            assert read == marts.query(brute(switches)), switches
            for function, counted in (("counted_commits", "count(*)"), ("repository_activity", "sum(commits)")):
                sums = (
                    f"select coalesce({counted}, 0), coalesce(sum(lines_added), 0) from analytics.{function}({words})"
                )
                assert reader.execute(sums.encode(), switches).fetchall() == [
                    (sum(row[1] for row in read), sum(row[2] for row in read))
                ], (function, switches)
            seen.add(str(read))
            if merges:  # they have no files
                hotspots, coupling = brute_files(switches)
                words = ", ".join(f"{name} => %({name})s" for name in switches if name != "merges")
                read = reader.execute(
                    "select repository_id, path, commits, lines_added, lines_deleted, contributors, first_day, last_day"
                    f" from analytics.file_hotspots({words}, until => '2024-05-03')".encode(), switches,
                ).fetchall()  # fmt: skip
                assert read == marts.query(hotspots), switches
                seen_files.add(str(read))
                read = reader.execute(
                    "select repository_id, path, other_path, commits_together, commits, other_commits from analytics"
                    f".file_coupling({words}, until => '2024-05-03', at_least_together => 1, most_files => 2)".encode(),
                    switches,
                ).fetchall()
                assert read == marts.query(coupling), switches
                seen_pairs.add(str(read))
        by_month = reader.execute(
            "select sum(commits), sum(new_contributors) from analytics.activity_by_period('month')"
        ).fetchone()
        assert by_month == marts.query("select sum(commits), count(distinct contributor_id) from"
                                       " analytics.fct_daily_commits where commits > 0")[0]  # fmt: skip
    assert len(seen) > 60, "the switches make a difference"
    assert len(seen_files) > 30
    assert len(seen_pairs) > 15


def test_hours_are_those_of_the_authors_clock(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    repository, one = raw.repository("tools"), raw.person("one")
    with raw.run(repository) as run:
        run.add("monday", one, "2024-05-06 08:59+00")
        run.add("sunday there", one, "2024-05-06 06:30+00", zone=-480)  # 22:30 on Sunday
        run.add("tuesday there", one, "2024-05-06 20:00+00", zone=330)  # 01:30 on Tuesday
        run.add("no zone", one, "2024-05-08 12:00+00", zone=None)
        run.add("not believed", one, "2999-01-01 12:00+00", committed="2024-05-09 17:59+00")
    dbt.build("--select", "+activity_hours", "--exclude-resource-type", "unit_test", "test")
    hours = "select weekday, hour_of_day, commits, is_outside_work_hours from analytics.activity_hours"
    assert marts.query(f"{hours}()") == [(1, 8, 1, True), (2, 1, 1, True), (7, 22, 1, True)]
    assert marts.query(f"{hours}(clock => 'utc', from_hour => 8)") == [
        (1, 6, 1, True), (1, 8, 1, False), (1, 20, 1, True), (3, 12, 1, False), (4, 17, 1, False),
    ]  # fmt: skip
    with pytest.raises(psycopg.Error, match="clock is local: allowed are author, utc"):
        marts.query(f"{hours}(clock => 'local')")


def test_burstiness_of_regular_and_of_crowded_commits(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    regular, crowded, one = raw.repository("regular"), raw.repository("crowded"), raw.person("one")
    with raw.run(regular) as run:
        for day in range(1, 29, 7):
            run.add(f"regular {day}", one, f"2024-01-{day:02} 10:00+00")  # Mondays
    with raw.run(crowded) as run:
        for hour in (10, 11, 12):
            run.add(f"crowded {hour}", one, f"2024-01-01 {hour}:00+00")
        run.add("late", one, "2024-01-15 12:00+00")
    dbt.build("--select", "+burstiness", "--exclude-resource-type", "unit_test", "test")
    read = "select * from analytics.burstiness(%s)"
    assert marts.query(read, regular) == [(4, Decimal("-1.000000"), 4, Decimal("1.000000"), Decimal("0.000000"))]
    # Gaps of 1, 1 and 336 hours: mean 338/3, deviation sqrt((2 (335/3)^2 + (670/3)^2) / 3) = 335 sqrt(2) / 3.
    # Weeks of 3, 0 and 1 commits: mean 4/3, variance 14/9.
    burstiness = Decimal((335 * 2**0.5 - 338) / (335 * 2**0.5 + 338)).quantize(Decimal("0.000001"))
    assert marts.query(read, crowded) == [(4, burstiness, 3, Decimal("1.333333"), Decimal("1.166667"))]


def test_a_function_of_another_version_is_replaced(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    dbt.build("--select", "+contributor_levels", "--exclude-resource-type", "unit_test", "test")
    other = "create function analytics.contributor_levels({}) returns integer language sql as 'select 1'"
    marts.query(
        "set role gitmart_transform; drop function analytics.contributor_levels;"
        f" {other.format('of_old integer')}; {other.format('')}"
    )
    dbt.build("--select", "contributor_levels")
    assert marts.query("select count(*) from pg_proc where proname = 'contributor_levels'") == [(1,)]
    assert len(marts.query("select * from analytics.contributor_levels()")) == 4


def test_what_stands_on_a_function_stays(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    dbt.build("--exclude-resource-type", "unit_test", "test")
    functions = {name.partition("(")[0]: name for name in FUNCTIONS}
    for name, call in functions.items():
        marts.query(f"create view of_{name} as select * from analytics.{call}")

    built = dbt.build("--select", *functions)

    assert built == dict.fromkeys(functions, "success")
    for name in functions:
        marts.query(f"drop view of_{name}")
