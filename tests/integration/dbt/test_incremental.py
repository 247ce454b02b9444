"""Incremental equals full: after any sequence of extractions the marts equal those of a full refresh."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from tests.integration.dbt.conftest import FACTS, NO_UNIT_TESTS, STATES, STEPS, commit_hash
from tests.integration.dbt.events import (
    EVENTS,
    History,
    a_late_commit,
    commits_from_the_future,
    commits_of_known_days,
    purge_it,
)

from gitmart.local.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from tests.integration.dbt.conftest import Dbt, Marts, Raw


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "rewrites"), [(1, "never"), (2, "everywhere")])
def test_incremental_builds_equal_a_full_refresh_after_every_event(
    dbt: Dbt, raw: Raw, marts: Marts, seed: int, rewrites: str
) -> None:
    dbt = dbt.having(count_rewrites_once=rewrites) if rewrites != "never" else dbt
    history = History(raw, seed)
    dbt.run()
    dbt.run(schema="rebuilt")
    events = history.random.sample(EVENTS, len(EVENTS))

    while events:
        for event in [events.pop() for _ in range(min(len(events), history.random.randrange(2, 8)))]:
            history.happen(event)
        dbt.run("--select", *STATES, *FACTS, *STEPS)
        dbt.run("--select", *STATES, *FACTS, *STEPS, "--full-refresh", schema="rebuilt")
        try:
            marts.assert_equal_to_full_refresh((*FACTS, *STEPS))
        except AssertionError as difference:
            difference.add_note(f"seed {seed}, after {', '.join(history.told)}")
            raise

    built = dbt.build(*NO_UNIT_TESTS)  # those are written for the default
    assert set(built.values()) <= {"success", "pass", "no-op"}, [n for n, s in built.items() if s == "fail"]
    dbt.run("--full-refresh", schema="rebuilt")
    marts.assert_equal_to_full_refresh()


def test_a_purged_repository_leaves_the_marts_and_may_come_back(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    one, two = raw.person("one"), raw.person("two")
    for name in ("kept", "purged", "emptied"):
        with raw.run(raw.repository(name)) as run:
            run.add("shared", one)
            run.add(name, raw.person(name))
            run.add("gone", two, "2024-05-01 10:00+00")
        with raw.run(run.repository) as run:
            run.remove(*raw.hashes(run.repository, "commit_date = '2024-05-01 10:00+00'"))
    dbt.run()
    with raw.run(run.repository) as run:
        run.remove(*raw.hashes(run.repository))
    purge_it(raw, run.repository - 1)
    purge_it(raw, run.repository)

    dbt.run()

    dbt.run("--full-refresh", schema="rebuilt")
    marts.assert_equal_to_full_refresh()
    assert {row[0] for row in marts.rows("fct_commits")} == {run.repository - 2}

    with raw.run(raw.repository("purged")) as again:
        again.add("shared", one)
    moved = "https://git.example.org/moved"  # the row of "kept" goes on under another address
    changes = "url = %s, url_key = %s, name = 'moved' where id = %s returning 1"
    raw.query(f"update repositories set {changes}", moved, moved, run.repository - 2)
    dbt.run()
    dbt.run("--full-refresh", schema="rebuilt")
    marts.assert_equal_to_full_refresh()
    assert {row[0] for row in marts.rows("fct_commits")} == {run.repository - 2, again.repository}
    assert (run.repository - 2, "moved", moved) in {row[:3] for row in marts.rows("dim_repository")}


def test_a_build_without_news_writes_no_fact_again(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    history = History(raw, 7)
    commits_from_the_future(history, history.repositories[0])
    dbt.run()
    versions = {table: marts.rows(table, "xmin::text, ctid::text") for table in (*FACTS, *STEPS)}

    dbt.run()

    assert {table: marts.rows(table, "xmin::text, ctid::text") for table in (*FACTS, *STEPS)} == versions


def test_only_the_days_that_changed_are_written_again(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    repository, one = raw.repository("tools"), raw.person("one")
    with raw.run(repository) as run:
        run.add("kept", one, "2024-05-01 10:00+00")
        run.add("joined", one, "2024-05-02 10:00+00")
        run.add("gone", one, "2024-05-03 10:00+00")
    dbt.run()
    before = dict(
        marts.query(
            "select activity_day::text, xmin::text from analytics.fct_daily_activity where date_kind = 'authored'"
        )
    )
    with raw.run(repository) as run:
        run.add("late", one, "2024-05-02 09:00+00")
        run.remove(*raw.hashes(repository, "commit_date = '2024-05-03 10:00+00'"))

    dbt.run()

    after = dict(
        marts.query(
            "select activity_day::text, xmin::text from analytics.fct_daily_activity where date_kind = 'authored'"
        )
    )
    assert set(after) == {"2024-05-01", "2024-05-02"}
    assert after["2024-05-01"] == before["2024-05-01"]
    assert after["2024-05-02"] != before["2024-05-02"]


def test_only_the_repositories_that_changed_are_built_again(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    history = History(raw, 5)
    changed, other = history.repositories
    dbt.run()
    tables = ("fct_daily_commits", *STEPS)
    before = {table: dict(_versions(marts, table)) for table in tables}
    commits_of_known_days(history, changed)

    dbt.run()

    after = {table: dict(_versions(marts, table)) for table in tables}
    assert {table: versions.get(other) for table, versions in after.items()} == {
        table: versions.get(other) for table, versions in before.items()
    }
    again = {table for table in tables if after[table].get(changed) != before[table].get(changed)}
    assert again >= {"fct_daily_commits", "int_contributor_totals", "int_identity_commits", "int_time_series"}


def test_two_commits_that_swap_a_flag_are_built_again(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    """Which is the first of its patch anywhere changes with another repository, and without a run of their own."""
    repository, other, one = raw.repository("tools"), raw.repository("fork"), raw.person("one")
    with raw.run(repository) as run:
        run.add("first until now", one, "2024-05-01 10:00+00", patch="p")
        run.add("first from now on", one, "2024-05-02 10:00+00", patch="q")
        run.add("the same of one day", one, "2024-05-03 10:00+00", patch="r", lines=(1, 0))
        run.add("the other of that day", one, "2024-05-03 10:00+00", patch="s", lines=(2, 0))
    with raw.run(other) as run:
        run.add("leaves", one, "2024-05-01 08:00+00", patch="q")
        run.add("leaves, too", one, "2024-05-01 08:00+00", patch="s")
    dbt.run()
    with raw.run(other) as run:
        run.add("earlier", one, "2024-05-01 09:00+00", patch="p")
        run.add("earlier, too", one, "2024-05-01 09:00+00", patch="r")
        run.flip(commit_hash("leaves"), commit_hash("leaves, too"))

    dbt.run()

    firsts = "select commit_hash from analytics.fct_commits where repository_id = %s and is_first_of_patch_anywhere"
    now = {commit_hash("first from now on"), commit_hash("the other of that day")}
    assert {row[0] for row in marts.query(firsts, repository)} == now
    dbt.run("--full-refresh", schema="rebuilt")
    marts.assert_equal_to_full_refresh()


def test_another_text_or_another_variable_builds_every_repository_again(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    History(raw, 6)
    dbt.run()

    counting = dbt.having(counted_file_classes=["source", "tests"])
    counting.run()
    counting.run("--full-refresh", schema="rebuilt")
    marts.assert_equal_to_full_refresh()

    marts.query(
        "update analytics_intermediate.int_built_repositories set state = state || 'older text'"
        " where model_name = 'int_time_series'"
    )
    marts.query("update analytics_intermediate.int_time_series set commits = 99")
    dbt.run()
    dbt.run("--full-refresh", schema="rebuilt")
    marts.assert_equal_to_full_refresh()


def test_a_table_of_which_nobody_knows_the_states_is_rebuilt(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    """So it is when the tables are from before there was such knowledge; rows of a repository that is gone go, too."""
    history = History(raw, 8)
    dbt.run()
    marts.query("drop table analytics_intermediate.int_built_repositories")
    purge_it(raw, history.repositories[0])

    dbt.run()

    dbt.run("--full-refresh", schema="rebuilt")
    marts.assert_equal_to_full_refresh()


def test_a_state_is_noted_with_the_rows_or_not_at_all(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    history = History(raw, 9)
    dbt.run()
    a_late_commit(history, history.repositories[0])
    marts.query("create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$")
    marts.query(
        "create trigger refuse before insert on analytics_intermediate.int_built_repositories for each row"
        " when (new.model_name = 'fct_daily_activity') execute function refuse()"
    )
    before = marts.rows("fct_daily_activity")

    statuses = dbt.invoke("run")

    assert statuses["fct_daily_activity"] == "error"
    assert marts.rows("fct_daily_activity") == before
    marts.query("drop function refuse() cascade")
    dbt.run()
    dbt.run("--full-refresh", schema="rebuilt")
    marts.assert_equal_to_full_refresh()


def _versions(marts: Marts, table: str) -> list[tuple[Any, ...]]:
    schema = "analytics_intermediate" if table in STEPS else "analytics"
    return marts.query(
        f"select repository_id, string_agg(xmin::text || ctid::text, ' ' order by ctid) from {schema}.{table} group by 1"
    )


@pytest.mark.slow
def test_a_table_of_another_version_is_rebuilt(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    history = History(raw, 3)
    dbt.run()
    marts.query("alter table analytics.fct_commits drop column is_merge")
    marts.query("alter table analytics.fct_daily_activity rename column commits to some_commits")
    a_late_commit(history, history.repositories[0])

    dbt.run()

    dbt.run("--full-refresh", schema="rebuilt")
    marts.assert_equal_to_full_refresh()


def test_what_a_killed_build_left_does_not_stop_the_next(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    history = History(raw, 4)
    dbt.run()
    for fact in FACTS:
        marts.query(
            f"create table analytics.{fact}__dbt_backup as select 1; create view analytics.{fact}__dbt_tmp as select 1"
        )
        marts.query(f"alter table analytics.{fact}__dbt_backup owner to gitmart_transform")
        marts.query(f"alter view analytics.{fact}__dbt_tmp owner to gitmart_transform")
    a_late_commit(history, history.repositories[0])

    dbt.run()

    dbt.run("--full-refresh", schema="rebuilt")
    marts.assert_equal_to_full_refresh()
    assert (
        marts.query("select relname from pg_class where relname like '%%dbt_backup' or relname like '%%dbt_tmp'") == []
    )


def test_a_build_that_fails_in_its_last_statement_changes_nothing(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    repository, one = raw.repository("tools"), raw.person("one")
    with raw.run(repository) as run:
        run.add("old", one)
    dbt.run()
    before = marts.rows("fct_commits")
    with raw.run(repository) as run:
        run.remove(*raw.hashes(repository))
        run.add("new", one)
    marts.query("create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$")
    marts.query("create trigger refuse before delete on analytics.fct_commits for each row execute function refuse()")

    statuses = dbt.invoke("run", "--select", "fct_commits")

    assert statuses == {"fct_commits": "error"}
    assert marts.rows("fct_commits") == before
    marts.query("drop function refuse() cascade")
    dbt.run()
    assert marts.rows("fct_commits") != before


@pytest.mark.slow
def test_an_extraction_between_the_statements_of_fct_commits_is_not_half_seen(
    server: EmbeddedPostgres, dbt_database: str, dbt: Dbt, raw: Raw, marts: Marts
) -> None:
    """The build is held where it looks for removals, having looked for new commits; meanwhile a force-push lands."""
    repository, one = raw.repository("tools"), raw.person("one")
    with raw.run(repository) as run:
        run.add("old", one)
    dbt.run()
    with raw.run(repository) as run:
        run.add("second", one)
    outcome: list[dict[str, str]] = []
    build = threading.Thread(target=lambda: outcome.append(dbt.run("--select", "fct_commits")))

    with psycopg.connect(server.url("postgres", dbt_database)) as extraction:
        extraction.execute("lock table removed_commits in access exclusive mode")
        build.start()
        _wait_until_somebody_waits(marts)
        run = type(run)(extraction, repository, 3)
        run.remove(*raw.hashes(repository))
        run.add("rewritten", one)
        run.finish()
    build.join(timeout=60)

    assert outcome == [{"fct_commits": "success"}]
    assert sorted(marts.query("select changed_run from analytics.fct_commits")) == [(1,), (2,)]
    dbt.run()
    dbt.run("--full-refresh", schema="rebuilt")
    marts.assert_equal_to_full_refresh()


@pytest.mark.slow
def test_an_extraction_during_a_build_waits_for_the_next_one(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    repository, one, two = raw.repository("tools"), raw.person("one"), raw.person("two")
    with raw.run(repository) as run:
        run.add("old", one)
    dbt.run()

    def extract_after_the_commits(event: Any) -> None:
        # One event in each build: once fct_commits is there, before anything that reads it.
        if event.info.name == "NodeFinished" and event.data.node_info.node_name == "fct_commits":
            with raw.run(repository) as run:
                run.remove(*raw.hashes(repository))
                run.add(f"new-{run.number}", two, "2024-06-01 10:00+00")

    statuses = dbt.invoke("build", *NO_UNIT_TESTS, callbacks=[extract_after_the_commits])

    assert set(statuses.values()) <= {"success", "pass", "no-op"}, statuses
    assert marts.query("select commits, first_commit_at = last_commit_at from analytics.repository_summary") == [
        (1, True)
    ]
    assert marts.query("select contributor_name from analytics.dim_contributor") == [("one",)]
    dbt.run()
    dbt.run("--full-refresh", schema="rebuilt")
    marts.assert_equal_to_full_refresh()
    assert marts.query("select contributor_name from analytics.dim_contributor") == [("two",)]


@pytest.mark.slow
@pytest.mark.parametrize("words", [pytest.param((), id="incremental"), pytest.param(("--full-refresh",), id="full")])
def test_files_are_those_of_the_commits_that_the_build_has(
    dbt: Dbt, raw: Raw, marts: Marts, words: tuple[str, ...]
) -> None:
    """Between fct_commits and the mart of files one commit vanishes, one is of another class, and one comes."""
    repository, one = raw.repository("tools"), raw.person("one")
    with raw.run(repository) as run:
        for name in ("kept", "gone", "reclassed"):
            run.add(name, one, paths=("README", "src/a.py"))
    selected = ("--select", *STATES, "fct_commits", "fct_file_changes")
    dbt.run()
    files = "select commit_hash, file_number, path, file_class from {} order by 1, 2"
    built = "analytics.fct_file_changes join analytics.fct_commits using (repository_id, commit_id, changed_run)"
    names = {commit_hash(name): name for name in ("kept", "gone", "reclassed", "new")}
    before = _versions_of_files(marts)

    def extract_after_the_commits(event: Any) -> None:
        if event.info.name == "NodeFinished" and event.data.node_info.node_name == "fct_commits":
            with raw.run(repository) as run:
                run.remove(commit_hash("gone"))
                run.reclass("g", commit_hash("reclassed"))
                run.add("new", one, paths=("README",))

    statuses = dbt.invoke("run", *selected, *words, callbacks=[extract_after_the_commits])

    assert set(statuses.values()) == {"success"}
    assert marts.query("select count(*) from analytics.fct_commits") == [(3,)]
    found = [(names[row[0]], *row[1:]) for row in marts.query(files.format(built))]
    assert marts.query("select count(*) from analytics.fct_file_changes") == [(len(found),)]
    assert {row[3] for row in found} == {"source"}
    assert {row[0] for row in found} == ({"kept"} if words else {"kept", "gone", "reclassed"})

    dbt.run()
    dbt.run("--full-refresh", schema="rebuilt")
    marts.assert_equal_to_full_refresh()
    found = [(names[row[0]], *row[1:]) for row in marts.query(files.format(built))]
    assert sorted(found) == [
        ("kept", 1, "README", "source"), ("kept", 2, "src/a.py", "source"), ("new", 1, "README", "source"),
        ("reclassed", 1, "README", "generated"), ("reclassed", 2, "src/a.py", "generated"),
    ]  # fmt: skip
    if not words:
        assert set(before) & set(_versions_of_files(marts)) == {
            row for row in before if row[0] == commit_hash("kept")
        }, "only what changed is written again"


def _versions_of_files(marts: Marts) -> list[tuple[Any, ...]]:
    return marts.query(
        "select c.commit_hash, f.file_number, f.xmin::text from analytics.fct_file_changes as f"
        " join analytics.fct_commits as c using (repository_id, commit_id)"
    )


def _wait_until_somebody_waits(marts: Marts) -> None:
    for _ in range(3000):
        if marts.query("select pg_sleep(0.01) from pg_locks where not granted"):
            return
    pytest.fail("the build never came to its removals")
