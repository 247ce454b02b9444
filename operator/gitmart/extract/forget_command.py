"""`gitmart identities forget`: erase a person from the warehouse, for good."""

from __future__ import annotations

import argparse
import logging
import sys
from contextlib import nullcontext

import psycopg

from gitmart.contract.signals import Stopped, stopping
from gitmart.extract.erasure import Counts
from gitmart.extract.errors import InputError
from gitmart.extract.forget import Erased, Person, find, forget
from gitmart.extract.forget_on_replica import erase_on_replica, has_replica, open_replica, wait_until_arrived
from gitmart.warehouse.errors import WarehouseError
from gitmart.warehouse.locks import Connection

log = logging.getLogger(__name__)

MOST_LISTED = 20  # ids in a message


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("person", metavar="PERSON")
    parser.add_argument("--dry-run", action="store_true", help="print what would be erased, and change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--unseen", action="store_true", help="also if the warehouse has no such person: an e-mail or 'Name <e-mail>'"
    )
    parser.add_argument(
        "--replica", action="store_true",
        help="also in the history of dbt's runs on the replica that GITMART_REPLICA_URL names",
    )  # fmt: skip


def answer(connection: Connection, asked: argparse.Namespace) -> str:
    """Forget the person and return what to print."""
    with open_replica(connection) if asked.replica else nullcontext() as replica:
        person = find(connection, asked.person, unseen=asked.unseen)
        if not person.is_forgotten:
            if not asked.dry_run and not asked.yes:
                _ask(person)
            lines = _forget(connection, person, asked, replica)
        elif replica is None:
            lines = ["nothing to do: that person is forgotten already"]
        else:
            lines = ["the person is forgotten already; on the replica:", *_table(_there(connection, replica, asked))]
        if replica is None and has_replica(connection):
            lines.append("a replica has a history of dbt's runs of its own: --replica erases from that too")
    return "\n".join(lines)


def _forget(connection: Connection, person: Person, asked: argparse.Namespace, replica: Connection | None) -> list[str]:
    """Forget the person here, and then on the replica if there is one; return what to print."""
    there: Counts = {}
    try:
        with connection.transaction():
            # No signal counts once this is left: whoever hears of an interruption can be sure that nothing was committed.
            with stopping(None):
                erased = forget(connection, person)
                if asked.dry_run and replica is not None:  # while the hashes are there
                    there = _there(connection, replica, asked)
            if asked.dry_run:
                raise psycopg.Rollback
    except Stopped as stopped:
        raise Stopped(f"{stopped}: nobody was forgotten, and everything is as it was", stopped.outcome) from None
    if replica is not None and not asked.dry_run:
        there = _there(connection, replica, asked)
    return [*_table(erased.rows), *_table(there), *_said(erased, asked.dry_run)]


def _there(connection: Connection, replica: Connection, asked: argparse.Namespace) -> Counts:
    """Erase from the replica's history of runs, unless it is a rehearsal; return how many rows."""
    try:
        if not asked.dry_run:
            wait_until_arrived(connection, replica)
        with replica.transaction():
            counts = erase_on_replica(connection, replica)
            if asked.dry_run:
                raise psycopg.Rollback
    except (Stopped, WarehouseError, psycopg.Error):
        if not asked.dry_run:
            log.warning("the person is forgotten, but not in the replica's history of dbt's runs: say this again")
        raise
    return counts


def _table(rows: Counts) -> list[str]:
    return [f"{table:30} {count:12}" for table, count in rows.items()]


def _said(erased: Erased, dry_run: bool) -> list[str]:
    said = ["nothing was changed" if dry_run else "the person is forgotten, and every later extraction keeps them out"]
    if erased.shared:
        said.append(
            f"{erased.shared} of what ties their identities is somebody else's as well, and does not count alone"
        )
    if erased.namesakes:
        listed = ", ".join(str(number) for number in erased.namesakes[:MOST_LISTED])
        said.append(f"of the same name and not forgotten, for another address: contributors {listed}")
    if erased.built:
        said.append(
            f"until the next gitmart transform has built them, these hold what they held: {', '.join(erased.built)}"
        )
    said.append("git itself, its hosts and backups of the database keep what they have: docs/privacy.md")
    return said


def _ask(person: Person) -> None:
    """Let a user confirm; raise InputError when there is no terminal or the answer is no."""
    count = max(1, len(person.identities))
    question = f"Forget {person.told}, {count} identit{'y' if count == 1 else 'ies'}? Nothing can undo it."
    if not sys.stdin.isatty():
        raise InputError(f"{question} There is no terminal to ask on: add --yes")
    if input(f"{question} [yes/no] ").strip().lower() != "yes":
        raise InputError("nobody was forgotten: the answer was not yes")
