"""
Runs that people ask for: `gitmart local run` leaves a file, whoever follows the resource takes it.

The follower alone writes objects. It puts the request into the object's annotation first and deletes the file then,
so that a request is never lost, and is the same one when it is taken twice.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gitmart.local import locks
from gitmart.local.exits import Exit
from gitmart.local.get import named
from gitmart.local.objects import Objects
from gitmart.local.runs import Key, key_of
from gitmart.local.state import State, write_file
from gitmart.resources.manifests import AnyResource


@dataclass(frozen=True, slots=True)
class Request:
    """A run that somebody asked for; `token` is the value of the annotation gitmart.dev/requested-at."""

    key: Key
    token: str
    path: Path


def waiting(folder: Path) -> Iterator[Request]:
    """Yield the requests that were not taken yet, oldest first."""
    for name in sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith(".")):
        path = folder / name
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            yield Request((told["kind"], told["namespace"], told["name"]), told["token"], path)
        except (ValueError, KeyError, TypeError):
            path.unlink(missing_ok=True)  # none of ours


def run_now(state: State, kind: type[AnyResource], name: str) -> Exit:
    """Ask for a run. Raise LocalError."""
    state.require()
    state.prepare()
    followed = locks.is_locked(state.path / "lock")
    for resource in named(Objects(state.folder("objects")).all(kind), kind, name):
        _ask(state.folder("requests"), key_of(resource))
        who = "`gitmart local up`, which runs now, starts it" if followed else "the next `gitmart local up` starts it"
        sys.stdout.write(f"{resource.kind.lower()}/{name}: a run is asked for; {who}\n")
    return Exit.ALL_WELL


def _ask(folder: Path, key: Key) -> None:
    kind, namespace, name = key
    token = datetime.now(UTC).isoformat(timespec="milliseconds")
    told = {"kind": kind, "namespace": namespace, "name": name, "token": token}
    write_file(folder / f"{time.time_ns()}-{os.getpid()}.json", json.dumps(told) + "\n")
