"""What is refused of every request to the API: parameters it does not know, given twice, or in no text."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from gitmart.api.problems import ProblemError, invalid_parameter


async def only_known_parameters(request: Request) -> None:
    """Raise ProblemError for a query whose parameters are not those of the route."""
    route: APIRoute = request.scope["route"]
    several = dict(_of_dependant(route.dependant))
    seen = set()
    for name in names_of(request.scope["query_string"]):
        if name not in several:
            allowed = ", ".join(several) or "none"
            raise invalid_parameter(name, f"is not one of this request: allowed are {allowed}")
        if name in seen and not several[name]:
            raise invalid_parameter(name, "is given more than once: allowed is one")
        seen.add(name)


def names_of(query: bytes) -> Iterator[str]:
    """Yield the names in a query string. Raise ProblemError for what is not encoded UTF-8."""
    for pair in query.split(b"&"):
        if not pair:
            continue
        name, _, value = (unquote_to_bytes(part.replace(b"+", b" ")) for part in pair.partition(b"="))
        shown = name.decode("utf-8", "replace")
        try:
            name.decode(), value.decode()
        except UnicodeDecodeError:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST, f"parameter {shown} is not UTF-8: allowed is UTF-8 in %XX", parameter=shown
            ) from None
        yield shown


def _of_dependant(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """Yield the names of query parameters, and whether each may be given several times."""
    for parameter in dependant.query_params:
        model = parameter.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name, field in model.model_fields.items():
                yield name, _is_list(field.annotation)
        else:
            yield parameter.alias, _is_list(model)
    for inner in dependant.dependencies:
        yield from _of_dependant(inner)


def _is_list(annotation: object) -> bool:
    return typing.get_origin(annotation) is list or any(map(_is_list, typing.get_args(annotation)))
