"""
Patterns of paths as git understands them: gitattributes(5), "PATTERN FORMAT" of gitignore(5), wildmatch.c.

All of it is bytes, as in git: `?` is one byte. Each pattern becomes one regular expression without backtracking into
what a `*` has matched: of two stars of a kind the first is right to take as little as it can, so no pattern that
somebody committed can take exponential time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

ValueT = TypeVar("ValueT")

_SPECIAL = re.compile(rb"[*?\[\\]")
_STAR, _FOLDERS, _REST, _ANY = "*", "**/", "**", "**any"  # tokens besides pieces of regular expressions
_OPENINGS: dict[bytes | str, bytes] = {_FOLDERS: b"(?:.*?/)??", _REST: b".*", _ANY: b".*?"}
_CLASSES = {
    b"alnum": b"0-9A-Za-z", b"alpha": b"A-Za-z", b"blank": rb"\t ", b"cntrl": rb"\x00-\x1f\x7f", b"digit": b"0-9",
    b"graph": b"!-~", b"lower": b"a-z", b"print": b" -~", b"punct": rb"!-/:-@\[-`{-~", b"space": rb"\t-\r ",
    b"upper": b"A-Z", b"xdigit": b"0-9A-Fa-f",
}  # fmt: skip


class _NeverError(ValueError):
    """The pattern matches nothing, such as one with a set that is not closed."""


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern. `is_name`: it is compared with the file's name, not with the path. `literal`: it has no wildcards."""

    is_name: bool
    literal: bytes | None
    expression: bytes  # of the whole text
    compiled: re.Pattern[bytes]

    @classmethod
    def parse(cls, pattern: bytes) -> Glob | None:
        """Return the pattern as gitattributes(5) has it; None for one that matches no file, such as a folder's."""
        if not pattern or pattern.endswith(b"/"):
            return None
        is_name = b"/" not in pattern
        rest = pattern.removeprefix(b"/")
        literal = None if _SPECIAL.search(rest) else rest
        try:
            expression = _expression(rest)
        except _NeverError:
            return None
        return cls(is_name, literal, expression, re.compile(expression + rb"\Z", re.DOTALL))

    def matches(self, path: bytes, name: bytes) -> bool:
        """Whether a file counts: `path` from the folder that the pattern belongs to, `name` its last part."""
        text = name if self.is_name else path
        return text == self.literal if self.literal is not None else self.compiled.match(text) is not None


def _expression(pattern: bytes) -> bytes:
    """Return the regular expression of a pattern without the slash in front; raise _NeverError."""
    first = _SPECIAL.search(pattern)
    start = first.start() if first else len(pattern)
    # git compares what precedes the first wildcard as it is and begins to look for ** after that: so a ** there
    # is at a border, whatever precedes it.
    tokens = list(_tokens(pattern[start:]))
    groups: list[list[bytes | str]] = [[]]
    for token in tokens:
        if token in {_FOLDERS, _REST, _ANY}:
            groups.append([])
        groups[-1].append(token)
    parts = [_group(group, is_last=number == len(groups) - 1) for number, group in enumerate(groups)]
    return re.escape(pattern[:start]) + b"".join(parts)


def _group(tokens: Sequence[bytes | str], *, is_last: bool) -> bytes:
    """Return the expression of what stands from one ** to the next. What another ** follows is matched once."""
    opening = _OPENINGS.get(tokens[0], b"") if tokens else b""
    body = _stars(tokens[1:] if opening else tokens, is_last=is_last)
    if opening and not is_last:
        return b"(?>" + opening + body + b")"
    return opening + body


def _stars(tokens: Sequence[bytes | str], *, is_last: bool) -> bytes:
    """Return the expression of tokens without **. A * that another one follows is matched once."""
    runs: list[list[bytes]] = [[]]
    for token in tokens:
        if isinstance(token, bytes):
            runs[-1].append(token)
        else:
            runs.append([])
    fixed, *starred = [b"".join(run) for run in runs]
    if not starred:
        return fixed
    *inner, last = starred
    closed = b"".join(b"(?>[^/]*?" + run + b")" for run in inner)
    return fixed + closed + (b"[^/]*" if is_last or not last else b"[^/]*?") + last


def _tokens(pattern: bytes) -> Iterator[bytes | str]:
    """Yield expressions of one character each, and the words for stars."""
    position = 0
    while position < len(pattern):
        letter = pattern[position : position + 1]
        if letter == b"*":
            end = position
            while pattern[end : end + 1] == b"*":
                end += 1
            token, position = _star(pattern, position, end)
            yield token
        elif letter == b"?":
            yield b"[^/]"
            position += 1
        elif letter == b"[":
            token_of_set, position = _set(pattern, position + 1)
            yield token_of_set
        else:
            position += letter == b"\\"
            if position == len(pattern):
                raise _NeverError(pattern)
            yield re.escape(pattern[position : position + 1])
            position += 1


def _star(pattern: bytes, start: int, end: int) -> tuple[str, int]:
    """Return the token of the stars from `start` to `end`, and where the next one begins."""
    at_border = start == 0 or pattern[start - 1 : start] == b"/"
    if end - start > 1 and at_border:
        if end == len(pattern):
            return _REST, end
        if pattern[end : end + 1] == b"/":
            return _FOLDERS, end + 1
        if pattern[end : end + 2] == b"\\/":
            return _ANY, end
    return _STAR, end


