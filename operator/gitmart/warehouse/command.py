"""`gitmart migrate`: bring the warehouse's tables to this version."""

from __future__ import annotations

import argparse
import logging
from datetime import UTC, datetime
from pathlib import Path

from gitmart.contract.logs import configure_logging
from gitmart.contract.outcomes import Outcome
from gitmart.contract.result import Result, write_result
from gitmart.contract.signals import Stopped, stopping
from gitmart.warehouse.connections import warehouse_url
from gitmart.warehouse.errors import WarehouseError
from gitmart.warehouse.migrate import migrate
from gitmart.warehouse.passwords import FILES, read_passwords
from gitmart.warehouse.targets import target_option

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = (
        "The warehouse, with the owner's role, is named by GITMART_WAREHOUSE_URL, "
        "or by the file GITMART_WAREHOUSE_URL_FILE."
    )
    parser.add_argument(
        "--passwords-from", type=Path, metavar="DIR",
        help="let the roles of the workers log in with the passwords in this folder's connection URLs: "
        f"the files {', '.join(FILES)}",
    )  # fmt: skip
    parser.add_argument(
        "--target-schema", type=target_option, action="append", default=[], metavar="SCHEMA",
        help="make this schema for dbt's marts too, with those that belong to it, and let dbt's role write them; "
        "repeatable; analytics is there without asking",
    )  # fmt: skip
    parser.add_argument("--result-file", type=Path, metavar="FILE", help="where to write the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Migrate, tell how it went, and return the exit code."""
    configure_logging()
    started = datetime.now(UTC)
    facts: dict[str, object] = {}
    outcome, message = _attempt(arguments.passwords_from, arguments.target_schema, facts)
    if arguments.result_file is not None:
        write_result(Result("migrate", outcome, message, started, datetime.now(UTC), facts), arguments.result_file)
    log.log(logging.INFO if outcome.good else logging.ERROR, message, extra={"outcome": outcome.value})
    return outcome.exit_code


def _attempt(folder: Path | None, targets: list[str], facts: dict[str, object]) -> tuple[Outcome, str]:
    try:
        with stopping(None):
            passwords = read_passwords(folder) if folder is not None else {}
            revision = migrate(warehouse_url(), passwords=passwords, targets=targets)
    except (Stopped, WarehouseError) as error:
        return error.outcome, str(error)
    except Exception as error:  # the last resort, which says so
        log.exception("gitmart failed")
        return Outcome.BUG, f"{type(error).__name__}: {error}"
    facts["revision"] = revision
    return Outcome.SUCCEEDED, f"the warehouse is at revision {revision}"
