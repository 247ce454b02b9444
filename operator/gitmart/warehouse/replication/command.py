"""`gitmart replicate`: another PostgreSQL that has the raw tables too, for dbt to write in."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import psycopg

from gitmart.contract.durations import parse_duration
from gitmart.contract.logs import configure_logging
from gitmart.contract.outcomes import Outcome
from gitmart.contract.redaction import Scrubber, scrub_logging
from gitmart.contract.signals import Stopped, stopping
from gitmart.warehouse.connections import REPLICA_VARIABLE, URL_VARIABLE, connect, named_url
from gitmart.warehouse.errors import SettingError, UnreachableError, WarehouseError, classify
from gitmart.warehouse.locks import Connection
from gitmart.warehouse.replication.remove import Removal, remove
from gitmart.warehouse.replication.set_up import set_up
from gitmart.warehouse.replication.state import State, read_state

log = logging.getLogger(__name__)

LOGIN_VARIABLE = "GITMART_REPLICATION_URL"
_PAUSE = 1  # second between two looks of --wait

Told = tuple[Outcome, str]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    parser.epilog = (
        f"The source, with the owner's role, is named by {URL_VARIABLE}, the replica by {REPLICA_VARIABLE}; "
        f"{LOGIN_VARIABLE} is how the replica's server reaches the source, as gitmart_replicate. "
        "Each may be in a file instead, which the variable with _FILE at its end names. docs/replication.md tells more."
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def add(name: str, summary: str, answer: Callable[[argparse.Namespace], Told]) -> argparse.ArgumentParser:
        action = actions.add_parser(name, help=summary, description=f"gitmart replicate {name}: {summary}.")
        action.set_defaults(answer=answer)
        return action

    setting_up = add("set-up", "bring the raw tables to the replica, and heal what is there", _set_up)
    setting_up.add_argument("--anew", action="store_true", help="empty the replica's raw tables and copy all again")
    telling = add("status", "how far the replica is behind", _status)
    telling.add_argument("--json", action="store_true", help="as a JSON object")
    telling.add_argument(
        "--wait", type=_duration, default="0s", metavar="DURATION", help="wait this long for it to be ready"
    )
    removing = add("remove", "end the replication, on whichever side there is", _remove)
    removing.add_argument("--yes", action="store_true", help="do not ask")
    removing.add_argument("--empty", action="store_true", help="remove the replica's raw rows too")
    removing.add_argument("--slot", metavar="NAME", help="the slot to drop, if the replica is gone")


def run(arguments: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    configure_logging()
    scrubber = Scrubber()
    scrub_logging(scrubber)
    for variable in (URL_VARIABLE, REPLICA_VARIABLE, LOGIN_VARIABLE):
        scrubber.learn(_password(variable))
    outcome, message = _attempt(arguments)
    if not outcome.good:
        log.error(message, extra={"outcome": outcome.value})
    elif message:
        print(scrubber.clean(message))
    return outcome.exit_code


def _attempt(arguments: argparse.Namespace) -> Told:
    """Return the outcome, and the answer or a sentence, never raise."""
    try:
        with stopping(None):
            answer: Told = arguments.answer(arguments)
            return answer
    except (Stopped, WarehouseError) as error:
        return error.outcome, str(error)
    except psycopg.Error as error:
        if (known := classify(error)) is not None:
            return known.outcome, str(known)
        log.exception("gitmart failed")
        return Outcome.BUG, f"{type(error).__name__}: {error}"
    except Exception as error:  # the last resort, which says so
        log.exception("gitmart failed")
        return Outcome.BUG, f"{type(error).__name__}: {error}"


def _set_up(arguments: argparse.Namespace) -> Told:
    login = named_url(LOGIN_VARIABLE, "address of the source for the replica's server")
    with _source() as source, _replica() as replica:
        tables = set_up(source, replica, login, anew=arguments.anew)
    return (
        Outcome.SUCCEEDED,
        f"{len(tables)} raw tables are replicated; `gitmart replicate status` tells how far they are",
    )


def _status(arguments: argparse.Namespace) -> Told:
    deadline = time.monotonic() + arguments.wait.total_seconds()
    while (state := _state()).obstacle is not None and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    print(json.dumps(state.document(), indent=2) if arguments.json else "\n".join(state.lines()))
    if state.obstacle is not None:
        return Outcome.REPLICA_NOT_READY, state.obstacle
    return Outcome.SUCCEEDED, ""


def _state() -> State:
    with ExitStack() as held:
        replica = held.enter_context(_replica())
        try:
            source, trouble = held.enter_context(_source()), None
        except WarehouseError as error:  # what the replica says is worth knowing all the same
            source, trouble = None, str(error)
        return read_state(source, replica, trouble)


def _remove(arguments: argparse.Namespace) -> Told:
    if not arguments.yes:
        _ask("End the replication, and empty the replica's raw tables?" if arguments.empty else "End the replication?")
    removal = Removal()
    with ExitStack() as held:
        sides: list[Connection | None] = []
        for open_side in (_source, _replica):
            try:
                sides.append(held.enter_context(open_side()))
            except UnreachableError as error:
                log.warning("a side is not reached: the other one is done alone", extra={"why": str(error)})
                sides.append(None)
        source, replica = sides
        if source is None and replica is None:
            raise UnreachableError("neither the source nor the replica can be reached: nothing was removed")
        removal = remove(source, replica, slot=arguments.slot, also_empty=arguments.empty)
    for what in removal.done:
        print(f"removed: {what}")
    if removal.left:
        return Outcome.WAREHOUSE_UNREACHABLE, "; ".join(["left: " + removal.left[0], *removal.left[1:]])
    return Outcome.SUCCEEDED, "the replication is removed" if removal.done else "there was nothing to remove"


@contextmanager
def _source() -> Iterator[Connection]:
    with _side("the source", named_url(URL_VARIABLE, "source")) as connection:
        yield connection


@contextmanager
def _replica() -> Iterator[Connection]:
    with _side("the replica", named_url(REPLICA_VARIABLE, "replica")) as connection:
        yield connection


@contextmanager
def _side(what: str, url: str) -> Iterator[Connection]:
    """Open a side's session; an error of the opening says which side it is."""
    extra = {"search_path": "public"}
    try:
        connection = connect(url, application_name="gitmart-replicate", autocommit=True, extra=extra)
    except WarehouseError as error:
        raise type(error)(f"{what}: {error}") from None
    with connection:
        yield connection


def _password(variable: str) -> str:
    try:
        return str(psycopg.conninfo.conninfo_to_dict(named_url(variable, "")).get("password") or "")
    except WarehouseError:  # told by whoever needs it
        return ""


def _ask(question: str) -> None:
    """Let a person confirm; raise SettingError when there is none or the answer is no."""
    if not sys.stdin.isatty():
        raise SettingError(f"{question} There is no terminal to ask on: add --yes")
    if input(f"{question} [yes/no] ").strip().lower() != "yes":
        raise SettingError("nothing was removed: the answer was not yes")


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
