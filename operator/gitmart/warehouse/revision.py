"""Which revision of the schema this version needs, and whether a warehouse has it."""

from __future__ import annotations

from pathlib import Path

import psycopg

from gitmart.warehouse.errors import NotMigratedError

MIGRATIONS = Path(__file__).parent / "migrations"


def needed_revision() -> str:
    """Return the newest revision's name: the first word of its file, which sorts by age."""
    return max(path.stem.partition("_")[0] for path in (MIGRATIONS / "versions").glob("r[0-9]*.py"))


def check_revision(connection: psycopg.Connection[object]) -> None:
    """Raise NotMigratedError unless the warehouse has the tables that this version was written for."""
    needed = needed_revision()
    with connection.transaction(), connection.cursor() as cursor:
        try:
            cursor.execute("select version_num from public.gitmart_revision")
        except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
            found = None
        else:
            row = cursor.fetchone()
            found = row[0] if isinstance(row, tuple) else None
    if found != needed:
        raise NotMigratedError(
            f"the warehouse is at revision {found or 'none'}, this version of gitmart needs {needed}: "
            "run `gitmart migrate` with the owner's connection"
        )
