"""A replica has what its source has, whole transactions alone, whatever is stopped in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.integration.replication.conftest import Pair

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("replication")]

SLOTS = "pg_replication_slots where database = current_database()"


@pytest.fixture
def history(repository: Any) -> Any:
    """A history with a branch, a merge, a trailer, bytes that are no UTF-8 and two tags."""
    repository.write("a.py", "a\n" * 5)
    repository.commit("first\n\nCo-authored-by: Two <two@example.org>\n")
    repository.write(b"odd \xff", "x\n")
    repository.commit(b"odd \xff")
    repository.git("tag", "one")
    repository.git("checkout", "-q", "-b", "side")
    repository.write("b.py", "b\n" * 3)
    repository.commit("beside", "Author Two <two@example.org>")
    repository.git("checkout", "-q", "main")
    repository.commit("third")
    repository.merge("side")
    return repository


def rewrite(repository: Any) -> None:
    """Force-push: the newest commits go, and others come."""
    repository.git("reset", "-q", "--hard", "one")
    repository.git("branch", "-D", "side")
    repository.write("a.py", "another\n")
    repository.commit("instead", "Author Three <three@example.org>")


def test_every_row_arrives_and_goes_and_changes_as_on_the_source(pair: Pair, history: Any) -> None:
    assert pair.extract(history).code == 0
    pair.set_up()
    pair.settle()
    first = pair.rows(pair.source)
    assert pair.rows(pair.replica) == first
    assert len(first["commits"]) == 5
    assert first["commit_trailers"]
    assert first["quarantine"]

    history.commit("another day")
    rewrite(history)
    assert pair.extract(history).code == 0
    pair.settle()

    second = pair.rows(pair.source)
    assert pair.rows(pair.replica) == second
    assert len(second["commits"]) == 3
    assert second["removed_commits"]


def test_what_dbt_does_not_read_stays_where_it_is(pair: Pair, history: Any) -> None:
    pair.extract(history)
    pair.set_up()

    for table in ("identity_keys", "mailmap_entries", "forgotten", "forgotten_key", "host_answers"):
        assert table not in pair.rows(pair.source)
    assert pair.source.query("select count(*) > 0 from identity_keys") == [(True,)]
    assert pair.replica.query("select count(*) from identity_keys") == [(0,)]
    assert pair.replica.query("select revision = (select version_num from gitmart_revision) from replicated_from") == [
        (True,)
    ]


def test_dbt_builds_on_the_replica_what_it_builds_on_the_source(pair: Pair, history: Any) -> None:
    pair.extract(history)
    pair.set_up()
    first = pair.transform(pair.replica, "--threads=2", whole=True)
    rewrite(history)
    pair.extract(history)
    pair.settle()

    runs = [pair.transform(side, "--threads=2", whole=True) for side in (pair.replica, pair.source)]

    assert [run.result["outcome"] for run in (first, *runs)] == ["Succeeded"] * 3
    marts = "select tablename from pg_tables where schemaname = 'analytics' order by 1"
    names = pair.source.query(marts)
    assert pair.replica.query(marts) == names
    assert len(names) > 12
    for (name,) in names:
        built = [
            side.query(f"select to_jsonb(t) from analytics.{name} as t order by to_jsonb(t)::text")
            for side in (pair.replica, pair.source)
        ]
        assert built[0] == built[1], name
    assert pair.replica.query("select count(*) from analytics.fct_commits") == [(3,)]


def test_the_lag_is_told_by_the_run_and_kept(pair: Pair, history: Any) -> None:
    pair.extract(history)
    pair.set_up()

    told = pair.transform().result
    alone = pair.transform(pair.source).result

    assert 0 <= told["replicationLagSeconds"] < 40, "a source at rest says every 30 s that it is there"
    kept = pair.replica.query("select replicated_until from dbt_meta.runs")
    assert [moment.isoformat(timespec="milliseconds") for (moment,) in kept] == [told["replicatedUntil"]]
    assert "replicationLagSeconds" not in alone
    assert pair.source.query("select replicated_until from dbt_meta.runs") == [(None,)]


def test_an_extraction_is_seen_whole_or_not_at_all(pair: Pair, history: Any) -> None:
    pair.set_up()
    with psycopg.connect(pair.replica.url()) as held:
        held.execute("lock table refs in access exclusive mode")  # the stream stops in the middle of the transaction
        assert pair.extract(history).code == 0
        waiting = "select count(*) > 0 from pg_locks where not granted and relation = 'refs'::regclass"
        pair.replica.until(waiting)
        # books and contributors come in transactions of their own
        assert pair.replica.query("select count(*) from commits") == [(0,)]
        assert pair.replica.query("select count(*) from extraction_runs") == [(0,)]
    pair.settle()

    assert pair.rows(pair.replica) == pair.rows(pair.source)


def test_it_goes_on_after_either_server_was_stopped(pair: Pair, history: Any) -> None:
    pair.extract(history)
    pair.set_up()
    for side in (pair.replica, pair.source):
        side.server.stop()
        if side is pair.replica:
            history.commit("while the replica is down")
            assert pair.extract(history).code == 0
        side.server.start()
        history.commit("afterwards")
        assert pair.extract(history).code == 0
    pair.settle()

    assert pair.rows(pair.replica) == pair.rows(pair.source)
    assert pair.transform().result["outcome"] == "Succeeded"


def test_nothing_is_built_while_the_source_is_down_and_the_lag_grows(pair: Pair, history: Any) -> None:
    pair.extract(history)
    pair.set_up()
    good = pair.transform().result
    pair.source.server.stop()
    try:
        first, second = (pair.transform().result for _ in range(2))
        state = pair.replicate("status", "--json", code=88)
    finally:
        pair.source.server.start()
    pair.replicate("status", "--wait=60s")
    again = pair.transform().result

    assert [each["outcome"] for each in (good, first, second, again)] == [
        "Succeeded", "ReplicaNotReady", "ReplicaNotReady", "Succeeded",
    ]  # fmt: skip
    assert "nothing comes from the source" in first["message"]
    assert good["replicationLagSeconds"] < first["replicationLagSeconds"] < second["replicationLagSeconds"]
    assert again["replicationLagSeconds"] < good["replicationLagSeconds"] + 40
    told = json.JSONDecoder().raw_decode(state)[0]
    assert (told["ready"], told["lagBytes"]) == (False, None)
    assert told["lagSeconds"] > second["replicationLagSeconds"]


def test_a_row_that_cannot_be_applied_is_no_success(pair: Pair, history: Any) -> None:
    pair.extract(history)
    pair.set_up()
    [(highest,)] = pair.source.query("select max(id) from commits")
    pair.replica.query(
        "insert into commits (id, repository_id, contributor_id, committer_id, commit_hash, commit_message, lines_added,"
        " lines_deleted, changed_run, files_changed, parent_count, in_default_branch)"
        " select %s + n, 99, 1, 1, 'mine' || n, 'm', 0, 0, 1, 0, 0, true from generate_series(1, 5) as n",
        highest,
    )
    history.commit("it has an id that is taken on the replica")
    pair.extract(history)

    refused = pair.transform().result

    assert refused["outcome"] == "ReplicaNotReady"
    assert "cannot be applied" in refused["message"]
    assert refused["replicationLagSeconds"] > 0
    pair.replica.query("delete from commits where repository_id = 99")
    pair.settle()
    assert pair.rows(pair.replica) == pair.rows(pair.source)


def test_nothing_is_built_while_tables_are_copied(pair: Pair, history: Any) -> None:
    pair.extract(history)
    with psycopg.connect(pair.replica.url()) as held:
        held.execute("lock table commit_files in share mode")  # its copy waits, that of others does not
        pair.replicate("set-up")
        pair.replica.until("select count(*) = 1 from pg_subscription_rel where srsubstate <> 'r'")
        refused = pair.transform().result
        printed = pair.replicate("status", code=88)
    pair.replicate("status", "--wait=60s")

    assert refused["outcome"] == "ReplicaNotReady"
    assert "the first copy of the raw tables has not ended for commit_files" in refused["message"]
    assert "replicationLagSeconds" not in refused, "tables that do not belong together have no age"
    assert pair.replica.query("select count(*) from pg_class where relnamespace = 'analytics'::regnamespace") == [(0,)]
    assert "commits                    ready" in printed
    assert pair.transform().result["outcome"] == "Succeeded"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        pytest.param(
            "alter subscription gitmart_replica disable", "is disabled or has no replication slot", id="disabled"
        ),
        pytest.param(
            "alter subscription gitmart_replica disable; alter subscription gitmart_replica set (slot_name = none);"
            " drop subscription gitmart_replica",
            "no subscription brings the raw tables any more",
            id="dropped",
        ),
        pytest.param("update replicated_from set revision = 'r0001'", "set up at revision r0001", id="migrated since"),
    ],
)
def test_nothing_is_built_without_a_stream_and_set_up_heals(
    pair: Pair, history: Any, statement: str, said: str
) -> None:
    pair.extract(history)
    pair.set_up()
    for each in statement.split(";"):
        pair.replica.query(each)

    refused = pair.transform().result

    assert (refused["outcome"], said in refused["message"]) == ("ReplicaNotReady", True), refused
    pair.replicate("set-up", *(["--anew"] if "drop" in statement else []))
    pair.replicate("status", "--wait=60s")
    assert pair.rows(pair.replica) == pair.rows(pair.source)
    assert pair.transform().result["outcome"] == "Succeeded"


def drop_the_slot(pair: Pair) -> None:
    pair.source.query(f"select pg_drop_replication_slot(slot_name) from {SLOTS}")


def outrun_the_slot(pair: Pair) -> None:
    """Let the source write more than it keeps for a replica that is away."""
    pair.source.query("alter system set max_slot_wal_keep_size = '1MB'")
    pair.source.query("select pg_reload_conf()")
    try:
        for _ in range(4):
            pair.source.query("select pg_logical_emit_message(false, 'test', 'x')")
            pair.source.query("select pg_switch_wal()")
        pair.source.query("checkpoint")
        pair.source.until(f"select wal_status = 'lost' from {SLOTS}")
    finally:
        pair.source.query("alter system reset max_slot_wal_keep_size")
        pair.source.query("select pg_reload_conf()")


@pytest.mark.parametrize("lose", [drop_the_slot, outrun_the_slot])
def test_a_lost_slot_is_told_and_healed_by_copying_anew(pair: Pair, history: Any, lose: Callable[[Pair], None]) -> None:
    pair.extract(history)
    pair.set_up()
    pair.replica.query("alter subscription gitmart_replica disable")
    pair.source.until(f"select not active from {SLOTS}")
    lose(pair)
    pair.replica.query("alter subscription gitmart_replica enable")
    history.commit("never streamed")
    pair.extract(history)

    assert pair.transform().result["outcome"] == "ReplicaNotReady"
    assert "run `gitmart replicate set-up --anew`" in pair.replicate("status", code=88)
    assert "add --anew to copy everything again" in pair.replicate("set-up", code=64)
    pair.replicate("set-up", "--anew")
    pair.replicate("status", "--wait=60s")

    assert pair.rows(pair.replica) == pair.rows(pair.source)
    assert len(pair.rows(pair.replica)["commits"]) == 6


def test_a_bound_on_the_lag_stops_the_build(pair: Pair, history: Any) -> None:
    pair.extract(history)
    pair.set_up()
    with psycopg.connect(pair.replica.url()) as held:
        held.execute("lock table commit_parents in access exclusive mode")  # the stream waits for it, and dbt does not
        history.commit("on its way")
        pair.extract(history)
        pair.replica.until(
            "select count(*) > 0 from pg_locks where not granted and relation = 'commit_parents'::regclass"
        )
        late = pair.transform(pair.replica, "--max-replication-lag=2s").result
        unbound = pair.transform().result
    pair.settle()
    pair.replicate("status", "--wait=60s")
    again = pair.transform(pair.replica, "--max-replication-lag=5m").result

    assert late["outcome"] == "ReplicaNotReady"
    assert "behind its source, and at most 2s is allowed" in late["message"]
    assert unbound["outcome"] == again["outcome"] == "Succeeded"
    assert 2 < late["replicationLagSeconds"] < unbound["replicationLagSeconds"]
    assert again["replicationLagSeconds"] < unbound["replicationLagSeconds"] + 30
    assert pair.replica.query("select commit_count from analytics.total") == [(6,)]


def test_the_table_of_a_new_migration_joins(pair: Pair, history: Any) -> None:
    pair.extract(history)
    pair.set_up()
    for side in (pair.replica, pair.source):  # the order that is documented
        side.query("create table signatures (id bigint primary key, word text)")
        side.query("alter table signatures owner to gitmart_owner")
        side.query("grant select on signatures to gitmart_transform")
    pair.source.query("insert into signatures values (1, 'before')")

    pair.set_up()
    pair.source.query("insert into signatures values (2, 'after')")
    pair.source.query("update signatures set word = 'then' where id = 1")
    pair.settle()

    assert pair.replica.query("select * from signatures order by 1") == [(1, "then"), (2, "after")]
    assert pair.rows(pair.replica) == pair.rows(pair.source)


def test_set_up_again_changes_nothing(pair: Pair, history: Any) -> None:
    pair.extract(history)
    pair.set_up()
    before = [
        side.query("select oid, subname, subslotname from pg_subscription") for side in (pair.source, pair.replica)
    ]
    slots = pair.source.query("select slot_name, restart_lsn is null from pg_replication_slots")

    pair.set_up()

    assert [
        side.query("select oid, subname, subslotname from pg_subscription") for side in (pair.source, pair.replica)
    ] == before
    assert pair.source.query("select slot_name, restart_lsn is null from pg_replication_slots") == slots
    assert pair.rows(pair.replica) == pair.rows(pair.source)


def test_no_log_holds_the_password(pair: Pair, history: Any) -> None:
    """The servers log every statement, and each that fails with its context."""
    pair.extract(history)
    elsewhere = pair.login_url.replace("gitmart_replicate:", "gitmart_replicate:wrong")
    pair.set_up()
    pair.replicate("set-up", code=77, GITMART_REPLICATION_URL=elsewhere)
    pair.replicate("set-up", code=69, GITMART_REPLICATION_URL=pair.login_url + "?target_session_attrs=nonsense")
    pair.set_up()

    for side in (pair.source, pair.replica):
        log = side.server.log.read_text(encoding="utf-8")
        assert "alter subscription" in log or side is pair.source
        assert "create role" in log or side is pair.replica
        assert "canary" not in log


def test_extractions_and_decisions_are_refused_on_a_replica(pair: Pair, history: Any) -> None:
    pair.extract(history)
    pair.set_up()

    extraction = pair.extract(history, pair.replica)

    assert extraction.result["outcome"] == "InvalidInput"
    assert "another one's extractions write them" in extraction.result["message"]
    for words in (["purge", history.url, "--yes"], ["identities", "list"]):
        done = pair._run(words, {"GITMART_WAREHOUSE_URL": pair.replica.url("gitmart_extract")})
        assert (done.code, "are a replica" in done.printed) == (64, True), done.printed
    assert pair.rows(pair.replica) == pair.rows(pair.source)


SAID = """
with run as (
    insert into dbt_meta.runs (target_schema, started_at, message, gitmart_version, full_refresh, selected, excluded, threads)
    values ('analytics', now(), %(text)s, '', false, '{}', '{}', 1) returning id
), node as (
    insert into dbt_meta.node_runs select id, 'model.a', 'a', 'model', 'error', 1, null, null, %(text)s from run
)
insert into dbt_meta.artifacts select id, 'run_results.json', 'x', 1 from run
"""
HISTORY = """
select message from dbt_meta.runs where message is not null
union all select message from dbt_meta.node_runs where message is not null
union all select name from dbt_meta.artifacts where name = 'run_results.json'
"""


def forget(pair: Pair, *words: str, code: int = 0, url: str = "") -> str:
    """Run `gitmart identities forget`, as the role that is documented; return what it prints."""
    environment = {
        "GITMART_WAREHOUSE_URL": pair.source.url("gitmart_extract"),
        "GITMART_REPLICA_URL": url or pair.replica.url("gitmart_extract"),
    }
    done = pair._run(["identities", "forget", *words], environment)
    assert done.code == code, done.printed
    return done.printed


def test_a_person_is_forgotten_in_the_replica_s_history_too(pair: Pair, history: Any) -> None:
    pair.extract(history)
    pair.set_up()
    said = {"text": "Failing row contains (2, Author Two, two@example.org)."}
    for side in (pair.source, pair.replica):
        with psycopg.connect(side.url(), autocommit=True) as connection:
            connection.execute(SAID, said)
    before = pair.replica.query(HISTORY)
    assert len(before) == 3

    assert "replica dbt_meta.node_runs" in (dry := forget(pair, "two@example.org", "--replica", "--dry-run"))
    assert "nothing was changed" in dry
    assert pair.replica.query(HISTORY) == before
    assert "--replica erases from that too" in forget(pair, "two@example.org", "--yes")
    assert pair.replica.query(HISTORY) == before, "it was not asked for"
    printed = forget(pair, "two@example.org", "--replica")

    # Who is forgotten already is looked for all the same, and the raw rows are there before that is done.
    assert "forgotten already" in printed
    left = str(pair.replica.query(HISTORY))
    assert "Failing row" in left
    assert "Author Two" not in left
    assert "run_results.json" not in left
    assert "two@example.org" not in str([*pair.rows(pair.replica).values()])
    # Whoever is forgotten from now on goes from both at once.
    with psycopg.connect(pair.replica.url(), autocommit=True) as connection:
        connection.execute(SAID, {"text": "of one@example.org"})
    forget(pair, "one@example.org", "--replica", "--yes", "--unseen")
    assert "one@example.org" not in str(pair.replica.query(HISTORY))


def test_a_replica_that_is_not_there_or_another_s_stops_the_forgetting_in_time(pair: Pair, history: Any) -> None:
    pair.extract(history)
    everybody = "select name, email from contributors order by id"
    before = pair.source.query(everybody)

    nowhere = "postgresql://gitmart_extract:x@127.0.0.1:1/gitmart"
    assert "the replica: " in forget(pair, "two@example.org", "--replica", "--yes", code=69, url=nowhere)
    assert "no replica of the one" in forget(pair, "two@example.org", "--replica", "--yes", code=64)

    assert pair.source.query(everybody) == before, "nothing was done by halves"


def test_a_subscription_that_somebody_made_by_hand_is_recognised(pair: Pair, history: Any) -> None:
    pair.extract(history)
    pair.set_up()
    pair.replica.query("delete from replicated_from")

    assert pair.extract(history, pair.replica).result["outcome"] == "InvalidInput"
    assert pair.transform().result["outcome"] == "Succeeded"
    pair.replica.query("alter subscription gitmart_replica disable")
    assert pair.transform().result["outcome"] == "ReplicaNotReady"


def test_removing_leaves_nothing_behind(pair: Pair, history: Any) -> None:
    pair.extract(history)
    pair.set_up()

    assert "There is no terminal to ask on: add --yes" in pair.replicate("remove", code=64)
    printed = pair.replicate("remove", "--yes")

    assert "removed: subscription gitmart_replica" in printed
    for view in ("pg_replication_slots where database = current_database()", "pg_publication"):
        assert pair.source.query(f"select count(*) from {view}") == [(0,)], view
    assert pair.replica.query("select count(*) from pg_subscription") == [(0,)]
    assert len(pair.replica.query("select * from commits")) == 5, "rows stay unless their removal is asked for"
    # What is left is a copy that nothing keeps true: neither written nor built from.
    assert pair.extract(history, pair.replica).result["outcome"] == "InvalidInput"
    assert "add --anew" in pair.replicate("set-up", code=64)

    pair.replicate("remove", "--yes", "--empty")
    assert pair.extract(history, pair.replica).result["outcome"] == "Succeeded"
    assert "has rows of its own" in pair.replicate("set-up", code=64)
    pair.replicate("remove", "--yes", "--empty")
    assert len(pair.replica.query("select * from commits")) == 5, "its own rows are not taken for a copy"


def test_a_table_of_the_replica_s_own_is_left_alone(pair: Pair, history: Any) -> None:
    pair.replica.query("create table teams (id bigint references repositories (id))")
    pair.replica.query("grant select on teams to gitmart_transform")
    pair.replica.query("create table notes (word text)")
    pair.replica.query("grant select on notes to gitmart_transform")
    pair.replica.query("insert into notes values ('mine')")
    pair.extract(history)

    pair.set_up()
    assert pair.transform().result["outcome"] == "Succeeded"
    pair.replica.query("insert into teams select id from repositories")
    assert "cannot be emptied" in pair.replicate("set-up", "--anew", code=64)
    pair.replica.query("delete from teams")
    pair.replicate("set-up", "--anew")
    pair.replicate("status", "--wait=60s")

    assert pair.replica.query("select * from notes") == [("mine",)]
    assert pair.rows(pair.replica) == pair.rows(pair.source)


def test_removing_when_one_side_is_gone_tells_what_is_left(pair: Pair, history: Any) -> None:
    pair.extract(history)
    pair.set_up()
    [(slot,)] = pair.source.query("select slot_name from pg_replication_slots where database = current_database()")
    nowhere = "postgresql://gitmart_owner:x@127.0.0.1:1/gitmart"

    printed = pair.replicate("remove", "--yes", code=69, GITMART_WAREHOUSE_URL=nowhere)
    assert f"select pg_drop_replication_slot('{slot}');" in printed
    assert pair.replica.query("select count(*) from pg_subscription") == [(0,)]

    printed = pair.replicate("remove", "--yes", code=69, GITMART_REPLICA_URL=nowhere)
    assert f"slots {slot}: say which is the replica's that is gone with --slot" in printed
    printed = pair.replicate("remove", "--yes", f"--slot={slot}", code=69, GITMART_REPLICA_URL=nowhere)
    assert f"removed: slot {slot}" in printed
    assert "removed: publication gitmart" in printed
    assert "drop subscription gitmart_replica" in printed
    assert pair.source.query("select count(*) from pg_replication_slots where database = current_database()") == [(0,)]


def test_refusals(pair: Pair, history: Any, tmp_path: Path) -> None:
    source, replica = pair.source, pair.replica
    assert "name one database" in pair.replicate("set-up", code=64, GITMART_REPLICA_URL=source.url("gitmart_owner"))
    assert "that is no replica" in pair.replicate("status", code=64)
    pair.extract(history, replica)
    assert "the replica has rows of its own (commit_files, commit_parents" in pair.replicate("set-up", code=64)
    assert replica.query("select count(*) from replicated_from") == [(0,)]
    source.query("update gitmart_revision set version_num = 'r0001'")
    assert "source: the warehouse is at revision r0001" in pair.replicate("set-up", code=78)
    assert source.query("select count(*) from pg_publication") == [(0,)]


def test_a_replica_of_another_warehouse_is_refused(pair: Pair, history: Any) -> None:
    pair.replica.query("insert into replicated_from (source, tables) values ('1/2', '{}')")

    assert "belongs to another source" in pair.replicate("set-up", code=64)


def test_owners_without_more_rights_are_told_what_an_administrator_does(pair: Pair, history: Any) -> None:
    pair.extract(history)
    source, replica = pair.source, pair.replica
    owners = {
        "GITMART_WAREHOUSE_URL": source.url("gitmart_owner"), "GITMART_REPLICA_URL": replica.url("gitmart_owner"),
    }  # fmt: skip
    [(knows_the_role,)] = replica.query("select to_regrole('pg_create_subscription') is not null")  # PostgreSQL 16
    try:
        if knows_the_role:
            assert "grant pg_create_subscription to" in pair.replicate("set-up", code=77, **owners)
            replica.query('grant pg_create_subscription to "gitmart_owner"')
        else:
            assert "takes a superuser before PostgreSQL 16" in pair.replicate("set-up", code=77, **owners)
            owners["GITMART_REPLICA_URL"] = replica.url()
        said = pair.replicate("set-up", code=77, **owners)
        assert "create role gitmart_replicate login replication password" in said
        assert "grant gitmart_replicate to" in said
        from tests.integration.replication.conftest import CANARY

        source.query(f"create role gitmart_replicate login replication password '{CANARY.replace('canary', 'kanari')}'")
        login = pair.login_url.replace("canary", "kanari")
        said = pair.replicate("set-up", code=77, GITMART_REPLICATION_URL=login, **owners)
        assert "let an administrator of the source run: grant" in said
        source.query('grant "gitmart_replicate" to "gitmart_owner"')
        pair.replicate("set-up", GITMART_REPLICATION_URL=login, **owners)
        pair.replicate("status", "--wait=60s", **owners)
        assert pair.rows(replica) == pair.rows(source)
        pair.replicate("remove", "--yes", "--empty", **owners)
        assert source.query("select count(*) from pg_replication_slots where database = current_database()") == [(0,)]
    finally:
        if knows_the_role:
            replica.query('revoke pg_create_subscription from "gitmart_owner"')
