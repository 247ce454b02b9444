"""`gitmart identities forget`: the person is nowhere in the database, stays out of it, and every count is as it was."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.integration.extract.conftest import Extraction

from gitmart.cli import main
from gitmart.extract.forget import find, forget
from gitmart.extract.metadata.accounts import Place, Wanted, keep, read_wanted
from gitmart.extract.metadata.facts import Account, CommitAccounts
from gitmart.extract.progress import Lines
from gitmart.extract.purge import find as find_repository
from gitmart.extract.purge import purge
from gitmart.local.cluster import program
from gitmart.warehouse.connections import connect
from gitmart.warehouse.locks import FORGET_LOCK, session_lock, shared_lock

DBT = Path(__file__).parents[3] / "dbt"

NAME, EMAIL, LOGIN = "Quilla Zarnowiec", "Quilla.Z@canary.example.org", "quillaz42"
NOREPLY = f"77+{LOGIN}@users.noreply.github.com"
PERSON = f"{NAME} <{EMAIL}>"
CANARIES = ("quilla", "zarnowiec", "zarnowi", "canary.example")

BODY = f"""fix what {NAME.upper()} found

{NAME.split()[0]}
{NAME.split()[1]} wrote (see {EMAIL.lower()}, mailto:{EMAIL}, "{NOREPLY}", @{LOGIN}).
Merge pull request #1 from {LOGIN}/fix, as of https://github.com/{LOGIN.upper()}. Quílla Zarnowiec.

Co-authored-by: {PERSON}
Reviewed-by: "Zarnowiec, Quilla" <{EMAIL}>
Acked-by: Quilla the Third <{EMAIL.upper()}>
Signed-off-by: Author One <one@example.org>
"""
MAILMAP = f"""# {NAME}
{NAME} <{EMAIL}> <{NOREPLY}>
Proper One <proper@example.org> <one@example.org>
"""

NUMBERS = """
select c.commit_hash, c.contributor_id, c.committer_id, p.canonical_id is null, p.kind, c.lines_added,
    (select count(*) from commit_trailers as t where t.commit_id = c.id and t.contributor_id is not null)
