"""Incremental equals full: after any sequence of extractions the marts equal those of a full refresh."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from gitmart.extract.purge import find, purge
from gitmart.local.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from tests.integration.dbt.conftest import Dbt, Marts, Raw, Run

FACTS = ("fct_commits", "fct_contributions", "fct_daily_activity")
PEOPLE = 4
LETTERS = "ssstdcgvx"  # of classes of files


class History:
    """Random histories of a few repositories, with few days and people, so that commits often share both."""

    def __init__(self, raw: Raw, seed: int) -> None:
        self.raw = raw
        self.random = random.Random(seed)
        self.people = [raw.person(f"person-{n}", "human" if n else "assistant") for n in range(PEOPLE)]
        self.repositories = [raw.repository(f"repository-{number}") for number in range(2)]
        self.names = 0
        self.told: list[str] = []
        for repository in self.repositories:
            with raw.run(repository) as run:
                for _ in range(6):
                    self.add(run)

    def add(self, run: Run, date: str | None = "", **other: Any) -> None:
        self.names += 1
        name = f"{run.repository}-{self.names}"
        author = self.random.choice(self.people)
        lines = (self.random.randrange(3), self.random.randrange(3))
        letter = self.random.choice(LETTERS)
        other.setdefault("committed", self.day())
        patch = None if other.get("merge") or self.random.random() < 0.3 else f"patch-{self.random.randrange(5)}"
        date, zone = self.day() if date == "" else date, self.random.choice((0, 330, -480, None))
        run.add(name, author, date, lines=lines, file_class=letter, patch=patch, zone=zone, **other)
        for _ in range(self.random.randrange(3)):
            kind = self.random.choice(("co_author", "reviewer", "assistant", "fix"))
            run.credit(name, kind, None if kind == "fix" else self.random.choice([*self.people, None]))

    def day(self) -> str:
        return f"2024-05-0{self.random.randrange(1, 5)} {self.random.randrange(24):02}:00+00"

    def some(self, repository: int, condition: str = "true") -> list[str]:
        hashes = self.raw.hashes(repository, condition)
        return self.random.sample(hashes, min(len(hashes), self.random.randrange(1, 4)))

    def happen(self, event: Callable[[History, int], None]) -> None:
        self.told.append(event.__name__)
        event(self, self.random.choice(self.repositories))


def commits_of_known_days(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        history.add(run)
        history.add(run, merge=True)


def a_late_commit(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        history.add(run, "1999-12-31 23:59:59+00")


def commits_from_the_future(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        history.add(run, "2999-01-01 00:00+00", committed=history.day())
        history.add(run, "2999-01-01 00:00+00", committed="2999-01-01 00:00+00")


def a_commit_without_a_date(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        history.add(run, None)


def a_commit_beside_the_default_branch(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        history.add(run, in_default_branch=False)


def commits_vanish(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        run.remove(*history.some(repository))


def a_whole_day_vanishes(history: History, repository: int) -> None:
    first = "commit_date < (select min(commit_date) + interval '1 day' from commits)"
    with history.raw.run(repository) as run:
        run.remove(*history.raw.hashes(repository, first))


def the_commits_of_the_newest_run_vanish(history: History, repository: int) -> None:
    newest = f"changed_run = (select max(changed_run) from commits where repository_id = {repository})"
    with history.raw.run(repository) as run:
        run.remove(*history.raw.hashes(repository, newest))


def everything_vanishes(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        run.remove(*history.raw.hashes(repository))


def history_is_rewritten(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        run.remove(*history.some(repository))
        history.add(run)


def vanished_commits_return(history: History, repository: int) -> None:
    """Some on another day: what their raw bytes were taken for may change from version to version."""
    gone = history.raw.query(
        "select commit_hash, max(contributor_id) from removed_commits where repository_id = %s and commit_hash not in"
        " (select commit_hash from commits where repository_id = %s) group by 1 order by 1",
        repository, repository,
    )  # fmt: skip
    with history.raw.run(repository) as run:
        for name, author in gone[:3]:
            run.add(name, author, history.day())
            history.raw.query(
                "update commits set commit_hash = %s where changed_run = %s and commit_hash ="
                " left(encode(sha256(cast(%s as bytea)), 'hex'), 40) returning 1",
                name,
                run.number,
                name,
            )


def commits_go_and_return_between_two_builds(history: History, repository: int) -> None:
    commits_vanish(history, repository)
    vanished_commits_return(history, repository)


def commits_enter_and_leave_the_default_branch(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        run.flip(*history.some(repository))


def two_identities_turn_out_to_be_one_person(history: History, repository: int) -> None:
    one, other = history.random.sample(history.people, 2)
    history.raw.query("update contributors set canonical_id = null where canonical_id = %s returning 1", one)
    history.raw.join(other, None)
    history.raw.join(one, other)


def identities_are_told_apart(history: History, repository: int) -> None:
    for person in history.people:
        history.raw.join(person, None)


def files_turn_out_to_be_of_another_class(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        run.reclass(history.random.choice(LETTERS), *history.some(repository))


def a_repository_comes(history: History, repository: int) -> None:
    history.repositories.append(history.raw.repository(f"repository-{len(history.repositories)}"))
    commits_of_known_days(history, history.repositories[-1])


def an_empty_repository_comes(history: History, repository: int) -> None:
    nothing_happens(history, history.raw.repository(f"empty-{len(history.told)}"))


def a_repository_is_purged(history: History, repository: int) -> None:
    purge_it(history.raw, repository)
    position = history.repositories.index(repository)
    history.repositories[position] = history.raw.repository(f"repository-{position}")
    commits_of_known_days(history, history.repositories[position])


def purge_it(raw: Raw, repository: int) -> None:
    [(url,)] = raw.query("select url from repositories where id = %s", repository)
    purge(raw.connection, find(raw.connection, url))


def the_host_tells_something_new(history: History, repository: int) -> None:
    day = f"2024-06-{len(history.told) + 1:02}"
    history.raw.snapshot(repository, day, history.random.randrange(3), Python="0.5", Shell="0.5")
    history.raw.query("update contributors set username = %s where id = %s returning 1", day, history.people[0])


def patch_ids_are_switched_off(history: History, repository: int) -> None:
    """All rows are read anew then."""
    with history.raw.run(repository) as run:
        history.raw.query(
            "update commits set patch_id = null, changed_run = %s where repository_id = %s returning 1",
            run.number, repository,
        )  # fmt: skip


def nothing_happens(history: History, repository: int) -> None:
    with history.raw.run(repository):
        pass


EVENTS = [
    commits_of_known_days, a_late_commit, commits_from_the_future, a_commit_without_a_date,
    a_commit_beside_the_default_branch, commits_vanish, a_whole_day_vanishes, the_commits_of_the_newest_run_vanish,
    everything_vanishes, history_is_rewritten, vanished_commits_return, commits_go_and_return_between_two_builds,
    commits_enter_and_leave_the_default_branch, two_identities_turn_out_to_be_one_person, identities_are_told_apart,
    files_turn_out_to_be_of_another_class,
    a_repository_comes, an_empty_repository_comes, a_repository_is_purged, the_host_tells_something_new,
    patch_ids_are_switched_off, nothing_happens,
]  # fmt: skip


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
        for event in [events.pop() for _ in range(min(len(events), history.random.randrange(1, 6)))]:
            history.happen(event)
        dbt.run("--select", *FACTS)
        dbt.run("--select", *FACTS, "--full-refresh", schema="rebuilt")
        try:
            marts.assert_equal_to_full_refresh(FACTS)
        except AssertionError as difference:
            difference.add_note(f"seed {seed}, after {', '.join(history.told)}")
            raise

    built = dbt.build("--exclude-resource-type", "unit_test")  # those are written for the default
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
    versions = {fact: marts.rows(fact, "xmin::text, ctid::text") for fact in FACTS}

    dbt.run()

    assert {fact: marts.rows(fact, "xmin::text, ctid::text") for fact in FACTS} == versions


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
    dbt.build()

    def extract_after_the_commits(event: Any) -> None:
        # One event in each build: once fct_commits is there, before anything that reads it.
        if event.info.name == "NodeFinished" and event.data.node_info.node_name == "fct_commits":
            with raw.run(repository) as run:
                run.remove(*raw.hashes(repository))
                run.add(f"new-{run.number}", two, "2024-06-01 10:00+00")

    statuses = dbt.invoke("build", callbacks=[extract_after_the_commits])

    assert set(statuses.values()) <= {"success", "pass", "no-op"}, statuses
    assert marts.query("select commits, first_commit_at = last_commit_at from analytics.repository_summary") == [
        (1, True)
    ]
    assert marts.query("select contributor_name from analytics.dim_contributor") == [("one",)]
    dbt.run()
    dbt.run("--full-refresh", schema="rebuilt")
    marts.assert_equal_to_full_refresh()
    assert marts.query("select contributor_name from analytics.dim_contributor") == [("two",)]


def _wait_until_somebody_waits(marts: Marts) -> None:
    for _ in range(3000):
        if marts.query("select pg_sleep(0.01) from pg_locks where not granted"):
            return
    pytest.fail("the build never came to its removals")
