"""`gitmart identities`: who is who in the warehouse, why, and what users say of it."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable

from gitmart.contract.logs import configure_logging
from gitmart.contract.outcomes import Outcome
from gitmart.contract.signals import Stopped, stopping
from gitmart.extract import decisions, forget_command
from gitmart.extract.failure import told
from gitmart.warehouse.connections import connect, warehouse_url
from gitmart.warehouse.locks import Connection
from gitmart.warehouse.replication.replica import refuse_replica
from gitmart.warehouse.revision import check_revision

log = logging.getLogger(__name__)

Answer = Callable[[Connection, argparse.Namespace], str]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    parser.epilog = (
        "The warehouse, with the extractor's or the owner's role, is named by GITMART_WAREHOUSE_URL, or by the file "
        "GITMART_WAREHOUSE_URL_FILE. An identity is named by its id, 'Name <e-mail>', e-mail, name or user name. "
        "The marts follow with the next gitmart transform."
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def add(name: str, summary: str, answer: Answer) -> argparse.ArgumentParser:
        action = actions.add_parser(name, help=summary, description=f"gitmart identities {name}: {summary}.")
        action.set_defaults(answer=answer)
        return action

    kinds = ("human", "bot", "assistant")
    listing = add("list", "people and their identities", _list)
    listing.add_argument("--person", metavar="PERSON", help="of this person alone")
    listing.add_argument("--kind", choices=kinds, help="of this kind alone")
    listing.add_argument("--merged", action="store_true", help="people with several identities alone")
    add("show", "why identities are one person", _show).add_argument("person", metavar="PERSON")
    merging = add("merge", "make one person of two identities, whatever the rules say", _merge)
    merging.add_argument("identity", metavar="IDENTITY")
    merging.add_argument("into", metavar="INTO", help="the identity that stands for the person")
    splitting = add("split", "let an identity stand alone, whatever the rules say", _split)
    splitting.add_argument("identity", metavar="IDENTITY")
    calling = add("kind", "say what a person is", _kind)
    calling.add_argument("identity", metavar="PERSON")
    calling.add_argument("kind", choices=kinds)
    for deciding in (merging, splitting, calling):
        deciding.add_argument("--reason", help="kept beside the decision")
    forget_command.configure(
        add("forget", "erase a person from the warehouse and keep them out, for good", forget_command.answer)
    )
    add("undo", "take a decision back; the rules say again", _undo).add_argument("decision", metavar="ID", type=int)
    add("history", "all merges and decisions that hold or held", _history).add_argument(
        "person", metavar="PERSON", nargs="?", help="of this person alone"
    )
    add("threshold", "print or set the confidence a rule needs to merge", _threshold).add_argument(
        "value", metavar="0..1", nargs="?", type=_share
    )


def run(arguments: argparse.Namespace) -> int:
    """Answer, and return the exit code."""
    configure_logging()
    outcome, message = _attempt(arguments)
    if outcome.good:
        print(message)
    else:
        log.error(message, extra={"outcome": outcome.value})
    return outcome.exit_code


def _attempt(arguments: argparse.Namespace) -> tuple[Outcome, str]:
    """Return the outcome, and the answer or a sentence, never raise."""
    try:
        with (
            stopping(None),
            connect(warehouse_url(), application_name="gitmart-identities", autocommit=True) as connection,
        ):
            check_revision(connection)
            refuse_replica(connection)
            return Outcome.SUCCEEDED, arguments.answer(connection, arguments)
    except (Stopped, Exception) as error:  # whatever it is, it is told
        return told(error)


def _list(connection: Connection, asked: argparse.Namespace) -> str:
    person = decisions.find_person(connection, asked.person).id if asked.person else None
    found = decisions.listed(connection, person=person, kind=asked.kind, merged=asked.merged)
    lines = [
        f"{each.id}: {each} ({each.kind})" if each.id == each.person else f"    {each.id}: {each}" for each in found
    ]
    people = sum(each.id == each.person for each in found)
    return "\n".join([*lines, f"{people} people, {len(found)} identities"])


def _show(connection: Connection, asked: argparse.Namespace) -> str:
    person = decisions.find_person(connection, asked.person)
    identities = decisions.listed(connection, person=person.id)
    names = {each.id: str(each) for each in identities}
    lines = [f"{person.id}: {person} ({person.kind})"]
    lines += [f"    {each.id}: {each}" for each in identities if each.id != person.id]
    for reason in decisions.reasons(connection, list(names)):
        lines.append(_reason(reason))
    decided = [each for each in decisions.decisions(connection, list(names)) if each.undone is None]
    return "\n".join([*lines, *map(_decision, decided)])


def _reason(reason: decisions.Reason) -> str:
    of = f" of {reason.repository}" if reason.repository else ""
    undone = f", until {reason.undone}" if reason.undone else ""
    return (
        f"{reason.from_id} is {reason.to_id} by {reason.rule} ({reason.confidence:.2f}): {reason.evidence}{of}, "
        f"since {reason.since}{undone}"
    )


def _decision(decision: decisions.Decision) -> str:
    what = {
        "merge": f"{decision.who} is {decision.into}",
        "split": f"{decision.who} stands alone",
        "kind": f"{decision.who} is {decision.kind}",
    }[decision.action]
    because = f", because: {decision.reason}" if decision.reason else ""
    undone = f", until {decision.undone}" if decision.undone else ""
    return f"decision {decision.id}: {what}, said {decision.by} on {decision.since}{because}{undone}"


def _merge(connection: Connection, asked: argparse.Namespace) -> str:
    who, into = (decisions.find_one(connection, wanted) for wanted in (asked.identity, asked.into))
    return f"decision {decisions.merge(connection, who, into, asked.reason)}: {who} is {into}"


def _split(connection: Connection, asked: argparse.Namespace) -> str:
    who = decisions.find_one(connection, asked.identity)
    return f"decision {decisions.split(connection, who, asked.reason)}: {who} stands alone"


def _kind(connection: Connection, asked: argparse.Namespace) -> str:
    who = decisions.find_person(connection, asked.identity)
    return f"decision {decisions.set_kind(connection, who, asked.kind, asked.reason)}: {who} is {asked.kind}"


def _undo(connection: Connection, asked: argparse.Namespace) -> str:
    decisions.undo(connection, asked.decision)
    return f"decision {asked.decision} is taken back"


def _history(connection: Connection, asked: argparse.Namespace) -> str:
    ids = None
    if asked.person:
        person = decisions.find_person(connection, asked.person).id
        ids = [each.id for each in decisions.listed(connection, person=person)]
    told = [_reason(reason) for reason in decisions.reasons(connection, ids, undone=True)]
    return "\n".join([*told, *map(_decision, decisions.decisions(connection, ids))]) or "nobody was ever merged"


def _threshold(connection: Connection, asked: argparse.Namespace) -> str:
    if asked.value is not None:
        decisions.set_threshold(connection, asked.value)
    return f"{decisions.threshold(connection):.2f}"


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be a number from 0 to 1, such as 0.8")
    return value