from commits as c join contributors as p on p.id = c.contributor_id order by 1
"""
PEOPLE = """
select coalesce(c.canonical_id, c.id), array_agg(c.id order by c.id) from contributors as c
where exists (select from commits where contributor_id = c.id)
group by 1 order by 2
"""

Forget = Callable[..., str]


def _dump(warehouse: Any, *words: str) -> str:
    """Return all data of the database, as whoever steals a backup would see it."""
    dump = program("pg_dump", warehouse.server.folder, "--inserts", *words, warehouse.url("postgres"))
    done = subprocess.run(dump.words, env=dump.environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().lower()


def _found(dump: str) -> set[str]:
    """Return the canaries that are in it, also within bytes and base64 of whatever begins with them."""
    return {
        canary
        for canary in CANARIES
        for form in (canary, canary.encode().hex(), base64.b64encode(canary.title().encode()).decode().lower()[:-4])
        if form in dump
    }


@pytest.fixture
def run_forget(warehouse: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Forget:
    monkeypatch.setenv("GITMART_WAREHOUSE_URL", warehouse.url("gitmart_extract"))

    def run(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        assert main(["identities", "forget", *words]) == code
        printed = capsys.readouterr()
        return str(printed.out if code == 0 else printed.err)

    return run


@pytest.fixture
def everywhere(repository: Any, extraction: Extraction, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A repository in the warehouse that tells of the person wherever a repository can."""
    repository.write("file", "1\n")
    repository.commit(f"{NAME} begins", PERSON)
    repository.write(".mailmap", MAILMAP)
    repository.commit(BODY)
    repository.git(
        "tag", "-a", "v1", "-m", f"by {PERSON}", GIT_COMMITTER_NAME=NAME, GIT_COMMITTER_EMAIL=EMAIL,
        GIT_COMMITTER_DATE=f"{repository.clock} +0000",
    )  # fmt: skip
    for author, committer, message in (
        (b"Quilla Zarnowi\xe9c <%s>" % EMAIL.encode(), b"Quilla Zarnowiec <root@localhost>", b"odd \xff\n\nby Quilla Zarnowiec"),
        (b"Q <%s>" % NOREPLY.encode(), b"C <c@example.org>", b"nul\0 of Quilla Zarnowiec"),
        (b"Other <other@example.org>", b"quilla zarnowiec <%s>" % EMAIL.encode(), b"nul\0" + "Quilla Zarnowiec".encode("utf-16")),
        (PERSON.encode(), b"C <c@example.org>", b"no date"),
    ):  # fmt: skip
        repository.clock += 60
        when = b"%d +0000" % repository.clock if message != b"no date" else b"99999999999999999 +0000"
        lines = (b"tree " + repository.git("write-tree").encode(), b"parent " + repository.git("rev-parse", "HEAD").encode(),
                 b"author %s %s" % (author, when), b"committer %s %s" % (committer, when))  # fmt: skip
        repository.commit_object(b"\n".join(lines) + b"\n\n" + message)
    repository.git("branch", "kept")
    repository.commit("soon gone", PERSON)
    extraction(repository)
    repository.git("reset", "-q", "--hard", "kept")
    extraction(repository)
    extraction.warehouse.query(
        """insert into contributor_accounts (contributor_id, host, provider, login, account_id, profile_url, source,
               commit_hash, checked_at)
           select id, 'github.com', 'github', %s, 77, 'https://github.com/' || %s, 'author', '', now()
           from contributors where email = %s""",
        LOGIN, LOGIN, EMAIL,
    )  # fmt: skip
    told = f"Key (name)=({NAME}) already exists: {EMAIL}"
    extraction.warehouse.query(
        """with run as (
               insert into dbt_meta.runs (target_schema, started_at, message, gitmart_version, full_refresh, selected,
                   excluded, threads)
               values ('analytics', now(), %s, '', false, '{}', '{}', 1) returning id
           ), node as (insert into dbt_meta.node_runs select id, 'model.a', 'a', 'model', 'error', 1, null, null, %s from run)
           insert into dbt_meta.artifacts select id, 'run_results.json', %s, 1 from run""",
        told, told, told.encode(),
    )  # fmt: skip
    monkeypatch.setenv("GITMART_WAREHOUSE_URL", extraction.warehouse.url("gitmart_extract"))
    for words in (["merge", "root@localhost", PERSON, "--reason", f"told me: {NAME}"],
                  ["kind", "other@example.org", "human", "--reason", f"as {NAME} said"]):  # fmt: skip
        assert main(["identities", *words]) == 0
    return repository


def _rows(warehouse: Any) -> dict[str, list[tuple[object, ...]]]:
    tables = warehouse.query("select tablename from pg_tables where schemaname = 'public' order by 1")
    return {str(table): sorted(warehouse.query(f"select * from {table}"), key=str) for (table,) in tables}


def _numbers(warehouse: Any) -> list[object]:
    tables = ("contributors", "commits", "commit_trailers", "commit_parents", "commit_files", "removed_commits",
              "quarantine", "refs")  # fmt: skip
    return [
        warehouse.query(NUMBERS),
        warehouse.query(PEOPLE),
        [warehouse.query(f"select count(*) from {table}") for table in tables],
        warehouse.query(
            "select repository_id, contributor_id, commit_count from repository_contributors order by 1, 2"
        ),
    ]


