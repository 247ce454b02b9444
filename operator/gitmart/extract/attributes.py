"""
What the `.gitattributes` files of a tree say of a path: gitattributes(5), for the attributes that are asked for.

`git check-attr` would be asked path by path of whole histories; this reads the files once, and keeps only what has to
do with the attributes in question.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from gitmart.extract.globs import Glob

NAME = b".gitattributes"
LONGEST_LINE = 2048  # bytes; git ignores lines that are not shorter
# With a wildcard, in all files together. Each costs a comparison per path, and a repository may have any number.
MOST_WILDCARDS = 1_000

Value = bool | bytes | None  # set, unset (`-name`), a text (`name=text`), or unspecified (`!name`)
States = tuple[tuple[bytes, Value], ...]

_MACRO = b"[attr]"
_BLANK = b" \t\r\n"
_ATTRIBUTE = re.compile(rb"[A-Za-z0-9_.][-A-Za-z0-9_.]*")
_ESCAPED = {b"a": 7, b"b": 8, b"f": 12, b"n": 10, b"r": 13, b"t": 9, b"v": 11, b"\\": 92, b'"': 34}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file. `pattern` is None for a macro, whose name is `macro`."""

    text: bytes
    pattern: bytes | None
    macro: bytes | None
    states: States


@dataclass(slots=True)
class _File:
    """The lines of one file, so that those which match a path are found at once; numbers count from the first."""

    states: list[States] = field(default_factory=list)
    names: dict[bytes, list[int]] = field(default_factory=dict)
    paths: dict[bytes, list[int]] = field(default_factory=dict)
    wildcards: list[tuple[int, Glob]] = field(default_factory=list)

    def add(self, glob: Glob, states: States) -> None:
        number = len(self.states)
        self.states.append(states)
        if glob.literal is None:
            self.wildcards.append((number, glob))
        else:
            (self.names if glob.is_name else self.paths).setdefault(glob.literal, []).append(number)

    def matching(self, path: bytes, name: bytes) -> Iterator[States]:
        """Yield what the matching lines say, the last line first."""
        numbers = [*self.names.get(name, ()), *self.paths.get(path, ())]
        numbers += [number for number, glob in self.wildcards if glob.matches(path, name)]
        for number in sorted(numbers, reverse=True):
            yield self.states[number]


class Attributes:
    """The files of a tree. `files` has their contents by path; `wanted` are the attributes in question."""

    def __init__(self, files: Mapping[bytes, bytes], wanted: Collection[bytes]) -> None:
        lines = {path.removesuffix(NAME): list(parse(content)) for path, content in files.items()}
        macros = {line.macro: line.states for line in lines.get(b"", ()) if line.macro is not None}
        relevant = _relevant(macros, wanted)
        self._wanted = frozenset(wanted)
        self._macros = {name: _only(states, relevant) for name, states in macros.items() if name in relevant}
        self._files: dict[bytes, _File] = {}  # by folder, with the slash at its end
        self._kept: dict[bytes, list[bytes]] = {
            b"": [line.text for line in lines.get(b"", ()) if line.macro in self._macros]
        }
        self._wildcards = 0
        for folder in sorted(lines):
            for line in lines[folder]:
                if line.pattern is not None and (states := _only(line.states, relevant)):
                    self._add(folder, line, states)

    def _add(self, folder: bytes, line: Line, states: States) -> None:
        glob = Glob.parse(line.pattern or b"")
        if glob is None:
            return
        self._wildcards += glob.literal is None
        if glob.literal is None and self._wildcards > MOST_WILDCARDS:
            return
        self._files.setdefault(folder, _File()).add(glob, states)
        self._kept.setdefault(folder, []).append(line.text)

    def pack(self) -> bytes:
        """Return what `unpack` reads: the lines that matter, so equal bytes mean equal attributes; b"" if none does."""
        if not self._files:
            return b""
        return b"".join(folder + NAME + b"\0" + b"\n".join(kept) + b"\0" for folder, kept in self._kept.items() if kept)

    def of(self, path: bytes) -> dict[bytes, Value]:
        """Return the wanted attributes of a path that are specified."""
        found: dict[bytes, Value] = {}
        if not self._files:
            return found
        end = len(path)
        name = path[path.rfind(b"/") + 1 :]
        while end >= 0:
            end = path.rfind(b"/", 0, end)
            if (file := self._files.get(path[: end + 1])) is not None:
                for states in file.matching(path[end + 1 :], name):
                    self._fill(found, states)
        return {name: value for name, value in found.items() if name in self._wanted and value is not None}

    def _fill(self, found: dict[bytes, Value], states: States) -> None:
        """Take over what is not decided yet, the last word of a line first; a macro that is set speaks at once."""
        waiting = [iter(reversed(states))]
        while waiting:
            for name, value in waiting[-1]:
                if name not in found:
                    found[name] = value
                    if value is True and name in self._macros:
                        waiting.append(iter(reversed(self._macros[name])))
                        break
            else:
                waiting.pop()


