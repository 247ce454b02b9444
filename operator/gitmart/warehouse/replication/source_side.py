"""The source's side of a replication: the replica's login, the publication, the slot."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from gitmart.warehouse.errors import RefusedError, SettingError, UnreachableError
from gitmart.warehouse.locks import Connection
from gitmart.warehouse.replication.names import LOGIN, PUBLICATION, listed

SLOT_PATIENCE = 30  # seconds, for a worker to leave its slot
_PUBLISHED = "insert, update, delete, truncate"


def ensure_login(source: Connection, url: str, tables: Iterable[str]) -> str:
    """Make sure that the role of the URL is there and may read the raw tables; return its name."""
    given = conninfo_to_dict(url)
    role, password = str(given.get("user") or ""), str(given.get("password") or "")
    if not role:
        raise SettingError(
            f"GITMART_REPLICATION_URL names no user: write postgresql://{LOGIN}:password@host:5432/database"
        )
    if source.execute("select from pg_roles where rolname = %s", [role]).fetchone() is None:
        _make_login(source, role, password)
    name, rights = sql.Identifier(role), []
    [(database, may_connect, may_enter)] = source.execute(
        "select current_database()::text, has_database_privilege(%s, current_database(), 'connect'),"
        " has_schema_privilege(%s, 'public', 'usage')",
        [role, role],
    ).fetchall()
    if not may_connect:
        rights.append(sql.SQL("grant connect on database {} to {}").format(sql.Identifier(str(database)), name))
    if not may_enter:
        rights.append(sql.SQL("grant usage on schema public to {}").format(name))
    lacking = source.execute(
        "select name from unnest(%s::text[]) as name"
        " where not has_table_privilege(%s, format('public.%%I', name), 'select')",
        [list(tables), role],
    ).fetchall()
    if lacking:
        names = listed(str(table) for (table,) in lacking)
        rights.append(sql.SQL("grant select on {} to {}").format(names, name))
    for right in rights:
        source.execute(right)
    return role


def _make_login(source: Connection, role: str, password: str) -> None:
    if role != LOGIN:
        raise SettingError(
            f"GITMART_REPLICATION_URL names the user {role!r}, which the source does not have: make it, or name {LOGIN}, "
            "which gitmart makes"
        )
    if not password:
        raise SettingError(
            f"GITMART_REPLICATION_URL holds no password: write postgresql://{LOGIN}:password@host:5432/database"
        )
    hashed = source.pgconn.encrypt_password(password.encode(), role.encode()).decode("ascii")
    try:
        source.execute(
            sql.SQL("create role {} login replication password {}").format(sql.Identifier(role), sql.Literal(hashed))
        )
    except psycopg.errors.DuplicateObject:
        pass  # somebody was faster
    except psycopg.errors.InsufficientPrivilege:
        raise RefusedError(
            f"this connection may not make the role that the replica's server logs in with; let an administrator of the "
            f"source run: create role {role} login replication password '…'; grant {role} to \"{source.info.user}\";"
        ) from None


def ensure_publication(source: Connection, tables: Iterable[str]) -> None:
    """Publish every change of these tables, and no others."""
    name, wanted = sql.Identifier(PUBLICATION), list(tables)
    found = source.execute(
        "select pubinsert and pubupdate and pubdelete and pubtruncate from pg_publication where pubname = %s",
        [PUBLICATION],
    ).fetchone()
    if found is None:
        source.execute(
            sql.SQL("create publication {} for table {} with (publish = {})").format(
                name, listed(wanted), sql.Literal(_PUBLISHED)
            )
        )
        return
    if found != (True,):
        source.execute(sql.SQL("alter publication {} set (publish = {})").format(name, sql.Literal(_PUBLISHED)))
    there = source.execute(
        "select tablename::text from pg_publication_tables where pubname = %s and schemaname = 'public'", [PUBLICATION]
    ).fetchall()
    if sorted(str(table) for (table,) in there) != sorted(wanted):
        source.execute(sql.SQL("alter publication {} set table {}").format(name, listed(wanted)))


def ensure_slot(source: Connection, slot: str, state: str | None, login: str) -> None:
    """Make the slot if it is not there. `state`: its wal_status, None: there is none."""
    if state == "lost":  # of a set-up that did not get as far as copying
        drop_slot(source, slot)
    elif state is not None:
        return
    with may_replicate(source, login):
        source.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])


def drop_slot(source: Connection, slot: str) -> bool:
    """Drop a slot once nobody reads it any more; return whether there was one. Raise UnreachableError if somebody does."""
    deadline = time.monotonic() + SLOT_PATIENCE
    while (
        found := source.execute("select active_pid from pg_replication_slots where slot_name = %s", [slot]).fetchone()
    ) is not None:
        if found == (None,):
            with suppress(psycopg.errors.ObjectInUse), may_replicate(source, None):
                source.execute("select pg_drop_replication_slot(%s)", [slot])
                return True
        if time.monotonic() > deadline:
            raise UnreachableError(f"slot {slot} of the source is in use (process {found[0]})")
        time.sleep(0.1)
    return False


@contextmanager
def may_replicate(source: Connection, login: str | None) -> Iterator[None]:
    """
    Act as a role that may make and drop slots: this one, else `login`, else the role that gitmart makes.

    Raise RefusedError, with what an administrator can do, if there is none.
    """
    [(may, user)] = source.execute(
        "select rolsuper or rolreplication, current_user::text from pg_roles where rolname = current_user"
    ).fetchall()
    if may:
        yield
        return
    role = login or LOGIN
    try:
        source.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue, psycopg.errors.UndefinedObject):
        raise RefusedError(
            f"{user} may not make or drop replication slots; let an administrator of the source run: "
            f'grant "{role}" to "{user}";'
        ) from None
    try:
        yield
    finally:
        source.execute("reset role")
