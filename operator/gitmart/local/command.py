"""The command line of `gitmart local`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path

from gitmart.local.exits import Exit, LocalError
from gitmart.local.state import VARIABLE, State
from gitmart.local.terminal import plain

ROLES = ("read", "extract", "transform", "owner")


class IntermixedParser(argparse.ArgumentParser):
    """Takes options before, between and after the words, as kubectl does: `get repo -o yaml NAME`."""

    _dissecting = False

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """Parse in argparse's intermixed way, which calls this method again for each of its two passes."""
        if self._dissecting:
            return super().parse_known_args(args, namespace)
        self._dissecting = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._dissecting = False


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands of `gitmart local`."""
    intermixed: type[argparse.ArgumentParser] = type("Parser", (IntermixedParser, type(parser)), {})
    commands = parser.add_subparsers(dest="local_command", metavar="COMMAND", required=True, parser_class=intermixed)

    def command(name: str, action: Callable[[argparse.Namespace], int], summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=f"gitmart local {name}: {summary}.")
        added.add_argument(
            "--state", type=Path, metavar="DIR",
            help=f"where everything is kept (default: ${VARIABLE}, else ~/.local/state/gitmart)",
        )  # fmt: skip
        added.set_defaults(action=action)
        return added

    up = command("up", _up, "start the server and follow the schedules of Repositories and DbtSchedules")
    up.add_argument("--once", action="store_true", help="extract every Repository, run every DbtSchedule, and end")
    up.add_argument(
        "--max-extractions", type=_cap, default=2, metavar="N",
        help="extractions at a time when schedules are followed; 0 is no limit (default 2)",
    )  # fmt: skip
    up.add_argument(
        "--max-extractions-per-host", type=_cap, default=2, metavar="N", help="the same per git host (default 2)"
    )
    up.add_argument(
        "-f", "--filename", action="append", default=[], metavar="FILE",
        help="a manifest, a folder of them, or - for standard input; repeatable (default: what is known already)",
    )  # fmt: skip
    _add_dashboard(up)
    run_now = command("run", _run, "ask whoever follows a resource to run it now")
    run_now.add_argument("kind", metavar="KIND", help="repository (repo) or dbtschedule (dbts)")
    run_now.add_argument("name", metavar="NAME", help="which one")
    demo = command("demo", _demo, "extract one repository, run dbt, and show what came of it")
    demo.add_argument("positional", nargs="?", metavar="REPO", help=argparse.SUPPRESS)
    demo.add_argument("--repo", metavar="URL-OR-PATH", help="the repository (default: gitmart's own checkout)")
    _add_dashboard(demo)
    command("dashboard", _dashboard, "serve the dashboard until Ctrl-C")
    get = command("get", _get, "list resources as kubectl does")
    get.add_argument("kind", metavar="KIND", help="repositories (repo) or dbtschedules (dbts)")
    get.add_argument("name", nargs="?", metavar="NAME", help="only this one")
    get.add_argument("-o", "--output", choices=("table", "wide", "json", "yaml"), default="table", help="the form")
    url = command("url", _url, "print a connection URL of the warehouse")
    url.add_argument("--role", choices=ROLES, default="read", help="whose connection (default: read)")
    command("down", _down, "stop the server; everything is kept")
    reset = command("reset", _reset, "stop the server and delete everything")
    reset.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand; print what is wrong on stderr and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 gets question marks, not a traceback
    try:
        code: int = arguments.action(arguments)
    except LocalError as error:
        for line in str(error).splitlines():
            sys.stderr.write(plain(f"gitmart local: {line}") + "\n")
        return error.code
    except OSError as error:  # a full disk, a folder of another user's, a closed pipe
        at = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(plain(f"gitmart local: {at}{error.strerror}") + "\n")
        return Exit.NO_STATE
    except KeyboardInterrupt:
        sys.stderr.write("gitmart local: stopped\n")
        return Exit.CANCELLED
    return code


def _add_dashboard(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dashboard", action=argparse.BooleanOptionalAction, default=None,
        help="serve the dashboard (default: on a terminal, unless CI is set)",
    )  # fmt: skip


def _cap(text: str) -> int:
    """Parse a number of places, as an argparse type."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of extractions: write 0 for no limit, 1 or more")
    return int(text)


def _up(arguments: argparse.Namespace) -> int:
    from gitmart.controller.admission import Caps
    from gitmart.local.dashboard import is_wanted
    from gitmart.local.up import follow, up_once

    state = State.at(arguments.state)
    if arguments.once:
        if arguments.dashboard:
            raise LocalError("--once ends, and --dashboard would not: use one of them, or `gitmart local dashboard`")
        return up_once(state, arguments.filename)
    caps = Caps(arguments.max_extractions, arguments.max_extractions_per_host)
    return follow(state, arguments.filename, caps, serves=is_wanted(arguments.dashboard))


def _run(arguments: argparse.Namespace) -> int:
    from gitmart.local.get import kind_of
    from gitmart.local.requests import run_now

    return run_now(State.at(arguments.state), kind_of(arguments.kind), arguments.name)


def _demo(arguments: argparse.Namespace) -> int:
    if arguments.repo is not None and arguments.positional is not None:
        raise LocalError("name the repository once: with --repo or after the command")
    from gitmart.local.dashboard import is_wanted
    from gitmart.local.demo import demo

    repo = arguments.repo if arguments.repo is not None else arguments.positional
    return demo(State.at(arguments.state or Path(".gitmart")), repo, serves=is_wanted(arguments.dashboard))


def _dashboard(arguments: argparse.Namespace) -> int:
    from gitmart.local.server import show

    return show(State.at(arguments.state))


def _get(arguments: argparse.Namespace) -> int:
    from gitmart.local.get import get, kind_of

    return get(State.at(arguments.state), kind_of(arguments.kind), arguments.name, arguments.output)


def _url(arguments: argparse.Namespace) -> int:
    from gitmart.local.server import url

    return url(State.at(arguments.state), f"gitmart_{arguments.role}")


def _down(arguments: argparse.Namespace) -> int:
    from gitmart.local.server import down

    return down(State.at(arguments.state))


def _reset(arguments: argparse.Namespace) -> int:
    from gitmart.local.server import reset

    return reset(State.at(arguments.state), sure=arguments.yes)
