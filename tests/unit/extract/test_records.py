"""Bytes of git to records."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmart.extract.errors import DamagedError
from gitmart.extract.records import (
    FileChange,
    Moment,
    clean,
    parse_date,
    parse_large_record,
    parse_record,
    split_records,
)

HEADER = b"\0".join(
    (b"a" * 40, b"b" * 40 + b" " + b"c" * 40, b"Name", b"n@e", b"1 +0000", b"Other", b"o@e", b"2 -0130", b"message\n")
)
RAW = b":100644 100644 " + b"1" * 40 + b" " + b"2" * 40 + b" "


def test_a_record_without_files() -> None:
    commit = parse_record(HEADER + b"\0")

    assert commit.hash == b"a" * 40
    assert commit.parents == [b"b" * 40, b"c" * 40]
    assert (commit.author, commit.committer) == ((b"Name", b"n@e"), (b"Other", b"o@e"))
    assert (commit.authored, commit.committed) == (Moment(1, 0), Moment(2, -90))
    assert (commit.message, commit.files) == (b"message\n", [])


@pytest.mark.parametrize(
    ("body", "files"),
    [
        pytest.param(RAW + b"M\0a\x001\t2\ta\0", [FileChange(b"M", 1, 2, b"a")], id="one"),
        pytest.param(
            RAW + b"A\0a\0" + RAW + b"D\0b\x001\t0\ta\x000\t9\tb\0",
            [FileChange(b"A", 1, 0, b"a"), FileChange(b"D", 0, 9, b"b")],
            id="two",
        ),
        pytest.param(RAW + b"M\0a\0-\t-\ta\0", [FileChange(b"M", None, None, b"a")], id="binary"),
        pytest.param(
            RAW + b"R087\0old\0new\0" + RAW + b"T\0t\x003\t4\t\0old\0new\x001\t1\tt\0",
            [FileChange(b"R", 3, 4, b"new", b"old"), FileChange(b"T", 1, 1, b"t")],
            id="rename",
        ),
        pytest.param(
            RAW + b"M\0tab\tand\nline\x001\t2\ttab\tand\nline\0", [FileChange(b"M", 1, 2, b"tab\tand\nline")], id="path"
        ),
        pytest.param(RAW + b"M\0:colon\x001\t2\t:colon\0", [FileChange(b"M", 1, 2, b":colon")], id="colon"),
        pytest.param(RAW + b"M\0ends\t\x001\t2\tends\t\0", [FileChange(b"M", 1, 2, b"ends\t")], id="tab at the end"),
    ],
)
def test_files_keep_their_status_counts_and_names(body: bytes, files: list[FileChange]) -> None:
    record = HEADER + b"\0\n" + body
    large = parse_large_record(io.BytesIO(record))

    assert parse_record(record).files == files
    assert list(large.files) == files
    assert large.head == parse_record(HEADER + b"\0")


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(b"a" * 40, id="hash alone"),
        pytest.param(HEADER, id="message not ended"),
        pytest.param(HEADER + b"\0\n" + RAW + b"M\0a\0", id="no counts"),
        pytest.param(HEADER + b"\0\n" + RAW + b"M\0a\x001\t2\ta\x001\t2\tb\0", id="a count too many"),
        pytest.param(HEADER + b"\0\n" + RAW + b"M\0a\x001\ta\0", id="half a count"),
        pytest.param(HEADER + b"\0\n" + RAW + b"R1\0a\0b\x001\t2\t\0a\0", id="half a rename"),
    ],
)
def test_a_record_that_breaks_off_is_damage(record: bytes) -> None:
    with pytest.raises(DamagedError):
        parse_record(record)
    with pytest.raises(DamagedError):
        list(parse_large_record(io.BytesIO(record)).files)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (b"1700000000 +0530", Moment(1_700_000_000, 330)),
        (b"1700000000 -0030", Moment(1_700_000_000, -30)),
        (b"253402300799 +0000", Moment(253_402_300_799, 0)),
        (b"253402300800 +0000", Moment(None, 0, "after the year 9999")),
        (b"", Moment(None, None, "no date that git can read")),
        (b"soon", Moment(None, None, "not a date")),
        (b"1 +051800", Moment(1, None, "not a time zone")),
        (b"1 -13068837", Moment(1, None, "not a time zone")),
        (b"1 +0060", Moment(1, None, "not a time zone")),
    ],
)
def test_a_date_is_stored_as_far_as_it_can_be(text: bytes, moment: Moment) -> None:
    assert parse_date(text) == moment


def test_zero_is_doubted() -> None:
    assert parse_date(b"0 +0000").reason is not None


@given(
    st.lists(st.binary(max_size=90), min_size=1, max_size=8),
    st.integers(min_value=1, max_value=50),
    st.sampled_from([1, 20, 1000]),
)
def test_records_are_split_wherever_the_chunks_end(bodies: list[bytes], size: int, limit: int) -> None:
    separator = b"0123456789abcdef"
    records = [body.replace(separator, b"") for body in bodies]
    stream = b"".join(separator + record for record in records)
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]

    found = split_records(chunks, separator, io.BytesIO, limit)

    assert [each if isinstance(each, bytes) else each.read() for each in found] == records


def test_anything_before_the_first_record_is_damage() -> None:
    with pytest.raises(DamagedError):
        list(split_records([b"0123" * 10, b"SEPrecord"], b"SEP", io.BytesIO))


def test_nothing_gives_no_records() -> None:
    assert list(split_records([], b"SEP", io.BytesIO)) == []


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_different_undecodable_bytes_stay_different(one: bytes, other: bytes) -> None:
    clean(one).encode()  # can be stored
    if one != other and b"\\" not in one + other:
        assert clean(one) != clean(other)


def test_a_large_record_may_have_no_files() -> None:
    fields = [b"0" * 40, b"", b"A", b"a@x", b"1 +0000", b"C", b"c@x", b"2 +0000", b"a very long message\n"]

    large = parse_large_record(io.BytesIO(b"\0".join(fields) + b"\0"))

    assert large.head.message == b"a very long message\n"
    assert list(large.files) == []
