"""
`gitmart extract` as a process of its own, without the second that an interpreter takes to start.

Started once, it imports what the command needs, and forks for each run that a line of JSON on its standard input asks
for: arguments, environment, the file for what is printed, bounds that are lower than those of the product,
and names of hosts that no name server knows.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module


def main() -> None:
    """Serve until the input ends; answer each line with an exit code."""
    cli = import_module("gitmart.cli")
    for name in ("gitmart.extract.command", "git", "psutil", "psycopg"):
        import_module(name)
    for request in sys.stdin:
        wanted = json.loads(request)
        child = os.fork()
        if child == 0:
            _run(cli, wanted)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(cli: object, wanted: dict[str, dict[str, object]]) -> None:
    code = 1
    try:
        os.environ.clear()
        os.environ.update({name: str(value) for name, value in wanted["environment"].items()})
        printed = os.open(str(wanted["printed"]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        for name, value in wanted["lowered"].items():
            module, _, attribute = name.rpartition(".")
            setattr(import_module(module), attribute, value)
        _name(wanted["names"])
        code = cli.main(wanted["words"])  # type: ignore[attr-defined]
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _name(names: dict[str, object]) -> None:
    """Let this process, and none that it starts, know hosts by these names."""
    import socket

    asked = socket.getaddrinfo

    def getaddrinfo(host: object, *words: object, **options: object) -> object:
        return asked(names.get(str(host), host), *words, **options)  # type: ignore[arg-type]

    socket.getaddrinfo = getaddrinfo  # type: ignore[assignment]


if __name__ == "__main__":
    main()
