"""`gitmart identities forget`: erase a person from the warehouse, for good."""

from __future__ import annotations

import argparse
import sys

import psycopg

from gitmart.contract.signals import Stopped, stopping
from gitmart.extract.errors import InputError
from gitmart.extract.forget import Erased, Person, find, forget
from gitmart.warehouse.locks import Connection

MOST_LISTED = 20  # ids in a message


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("person", metavar="PERSON")
    parser.add_argument("--dry-run", action="store_true", help="print what would be erased, and change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--unseen", action="store_true", help="also if the warehouse has no such person: an e-mail or 'Name <e-mail>'"
    )


def answer(connection: Connection, asked: argparse.Namespace) -> str:
    """Forget the person and return what to print."""
    person = find(connection, asked.person, unseen=asked.unseen)
    if person.is_forgotten:
        return "nothing to do: that person is forgotten already"
    if not asked.dry_run and not asked.yes:
        _ask(person)
    try:
        with connection.transaction():
            # No signal counts once this is left: whoever hears of an interruption can be sure that nothing was committed.
            with stopping(None):
                erased = forget(connection, person)
            if asked.dry_run:
                raise psycopg.Rollback
    except Stopped as stopped:
        raise Stopped(f"{stopped}: nobody was forgotten, and everything is as it was", stopped.outcome) from None
    return "\n".join(
        [*(f"{table:24} {count:12}" for table, count in erased.rows.items()), *_said(erased, asked.dry_run)]
    )


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
