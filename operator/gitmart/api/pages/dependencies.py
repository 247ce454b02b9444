"""What pages ask for: the reader of the process, ids, and what is looked for."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Path, Request
from pydantic import AfterValidator, Field

from gitmart.api.queries.paging import BIGINT, storable
from gitmart.api.reader import Reader


def _reader(request: Request) -> Reader:
    return cast(Reader, request.app.state.reader)


ReaderOfPage = Annotated[Reader, Depends(_reader)]
Id = Annotated[int, Path(ge=1, le=BIGINT)]
# A part of a name that is looked for.
Sought = Annotated[Annotated[str, AfterValidator(storable), Field(max_length=200)] | None, Field()]
