"""
Staging tables: where a run's rows wait, invisible to readers, until the one transaction that merges them.

They are unlogged (a lost one costs a rerun), belong to the extract role, and are named after the
repository, so that any later run can tell whose are dead: a run holds its repository's lock for as long
as it lives.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from psycopg import sql

from gitmart.warehouse.locks import REPOSITORY, Connection, repository_lock

SCHEMA = "gitmart_staging"

# kind -> its columns. COPY fills them in this order; what has a default is left to the server.
TABLES = {
    "commits": """id bigint, author bigint, committer bigint, commit_hash text, authored bigint, author_offset smallint,
        committed bigint, committer_offset smallint, parent_count integer, lines_added bigint, lines_deleted bigint,
        files_changed integer, first_parent_lines_added bigint, first_parent_lines_deleted bigint,
        first_parent_files_changed integer, message text""",
    "patch_ids": "commit_hash text, patch_id text",
    "parents": "commit_id bigint, position integer, parent_hash text",
    "files": """commit_id bigint, position integer, status text, added bigint, deleted bigint, path text,
        old_path text, class text""",
    "trailers": "commit_id bigint, position integer, key text, kind text, value text, identity bigint",
    "identities": "number bigint, name text, email text, contributor_id bigint",
    "quarantine": "commit_hash text, field text, raw bytea, reason text",
    "refs": "name text, kind text, object_hash text, commit_hash text",
    "reachable": "commit_hash text, position bigint generated always as identity",
    "side": "commit_hash text",
    "reached": "commit_id bigint",
    "in_default": "commit_id bigint",
    "gone": "commit_id bigint",
    "moved": "commit_id bigint",
    "classes": "path text, class text",
}


@dataclass(frozen=True, slots=True)
class Staging:
    """The staging tables of one run."""

    prefix: str

    @classmethod
    def of(cls, repository_id: int) -> Staging:
        """Return new names for a run of the repository."""
        return cls(f"r{repository_id}_{secrets.token_hex(4)}")

    def table(self, kind: str) -> sql.Identifier:
        """Return the name of the table of that kind, for use in a statement."""
        return sql.Identifier(SCHEMA, f"{self.prefix}_{kind}")

    @property
    def tables(self) -> dict[str, sql.Identifier]:
        """Return all names by kind."""
        return {kind: self.table(kind) for kind in TABLES}

    def create(self, connection: Connection) -> None:
        """Create the tables, together or not at all."""
        with connection.transaction():
            for kind, columns in TABLES.items():
                connection.execute(
                    sql.SQL("create unlogged table {} ({}) with (autovacuum_enabled = false)").format(
                        self.table(kind), sql.SQL(columns)
                    )
                )

    def drop(self, connection: Connection) -> None:
        """Drop the tables."""
        connection.execute(sql.SQL("drop table if exists {}").format(sql.SQL(", ").join(self.tables.values())))


def drop_dead(connection: Connection, repository_id: int) -> int:
    """
    Drop the tables of runs that no longer live, of any repository; return how many.

    The caller holds the lock of `repository_id` and has no tables yet, so all of that one are dead.

    The order matters: tables first, then locks. A table seen belongs to a run that held its lock by
    then, so a lock that is free afterwards means that the run is gone.
    """
    found = connection.execute(
        "select tablename from pg_tables where schemaname = %s and tablename ~ '^r[0-9]+_[0-9a-f]{8}_'", [SCHEMA]
    ).fetchall()
    held = {
        row[0]
        for row in connection.execute(
            """select objid::bigint from pg_locks
               where locktype = 'advisory' and classid = %s and objsubid = 2 and granted
               and database = (select oid from pg_database where datname = current_database())""",
            [REPOSITORY],
        )
    }
    dropped = 0
    for (name,) in found:
        owner = int(str(name)[1:].partition("_")[0])
        if owner == repository_id or repository_lock(owner).key & 0xFFFF_FFFF not in held:
            connection.execute(sql.SQL("drop table if exists {}").format(sql.Identifier(SCHEMA, str(name))))
            dropped += 1
    return dropped
