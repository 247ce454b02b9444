"""Which files of a repository change most, and which together: a part of its page that comes after it, and a page."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import Field

from gitmart.api.pages import choices
from gitmart.api.pages.answer import html
from gitmart.api.pages.calls import Call, call
from gitmart.api.pages.dependencies import Id, ReaderOfPage
from gitmart.api.pages.state import chosen, parameters
from gitmart.api.pages.words import day_of
from gitmart.api.problems import not_found
from gitmart.api.queries import files, repositories
from gitmart.api.queries.paging import MOST_ROWS, Paging
from gitmart.api.switches import Switches

TOP = 8  # in the part of the page of a repository
SHOWN = 25  # on the page of their own
DEPTH = 2  # levels of directories, unless another number is chosen
MOST_DEPTH = 10
TOGETHER = 5  # commits from which on two files change together, as function file_coupling has it
LEAST_TOGETHER = 2  # with 1 nearly every file is in a pair with every other
MOST_TOGETHER = 1000
OWN = ("depth", "at_least_together")  # what the page has beside the switches

router = APIRouter(include_in_schema=False)


class FilesView(Switches):
    """What counts, how deep directories are told apart, and from how many commits on files change together."""

    depth: int = Field(DEPTH, ge=1, le=MOST_DEPTH)
    at_least_together: int = Field(TOGETHER, ge=LEAST_TOGETHER, le=MOST_TOGETHER)


@router.get("/repositories/{repository}/files")
async def files_page(request: Request, repository: Id, reader: ReaderOfPage) -> HTMLResponse:
    """The 25 directories and files that most commits change, and the 25 pairs of files that most change together."""
    view = chosen(FilesView, request.query_params)
    shown, pairs = await asyncio.gather(
        _hotspots(reader, repository, view, SHOWN),
        files.coupling(reader, repository, view, at_least_together=view.at_least_together, paging=Paging(SHOWN)),
    )
    about = shown["about"]
    path = f"/repositories/{repository}/files"
    return html(
        request,
        "files.html",
        **shown,
        view=view,
        action=path,
        kept=parameters(view, OWN),
        own=[pair for pair in parameters(view) if pair[0] in OWN],
        pairs=pairs.rows,
        pairs_call=call(
            "coupling",
            view,
            without=("merges",),
            repository=repository,
            at_least_together=view.at_least_together,
            limit=MOST_ROWS,
        ),
        choices=choices.choices(view),
        classes=choices.classes(view),
        says=choices.says(view),
        times=choices.times(path, view, day_of(about.last_processed_at)) if about.last_processed_at else [],
        depths=range(1, MOST_DEPTH + 1),
        bounds_together=(LEAST_TOGETHER, MOST_TOGETHER),
    )


@router.get("/repositories/{repository}/files/part")
async def files_part(request: Request, repository: Id, reader: ReaderOfPage) -> HTMLResponse:
    """The part of the page of a repository."""
    view = chosen(FilesView, request.query_params)
    return html(request, "files_part.html", **await _hotspots(reader, repository, view, TOP))


async def _hotspots(reader: ReaderOfPage, repository: int, view: FilesView, most: int) -> dict[str, Any]:
    """Return what the repository is and its two tables. Raise ProblemError for one that is not there."""
    about, directories, single = await asyncio.gather(
        repositories.about(reader, repository),
        files.hotspots(reader, repository, view, depth=view.depth, paging=Paging(most)),
        files.hotspots(reader, repository, view, paging=Paging(most)),
    )
    if about is None:
        raise not_found("repository", "repository", repository)
    return {
        "about": about,
        "tables": (
            ("directories", "Directories", directories.rows, _call(view, repository, view.depth)),
            ("files", "Files", single.rows, _call(view, repository, None)),
        ),
    }


def _call(view: FilesView, repository: int, depth: int | None) -> Call:
    return call("hotspots", view, without=("merges",), repository=repository, depth=depth, limit=MOST_ROWS)
