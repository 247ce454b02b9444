"""Tables in every format, and which one a client gets."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum

import pytest
from arro3.io import read_ipc_stream, read_parquet
from pydantic import BaseModel

from gitmart.api.problems import ProblemError
from gitmart.api.routes.formats import Format, as_json, chosen_format, columns_of, written


class Colour(StrEnum):
    """A text of a few."""

    RED = "red"


class Inner(BaseModel):
    """What is within a row."""

    share: float | None


class Row(BaseModel):
    """A value of each type."""

    name: str
    amount: int | None
    is_bot: bool
    day: date | None
    at: datetime | None
    colour: Colour
    inner: Inner


EAST = timezone(timedelta(hours=2))
ROWS = [
    Row(
        name='a "b", c\r\nd',
        amount=2**62,
        is_bot=True,
        day=date(1, 1, 1),
        at=datetime(2024, 5, 1, 1, 30, 0, 1, tzinfo=EAST),
        colour=Colour.RED,
        inner=Inner(share=0.25),
    ),
    Row(name="", amount=None, is_bot=False, day=None, at=None, colour=Colour.RED, inner=Inner(share=None)),
]


@pytest.mark.parametrize(
    ("parameter", "accept", "expected"),
    [
        (None, None, Format.JSON),
        (None, "", Format.JSON),
        (None, "*/*", Format.JSON),
        (None, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format.JSON),
        (None, "text/csv", Format.CSV),
        (None, "TEXT/*", Format.CSV),
        (None, "text/csv; header=present;q=0.5, application/json;q=0.4", Format.CSV),
        (None, "application/json;q=0.4, text/csv;q=0.5", Format.CSV),
        (None, "application/*, text/csv;q=0.9", Format.JSON),
        (None, "*/*, application/json;q=0", Format.CSV),
        (None, "application/vnd.apache.parquet", Format.PARQUET),
        (None, "application/vnd.apache.arrow.stream", Format.ARROW),
        (Format.ARROW, "text/html", Format.ARROW),
    ],
)
def test_the_format_of_an_answer(parameter: Format | None, accept: str | None, expected: Format) -> None:
    assert chosen_format(parameter, accept) is expected


@pytest.mark.parametrize("accept", ["text/html", "*/*;q=0", "text/csv;q=0", "text/csv;q=much", ",;,"])
def test_a_header_that_allows_no_format(accept: str) -> None:
    with pytest.raises(ProblemError, match=r"Accept .*allowed are application/json \(format=json\), text/csv") as error:
        chosen_format(None, accept)
    assert error.value.status == 406


def test_columns_of_a_model_within_another_are_named_after_both() -> None:
    assert columns_of(Row) == {
        "name": str, "amount": int, "is_bot": bool, "day": date, "at": datetime, "colour": str, "inner_share": float
    }  # fmt: skip


def test_csv() -> None:
    text = written(Format.CSV, Row, ROWS).decode()
    assert text == (
        "name,amount,is_bot,day,at,colour,inner_share\r\n"
        '"a ""b"", c\r\nd",4611686018427387904,true,0001-01-01,2024-04-30T23:30:00.000001Z,red,0.25\r\n'
        ",,false,,,red,\r\n"
    )
    assert written(Format.CSV, Row, [], {"name"}) == b"name\r\n"


@pytest.mark.parametrize("text", ["=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_spreadsheet_takes_no_text_for_a_formula(text: str) -> None:
    row = ROWS[0].model_copy(update={"name": text, "amount": -1})
    [_, cells] = csv.reader(io.StringIO(written(Format.CSV, Row, [row], {"name", "amount"}).decode(), newline=""))
    assert cells == [f"'{text}", "-1"]
    assert read_ipc_stream(io.BytesIO(written(Format.ARROW, Row, [row]))).read_all()["name"].to_pylist() == [text]


@pytest.mark.parametrize("form", [Format.PARQUET, Format.ARROW])
@pytest.mark.parametrize("rows", [ROWS, ROWS[1:], []])
def test_columns_have_types(form: Format, rows: list[Row]) -> None:
    file = io.BytesIO(written(form, Row, rows))
    table = (read_parquet(file) if form is Format.PARQUET else read_ipc_stream(file)).read_all()
    assert [str(field.type).partition("<")[2].strip()[:-1] for field in table.schema] == [
        "Utf8", "Int64", "Boolean", "Date32", 'Timestamp(µs, "UTC")', "Utf8", "Float64"
    ]  # fmt: skip
    for name, kind in columns_of(Row).items():
        expected = [row.inner.share if name == "inner_share" else getattr(row, name) for row in rows]
        found = table[name].to_pylist()
        assert found == expected, (name, kind)
        assert all(isinstance(value, kind | None) for value in found)
        assert all(value.utcoffset() == UTC.utcoffset(None) for value in found if isinstance(value, datetime))


def test_columns_that_are_wanted() -> None:
    assert as_json(Row, ROWS, {"amount"}) == b'[{"amount":4611686018427387904},{"amount":null}]'
    assert written(Format.CSV, Row, ROWS[1:], {"colour", "amount"}) == b"amount,colour\r\n,red\r\n"


def test_what_few_ask_for_is_not_imported_before() -> None:
    """The process shall stay small; Arrow takes some 15 MB."""
    code = (
        "import sys; import gitmart.api.app; from gitmart.api.routes.formats import Format, written;"
        "from gitmart.api.queries.hours import HourRow; written(Format.CSV, HourRow, []); before = 'arro3' in sys.modules;"
        "written(Format.ARROW, HourRow, []); print(before, 'arro3' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"
