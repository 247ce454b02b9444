"""
The schemas that dbt writes into. The owner makes them, so that dbt's role needs no right to make any.

What dbt makes in them belongs to dbt's role, and dbt itself lets readers read its marts, one by one.
"""

from __future__ import annotations

import argparse

from psycopg import sql

from gitmart.contract.target_schema import ALLOWED, may_be_target, schemas_of
from gitmart.warehouse.errors import NotMigratedError, RefusedError
from gitmart.warehouse.locks import Connection
from gitmart.warehouse.roles import Role


def target_option(name: str) -> str:
    """Parse the name of a target's schema, as an argparse type."""
    if not may_be_target(name):
        raise argparse.ArgumentTypeError(f"{name!r} {ALLOWED}")
    return name


def make_target(connection: Connection, target: str) -> None:
    """
    Make the schemas of a target and let dbt's role write them, readers reach the marts. Again changes nothing.

    Raise RefusedError when one of them is there and somebody else's: what is in it may not be meant for dbt.
    """
    with connection.transaction():
        for schema in schemas_of(target):
            name = sql.Identifier(schema)
            connection.execute(sql.SQL("create schema if not exists {}").format(name))
            _check_owner(connection, schema)
            connection.execute(
                sql.SQL("grant usage, create on schema {} to {}").format(name, sql.Identifier(Role.TRANSFORM))
            )
        connection.execute(
            sql.SQL("grant usage on schema {} to {}").format(sql.Identifier(target), sql.Identifier(Role.READ))
        )


def check_target(connection: Connection, target: str) -> None:
    """Raise NotMigratedError, with the cure, unless this role may write into the schema of a target or make it."""
    row = connection.execute(
        "select has_schema_privilege(oid, 'USAGE') and has_schema_privilege(oid, 'CREATE'),"
        " has_database_privilege(current_database(), 'CREATE')"
        " from (values (%s::text)) as wanted (name) left join pg_namespace on nspname = name",
        [target],
    ).fetchone()
    may_write, may_make = row if row is not None else (None, False)
    if may_write or (may_write is None and may_make):
        return
    trouble = "is not there, and this role may not make it" if may_write is None else "may not be written by this role"
    raise NotMigratedError(
        f"schema {target} {trouble}: run `gitmart migrate --target-schema {target}` with the owner's connection"
    )


def _check_owner(connection: Connection, schema: str) -> None:
    owners = connection.execute(
        "select pg_get_userbyid(nspowner), current_user from pg_namespace where nspname = %s", [schema]
    ).fetchall()
    for owner, user in owners:
        if owner != user:
            raise RefusedError(
                f"schema {schema} is there already and belongs to {owner}, not to {user}: choose another name for the "
                "target, or let its owner give the schema away"
            )
