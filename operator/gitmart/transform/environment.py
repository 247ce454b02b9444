"""
What dbt is told by environment variables: where the warehouse is, and to be quiet.

dbt's profile has a variable for the few things it must know; everything else that a connection URL can
say goes through libpq's own variables. All of it is read from a session that is open already, so dbt
connects to the very server on which we hold the lock, whichever of several hosts that is.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import psycopg
from psycopg import pq

from gitmart.contract.target_schema import SCHEMA_VARIABLE
from gitmart.transform.settings import Settings
from gitmart.transform.target import Target
from gitmart.warehouse.connections import session_options
from gitmart.warehouse.locks import Connection

# A statement that waits for a table makes everybody queue behind it, readers of the marts too.
LONGEST_TABLE_WAIT = timedelta(minutes=5)

QUIET = {
    "DO_NOT_TRACK": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "PYTHON_DOTENV_DISABLED": "1",  # dbt would read a .env of the current folder or above
    "DBT_LOG_LEVEL": "none",
    "DBT_LOG_LEVEL_FILE": "none",
    "DBT_USE_COLORS": "false",
    "GITMART_DBT_TARGET": "prod",  # the one without guesses
}
_IN_PROFILE = {"host", "port", "user", "password", "dbname", "options", "application_name", "connect_timeout"}
_SERVICE = "gitmart"


def dbt_environment(connection: Connection, settings: Settings, folder: Path) -> dict[str, str]:
    """
    Return the variables for dbt; `folder` takes a file for what libpq knows no variable for.

    The password is among them, for nobody but dbt's own connections.
    """
    info = connection.info
    given = info.get_parameters()
    own = session_options(
        {
            "statement_timeout": f"{int(settings.timeout.total_seconds() * 1000)}ms",
            "lock_timeout": f"{int(min(settings.timeout, LONGEST_TABLE_WAIT).total_seconds() * 1000)}ms",
        }
    )
    theirs = _options_of(settings.url)
    return {
        **QUIET,
        "GITMART_DBT_HOST": info.host,
        "GITMART_DBT_PORT": str(info.port),
        "GITMART_DBT_USER": info.user,
        "DBT_ENV_SECRET_PASSWORD": info.password,
        "GITMART_DBT_DBNAME": info.dbname,
        SCHEMA_VARIABLE: settings.schema,
        "GITMART_DBT_THREADS": str(settings.threads),
        "GITMART_DBT_APPLICATION_NAME": Target(settings.schema).session_name,
        "PGOPTIONS": f"{theirs} {own}".strip(),
        **_libpq_variables(given, folder),
        **_without_encryption(connection),
    }


def _without_encryption(connection: Connection) -> dict[str, str]:
    """Return what spares each session the attempt to encrypt that has just failed here, and 4 MiB for it."""
    if connection.pgconn.ssl_in_use:
        return {}
    return {"PGSSLMODE": "disable", "PGGSSENCMODE": "disable"}


def _options_of(url: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(url).get("options") or "")


def _libpq_variables(given: dict[str, str], folder: Path) -> dict[str, str]:
    known = {option.keyword.decode(): (option.envvar or b"").decode() for option in pq.Conninfo.get_defaults()}
    rest = {name: value for name, value in given.items() if name not in _IN_PROFILE and name in known}
    variables = {known[name]: value for name, value in rest.items() if known[name]}
    without = {name: value for name, value in rest.items() if not known[name]}
    if without:  # keepalives_idle, tcp_user_timeout, … : a service file can say them
        file = folder / "pg_service.conf"
        file.touch(mode=0o600)
        lines = [f"[{_SERVICE}]", *(f"{name}={value}" for name, value in without.items())]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        variables |= {"PGSERVICEFILE": str(file), "PGSERVICE": _SERVICE}
    return variables
