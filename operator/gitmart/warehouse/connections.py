"""
Connections of the workers.

A connection URL is a secret: it is read from the environment or from a file that the kubelet mounted,
never from an argument, and it never stands in a message.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gitmart.warehouse.errors import InvalidSecretError, MissingSecretError, SettingError, classify

URL_VARIABLE = (
    "GITMART_WAREHOUSE_URL"  # and …_FILE, and what people call that file, …_SOURCE: key extract-url of Secret …
)
REPLICA_VARIABLE = "GITMART_REPLICA_URL"  # likewise

# What every session of a worker asks of the server:
# - client_connection_check_interval: a statement whose client was killed ends within 2 s instead of
#   running to its natural end (Linux servers since PostgreSQL 14);
# - idle_in_transaction_session_timeout: a client that hangs does not hold locks for ever;
# - timezone and datestyle: what the server's administrator set changes no number.
SESSION_OPTIONS = {
    "client_connection_check_interval": "2s",
    "idle_in_transaction_session_timeout": "30min",
    "timezone": "UTC",
    "datestyle": "ISO",
}


def warehouse_url(environment: Mapping[str, str] = os.environ) -> str:
    """
    Return the connection URL from GITMART_WAREHOUSE_URL or from the file GITMART_WAREHOUSE_URL_FILE.

    Raise MissingSecretError when the file is not there or is empty, InvalidSecretError when it holds something
    else, SettingError when nothing is named or the variable holds no connection URL.
    """
    return named_url(URL_VARIABLE, "warehouse", environment)


def named_url(variable: str, what: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the URL of the variable, or of the file that its sibling `…_FILE` names; raise as `warehouse_url` does."""
    url, by_file = environment.get(variable, ""), f"{variable}_FILE"
    if not url and (path := environment.get(by_file)):
        source = environment.get(f"{variable}_SOURCE") or f"the file named by {by_file} ({path})"
        return checked_url(_read(Path(path), source), source, InvalidSecretError)
    if not url:
        raise SettingError(
            f"no {what} given: set {variable}, or {by_file} to a file that holds it, "
            "to a URL such as postgresql://user:password@host:5432/database"
        )
    return checked_url(url, variable)


def checked_url(url: str, source: str, error: type[SettingError] = SettingError) -> str:
    """Return `url` if libpq understands it; raise `error` naming `source`."""
    try:
        conninfo_to_dict(url)
    except psycopg.Error:  # its text may hold the password
        raise error(f"{source} is not a connection URL: write postgresql://user:password@host:5432/database") from None
    return url


def _read(path: Path, source: str) -> str:
    try:
        url = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        url = ""
    except OSError as error:
        raise SettingError(f"{source} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidSecretError(f"{source} is not a connection URL: it is no UTF-8 text") from None
    if not url:
        raise MissingSecretError(
            f"{source} is missing: a connection URL such as postgresql://user:password@host:5432/database is needed"
        )
    return url


def session_options(extra: Mapping[str, str] = {}) -> str:
    """Return the `options` of libpq that set SESSION_OPTIONS and `extra` for a session."""
    return " ".join(f"-c {name}={value}" for name, value in {**SESSION_OPTIONS, **extra}.items())


def connect(
    url: str, *, application_name: str, autocommit: bool = False, extra: Mapping[str, str] = {}
) -> psycopg.Connection[tuple[object, ...]]:
    """Open a session that behaves the same on every server; raise UnreachableError, RefusedError or SettingError."""
    given = conninfo_to_dict(url)
    try:
        conninfo = make_conninfo(
            url,
            connect_timeout=given.get("connect_timeout", 10),
            application_name=application_name,
            keepalives_idle=given.get("keepalives_idle", 30),
            options=f"{given.get('options', '')} {session_options(extra)}".strip(),
        )
        return psycopg.connect(conninfo, autocommit=autocommit)
    except psycopg.Error as error:
        raise classify(error) or error from None
