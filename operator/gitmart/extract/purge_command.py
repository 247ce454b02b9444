"""`gitmart purge`: remove a repository's rows from the warehouse."""

from __future__ import annotations

import argparse
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

from gitmart.contract.logs import configure_logging
from gitmart.contract.outcomes import Outcome
from gitmart.contract.result import Result, write_result
from gitmart.contract.signals import Stopped, stopping
from gitmart.extract.errors import InputError
from gitmart.extract.failure import told
from gitmart.extract.purge import Known, find, purge
from gitmart.warehouse.connections import connect, warehouse_url
from gitmart.warehouse.replication.replica import refuse_replica
from gitmart.warehouse.revision import check_revision

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = (
        "The warehouse, with the extractor's or the owner's role, is named by GITMART_WAREHOUSE_URL, "
        "or by the file GITMART_WAREHOUSE_URL_FILE. The marts follow with the next gitmart transform."
    )
    parser.add_argument("repository", metavar="REPOSITORY", help="its address, name or id in the warehouse")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--result-file", type=Path, metavar="FILE", help="where to write the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Purge, print the number of rows by table, and return the exit code."""
    configure_logging()
    started = datetime.now(UTC)
    facts: dict[str, object] = {}
    outcome, message = _attempt(arguments, facts)
    if arguments.result_file is not None:
        write_result(Result("purge", outcome, message, started, datetime.now(UTC), facts), arguments.result_file)
    log.log(logging.INFO if outcome.good else logging.ERROR, message, extra={"outcome": outcome.value})
    return outcome.exit_code


def _attempt(arguments: argparse.Namespace, facts: dict[str, object]) -> tuple[Outcome, str]:
    """Purge; return the outcome and a sentence, never raise."""
    try:
        with (
            stopping(None),
            connect(warehouse_url(), application_name="gitmart-purge", autocommit=True) as connection,
        ):
            check_revision(connection)
            refuse_replica(connection)
            repository = find(connection, arguments.repository)
            if not arguments.yes:
                _ask(repository)
            counts = purge(connection, repository)
    except (Stopped, Exception) as error:  # whatever it is, it is told
        return told(error)
    facts |= {"url": repository.url, "repositoryId": repository.id, "rows": counts}
    for table, count in counts.items():
        print(f"{table:24} {count:12}")
    return Outcome.SUCCEEDED, f"{repository.url} is gone from the warehouse: {sum(counts.values())} rows"


def _ask(repository: Known) -> None:
    """Let a person confirm; raise InputError when there is none or the answer is no."""
    question = f"Delete {repository.url} with {repository.commits} commits from the warehouse?"
    if not sys.stdin.isatty():
        raise InputError(f"{question} There is no terminal to ask on: add --yes")
    if input(f"{question} [yes/no] ").strip().lower() != "yes":
        raise InputError("nothing was deleted: the answer was not yes")
