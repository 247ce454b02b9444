"""What is told of a request, in the access log and in figures: each layer adds what it knows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from starlette.types import Scope

from gitmart.api.principal import NOBODY, Principal

KEY = "gitmart.told"
UNMATCHED = "unmatched"


class Cached(StrEnum):
    """What the cache did."""

    HIT = "hit"
    NOT_MODIFIED = "not_modified"
    SHARED = "shared"  # made once, for several who asked at a time
    MISS = "miss"
    BYPASS = "bypass"  # of what is not kept


@dataclass(slots=True)
class Told:
    """Of one request. `path` is below the root path; `route` the template of it."""

    path: str
    route: str = UNMATCHED
    principal: Principal = NOBODY
    cached: Cached = Cached.BYPASS
    status: int = 0
    sent: int = 0  # bytes of the body


def told_of(scope: Scope) -> Told:
    """Return what is told of the request."""
    return cast(Told, scope[KEY])


def header(scope: Scope, name: bytes) -> str:
    """Return a header of the request (its name in lower case), empty if there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return cast(bytes, value).decode("latin-1")
    return ""


def template_of(scope: Scope) -> str:
    """Return the template of the path that a router has found, such as /analytics/repository/{repository}/summary."""
    route = scope.get("route")
    return str(getattr(route, "path", UNMATCHED))


def matches(path: str, public: tuple[str, ...]) -> bool:
    """Whether a path is one of these, or below one that ends in a slash."""
    return any(path == one or (one.endswith("/") and path.startswith(one)) for one in public)
