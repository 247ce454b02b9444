"""What routes ask for: the reader of the process, and the switches of the request."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from gitmart.api.reader import Reader


def _reader(request: Request) -> Reader:
    return cast(Reader, request.app.state.reader)


def _uncached(request: Request) -> None:
    request.state.uncached = True


ReaderOfProcess = Annotated[Reader, Depends(_reader)]
# Of routes whose answers change while the marts do not: what runs are doing, and how they ended.
Uncached = Depends(_uncached)
