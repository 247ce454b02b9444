"""How `gitmart local` ends. Where a worker's outcome means the same, its exit code is used."""

from __future__ import annotations

from enum import IntEnum

from gitmart.contract.outcomes import Outcome


class Exit(IntEnum):
    """Exit codes, as docs/local.md lists them."""

    ALL_WELL = 0
    INVALID_INPUT = Outcome.INVALID_INPUT.exit_code  # an option or a manifest
    NOT_FOUND = Outcome.NOT_FOUND.exit_code  # no such resource
    NO_SERVER = Outcome.WAREHOUSE_UNREACHABLE.exit_code  # the embedded PostgreSQL
    NO_STATE = 73  # the state folder cannot be used; EX_CANTCREAT of sysexits(3)
    CANCELLED = Outcome.CANCELLED.exit_code
    RESOURCES_FAILED = 100  # at least one Repository or DbtSchedule is not well


class LocalError(Exception):
    """Something ends the command; `code` says as what, the text is for people."""

    code = Exit.INVALID_INPUT


class StateError(LocalError):
    """The state folder cannot be used."""

    code = Exit.NO_STATE


class ServerError(LocalError):
    """The embedded PostgreSQL cannot be had, or its tables cannot be made."""

    code = Exit.NO_SERVER


class UnknownNameError(LocalError):
    """There is no such resource."""

    code = Exit.NOT_FOUND
