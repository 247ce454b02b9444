"""The state of a page is its address: what was chosen, read from a query string and written into links."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar, get_origin
from urllib.parse import quote, urlencode

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams

ModelT = TypeVar("ModelT", bound=BaseModel)


def chosen(model: type[ModelT], query: QueryParams) -> ModelT:
    """
    Return what a query string chose. A form sends all its fields, so an empty one is as one that is not there.

    Raise RequestValidationError, whose problem names the parameter that is wrong.
    """
    values: dict[str, Any] = {}
    for name in query:
        given = [value.strip() for value in query.getlist(name) if value.strip()]
        if given:
            values[name] = given if _is_list(model, name) else given[-1]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("query", *each["loc"])} for each in error.errors()]) from None


def link(path: str, state: BaseModel | None = None, **changes: Any) -> str:
    """Return an address: the state with changes, as far as it differs from the defaults. None takes a parameter out."""
    words = urlencode(parameters(state, **changes), quote_via=quote)
    return f"{path}?{words}" if words else path


def parameters(state: BaseModel | None, without: Collection[str] = (), **changes: Any) -> list[tuple[str, str]]:
    """Return names and values of what a state chose, as an address has them or the hidden fields of a form."""
    values = state.model_dump(mode="json", exclude_defaults=True, exclude=set(without)) if state else {}
    return [
        (name, _word(each))
        for name, value in (values | changes).items()
        if value is not None
        for each in (value if isinstance(value, list | tuple) else [value])
    ]


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_list(model: type[BaseModel], name: str) -> bool:
    field = model.model_fields.get(name)
    if field is None:
        return False
    kinds = (field.annotation, *getattr(field.annotation, "__args__", ()))
    return any(kind is list or get_origin(kind) is list for kind in kinds)
