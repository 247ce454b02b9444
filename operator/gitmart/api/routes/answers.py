"""How routes answer, and how the OpenAPI document tells of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from gitmart.api.problems import not_found
from gitmart.api.queries import contributors, repositories
from gitmart.api.queries.paging import Page
from gitmart.api.reader import Reader
from gitmart.api.routes.formats import Format, as_json, chosen_format, written
from gitmart.api.routes.parameters import Tabular

Row = TypeVar("Row", bound=BaseModel)


_CURSOR = "WyI2MTM3YWJlMmIwZGUiLDMwLDZd"  # an example


class Items(BaseModel, Generic[Row]):
    """A table."""

    items: list[Row]


class PageOfItems(Items[Row], Generic[Row]):
    """A page of a table."""

    next_cursor: str | None = Field(
        description="`cursor` of the page that follows; null after the last.", examples=[_CURSOR]
    )


async def table(
    request: Request,
    asked: Tabular,
    model: type[Row],
    rows: Sequence[Row] | Page[Row],
    *,
    only: Collection[str] | None = None,
) -> Response:
    """Return a table or a page of one, written as the client wants it; `only` are the columns that it wants."""
    form = chosen_format(asked.format, request.headers.get("accept"))
    page = rows if isinstance(rows, Page) else None
    items = rows.rows if isinstance(rows, Page) else rows
    headers = {"Vary": "Accept"}
    if page is not None and page.next_cursor is not None:
        given = [pair for pair in request.query_params.multi_items() if pair[0] != "cursor"]
        following = urlencode([*given, ("cursor", page.next_cursor)])
        headers["Link"] = f'<{request.url.path}?{following}>; rel="next"'
    if form is Format.JSON:
        end = b"}" if page is None else b',"next_cursor":' + json.dumps(page.next_cursor).encode() + b"}"
        return Response(b'{"items":' + as_json(model, items, only) + end, headers=headers, media_type=form.media_type)
    if form is not Format.CSV:
        headers["Content-Disposition"] = f'attachment; filename="{request.url.path.rpartition("/")[2]}.{form}"'
    body = await run_in_threadpool(partial(written, form, model, items, only))
    return Response(body, headers=headers, media_type=form.media_type)


async def known(reader: Reader, *, repository: int | None = None, contributor: int | None = None) -> None:
    """Raise ProblemError for the id of a repository or a person that the marts do not have."""
    if repository is not None and not await repositories.exists(reader, repository):
        raise not_found("repository", "repository", repository)
    if contributor is not None and not await contributors.exists(reader, contributor):
        raise not_found("contributor", "contributor", contributor)


def example_of(model: type[BaseModel]) -> dict[str, Any]:
    """
    Return an example of a model, from those of its fields. Raise LookupError for a field without one.

    Null is none: FastAPI leaves it out of the document.
    """
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        inner = field.annotation
        several = getattr(inner, "__origin__", None) is list
        if several:
            [inner] = inner.__args__  # type: ignore[union-attr]
        if field.examples and field.examples[0] is not None:
            found[name] = field.examples[0]
        elif isinstance(inner, type) and issubclass(inner, BaseModel):
            found[name] = [example_of(inner)] if several else example_of(inner)
        else:
            raise LookupError(f"{model.__name__}.{name} has no example")
    return found


def table_of(model: type[BaseModel], *, paged: bool = False) -> dict[int | str, Any]:
    """Return what OpenAPI says of a route that answers with a table."""
    row = example_of(model)
    document: Any = PageOfItems[model] if paged else Items[model]  # type: ignore[valid-type]
    example = {"items": [row]} | ({"next_cursor": _CURSOR} if paged else {})
    shown = _as_row(model, row)
    headers = {"Link": {"description": "The page that follows, rel=next.", "schema": {"type": "string"}}}
    return {
        200: {
            "model": document,
            "description": "The table.",
            "content": {
                Format.JSON.media_type: {"example": example},
                Format.CSV.media_type: {"schema": {"type": "string"}, "example": shown},
                **{
                    each.media_type: {"schema": {"type": "string", "format": "binary"}}
                    for each in (Format.PARQUET, Format.ARROW)
                },
            },
            **({"headers": headers} if paged else {}),
        }
    }


def object_of(model: type[BaseModel], description: str) -> dict[int | str, Any]:
    """Return what OpenAPI says of a route that answers with one object."""
    return {200: {"description": description, "content": {"application/json": {"example": example_of(model)}}}}


def _as_row(model: type[BaseModel], example: dict[str, Any]) -> str:
    return written(Format.CSV, model, [model.model_validate(example)]).decode()