def _relevant(macros: Mapping[bytes, States], wanted: Collection[bytes]) -> set[bytes]:
    """Return the wanted attributes and the macros that lead to any."""
    users: dict[bytes, list[bytes]] = {}
    for macro, states in macros.items():
        for name, _ in states:
            users.setdefault(name, []).append(macro)
    relevant: set[bytes] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in relevant:
            relevant.add(name)
            waiting += users.get(name, ())
    return relevant


def _only(states: States, relevant: Collection[bytes]) -> States:
    return tuple(state for state in states if state[0] in relevant)


def parse(content: bytes) -> Iterator[Line]:
    """Yield the lines that git understands; like git, stop at a NUL, and leave out what is wrong."""
    for raw in content.removeprefix(b"\xef\xbb\xbf").partition(b"\0")[0].split(b"\n"):
        text = raw.lstrip(_BLANK)
        if len(raw) < LONGEST_LINE and text and not text.startswith(b"#") and (line := _line(text)) is not None:
            yield line


def unpack(packed: bytes) -> dict[bytes, bytes]:
    """Return files, by path, that say what those said which were packed."""
    fields = packed.split(b"\0")[:-1]
    return dict(zip(fields[::2], fields[1::2], strict=True))


def _line(text: bytes) -> Line | None:
    pattern, rest = _unquoted(text) or _up_to_blank(text)
    macro = None
    if pattern.startswith(_MACRO) and len(pattern) > len(_MACRO):
        macro = _up_to_blank(pattern.removeprefix(_MACRO).lstrip(_BLANK))[0]
        if not _ATTRIBUTE.fullmatch(macro):
            return None
    elif pattern.startswith(b"!"):
        return None  # git has no negative patterns here
    states = [_state(word) for word in re.split(rb"[ \t\r\n]+", rest.strip(_BLANK)) if word]
    known = tuple(state for state in states if state is not None)
    if len(known) < len(states):
        return None  # one wrong name spoils the line
    return Line(text, pattern if macro is None else None, macro, known)


def _up_to_blank(text: bytes) -> tuple[bytes, bytes]:
    end = next((number for number, letter in enumerate(text) if letter in _BLANK), len(text))
    return text[:end], text[end:]


def _unquoted(text: bytes) -> tuple[bytes, bytes] | None:
    """Return a pattern that is quoted as in C and what follows it, None if it is not."""
    matched = re.match(rb'"((?:[^"\\]|\\[abfnrtv\\"]|\\[0-3][0-7]{2})*)"', text)
    if matched is None:
        return None

    def plain(escaped: re.Match[bytes]) -> bytes:
        code = escaped[1]
        return bytes((_ESCAPED[code] if code in _ESCAPED else int(code, 8),))

    return re.sub(rb'\\([abfnrtv\\"]|[0-3][0-7]{2})', plain, matched[1]), text[matched.end() :]


def _state(word: bytes) -> tuple[bytes, Value] | None:
    """Return the attribute and what it is set to, None if it has no valid name."""
    name, equals, text = word.partition(b"=")
    value: Value = text if equals else True
    if name[:1] in {b"-", b"!"}:
        value = False if name.startswith(b"-") else None
        name = name[1:]
    return (name, value) if _ATTRIBUTE.fullmatch(name) else None


def is_true(value: Value) -> bool:
    """Whether a boolean attribute that is specified holds: GitHub Linguist takes all but `-name` and `name=false`."""
    return value is not False and value != b"false"


def is_attributes(path: bytes) -> bool:
    """Whether a file of that path holds attributes."""
    return path.rpartition(b"/")[2] == NAME
