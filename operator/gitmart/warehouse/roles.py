"""The four roles of a warehouse. What each may do stands in the migrations."""

from __future__ import annotations

from enum import StrEnum

import psycopg
from psycopg import sql

from gitmart.warehouse.errors import RefusedError


class Role(StrEnum):
    """A PostgreSQL role, one per process that opens connections."""

    OWNER = "gitmart_owner"
    EXTRACT = "gitmart_extract"
    TRANSFORM = "gitmart_transform"
    READ = "gitmart_read"


WORKERS = (Role.EXTRACT, Role.TRANSFORM, Role.READ)


def ensure_roles(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """
    Create the roles of the workers that do not exist, without a login.

    Roles belong to the whole server, so they may be there already: an administrator made them, or
    another database of the server uses them. Raise RefusedError with the statements to run when
    they are missing and this connection may not create them.
    """
    missing = [role for role in WORKERS if not _exists(connection, role)]
    for role in missing:
        try:
            with connection.transaction():
                connection.execute(sql.SQL("create role {}").format(sql.Identifier(role)))
        except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            pass  # somebody was faster
        except psycopg.errors.InsufficientPrivilege:
            statements = " ".join(f"create role {role} login password '…';" for role in missing)
            raise RefusedError(
                f"this connection may not create roles; let an administrator of the server run: {statements}"
            ) from None


def _exists(connection: psycopg.Connection[tuple[object, ...]], role: Role) -> bool:
    return connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone() is not None
