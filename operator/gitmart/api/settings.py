"""The settings of the API's process, read once at its start."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from gitmart.contract.target_schema import ALLOWED, DEFAULT, SCHEMA_VARIABLE, may_be_target
from gitmart.warehouse.connections import warehouse_url
from gitmart.warehouse.errors import SettingError


@dataclass(frozen=True, slots=True)
class Settings:
    """
    Where the marts are and how they are served.

    `url` is a connection URL of the role gitmart_read. `statement_timeout`: PostgreSQL ends a query that takes longer.
    """

    url: str = field(repr=False)
    schema: str = DEFAULT
    host: str = "127.0.0.1"
    port: int = 8080  # 0: a free one
    connections: int = 4  # at most, to the warehouse
    statement_timeout: timedelta = timedelta(seconds=10)

    @classmethod
    def of(cls, arguments: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
        """Return the settings of a command line; raise a WarehouseError naming the option or variable that is wrong."""
        schema = arguments.schema or environment.get(SCHEMA_VARIABLE) or DEFAULT
        if not may_be_target(schema):
            source = "--schema" if arguments.schema else SCHEMA_VARIABLE
            raise SettingError(f"{source} is {schema!r}, {ALLOWED}")
        return cls(url=warehouse_url(environment), schema=schema, host=arguments.host, port=arguments.port)
