"""What pages ask for: the reader of the process, and ids."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Path, Request

from gitmart.api.queries.paging import BIGINT
from gitmart.api.reader import Reader


def _reader(request: Request) -> Reader:
    return cast(Reader, request.app.state.reader)


ReaderOfPage = Annotated[Reader, Depends(_reader)]
Id = Annotated[int, Path(ge=1, le=BIGINT)]