def _set(pattern: bytes, position: int) -> tuple[bytes, int]:
    """Return the expression of a set whose [ is before `position`, and where the next token begins."""
    negated = pattern[position : position + 1] in {b"!", b"^"}
    position += negated
    members: list[bytes] = []
    previous: int | None = None
    first = True
    while first or pattern[position : position + 1] != b"]":
        first = False
        letter = pattern[position : position + 1]
        if letter == b"-" and previous is not None and pattern[position + 1 : position + 2] not in {b"", b"]"}:
            high, position = _character(pattern, position + 1)
            members += [_range(previous, high)] if previous <= high else []
            previous = None
        elif letter == b"[" and (named := re.match(rb"\[:([^\]]*):\]", pattern[position:])):
            if named[1] not in _CLASSES:
                raise _NeverError(pattern)
            members.append(_CLASSES[named[1]])
            position += named.end()
            previous = None
        else:
            previous, position = _character(pattern, position)
            members.append(_range(previous, previous))
    if not negated:
        return (b"(?!/)[" + b"".join(members) + b"]"), position + 1
    return (b"[^/" + b"".join(members) + b"]"), position + 1


def _character(pattern: bytes, position: int) -> tuple[int, int]:
    """Return a member of a set, which a backslash may precede, and what follows it."""
    position += pattern[position : position + 1] == b"\\"
    if position >= len(pattern):
        raise _NeverError(pattern)
    return pattern[position], position + 1


def _range(low: int, high: int) -> bytes:
    return rb"\x%02x-\x%02x" % (low, high)


class FirstMatch(Generic[ValueT]):
    """
    Rules of which the first that matches a path counts; many of them cost little more than one.

    A pattern that ends in `/` stands for all files below the folder.
    """

    def __init__(self, rules: Sequence[tuple[str, ValueT]]) -> None:
        self._values = [value for _, value in rules]
        # Most rules name a file, a beginning, an ending or a folder: these are looked up, the first rule of each.
        self._names: dict[bytes, int] = {}
        self._dotted: dict[bytes, int] = {}  # endings such as .min.js
        self._endings: dict[bytes, int] = {}
        self._beginnings: dict[bytes, int] = {}
        self._folders: dict[bytes, int] = {}
        self._roots: dict[bytes, int] = {}
        others: dict[bool, list[tuple[int, bytes]]] = {True: [], False: []}
        for number, (text, _) in enumerate(rules):
            pattern = text.encode("utf-8", "surrogateescape")
            index, key = self._index_of(pattern)
            if index is not None:
                index.setdefault(key, number)
            elif (glob := Glob.parse(_all_below(pattern))) is not None:
                others[glob.is_name].append((number, glob.expression))
        self._by_name, self._by_path = (_first_of(others[is_name]) for is_name in (True, False))
        self._some_endings, self._some_beginnings = tuple(self._endings), tuple(self._beginnings)

    def _index_of(self, pattern: bytes) -> tuple[dict[bytes, int] | None, bytes]:
        """Return where a pattern is looked up and as what; None if it is compared as it is."""
        folder = pattern.removeprefix(b"/")
        for index, key in (
            (self._roots if pattern.startswith(b"/") else self._folders, folder.removesuffix(b"/")),
            (self._names, pattern),
            (self._dotted if pattern.startswith(b"*.") else self._endings, pattern.removeprefix(b"*")),
            (self._beginnings, pattern.removesuffix(b"*")),
        ):
            is_folder = index is self._roots or index is self._folders
            if is_folder == pattern.endswith(b"/") and key and b"/" not in key and not _SPECIAL.search(key):
                return index, key
        return None, pattern

    def find(self, path: bytes) -> ValueT | None:
        """Return the value of the first rule that matches, None if none does."""
        if not self._values:
            return None
        *folders, name = path.split(b"/")
        found = [self._names[name]] if name in self._names else []
        found += [self._folders[folder] for folder in folders if folder in self._folders]
        if folders and folders[0] in self._roots:
            found.append(self._roots[folders[0]])
        dot = name.find(b".")
        while dot >= 0:
            if (number := self._dotted.get(name[dot:])) is not None:
                found.append(number)
            dot = name.find(b".", dot + 1)
        if name.endswith(self._some_endings):
            found += [number for text, number in self._endings.items() if name.endswith(text)]
        if name.startswith(self._some_beginnings):
            found += [number for text, number in self._beginnings.items() if name.startswith(text)]
        for (compiled, numbers), text in ((self._by_name, name), (self._by_path, path)):
            if compiled is not None and (matched := compiled.match(text)) and matched.lastindex:
                found.append(numbers[matched.lastindex - 1])
        return self._values[min(found)] if found else None


def _all_below(pattern: bytes) -> bytes:
    """Return the pattern of gitattributes(5) for all files below a folder, if the pattern is one."""
    if not pattern.endswith(b"/"):
        return pattern
    at_any_depth = b"/" not in pattern[:-1]
    return (b"**/" if at_any_depth else b"") + pattern + b"**"


def _first_of(rules: Sequence[tuple[int, bytes]]) -> tuple[re.Pattern[bytes] | None, list[int]]:
    """Return one expression whose group tells which of the rules matches first, and the numbers by group."""
    if not rules:
        return None, []
    joined = b"|".join(b"(" + expression + b")\\Z" for _, expression in rules)
    return re.compile(joined, re.DOTALL), [number for number, _ in rules]
