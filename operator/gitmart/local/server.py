"""`gitmart local url`, `dashboard`, `down` and `reset`: the embedded server between two runs."""

from __future__ import annotations

import sys

from gitmart.local.dashboard import serve
from gitmart.local.exits import Exit, LocalError, ServerError
from gitmart.local.objects import Objects
from gitmart.local.postgres import PostgresError
from gitmart.local.state import State
from gitmart.local.up import interruptible
from gitmart.resources.dbtschedule import DbtSchedule


def url(state: State, role: str) -> Exit:
    """Print the connection URL of a role; its password is in it. Raise LocalError."""
    _require_running(state)
    sys.stdout.write(f"{state.server.url(role)}\n")
    return Exit.ALL_WELL


def show(state: State) -> Exit:
    """Serve the dashboard until Ctrl-C. Raise LocalError."""
    _require_running(state)
    with interruptible():
        serve(state, Objects(state.folder("objects")).all(DbtSchedule))
    return Exit.ALL_WELL


def down(state: State) -> Exit:
    """Stop the server, if it runs. Raise LocalError."""
    state.require()
    with state.locked("gitmart local down"):
        _stop(state)
    return Exit.ALL_WELL


def reset(state: State, *, sure: bool) -> Exit:
    """Stop the server and delete everything, after asking unless we are sure. Raise LocalError."""
    if not state.path.exists():
        sys.stderr.write(f"{state.path} does not exist: there is nothing to delete\n")
        return Exit.ALL_WELL
    state.require()
    if not sure:
        _ask(state)
    with state.locked("gitmart local reset"):
        _stop(state)
        state.delete()
    return Exit.ALL_WELL


def _require_running(state: State) -> None:
    state.require()
    if not state.server.running():
        raise ServerError("the server is down: start it with `gitmart local up`")


def _ask(state: State) -> None:
    if not sys.stdin.isatty():
        raise LocalError(f"reset deletes everything in {state.path}: say --yes")
    sys.stderr.write(f"Delete everything in {state.path}? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise LocalError("nothing was deleted")


def _stop(state: State) -> None:
    try:
        state.server.stop()
    except PostgresError as error:
        raise ServerError(str(error)) from None
