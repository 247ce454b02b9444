"""
Errors of the API, as problem details for HTTP APIs (RFC 9457, application/problem+json).

Each says what was wrong and what is allowed; one of a parameter names it in `parameter`. A browser that wants a page
gets one, if `app.state.problem_page` makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, cast

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests
from starlette.exceptions import HTTPException

from gitmart.contract.durations import format_duration
from gitmart.warehouse.errors import NotMigratedError, classify

MEDIA_TYPE = "application/problem+json"

# A request, its problem's status, detail and members: the page that says so.
ProblemPage = Callable[[Request, int, str, Mapping[str, Any]], Response]


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


def unavailable(reason: str, detail: str, retry_after: int) -> ProblemError:
    """Return the problem of what cannot be answered now; `reason` is one word, `retry_after` seconds."""
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": str(retry_after)}, reason=reason
    )


def of_warehouse(error: Exception, statement_timeout: timedelta) -> ProblemError | None:
    """Return what an error of the warehouse or of its connections means for who asked; None: it is a bug of ours."""
    if isinstance(error, psycopg.errors.QueryCanceled):
        return ProblemError(
            HTTPStatus.GATEWAY_TIMEOUT,
            f"the query took longer than {format_duration(statement_timeout)}: ask for less, with since and until, "
            "one repository, or a coarser granularity",
            reason="timeout",
        )
    if isinstance(error, (PoolTimeout, TooManyRequests, PoolClosed)):
        return unavailable("busy", "all connections to the warehouse are in use: try again soon", 1)
    if isinstance(error, (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction)):
        return _no_marts()
    known = classify(error) if isinstance(error, psycopg.Error) else None
    if isinstance(known, NotMigratedError):
        return _no_marts()
    if known is not None:
        return unavailable("unreachable", "the warehouse went away while it was asked: try again soon", 5)
    return None


def _no_marts() -> ProblemError:
    return unavailable(
        "no_marts", "what was asked for is not built, or not by this version's project: run `gitmart transform`", 30
    )


def invalid_parameter(parameter: str, why: str) -> ProblemError:
    """Return the problem of a parameter whose value is not allowed; `why` says what is."""
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"parameter {parameter} {why}", parameter=parameter)


def add_problem_handlers(app: FastAPI) -> None:
    """Let every error of the API be told as a problem."""
    app.add_exception_handler(ProblemError, _of_problem)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    for kind in (psycopg.Error, PoolTimeout, PoolClosed):
        app.add_exception_handler(kind, _of_warehouse)


def problem(
    status: int, detail: str, members: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return the response of a problem; `members` are its extension members."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(body | (members or {}), status, headers, MEDIA_TYPE)


def wants_page(request: Request) -> bool:
    """Whether a browser asks for what it shows to people."""
    return "text/html" in request.headers.get("accept", "")


def answer_of(request: Request, error: ProblemError) -> Response:
    """Return the problem in the form that who asked wants."""
    page = cast(ProblemPage | None, getattr(request.app.state, "problem_page", None))
    if page is None or not wants_page(request):
        return problem(error.status, error.detail, error.members, error.headers)
    response = page(request, error.status, error.detail, error.members)
    response.headers.update(error.headers)
    return response


async def _of_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 # Starlette's type is wider than what it calls
    return answer_of(request, error)


async def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    place, *name = first["loc"]
    parameter = str(name[0]) if name else str(place)  # not which item of a list
    return answer_of(
        request,
        ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"{place} parameter {parameter} {_said(first)}", parameter=parameter
        ),
    )


def _said(error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return "is missing: it is required"
    if error["type"] == "value_error":  # one of ours
        return str(error["ctx"]["error"])
    message: str = error["msg"]
    return f"is {str(error['input'])[:80]!r}: {message[0].lower()}{message[1:]}"


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return answer_of(
        request, ProblemError(HTTPStatus(error.status_code), error.detail, headers=dict(error.headers or {}))
    )


async def _of_warehouse(request: Request, error: Exception) -> Response:
    known = of_warehouse(error, request.app.state.settings.statement_timeout)
    if known is None:
        raise error
    return answer_of(request, known)