def test_the_person_is_nowhere_and_every_count_is_as_it_was(
    everywhere: Any, extraction: Extraction, warehouse: Any, run_forget: Forget
) -> None:
    assert _found(_dump(warehouse)) == set(CANARIES)
    before, rows = _numbers(warehouse), _rows(warehouse)

    said = run_forget(EMAIL, "--dry-run")
    assert "nothing was changed" in said
    assert _rows(warehouse) == rows
    assert run_forget(EMAIL, "--yes").splitlines()[:10] == said.splitlines()[:10]

    dump = _dump(warehouse)
    assert _found(dump) == set(), [line for line in dump.splitlines() if _found(line)]
    assert LOGIN not in dump
    after = _numbers(warehouse)
    assert after[0] == before[0]
    assert after[2:] == before[2:]
    assert {frozenset(ids) for _, ids in after[1]} == {frozenset(ids) for _, ids in before[1]}  # type: ignore[attr-defined]
    assert "one@example.org" in dump
    # A run was added for those who follow changed_run, and it looks no fresher than the one before.
    assert warehouse.query(
        """select count(distinct finished_at) = count(*) - 1, max(run_number), (select max(changed_run) from commits)
           from extraction_runs"""
    ) == [(True, 3, 3)]
    assert "nothing to do" in run_forget(EMAIL, "--yes")
    assert "nothing to do" in run_forget(NAME, "--yes")
    [(number,)] = warehouse.query("select max(id) from contributors where email like '%%.forgotten.invalid'")
    assert "nothing to do" in run_forget(str(number), "--yes")

    # What is erased in place is what any later load stores.
    erased = extraction.natural(everywhere)
    extraction(everywhere)
    assert extraction.natural(everywhere) == erased
    extraction.kept = frozenset({"first_parent_counts"})
    totals = extraction(everywhere)
    assert totals.new_commits == 0
    assert warehouse.query("select min(changed_run) from commits") == [(totals.run_number,)], "all was read anew"
    anew = extraction.natural(everywhere)
    assert _found(_dump(warehouse)) == set()
    with connect(warehouse.url("gitmart_extract"), application_name="test", autocommit=True) as connection:
        purge(connection, find_repository(connection, "project"))
    extraction(everywhere)
    assert _found(_dump(warehouse)) == set()
    for table, found in extraction.natural(everywhere).items():
        if table not in ("removed_commits", "extraction_runs"):
            assert found == anew[table], table
    extraction.kept = frozenset()
    extraction(everywhere)
    again = extraction.natural(everywhere)
    assert {name: again[name] for name in again if name != "removed_commits"} == {
        name: erased[name] for name in erased if name != "removed_commits"
    }

    # They go on working.
    everywhere.commit(BODY, PERSON)
    everywhere.commit("under another name", f"Q. Z. <{EMAIL.upper()}>")
    everywhere.commit("from another place", f"{NAME} <quilla.z@elsewhere.example.org>")
    extraction(everywhere)
    dump = _dump(warehouse)
    assert _found(dump) == set(), [line for line in dump.splitlines() if _found(line)]
    assert warehouse.query(
        "select count(distinct coalesce(canonical_id, id)) from contributors where email like '%.forgotten.invalid'"
        " and exists (select from commits where contributor_id = contributors.id)"
    ) == [(1,)]


