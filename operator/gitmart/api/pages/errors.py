"""Errors as pages: whoever asked for a page is told in one, in the same words and with the same status as a program."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gitmart.api.pages.answer import html

TITLES: dict[str | HTTPStatus, str] = {
    "no_marts": "There are no marts yet",
    "not_migrated": "The warehouse is not ready",
    "unreachable": "The warehouse does not answer",
    "busy": "Too many people ask at once",
    "timeout": "This takes too long",
    HTTPStatus.UNPROCESSABLE_ENTITY: "This cannot be shown",
}
ADVICE: dict[str | HTTPStatus, str] = {
    "no_marts": "They are made by the first run of a DbtSchedule, or of `gitmart transform`. Reload this page then.",
    "not_migrated": "It is made ready by `gitmart migrate`. Reload this page then.",
    "unreachable": "Nothing is lost: the page works again as soon as the warehouse does. Reload it then.",
    "busy": "Wait a moment, then reload this page.",
    "timeout": "Choose a shorter time or a single repository, and try again.",
    HTTPStatus.NOT_FOUND: "It may have been removed, or the marts have not been built since it was added.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Go back and choose again, or correct the address.",
    HTTPStatus.TOO_MANY_REQUESTS: "Wait a moment, then reload this page.",
}


def problem_page(request: Request, status: int, detail: str, members: Mapping[str, Any]) -> Response:
    """Return the page of a problem; `members` are what else a program is told of it."""
    reason = members.get("reason")
    title = TITLES.get(reason or "") or TITLES.get(HTTPStatus(status)) or HTTPStatus(status).phrase
    advice = ADVICE.get(reason or "") or ADVICE.get(HTTPStatus(status), "")
    return html(request, "error.html", status=status, code=status, title=title, detail=detail, advice=advice)
