"""Reading the marts: a pool of connections of the role gitmart_read."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, LiteralString, Self

from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from gitmart.api.settings import Settings
from gitmart.warehouse.connections import session_options


class Reader:
    """
    Runs queries in transactions that only read. Within its `async with` it holds connections.

    In a query `{schema}` stands for the schema of the marts, `%(name)s` for a parameter.
    """

    def __init__(self, settings: Settings) -> None:
        self.schema = settings.schema
        given = conninfo_to_dict(settings.url)
        options = session_options(
            {
                "statement_timeout": f"{settings.statement_timeout.total_seconds() * 1000:.0f}",
                "default_transaction_read_only": "on",
            }
        )
        self._pool: AsyncConnectionPool[AsyncConnection[DictRow]] = AsyncConnectionPool(
            make_conninfo(
                settings.url,
                connect_timeout=given.get("connect_timeout", 10),
                application_name="gitmart-api",
                options=f"{given.get('options', '')} {options}".strip(),
            ),
            min_size=1,
            max_size=settings.connections,
            open=False,
            kwargs={"autocommit": True, "row_factory": dict_row},
            name="warehouse",
        )

    async def __aenter__(self) -> Self:
        """Begin to connect; a warehouse that does not answer yet is no error."""
        await self._pool.open(wait=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.close()

    async def rows(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> list[DictRow]:
        """Return all rows of a query, each by the names of its columns."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(sql.SQL(query).format(schema=sql.Identifier(self.schema)), parameters)
            return await cursor.fetchall()

    async def row(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> DictRow | None:
        """Return the first row of a query; None without any."""
        rows = await self.rows(query, parameters)
        return rows[0] if rows else None
