"""
Values that cannot be stored as they are: what is stored instead, and what is kept of them.

Nothing here stops a run: every commit gets its row, and the raw bytes stand beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gitmart.extract.records import Commit, Moment, is_utf8

_TRULY_ZERO = re.compile(rb".*> 0+ [+-]\d{4}", re.DOTALL)


class Quarantined(NamedTuple):
    """One value of a commit and why it was not stored."""

    commit_hash: bytes | None
    field: str
    raw: bytes
    reason: str


def needs_header(commit: Commit) -> bool:
    """Whether the commit's own header must be seen, because git prints its dates as it cannot read them."""
    return commit.authored.reason is not None or commit.committed.reason is not None


def examine(commit: Commit, header: bytes) -> tuple[Commit, list[Quarantined]]:
    """
    Return the commit as it is to be stored, and what has to be kept apart.

    `header` is the commit object as git has it; b"" when `needs_header` does not ask for it.
    """
    kept: list[Quarantined] = []
    if needs_header(commit):
        authored, kept_author = _moment(commit, "author", commit.authored, header)
        committed, kept_committer = _moment(commit, "committer", commit.committed, header)
        commit = commit._replace(authored=authored, committed=committed)
        kept += kept_author + kept_committer
    if not commit.is_utf8:
        kept += [Quarantined(commit.hash, field, raw, "not UTF-8") for field, raw in _texts(commit) if not is_utf8(raw)]
    return commit, kept


def _moment(commit: Commit, field: str, moment: Moment, header: bytes) -> tuple[Moment, list[Quarantined]]:
    if moment.reason is None:
        return moment, []
    raw = _ident_line(header, field.encode())
    if moment.seconds == 0:
        if _TRULY_ZERO.fullmatch(raw):
            return Moment(0, moment.offset), []
        moment = Moment(None, None, "a date that git cannot hold")
    return moment, [Quarantined(commit.hash, field, raw, moment.reason or "")]


def _ident_line(header: bytes, field: bytes) -> bytes:
    """Return the value of the header's line, b"" if there is none."""
    for line in header.split(b"\n\n", 1)[0].split(b"\n"):
        if line.startswith(field + b" "):
            return line[len(field) + 1 :]
    return b""


def _texts(commit: Commit) -> Iterator[tuple[str, bytes]]:
    yield "author name", commit.author[0]
    yield "author email", commit.author[1]
    yield "committer name", commit.committer[0]
    yield "committer email", commit.committer[1]
    yield "message", commit.message
    for change in commit.files:
        yield "path", change.path
        if change.old_path is not None:
            yield "old path", change.old_path
