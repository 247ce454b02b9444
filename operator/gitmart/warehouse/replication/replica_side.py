"""
The replica's side of a replication: whose it is, the subscription, the rows.

The subscription is made in steps, with the slot apart, because a single `create subscription` would put the
password into a statement, and a statement that fails or warns stands in the server's log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gitmart.warehouse.errors import RefusedError, SettingError, UnreachableError
from gitmart.warehouse.locks import Connection
from gitmart.warehouse.replication.check import has_rows
from gitmart.warehouse.replication.names import PUBLICATION, SUBSCRIPTION, listed

# No address: the true one comes by a way that no log sees.
_NOWHERE = "host=localhost password=none"
_CONNECT = """
do $$ begin
    execute format('alter subscription {} connection %L', (select url from pg_temp.gitmart_source));
exception when others then
    raise exception using errcode = sqlstate, message = sqlerrm;  -- without the statement, which a log would show
end $$
"""


def claim(replica: Connection, source: str, tables: Iterable[str]) -> None:
    """Say whose the rows of these tables are, before there are any."""
    replica.execute(
        "insert into replicated_from (source, tables) values (%s, %s) on conflict (only_row) do update"
        " set tables = replicated_from.tables || excluded.tables where not replicated_from.tables @> excluded.tables",
        [source, list(tables)],
    )


def ensure_subscription(replica: Connection, slot: str, url: str) -> None:
    """Make the subscription, or make it what it should be; start it, and let it take along what is published anew."""
    name, publication = sql.Identifier(SUBSCRIPTION), sql.Identifier(PUBLICATION)
    found = replica.execute(
        "select subslotname::text, subpublications, subenabled from pg_subscription where subname = %s"
        " and subdbid = (select oid from pg_database where datname = current_database())",
        [SUBSCRIPTION],
    ).fetchone()
    if found is None:
        replica.execute(
            sql.SQL(
                "create subscription {} connection {} publication {} with (connect = false, slot_name = {})"
            ).format(name, sql.Literal(_NOWHERE), publication, sql.Literal(slot))
        )
        found = (slot, [PUBLICATION], False)
    slot_before, publications, enabled = found
    _connect(replica, url)
    if publications != [PUBLICATION]:
        replica.execute(
            sql.SQL("alter subscription {} set publication {} with (refresh = false)").format(name, publication)
        )
    if slot_before != slot:
        replica.execute(sql.SQL("alter subscription {} disable").format(name))
        replica.execute(sql.SQL("alter subscription {} set (slot_name = {})").format(name, sql.Literal(slot)))
    if not enabled or slot_before != slot:
        replica.execute(sql.SQL("alter subscription {} enable").format(name))
    try:  # it asks the source, so that a wrong address or password is told here and now
        replica.execute(sql.SQL("alter subscription {} refresh publication").format(name))
    except psycopg.OperationalError as error:
        if not (error.sqlstate or "").startswith("08"):  # connection exception
            raise
        said = " ".join(str(error).split())
        kind = RefusedError if "authentication failed" in said or "no pg_hba.conf entry" in said else UnreachableError
        raise kind(f"the replica's server does not get to the source by GITMART_REPLICATION_URL: {said}") from None


def _connect(replica: Connection, url: str) -> None:
    """Let the subscription use the URL, which holds a password: the data of a COPY is in no log."""
    given = conninfo_to_dict(url)
    conninfo = make_conninfo(url, connect_timeout=given.get("connect_timeout", 10))
    with replica.transaction(), replica.cursor() as cursor:
        cursor.execute("create temporary table gitmart_source (url text) on commit drop")
        with cursor.copy("copy pg_temp.gitmart_source from stdin") as copy:
            copy.write_row([conninfo])
        cursor.execute(sql.SQL(_CONNECT).format(sql.Identifier(SUBSCRIPTION)))


def drop_subscription(replica: Connection) -> bool:
    """Drop the subscription, without the slot on the source; return whether there was one."""
    found = replica.execute(
        "select from pg_subscription where subname = %s"
        " and subdbid = (select oid from pg_database where datname = current_database())",
        [SUBSCRIPTION],
    ).fetchone()
    if found is None:
        return False
    name = sql.Identifier(SUBSCRIPTION)
    replica.execute(sql.SQL("alter subscription {} disable").format(name))
    replica.execute(sql.SQL("alter subscription {} set (slot_name = none)").format(name))
    replica.execute(sql.SQL("drop subscription {}").format(name))
    return True


def empty(replica: Connection, tables: Collection[str]) -> None:
    """Remove all rows of raw tables. Tables beside them that point to their rows must be empty, or PostgreSQL refuses."""
    if not tables:
        return
    pointing = replica.execute(
        """with recursive family as (
               select oid from pg_class where relnamespace = 'public'::regnamespace and relname = any(%s)
               union
               select conrelid from pg_constraint join family on confrelid = family.oid where contype = 'f'
           )
           select relname::text from family join pg_class using (oid)
           where relnamespace = 'public'::regnamespace and relname <> all(%s)""",
        [list(tables), list(tables)],
    ).fetchall()
    without_rows = [str(name) for (name,) in pointing if not has_rows(replica, str(name))]
    try:
        replica.execute(sql.SQL("truncate {}").format(listed([*tables, *without_rows])))
    except psycopg.errors.FeatureNotSupported as error:
        raise SettingError(f"the raw tables of the replica cannot be emptied: {' '.join(str(error).split())}") from None
