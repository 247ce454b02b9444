"""Which files and directories of a repository change most: a part of its page that is loaded after it, and a page."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import Field

from gitmart.api.pages import choices
from gitmart.api.pages.answer import html
from gitmart.api.pages.calls import Call, call
from gitmart.api.pages.dependencies import Id, ReaderOfPage
from gitmart.api.pages.state import chosen, parameters
from gitmart.api.problems import not_found
from gitmart.api.queries import files, repositories
from gitmart.api.queries.paging import MOST_ROWS, Paging
from gitmart.api.switches import Switches

TOP = 8  # in the part of the page of a repository
SHOWN = 25  # on the page of their own
DEPTH = 2  # levels of directories, unless another number is chosen
MOST_DEPTH = 10

router = APIRouter(include_in_schema=False)


class FilesView(Switches):
    """What counts, and how deep directories are told apart."""

    depth: int = Field(DEPTH, ge=1, le=MOST_DEPTH)


@router.get("/repositories/{repository}/files")
async def files_page(request: Request, repository: Id, reader: ReaderOfPage) -> HTMLResponse:
    """The 25 directories and the 25 files that most commits change."""
    return await _answer(request, repository, reader, "files.html", SHOWN)


@router.get("/repositories/{repository}/files/part")
async def files_part(request: Request, repository: Id, reader: ReaderOfPage) -> HTMLResponse:
    """The part of the page of a repository."""
    return await _answer(request, repository, reader, "files_part.html", TOP)


async def _answer(request: Request, repository: int, reader: ReaderOfPage, template: str, most: int) -> HTMLResponse:
    view = chosen(FilesView, request.query_params)
    about, directories, single = await asyncio.gather(
        repositories.about(reader, repository),
        files.hotspots(reader, repository, view, depth=view.depth, paging=Paging(most)),
        files.hotspots(reader, repository, view, paging=Paging(most)),
    )
    if about is None:
        raise not_found("repository", "repository", repository)
    return html(
        request,
        template,
        about=about,
        view=view,
        kept=parameters(view, ("depth",)),
        tables=(
            ("directories", "Directories", directories.rows, _call(view, repository, view.depth)),
            ("files", "Files", single.rows, _call(view, repository, None)),
        ),
        choices=choices.choices(view),
        classes=choices.classes(view),
        says=choices.says(view),
        depths=range(1, MOST_DEPTH + 1),
    )


def _call(view: FilesView, repository: int, depth: int | None) -> Call:
    return call("hotspots", view, without=("merges",), repository=repository, depth=depth, limit=MOST_ROWS)
