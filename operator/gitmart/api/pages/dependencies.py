"""What pages ask for: the reader of the process."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from gitmart.api.reader import Reader


def _reader(request: Request) -> Reader:
    return cast(Reader, request.app.state.reader)


ReaderOfPage = Annotated[Reader, Depends(_reader)]
