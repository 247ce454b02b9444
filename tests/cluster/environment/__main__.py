"""`python -m tests.cluster.environment COMMAND`, from the project's root; the Makefile calls it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from . import golang, images, machine, obtain, supervisor
from .places import ClusterError, Site
from .progress import say

Command = Callable[[argparse.Namespace], None]


def main() -> None:
    """Run one command; end with status 1 and a message when it cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.environment", description="The tests' cluster.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "up", up, "have a cluster; it stays until `down`")
    _add(commands, "down", down, "end it and remove every trace")
    _add(commands, "kubeconfig", kubeconfig, "print the path of its kubeconfig")
    _add(commands, "prepare", prepare, "build and install what it needs, as far as possible here")
    _add(commands, "image", image, "build the images and print their names")
    tool_parser = _add(commands, "tool", tool, "print the path of programs, built if missing")
    _add(commands, "tools", tools, "build every program that the tests use")
    supervise_parser = _add(commands, "supervise", supervise, "the process a node belongs to; `up` starts it")
    for named in (tool_parser, supervise_parser):
        named.add_argument("names", nargs="+", metavar="NAME")
    words = parser.parse_args()
    try:
        words.run(words)
    except ClusterError as error:
        sys.exit(str(error))


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: Command, text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    return parser


def up(words: argparse.Namespace) -> None:
    """Have a cluster that stays."""
    cluster = obtain.obtain()
    say(f"{cluster.kind} cluster up: export KUBECONFIG={cluster.kubeconfig}")


def down(words: argparse.Namespace) -> None:
    """End the cluster."""
    say("the cluster is gone" if obtain.release() else "there was no cluster")


def kubeconfig(words: argparse.Namespace) -> None:
    """Print the path."""
    path = obtain.running()
    if path is None:
        raise ClusterError("no cluster is up: run make cluster")
    print(path)


def prepare(words: argparse.Namespace) -> None:
    """Prepare, or say why the tests will do without."""
    try:
        obtain.prepare()
    except ClusterError as error:
        if os.environ.get("GITMART_REQUIRE_CLUSTER") == "1":
            raise
        say(f"{error}\nTests that need one are skipped; GITMART_REQUIRE_CLUSTER=1 makes that a failure.")


def image(words: argparse.Namespace) -> None:
    """Build the images."""
    machine.install_packages()
    for built in images.ensure():
        print(built.reference)


def tool(words: argparse.Namespace) -> None:
    """Print paths."""
    for name in words.names:
        print(golang.tool(name))


def tools(words: argparse.Namespace) -> None:
    """Build all."""
    golang.ensure(golang.TOOLS)


def supervise(words: argparse.Namespace) -> None:
    """Be the process that a node belongs to."""
    owner = os.environ.get("GITMART_CLUSTER_OWNER")
    chosen = [images.Built.parse(name) for name in words.names]
    supervisor.supervise(Site.of_environment(), chosen, int(owner) if owner else None)


if __name__ == "__main__":
    main()
