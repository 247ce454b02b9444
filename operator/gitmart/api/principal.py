"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from fastapi import Request


class Kind(StrEnum):
    """How a principal was recognised."""

    TOKEN = "token"  # noqa: S105 # a word: a static token
    SESSION = "session"  # a browser that signed in with one
    OIDC = "oidc"
    NOBODY = "nobody"  # nobody is asked who they are, or the path is for everybody


@dataclass(frozen=True, slots=True)
class Principal:
    """
    Somebody who may ask. `name` is that of the token, or the subject of an OIDC token; empty of nobody.

    `groups` are those that the issuer says a subject is in.
    """

    kind: Kind
    name: str = ""
    groups: frozenset[str] = frozenset()


NOBODY = Principal(Kind.NOBODY)


def principal_of(request: Request) -> Principal:
    """Return who sent the request."""
    return cast(Principal, request.state.principal)
