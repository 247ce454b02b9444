"""
Errors of the API, as problem details for HTTP APIs (RFC 9457, application/problem+json).

Each says what was wrong and what is allowed; one of a parameter names it in `parameter`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """A request that cannot be answered: an HTTP status, a detail for people, and what else a client may read."""

    def __init__(
        self, status: HTTPStatus, detail: str, *, headers: dict[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.members = members


def not_found(what: str, parameter: str, value: object) -> ProblemError:
    """Return the problem of a thing that is not in the marts."""
    return ProblemError(HTTPStatus.NOT_FOUND, f"there is no {what} {value!r}", parameter=parameter)


def invalid_parameter(parameter: str, why: str) -> ProblemError:
    """Return the problem of a parameter whose value is not allowed; `why` says what is."""
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"parameter {parameter} {why}", parameter=parameter)


def add_problem_handlers(app: FastAPI) -> None:
    """Let every error of the API be told as a problem."""
    app.add_exception_handler(ProblemError, _of_problem)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)


def problem(
    status: int, detail: str, members: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return the response of a problem; `members` are its extension members."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(body | (members or {}), status, headers, MEDIA_TYPE)


async def _of_problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)  # noqa: S101 # Starlette's type is wider than what it calls
    return problem(error.status, error.detail, error.members, error.headers)


async def _of_validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    place, *name = first["loc"]
    parameter = ".".join(map(str, name)) or str(place)
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, f"{place} parameter {parameter}: {first['msg']}", {"parameter": parameter}
    )


async def _of_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    return problem(error.status_code, error.detail, headers=dict(error.headers or {}))
