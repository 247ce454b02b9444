"""Replication on older versions of PostgreSQL: set up, followed, told, refused and removed as on the newest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.replication.conftest import Pair

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("replication")]


def test_all_of_a_replica_s_life(older_pair: Pair, repository: Any) -> None:
    pair = older_pair
    repository.write("a.py", "a\n")
    repository.commit("first\n\nCo-authored-by: Two <two@example.org>\n")
    pair.extract(repository)
    pair.set_up()
    pair.settle()
    assert pair.rows(pair.replica) == pair.rows(pair.source)
    repository.git("update-ref", "-d", "HEAD")
    repository.commit("instead")
    pair.extract(repository)
    pair.settle()
    rows = pair.rows(pair.replica)
    assert rows == pair.rows(pair.source)
    assert (len(rows["commits"]), len(rows["removed_commits"])) == (1, 1)

    good = pair.transform().result
    assert good["outcome"] == "Succeeded"
    assert 0 <= good["replicationLagSeconds"] < 40, "a source at rest says every 30 s that it is there"
    pair.replica.query("alter subscription gitmart_replica disable")
    assert pair.transform().result["outcome"] == "ReplicaNotReady"
    pair.replicate("set-up")
    pair.replicate("status", "--wait=60s")
    assert pair.rows(pair.replica) == rows

    pair.replicate("remove", "--yes", "--empty")
    for what in ("pg_replication_slots", "pg_publication", "pg_subscription"):
        assert pair.source.query(f"select count(*) from {what}") == [(0,)], what
    assert pair.replica.query("select count(*) from commits") == [(0,)]
