"""Style sheet, script and icon, under names that tell their content, so that browsers keep them for good."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import Response

from gitmart.api.problems import ProblemError

MEDIA_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages ask for."""

    name: str  # with a digest of the content
    content: bytes
    media_type: str


@cache
def assets() -> dict[str, Asset]:
    """Return the assets by the names of their files."""
    found = {}
    for file in files("gitmart.api.pages").joinpath("static").iterdir():
        stem, _, ending = file.name.rpartition(".")
        if ending in MEDIA_TYPES:
            content = file.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:12]
            found[file.name] = Asset(f"{stem}.{digest}.{ending}", content, MEDIA_TYPES[ending])
    return found


def address(name: str) -> str:
    """Return the address of an asset by the name of its file."""
    return f"/assets/{assets()[name].name}"


@router.get("/assets/{name}")
async def asset(name: str) -> Response:
    """Return the asset; one of another content is not there."""
    for each in assets().values():
        if each.name == name:
            return Response(
                each.content,
                media_type=each.media_type,
                headers={
                    "Cache-Control": "public, max-age=31536000, immutable",
                    "X-Content-Type-Options": "nosniff",
                },
            )
    raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no file {name!r}")
