"""
Mailmaps: gitmailmap(5), read and applied exactly as git does it (mailmap.c). Pure.

A line that git does not understand says nothing. E-mails and names are compared without regard to the case of
ASCII letters. What a mapping gives is not looked up again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

PATH = b".mailmap"
WHITESPACE = b" \t\n\r"  # what git takes for it, in whatever locale


class Entry(NamedTuple):
    """
    A line: who wrote under the old e-mail, and under the old name if there is one, is given what is new.

    A part that is None stays as it is. Lines are counted from 1.
    """

    line: int
    new_name: bytes | None
    new_email: bytes | None
    old_name: bytes | None
    old_email: bytes


class Mapped(NamedTuple):
    """What an identity is mapped to, and the lines that say so."""

    name: bytes
    email: bytes
    lines: tuple[int, ...]


def parse(content: bytes) -> Iterator[Entry]:
    """Yield an entry for each line that git understands."""
    # git keeps a mailmap as text of C, which NUL ends.
    for number, line in enumerate(content.partition(b"\0")[0].split(b"\n"), 1):
        entry = None if line.startswith(b"#") else _entry(number, line)
        if entry is not None:
            yield entry


def _entry(number: int, line: bytes) -> Entry | None:
    first = _person(line)
    if first is None or not first[1]:
        return None
    new_name, email, rest = first
    old = _person(rest) if rest else None
    if old is None:
        return Entry(number, new_name, None, None, email)
    return Entry(number, new_name, email, old[0], old[1])


def _person(text: bytes) -> tuple[bytes | None, bytes, bytes] | None:
    """Return the name before the brackets if there is one, the e-mail in them, and what follows; None without any."""
    name, opened, rest = text.partition(b"<")
    email, closed, rest = rest.partition(b">")
    if not opened or not closed:
        return None
    return name.strip(WHITESPACE) or None, email, rest


class _Given:
    """What one e-mail, or one name with it, is given by the lines so far."""

    __slots__ = ("email", "lines", "name")

    def __init__(self) -> None:
        self.name: bytes | None = None
        self.email: bytes | None = None
        self.lines: list[int] = []


class Mailmap:
    """Mappings of one or more mailmaps; of two lines for the same e-mail (and name) the later one counts."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._simple: dict[bytes, _Given] = {}
        self._named: dict[tuple[bytes, bytes], _Given] = {}
        for entry in entries:
            self._add(entry)

    def _add(self, entry: Entry) -> None:
        email = entry.old_email.lower()
        if entry.old_name is None:
            # Parts that a later line leaves out stay as an earlier one gave them.
            given = self._simple.setdefault(email, _Given())
            if entry.new_name is not None or entry.new_email is not None:
                given.name = given.name if entry.new_name is None else entry.new_name
                given.email = given.email if entry.new_email is None else entry.new_email
                given.lines.append(entry.line)
        else:
            given = self._named[email, entry.old_name.lower()] = _Given()
            given.name, given.email, given.lines = entry.new_name, entry.new_email, [entry.line]

    def map(self, name: bytes, email: bytes) -> Mapped | None:
        """Return what the identity is mapped to, None if nothing says anything of it or it stays what it is."""
        key = email.lower()
        given = self._named.get((key, name.lower())) or self._simple.get(key)
        if given is None:
            return None
        mapped = Mapped(
            name if given.name is None else given.name,
            email if given.email is None else given.email,
            tuple(given.lines),
        )
        return None if mapped[:2] == (name, email) else mapped
