"""
Values that cannot be stored as they are: what is stored instead, and what is kept of them.

Nothing here stops a run: every commit gets its row, and the raw bytes stand beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gitmart.extract.forgotten import Forgotten
from gitmart.extract.records import Commit, Moment, is_utf8

_TRULY_ZERO = re.compile(rb".*>[ \t\r]*0+(?!\d)", re.DOTALL)


class Quarantined(NamedTuple):
    """One value of a commit and why it was not stored."""

    commit_hash: bytes | None
    field: str
    raw: bytes
    reason: str


def needs_object(commit: Commit) -> bool:
    """Whether the commit's own object must be seen, because git does not print what stands there."""
    return commit.is_misprinted or commit.authored.reason is not None or commit.committed.reason is not None


def examine(commit: Commit, original: bytes) -> tuple[Commit, list[Quarantined]]:
    """
    Return the commit as it is to be stored, and what has to be kept apart.

    `original` is the commit object as git has it; b"" when `needs_object` does not ask for it.
    """
    kept: list[Quarantined] = []
    if needs_object(commit):
        authored, kept_author = _moment(commit, "author", commit.authored, original)
        committed, kept_committer = _moment(commit, "committer", commit.committed, original)
        message, kept_message = _message(commit, original)
        commit = commit._replace(
            authored=authored,
            committed=committed,
            message=message,
            is_utf8=commit.is_utf8 and message is commit.message,
            is_misprinted=False,
        )
        kept += kept_author + kept_committer + kept_message
    if not commit.is_utf8:
        kept += [Quarantined(commit.hash, field, raw, "not UTF-8") for field, raw in _texts(commit) if not is_utf8(raw)]
    return commit, kept


def without_forgotten(kept: Iterable[Quarantined], commit: Commit, forgotten: Forgotten) -> list[Quarantined]:
    """Return what is kept of a cleaned commit without the raw bytes that tell of forgotten people."""
    author, committer = (forgotten.identity(who) != who for who in (commit.author, commit.committer))
    is_named = forgotten.message(commit.message) != commit.message
    return [
        each._replace(raw=b"")
        if tells(forgotten, each.field, each.raw, author=author, committer=committer, is_named=is_named)
        else each
        for each in kept
    ]


def tells(forgotten: Forgotten, field: str, raw: bytes, *, author: bool, committer: bool, is_named: bool) -> bool:
    """
    Whether the raw bytes of a field may tell of somebody who is forgotten.

    That is the commit's author, its committer, or whom its message names; in what encoding it does nobody knows.
    """
    if field == "message":
        return author or committer or is_named or forgotten.is_in(raw)
    return (author and field.startswith("author")) or (committer and field.startswith("committer"))


def _moment(commit: Commit, field: str, moment: Moment, original: bytes) -> tuple[Moment, list[Quarantined]]:
    if moment.reason is None:
        return moment, []
    raw = _ident_line(original, field.encode())
    reason: str | None = moment.reason
    if moment.seconds == 0:
        if _TRULY_ZERO.match(raw):
            reason = None if moment.offset is not None else "not a time zone"
        else:
            moment, reason = Moment(None, None), "a date that git cannot hold"
    return moment._replace(reason=None), [] if reason is None else [Quarantined(commit.hash, field, raw, reason)]


def _message(commit: Commit, original: bytes) -> tuple[bytes, list[Quarantined]]:
    """Return the message up to the first NUL, and the whole of it if there is more."""
    header, blank, whole = original.partition(b"\n\n")
    # git found no end of the header, and what it printed is whatever came next in its memory.
    is_lost = not blank or b"\0" in header or _is_garbled(commit, header)
    message = whole.partition(b"\0")[0] if is_lost else commit.message
    cut = [Quarantined(commit.hash, "message", whole, "holds NUL, where git ends it")] if b"\0" in whole else []
    return message, cut


def _is_garbled(commit: Commit, header: bytes) -> bool:
    """Whether the declared encoding, such as UTF-16, made git see no header at all, since that is in ASCII."""
    return not any((*commit.author, *commit.committer)) and b"\nencoding " in header


def _ident_line(original: bytes, field: bytes) -> bytes:
    """Return the value of the header's line, b"" if there is none."""
    for line in original.split(b"\n\n", 1)[0].split(b"\n"):
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
