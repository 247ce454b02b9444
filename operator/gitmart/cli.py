"""
The command line: one subcommand per process.

Each part has a module `command` with `configure(parser)` and `run(arguments) -> exit code`. It is
imported only when its subcommand is asked for, so that no process pays for the others' libraries.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Protocol, cast

from gitmart import __version__
from gitmart.contract.outcomes import Outcome

PARTS = {
    "extract": "read a repository's history into the warehouse",
    "check": "ask a git host what it has, without reading it",
    "fetch": "write a dbt project of a git repository into a folder",
    "transform": "build and test the marts with dbt",
    "migrate": "bring the warehouse's tables to this version",
    "replicate": "bring the raw tables to another PostgreSQL, for dbt to write there",
    "purge": "remove a repository's rows from the warehouse",
    "identities": "show which identities are one person and why, and change that",
    "api": "serve the REST API and the dashboard",
    "operator": "run the Kubernetes operator",
    "local": "run manifests without a cluster, on an embedded PostgreSQL",
}
MODULES = {
    "check": "gitmart.extract.check_command",
    "fetch": "gitmart.extract.project_command",
    "identities": "gitmart.extract.identities_command",
    "migrate": "gitmart.warehouse.command",
    "operator": "gitmart.handlers.command",
    "purge": "gitmart.extract.purge_command",
    "replicate": "gitmart.warehouse.replication.command",
}


class Command(Protocol):
    """What a part's module `command` offers."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do the work and return the exit code."""


class Parser(argparse.ArgumentParser):
    """argparse, but a usage error ends with the documented exit code of bad input."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Print the usage and what was wrong, and leave."""
        self.print_usage(sys.stderr)
        self.exit(Outcome.INVALID_INPUT.exit_code, f"{self.prog}: {message}\n")


def main(words: Sequence[str] | None = None) -> int:
    """Run the subcommand that the words name and return the process's exit code."""
    if os.getpid() == 1:
        # The kernel keeps a signal from process 1 of a container until somebody handles it, and what a subcommand
        # needs takes a second to import: a pod deleted then would be waited for until it is killed.
        signal.signal(signal.SIGTERM, _leave)
    words = list(sys.argv[1:] if words is None else words)
    parser = Parser(prog="gitmart", description="Git histories as tested analytics in PostgreSQL.")
    parser.add_argument("--version", action="version", version=f"gitmart {__version__}")
    subparsers = parser.add_subparsers(dest="part", metavar="COMMAND", required=True)
    asked = next((word for word in words if not word.startswith("-")), None)
    command: Command | None = None
    for part, summary in PARTS.items():
        subparser = subparsers.add_parser(part, help=summary, description=f"gitmart {part}: {summary}.")
        if part == asked:
            command = cast(Command, importlib.import_module(MODULES.get(part, f"gitmart.{part}.command")))
            command.configure(subparser)
    arguments = parser.parse_args(words)
    if command is None:  # argparse refuses any other word
        raise AssertionError(asked)
    return command.run(arguments)


def _leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    sys.exit(Outcome.CANCELLED.exit_code)


if __name__ == "__main__":
    sys.exit(main())
