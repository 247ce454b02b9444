"""
From git's bytes to records: pure, no I/O.

The stream is that of `git diff-tree` with the format and options of `source.py`: records divided by
a random separator, fields by NUL, which none of them can hold. A record is

    id NUL parents NUL author name NUL e-mail NUL date NUL committer name NUL e-mail NUL date NUL
    message NUL [LF raw… NUL stat… NUL]

raw is `:mode mode id id status NUL path` (a rename: `… NUL old NUL new`) for every changed file, then
stat is `added TAB deleted TAB path` (a rename: `added TAB deleted TAB NUL old NUL new`; a binary file:
`-` for both), in the same order. A merge has them only if it was compared with its first parent. See git-diff-tree(1), "RAW OUTPUT FORMAT" and "OTHER DIFF FORMATS".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO, BinaryIO, NamedTuple

from gitmart.extract.errors import DamagedError

HEADER_FIELDS = 9
LARGE = 16 << 20  # bytes of a record: about a hundred thousand files
FIRST_SECOND = -62_135_596_800  # 0001-01-01T00:00:00Z; PostgreSQL and Python agree on years 1 to 9999
LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z
LONGEST_OFFSET = 24 * 60  # minutes; more is no time zone

_DATE = re.compile(rb"(\d{1,20}) ([+-])(\d{2,})(\d{2})")


class Moment(NamedTuple):
    """A date as git prints it. A part that cannot be stored is None, and `reason` says why."""

    seconds: int | None  # since 1970-01-01T00:00:00Z
    offset: int | None  # minutes east of UTC
    reason: str | None = None


class FileChange(NamedTuple):
    """One file of a commit. Counts are lines, None for a binary file."""

    status: bytes
    added: int | None
    deleted: int | None
    path: bytes
    old_path: bytes | None = None


class Counts(NamedTuple):
    """Sums over files; a binary file counts no lines."""

    added: int = 0
    deleted: int = 0
    files: int = 0


class Commit(NamedTuple):
    """A commit as git printed it; texts are still bytes, in UTF-8 if `is_utf8`."""

    hash: bytes
    parents: list[bytes]
    author: tuple[bytes, bytes]  # name, e-mail
    authored: Moment
    committer: tuple[bytes, bytes]
    committed: Moment
    message: bytes
    files: list[FileChange]
    is_utf8: bool
    size: int  # bytes of the record: how much memory it takes, roughly
    is_misprinted: bool = False  # the message is not what the commit's own object holds
    first_parent: Counts | None = None  # of a merge against its first parent; None: no merge, or not asked for


class LargeCommit(NamedTuple):
    """A commit of so many files that they are never all in memory. `files` can be gone through once."""

    head: Commit  # without its files
    files: Iterator[FileChange]


def split_records(
    chunks: Iterable[bytes], separator: bytes, new_spool: Callable[[], BinaryIO], limit: int = LARGE
) -> Iterator[bytes | BinaryIO]:
    """
    Yield each record without its separator; one of more than `limit` bytes in a file, set to its start.

    Raise DamagedError if anything stands before the first record.
    """
    buffer = bytearray()  # grows in place: a record of many chunks is not copied once per chunk
    started = False
    spool: BinaryIO | None = None
    for chunk in chunks:
        seen = max(0, len(buffer) - len(separator) + 1)
        buffer += chunk
        if buffer.find(separator, seen) < 0:
            if len(buffer) > limit and started:
                spool = spool or new_spool()
                sure = max(0, len(buffer) - len(separator) + 1)  # after that a separator may have begun
                spool.write(buffer[:sure])
                del buffer[:sure]
            continue
        whole = bytes(buffer).split(separator)
        buffer[:] = whole.pop()
        if not started:
            _expect_nothing(whole.pop(0))
            started = True
        if spool is not None:
            yield _spooled(spool, whole.pop(0))
            spool = None
        yield from whole
    if spool is not None:
        yield _spooled(spool, bytes(buffer))
    elif started:
        yield bytes(buffer)
    else:
        _expect_nothing(bytes(buffer))


def _spooled(spool: BinaryIO, rest: bytes) -> BinaryIO:
    spool.write(rest)
    spool.seek(0)
    return spool


def parse_large_record(spool: BinaryIO) -> LargeCommit:
    """Return the commit of a record in a file; it takes a byte of memory per changed file."""
    fields = nul_ended(spool)
    head = parse_record(b"\0".join([*islice(fields, HEADER_FIELDS), b""]))
    return LargeCommit(head, _large_files(fields, head.hash.decode("ascii", "replace")))


def nul_ended(stream: IO[bytes], read_size: int = 1 << 20) -> Iterator[bytes]:
    """Yield what NUL ends; raise DamagedError when something is left."""
    rest = b""
    while data := stream.read(read_size):
        *whole, rest = (rest + data).split(b"\0")
        yield from whole
    if rest:
        raise DamagedError("git's output breaks off within a record")


def _large_files(fields: Iterator[bytes], name: str) -> Iterator[FileChange]:
    statuses = bytearray()
    if (first := next(fields, None)) is None:
        return  # no files: the message alone is that large
    try:
        field = first.removeprefix(b"\n")
        while field.startswith(b":"):
            status = field.rpartition(b" ")[2][:1]
            statuses += status
            for _ in range(2 if status in b"RC" else 1):
                next(fields)
            field = next(fields)
        for position, letter in enumerate(statuses):
            added, deleted, path = (field if position == 0 else next(fields)).split(b"\t", 2)
            old_path = None if path else next(fields)
            yield _change(bytes((letter,)), added, deleted, path or next(fields), old_path)
    except (RuntimeError, StopIteration, ValueError):
        raise DamagedError(f"git's list of files of commit {name} is broken") from None
    if next(fields, None) is not None:
        raise DamagedError(f"git's list of files of commit {name} is longer than it should be")


def _expect_nothing(data: bytes) -> None:
    if data:
        raise DamagedError(f"git printed something that is no commit: {data[:80]!r}")


def parse_record(record: bytes) -> Commit:
    """Return the commit of a record; raise DamagedError when it is not whole."""
    fields = record.split(b"\0")
    if len(fields) <= HEADER_FIELDS:
        raise DamagedError(f"git's record of commit {fields[0][:64]!r} breaks off")
    body = fields[HEADER_FIELDS:-1]
    try:
        files = _files(body, simple=b"\t\0" not in record) if body else []
    except (IndexError, ValueError):
        raise DamagedError(f"git's list of files of commit {fields[0].decode('ascii', 'replace')} is broken") from None
    return Commit(
        fields[0],
        fields[1].split(),
        (fields[2], fields[3]),
        parse_date(fields[4]),
        (fields[5], fields[6]),
        parse_date(fields[7]),
        fields[8],
        files,
        is_utf8(record),
        len(record),
    )


def counts_of(files: Iterable[FileChange]) -> Counts:
    """Return the sums over the files, which are gone through once."""
    added = deleted = count = 0
    for change in files:
        added += change.added or 0
        deleted += change.deleted or 0
        count += 1
    return Counts(added, deleted, count)


def parse_date(text: bytes) -> Moment:
    """
    Return the moment that `--date=raw` stands for.

    git prints nothing for a date that is missing or negative, and 0 for one it cannot hold, so 0 is
    believed only by whoever has seen the commit itself (`reason` asks for that).
    """
    matched = _DATE.fullmatch(text)
    if matched is None:
        return Moment(None, None, "no date that git can read" if not text else "not a date")
    seconds = int(matched[1])
    offset = (int(matched[3]) * 60 + int(matched[4])) * (-1 if matched[2] == b"-" else 1)
    reason = None
    if abs(offset) > LONGEST_OFFSET or int(matched[4]) > 59:
        reason, offset_or_none = "not a time zone", None
    else:
        offset_or_none = offset
    if seconds == 0:
        reason = "zero, which git also prints for a date it cannot hold"
    if not FIRST_SECOND <= seconds <= LAST_SECOND:
        return Moment(None, offset_or_none, "after the year 9999")
    return Moment(seconds, offset_or_none, reason)


def is_utf8(data: bytes) -> bool:
    """Whether the bytes are text."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _files(body: list[bytes], *, simple: bool) -> list[FileChange]:
    """Return the files of a record's fields. `simple`: none was renamed, so every entry has three fields."""
    body[0] = body[0][1:]  # the line feed after the message
    if simple:
        count, rest = divmod(len(body), 3)
        if rest:
            raise ValueError(len(body))
        raws, stats = body[: 2 * count], [stat.split(b"\t", 2) for stat in body[2 * count :]]
        files = [
            _change(raw[-1:], added, deleted, path)
            for raw, (added, deleted, path) in zip(raws[::2], stats, strict=True)
        ]
        if raws[1::2] != [change.path for change in files]:
            raise ValueError(raws)
        return files
    statuses = []
    position = 0
    while position < len(body) and body[position].startswith(b":"):
        status = body[position].rpartition(b" ")[2][:1]
        statuses.append(status)
        position += 3 if status in b"RC" else 2
    files = []
    for status in statuses:
        added, deleted, path = body[position].split(b"\t", 2)
        if path:
            files.append(_change(status, added, deleted, path))
            position += 1
        else:
            files.append(_change(status, added, deleted, body[position + 2], body[position + 1]))
            position += 3
    if position != len(body):
        raise ValueError(position)
    return files


def _change(status: bytes, added: bytes, deleted: bytes, path: bytes, old_path: bytes | None = None) -> FileChange:
    if added == b"-":
        return FileChange(status, None, None, path, old_path)
    return FileChange(status, int(added), int(deleted), path, old_path)


def clean(value: bytes) -> str:
    r"""Return the text as it is stored: bytes that are no UTF-8 become \xNN, so that different bytes stay different."""
    return value.decode("utf-8", "backslashreplace")