@pytest.mark.slow
def test_the_marts_forget_with_the_next_incremental_build(
    everywhere: Any, extraction: Extraction, warehouse: Any, run_forget: Forget, tmp_path: Path
) -> None:
    def transform() -> None:
        done = subprocess.run(
            [sys.executable, "-m", "gitmart", "transform", "--project-dir", str(DBT), "--result-file", str(tmp_path / "r")],
            env={**os.environ, "GITMART_WAREHOUSE_URL": warehouse.url("gitmart_transform")}, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    marts = """select count(*), sum(commits), count(distinct contributor_kind), sum(co_authored_commits), sum(identities)
               from analytics.contributor_summary"""
    transform()
    before = warehouse.query(marts)
    assert _found(_dump(warehouse, "--schema=analytics*"))

    said = run_forget(EMAIL, "--yes")

    assert "these hold what they held: analytics.contributor_summary, analytics.dim_contributor" in said
    assert _found(_dump(warehouse, "--schema=public")) == set()
    transform()
    assert _found(_dump(warehouse)) == set()
    assert warehouse.query(marts) == before


def test_somebody_else_of_the_name_or_the_mailbox_stays(
    repository: Any, extraction: Extraction, warehouse: Any, run_forget: Forget
) -> None:
    repository.commit("one", "Ann Lee <team@example.org>")
    repository.commit("Ann Lee was here\n\nReviewed-by: Ann Lee <al@example.net>\n", "Bob Ray <team@example.org>")
    repository.commit("of root", "Ann Lee <root@localhost>")
    repository.commit("of root: root@localhost", "Rob Roy <root@localhost>")
    extraction(repository)
    assert main(["identities", "split", "Bob Ray"]) == 0

    said = run_forget("Ann Lee <team@example.org>", "--yes")

    people = warehouse.query("select name, email from contributors where email not like '%%.invalid' order by 1, 2")
    assert people == [
        ("Ann Lee", "al@example.net"), ("Ann Lee", "root@localhost"), ("Bob Ray", "team@example.org"),
        ("Committer", "committer@example.org"), ("Rob Roy", "root@localhost"),
    ]  # fmt: skip
    assert "1 of what ties their identities is somebody else's" in said
    assert "of the same name and not forgotten" in said
    [(message,)] = warehouse.query("select commit_message from commits where commit_message like '%%was here%%'")
    assert message.startswith("forgotten-")
    assert message.endswith(" was here\n\nReviewed-by: Ann Lee <al@example.net>\n")
    run_forget("Ann Lee <root@localhost>", "--yes")
    people = warehouse.query("select name, email from contributors where email like '%%@localhost'")
    assert people == [("Rob Roy", "root@localhost")]
    assert warehouse.query("select count(*) from commits where commit_message = 'of root: root@localhost'") == [(1,)]


def test_whom_the_warehouse_does_not_know_can_be_kept_out(
    repository: Any, extraction: Extraction, warehouse: Any, run_forget: Forget
) -> None:
    assert "no identity has" in run_forget(PERSON, "--yes", code=64)
    assert "--unseen takes" in run_forget(NAME, "--yes", "--unseen", code=64)

    run_forget(PERSON, "--yes", "--unseen")

    repository.commit(BODY, PERSON)
    extraction(repository)
    dump = _dump(warehouse)
    assert warehouse.query("select count(*) from contributors where email like '%%.forgotten.invalid'") == [(3,)]
    assert _found(dump.replace(LOGIN, "")) == set(), "nobody said what user name that is"
    assert "nothing to do" in run_forget(PERSON, "--yes")


def test_it_asks_before_and_refuses_without_a_terminal(
    repository: Any, extraction: Extraction, warehouse: Any, run_forget: Forget, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit("one", PERSON)
    extraction(repository)
    rows = _rows(warehouse)
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert "add --yes" in run_forget(PERSON, code=64)
    monkeypatch.undo()
    monkeypatch.setenv("GITMART_WAREHOUSE_URL", warehouse.url("gitmart_extract"))

    assert main(["identities", "kind", EMAIL, "bot"]) == 0
    assert "is no person but a bot" in run_forget(PERSON, "--yes", code=64)
    assert main(["identities", "undo", "1"]) == 0
    del rows["identity_decisions"]
    now = _rows(warehouse)
    assert {table: now[table] for table in rows} == rows


@pytest.mark.parametrize(("answer", "code"), [("yes\n", 0), ("no\n", 64)])
def test_a_user_is_asked(answer: str, code: int, repository: Any, extraction: Extraction, warehouse: Any) -> None:
    import pty

    repository.commit("one", PERSON)
    extraction(repository)
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, answer.encode())
        done = _command(warehouse, EMAIL, stdin=terminal).communicate()
    finally:
        os.close(keyboard)
        os.close(terminal)

    assert f"Forget {PERSON}, 1 identity? Nothing can undo it." in done[0]
    assert len(warehouse.query("select 1 from contributors where email = %s", EMAIL)) == (0 if code == 0 else 1)


def _command(warehouse: Any, *words: str, stdin: Any = subprocess.DEVNULL) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gitmart", "identities", "forget", *words],
        env={**os.environ, "GITMART_WAREHOUSE_URL": warehouse.url("gitmart_extract")},
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _wait_for(warehouse: Any, query: str) -> None:
    for _ in range(3_000):
        if warehouse.query(query) == [(True,)]:
            return
        threading.Event().wait(0.01)
    raise AssertionError(query)


def test_an_interrupted_one_changes_nothing_and_says_so(
    repository: Any, extraction: Extraction, warehouse: Any
) -> None:
    repository.commit(BODY, PERSON)
    extraction(repository)
    rows = _rows(warehouse)
    with psycopg.connect(warehouse.url("gitmart_owner")) as holder:
        holder.execute("lock table commit_trailers in exclusive mode")  # by then contributors and commits are changed

        process = _command(warehouse, EMAIL, "--yes")
        _wait_for(
            warehouse,
            "select count(*) > 0 from pg_locks join pg_class on oid = relation where relname = 'commit_trailers' and not granted",
        )
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert process.returncode not in (0, 1)
    assert "nobody was forgotten, and everything is as it was" in errors
    assert _rows(warehouse) == rows


def test_a_run_under_way_does_not_bring_the_person_back(
    repository: Any, extraction: Extraction, warehouse: Any
) -> None:
    forgotten = []

    class Forgetting(Lines):
        """Forgets the person once their commits are in staging."""

        def phase(self, name: str, total: float | None = None) -> None:
            super().phase(name, total)
            if name == "merge" and not forgotten:
                with psycopg.connect(warehouse.url("gitmart_extract")) as connection:
                    forgotten.append(forget(connection, find(connection, EMAIL)))

    repository.commit("one", PERSON)
    extraction(repository)
    repository.commit(BODY, PERSON)
    totals = extraction(repository, reporter=Forgetting)

    assert forgotten
    assert (totals.new_commits, totals.commits) == (1, 2)
    assert _found(_dump(warehouse).replace(LOGIN, "")) == set()
    assert warehouse.query("select count(*) from pg_tables where schemaname = 'gitmart_staging'") == [(0,)]


def test_it_waits_for_a_merge_and_a_merge_for_it(repository: Any, extraction: Extraction, warehouse: Any) -> None:
    waiting = "select count(*) > 0 from pg_locks where locktype = 'advisory' and not granted"
    repository.commit("one", PERSON)
    extraction(repository)
    with connect(warehouse.url("gitmart_extract"), application_name="test", autocommit=True) as merging:
        with shared_lock(merging, FORGET_LOCK):
            process = _command(warehouse, EMAIL, "--yes")
            _wait_for(warehouse, waiting)
            assert warehouse.query("select count(*) from forgotten") == [(0,)]
        assert process.communicate(timeout=60)[1] == ""

        repository.commit("two", PERSON)
        with session_lock(merging, FORGET_LOCK):
            run = threading.Thread(target=extraction, args=[repository])
            run.start()
            _wait_for(warehouse, waiting)
            assert warehouse.query("select count(*) from commits") == [(1,)]
        run.join()

    assert warehouse.query("select count(*) from commits") == [(2,)]
    assert _found(_dump(warehouse)) == set()


def test_a_host_is_not_asked_for_forgotten_people(
    repository: Any, extraction: Extraction, warehouse: Any, run_forget: Forget
) -> None:
    made = repository.commit("one", PERSON)
    extraction(repository)
    [(number,)] = warehouse.query("select id from contributors where email = %s", EMAIL)
    place, now = Place(1, "github.com", "github"), datetime.now(UTC)
    with connect(warehouse.url("gitmart_extract"), application_name="test", autocommit=True) as connection:
        wanted = read_wanted(connection, place, now)
        assert number in wanted
        run_forget(EMAIL, "--yes")

        told = [CommitAccounts(made, Account(LOGIN, 77, f"https://github.com/{LOGIN}"), None)]
        keep(connection, place, Wanted(int(str(number)), "author", made), wanted, told, now)  # an answer under way

        assert number not in read_wanted(connection, place, now)
    assert LOGIN not in _dump(warehouse)
