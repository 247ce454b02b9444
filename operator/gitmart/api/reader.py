"""Reading the marts: a pool of connections of the role gitmart_read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, LiteralString, Self

from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from gitmart.api.settings import Settings
from gitmart.warehouse.connections import session_options

Connection = AsyncConnection[DictRow]

LOOK_TIMEOUT = timedelta(seconds=2)  # of the query that watches the warehouse: requests wait for it
LOOK_PATIENCE = timedelta(seconds=5)  # for a server that does not answer at all

# A build may give a table other columns, and a statement that was prepared before would fail from then on.
_SESSION: dict[str, Any] = {"autocommit": True, "row_factory": dict_row, "prepare_threshold": None}


class Reader:
    """
    Runs queries in transactions that only read. Within its `async with` it holds connections.

    In a query `{schema}` stands for the schema of the marts, `%(name)s` for a parameter. A query whose task is
    cancelled is cancelled in PostgreSQL, too.
    """

    def __init__(self, settings: Settings) -> None:
        self.schema = settings.schema
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            _conninfo(settings.url, settings.statement_timeout),
            min_size=1,
            max_size=settings.connections,
            open=False,
            check=AsyncConnectionPool.check_connection,  # none that went with a restarted server is handed out
            timeout=settings.connection_timeout.total_seconds(),
            reconnect_timeout=settings.connection_timeout.total_seconds(),  # then the next request makes it try anew
            kwargs=_SESSION,
            name="warehouse",
        )
        self._watching_conninfo = _conninfo(settings.url, LOOK_TIMEOUT)
        self._watching: Connection | None = None

    async def __aenter__(self) -> Self:
        """Begin to connect; a warehouse that does not answer yet is no error."""
        await self._pool.open(wait=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop_watching()
        await self._pool.close()

    @property
    def connections(self) -> Mapping[str, int]:
        """How many connections there are by what they do, and how many requests wait for one."""
        stats = self._pool.get_stats()
        size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
        return {"idle": idle, "busy": max(0, size - idle), "waiting": stats.get("requests_waiting", 0)}

    async def rows(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> list[DictRow]:
        """Return all rows of a query, each by the names of its columns."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(sql.SQL(query).format(schema=sql.Identifier(self.schema)), parameters)
            return await cursor.fetchall()

    async def row(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> DictRow | None:
        """Return the first row of a query; None without any."""
        rows = await self.rows(query, parameters)
        return rows[0] if rows else None

    async def watched_row(self, query: LiteralString, parameters: Mapping[str, Any]) -> DictRow | None:
        """
        Return the first row of a query, on a connection of its own; one call at a time.

        So to know what state the warehouse is in never waits for queries that take long. Raise psycopg.Error, or
        TimeoutError after LOOK_PATIENCE.
        """
        try:
            async with asyncio.timeout(LOOK_PATIENCE.total_seconds()):
                if self._watching is None:
                    self._watching = await AsyncConnection.connect(self._watching_conninfo, **_SESSION)
                return await (await self._watching.execute(query, parameters)).fetchone()
        except BaseException:
            await self._stop_watching()
            raise

    async def _stop_watching(self) -> None:
        connection, self._watching = self._watching, None
        if connection is not None:
            await connection.close()


def _conninfo(url: str, statement_timeout: timedelta) -> str:
    given = conninfo_to_dict(url)
    options = session_options(
        {
            "statement_timeout": f"{statement_timeout.total_seconds() * 1000:.0f}",
            "default_transaction_read_only": "on",
        }
    )
    return make_conninfo(
        url,
        connect_timeout=given.get("connect_timeout", 10),
        application_name="gitmart-api",
        options=f"{given.get('options', '')} {options}".strip(),
    )
