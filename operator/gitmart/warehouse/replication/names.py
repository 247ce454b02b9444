"""What the parts of a replication are called in PostgreSQL, and which tables take part in it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from psycopg import sql

from gitmart.warehouse.locks import Connection

PUBLICATION = "gitmart"  # on the source; all its replicas share it
SUBSCRIPTION = "gitmart_replica"
LOGIN = "gitmart_replicate"  # the role that gitmart itself makes on the source for the replica's server
SLOT_PREFIX = "gitmart_replica_"

# What dbt's role may read is what is replicated, but for what each warehouse says of itself.
_OF_ITS_OWN = ["gitmart_revision", "replicated_from"]
_READ_BY_DBT = """
    select relname::text from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> all(%s)
        and has_table_privilege('gitmart_transform', oid, 'select')
    order by relname
"""
_IDENTITY = """
    select (select system_identifier from pg_control_system())::text || '/' || oid
    from pg_database where datname = current_database()
"""


def read_by_dbt(connection: Connection) -> tuple[str, ...]:
    """Return the tables of schema `public` that dbt's role may read and that another warehouse could bring."""
    return tuple(str(name) for (name,) in connection.execute(_READ_BY_DBT, [_OF_ITS_OWN]))


def identity(connection: Connection) -> str:
    """Return what stands for this database: the server's system identifier, which a copy of its files has too, and an oid."""
    [(found,)] = connection.execute(_IDENTITY).fetchall()
    return str(found)


def slot_of(replica: str) -> str:
    """Return the name of the slot for a replica of this identity, so that several replicas have one each."""
    return SLOT_PREFIX + sha256(replica.encode()).hexdigest()[:12]


def listed(tables: Iterable[str]) -> sql.Composed:
    """Return the full names of raw tables, with commas."""
    return sql.SQL(", ").join(sql.Identifier("public", table) for table in tables)
