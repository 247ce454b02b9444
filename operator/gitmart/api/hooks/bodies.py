"""Reading a body of somebody who has proved nothing yet: never more than is allowed, at a time and together."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import Request
from starlette.requests import ClientDisconnect

from gitmart.api.problems import ProblemError

LIMIT = 4 * 1024 * 1024  # bytes of one body: a push with all of the 2,048 commits that GitHub tells takes less
TOGETHER = 4 * LIMIT  # bytes of all bodies that are being read
PATIENCE = 10.0  # seconds until a body has come


class Bodies:
    """Bounds what bodies take of the memory, whoever sends them and however slowly."""

    def __init__(self, *, limit: int = LIMIT, together: int = TOGETHER, patience: float = PATIENCE) -> None:
        self._limit = limit
        self._left = together
        self._patience = patience

    async def read(self, request: Request) -> bytes:
        """Return the body. Raise ProblemError: 413 once it is too large, 408, or 503 if too many are read at a time."""
        declared = request.headers.get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared) > self._limit:
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._patience):
                async for part in request.stream():
                    if size + len(part) > self._limit:
                        raise self._too_large()
                    if len(part) > self._left:
                        raise ProblemError(
                            HTTPStatus.SERVICE_UNAVAILABLE, "too many webhooks at a time", headers={"Retry-After": "10"}
                        )
                    parts.append(part)
                    size += len(part)
                    self._left -= len(part)
        except TimeoutError:
            raise ProblemError(
                HTTPStatus.REQUEST_TIMEOUT, f"the body did not come within {self._patience:g} seconds"
            ) from None
        except ClientDisconnect:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "the body ended before its end") from None
        finally:
            self._left += size
        return b"".join(parts)

    def _too_large(self) -> ProblemError:
        return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body must hold at most {self._limit} bytes")
