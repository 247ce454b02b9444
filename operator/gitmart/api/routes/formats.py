"""
Tables as a client wants them: JSON, CSV, Parquet or a stream of Arrow.

The last two need a library that is imported when somebody asks for them, since few do.
"""

from __future__ import annotations

import csv
import io
import types
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter

from gitmart.api.problems import ProblemError
from gitmart.api.weights import weights

if TYPE_CHECKING:
    from arro3.core import Array, Table

_EPOCH = date(1970, 1, 1).toordinal()
_EPOCH_INSTANT = datetime(1970, 1, 1, tzinfo=UTC)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with what a spreadsheet takes a text for a formula


class Format(StrEnum):
    """How a table is written."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"

    @property
    def media_type(self) -> str:
        """What a client asks for with Accept."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.ARROW: "application/vnd.apache.arrow.stream",
}


def chosen_format(parameter: Format | None, accept: str | None) -> Format:
    """
    Return the format of an answer: the parameter's, else what the header Accept likes best, else JSON.

    Raise ProblemError if the header allows none of them.
    """
    if parameter is not None:
        return parameter
    if accept is None or not accept.strip():
        return Format.JSON
    liked = weights(accept)
    best = max(Format, key=lambda each: _quality(each.media_type, liked))  # the first of those that are alike
    if _quality(best.media_type, liked) <= 0:
        allowed = ", ".join(f"{each.media_type} (format={each})" for each in Format)
        raise ProblemError(
            HTTPStatus.NOT_ACCEPTABLE, f"header Accept allows no format that there is: allowed are {allowed}"
        )
    return best


def _quality(media_type: str, liked: Mapping[str, float]) -> float:
    """Return how much a media type is liked, by the most specific range that has it."""
    for each in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if each in liked:
            return liked[each]
    return 0.0


def columns_of(model: type[BaseModel]) -> dict[str, type]:
    """Return the columns of a table of a model's rows, with their types; those of a model inside are `field_column`."""
    found: dict[str, type] = {}
    for name, field in model.model_fields.items():
        kind = _plain(field.annotation)
        if issubclass(kind, BaseModel):
            found |= {f"{name}_{inner}": inner_kind for inner, inner_kind in columns_of(kind).items()}
        else:
            found[name] = kind
    return found


def written(
    form: Format, model: type[BaseModel], rows: Sequence[BaseModel], only: Collection[str] | None = None
) -> bytes:
    """Return a table as a file: CSV, Parquet or a stream of Arrow; `only` are the columns that are wanted."""
    columns = {name: kind for name, kind in columns_of(model).items() if only is None or name in only}
    if form is Format.CSV:
        return _csv(columns, rows)
    table = _table(columns, rows)
    return _parquet(table) if form is Format.PARQUET else _arrow(table)


@cache
def _list_of(model: type[BaseModel]) -> TypeAdapter[list[BaseModel]]:
    return TypeAdapter(list[model])  # type: ignore[valid-type]


def as_json(model: type[BaseModel], rows: Sequence[BaseModel], only: Collection[str] | None = None) -> bytes:
    """Return rows as an array in JSON."""
    include: Any = None if only is None else {"__all__": set(only)}
    return _list_of(model).dump_json(list(rows), include=include)


def _values(rows: Iterable[BaseModel]) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        yield dict(_flat(row))


def _flat(row: BaseModel) -> Iterator[tuple[str, Any]]:
    for name, value in row:
        if isinstance(value, BaseModel):
            yield from ((f"{name}_{inner}", each) for inner, each in _flat(value))
        else:
            yield name, value


def _csv(columns: Mapping[str, type], rows: Sequence[BaseModel]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)  # RFC 4180: commas, CRLF, quotes only where they are needed
    writer.writerow(columns)
    writer.writerows([_cell(row[name]) for name in columns] for row in _values(rows))
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _table(columns: Mapping[str, type], rows: Sequence[BaseModel]) -> Table:
    from arro3.core import Table

    values = list(_values(rows))
    return Table.from_pydict({name: _array([row[name] for row in values], kind) for name, kind in columns.items()})


def _array(values: list[Any], kind: type) -> Array:
    from arro3.core import Array, DataType

    if kind is date:
        days = [None if value is None else value.toordinal() - _EPOCH for value in values]
        return Array(days, DataType.int32()).cast(DataType.date32())
    if kind is datetime:
        instants = [None if value is None else _microseconds(value) for value in values]
        return Array(instants, DataType.int64()).cast(DataType.timestamp("us", tz="UTC"))
    types_of_arrow = {bool: DataType.bool(), int: DataType.int64(), float: DataType.float64(), str: DataType.utf8()}
    return Array(values, types_of_arrow[kind])


def _microseconds(instant: datetime) -> int:
    passed = instant - _EPOCH_INSTANT
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def _parquet(table: Table) -> bytes:
    from arro3.io import write_parquet

    file = io.BytesIO()
    write_parquet(table, file)
    return file.getvalue()


def _arrow(table: Table) -> bytes:
    from arro3.io import write_ipc_stream

    file = io.BytesIO()
    write_ipc_stream(table, file)
    return file.getvalue()


def _plain(annotation: Any) -> type:
    """Return the type of a field that may be null; of an enumeration of texts, str."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        [annotation] = [each for each in typing.get_args(annotation) if each is not type(None)]
    if not isinstance(annotation, type):
        raise TypeError(f"{annotation} is no column of a table")
    return str if issubclass(annotation, StrEnum) else annotation
