"""
The passwords of the workers' roles, taken from the connection URLs that the workers will use.

A password leaves this process as a hash alone: neither the server's log nor a replica's sees it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from gitmart.warehouse.connections import checked_url
from gitmart.warehouse.errors import MissingSecretError, RefusedError, SettingError
from gitmart.warehouse.locks import Connection
from gitmart.warehouse.roles import WORKERS, Role

log = logging.getLogger(__name__)

FILES = ("extract-url", "transform-url", "read-url")
ROLES_WITH_ADMIN_OPTION = 160000  # since PostgreSQL 16 CREATEROLE alone does not rule over every role


def read_passwords(folder: Path) -> dict[Role, str]:
    """
    Return the password of each role that the connection URLs in the folder's files name.

    A file that is not there is left out. Raise MissingSecretError when there is none at all, SettingError
    when one holds no connection URL of a worker's role with a password.
    """
    passwords: dict[Role, str] = {}
    found = [file for name in FILES if (file := folder / name).is_file()]
    if not found:
        raise MissingSecretError(f"--passwords-from {folder} holds none of the files {', '.join(FILES)}")
    for file in found:
        role, password = _login(file)
        if passwords.setdefault(role, password) != password:
            raise SettingError(f"{file} gives {role} another password than a file before it: one role has one password")
    return passwords


def set_passwords(connection: Connection, passwords: Mapping[Role, str]) -> None:
    """
    Let the roles log in with these passwords and connect to this database.

    Raise RefusedError with the statements for an administrator when the connection may not.
    """
    if not passwords:
        return
    for role, password in passwords.items():
        hashed = connection.pgconn.encrypt_password(password.encode(), role.encode()).decode("ascii")
        try:
            with connection.transaction():
                connection.execute(
                    sql.SQL("alter role {} login password {}").format(sql.Identifier(role), sql.Literal(hashed))
                )
                _let_connect(connection, role)
        except psycopg.errors.InsufficientPrivilege as error:
            raise RefusedError(_what_to_run(connection, role, str(error).strip())) from None
    log.info("passwords set", extra={"roles": [role.value for role in passwords]})


def _login(file: Path) -> tuple[Role, str]:
    try:
        url = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{file} cannot be read: {getattr(error, 'strerror', 'it is no UTF-8 text')}") from None
    given = conninfo_to_dict(checked_url(url, str(file)))
    user, password = str(given.get("user") or ""), str(given.get("password") or "")
    if user not in WORKERS:
        allowed = ", ".join(WORKERS)
        raise SettingError(f"{file} names the user {user!r}, which is no worker's role: allowed are {allowed}")
    if not password:
        raise SettingError(f"{file} holds no password: write postgresql://{user}:password@host:5432/database")
    return Role(user), password


def _let_connect(connection: Connection, role: Role) -> None:
    row = connection.execute(
        "select current_database(), has_database_privilege(%s, current_database(), 'CONNECT')", [role]
    ).fetchone()
    if row is not None and row[1] is not True:
        statement = sql.SQL("grant connect on database {} to {}")
        connection.execute(statement.format(sql.Identifier(str(row[0])), sql.Identifier(role)))


def _what_to_run(connection: Connection, role: Role, said: str) -> str:
    owner, database = (
        sql.Identifier(name).as_string(connection) for name in (connection.info.user, connection.info.dbname)
    )
    statements = [f"alter role {owner} createrole;"]
    if connection.info.server_version >= ROLES_WITH_ADMIN_OPTION:
        statements += [f"grant {each} to {owner} with admin option, inherit false, set false;" for each in WORKERS]
    statements += [f"grant connect on database {database} to {', '.join(WORKERS)};"]
    return (
        f"{owner} may not set the password of {role} (PostgreSQL: {said}). Either an administrator of the server sets "
        f"the passwords and --passwords-from is left out, or the administrator runs once: {' '.join(statements)}"
    )
