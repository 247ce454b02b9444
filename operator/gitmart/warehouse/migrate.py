"""`gitmart migrate`: bring a warehouse to the revision of this version. Safe to start twice at once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config

from gitmart.warehouse.connections import connect
from gitmart.warehouse.errors import classify
from gitmart.warehouse.locks import MIGRATION_LOCK, session_lock
from gitmart.warehouse.passwords import set_passwords
from gitmart.warehouse.revision import MIGRATIONS, needed_revision
from gitmart.warehouse.roles import Role, ensure_roles
from gitmart.warehouse.targets import make_target

log = logging.getLogger(__name__)


def migrate(url: str, revision: str = "head", passwords: Mapping[Role, str] = {}, targets: Iterable[str] = ()) -> str:
    """
    Upgrade to `revision` (default: the newest), and return the revision the warehouse is at then.

    Sets passwords too, and makes the schemas of dbt's targets besides the default one.

    Two at once: the second waits for the first and finds nothing left to do. Each revision is a
    transaction of its own, so a killed migration leaves whole revisions. Raise WarehouseError.
    """
    with connect(url, application_name="gitmart-migrate", autocommit=True) as holder:
        try:
            with session_lock(holder, MIGRATION_LOCK):
                ensure_roles(holder)
                _upgrade(url, revision)
                set_passwords(holder, passwords)
                for target in targets:
                    make_target(holder, target)
        except psycopg.Error as error:
            raise classify(error) or error from None
        except sqlalchemy.exc.DBAPIError as error:
            known = classify(error.orig) if isinstance(error.orig, psycopg.Error) else None
            raise known or error from None
    log.info("warehouse migrated", extra={"revision": needed_revision() if revision == "head" else revision})
    return needed_revision() if revision == "head" else revision


def _upgrade(url: str, revision: str) -> None:
    def open_connection() -> psycopg.Connection[tuple[object, ...]]:
        return connect(url, application_name="gitmart-migrate", extra={"search_path": "public"})

    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=open_connection, poolclass=sqlalchemy.NullPool)
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)
        connection.commit()
