"""
What kinds of files there are, and the patterns by which people say which file is of which.

A pattern is one of gitattributes(5): without `/` it is compared with the name of the file, in any folder; with one,
with the path from the root of the repository. `*` and `?` stop at `/`, `**` does not, `[ab]` is either. Besides, one
that ends in `/` stands for all files below the folders it matches, as in gitignore(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

# One character, or a set of them that is closed. No backslash: [*] is a star, and \ divides folders elsewhere.
_SET = r"\[([^!^/\\\x00-\x1f\x7f]|[!^][^/\\\x00-\x1f\x7f])[^\]/\\\x00-\x1f\x7f]*\]"
GLOB_PATTERN = rf"^/?([^!/\\\[\x00-\x1f\x7f]|{_SET})([^\\\[\x00-\x1f\x7f]|{_SET})*$"
GLOB_ALLOWED = (
    "must be a pattern of paths as in .gitattributes, such as *.gen.go, docs/api/** or vendor/: "
    "no \\, no ! in front, every [ closed by ]"
)
GLOB_LENGTH = 255  # characters
MOST_GLOBS = 64  # of a kind


class FileClass(StrEnum):
    """What a file is to whoever counts lines. Every file is of exactly one class; `source` is the rest."""

    SOURCE = "source"
    TESTS = "tests"
    DOCUMENTATION = "documentation"
    CONFIGURATION = "configuration"
    GENERATED = "generated"
    VENDORED = "vendored"
    EXCLUDED = "excluded"  # what a Repository leaves out

    @property
    def code(self) -> str:
        """The letter it is stored as."""
        return "x" if self is FileClass.EXCLUDED else self.value[0]


@dataclass(frozen=True, slots=True)
class PathRules:
    """
    What a user says of paths, outranking everything else.

    `exclude` are patterns of files of the class `excluded`; `classes` pairs of a pattern and a class, of which the
    first that matches counts. `exclude` comes first.
    """

    exclude: tuple[str, ...] = ()
    classes: tuple[tuple[str, FileClass], ...] = ()


def check_glob(text: str) -> str:
    """Return the pattern; raise ValueError if it is none."""
    if re.fullmatch(GLOB_PATTERN, text) is None or len(text) > GLOB_LENGTH:
        raise ValueError(f"{text[:80]!r} {GLOB_ALLOWED}, at most {GLOB_LENGTH} characters")
    return text


def parse_path_class(text: str) -> tuple[str, FileClass]:
    """Return what `CLASS=PATTERN` says; raise ValueError."""
    name, _, glob = text.partition("=")
    choices = [known.value for known in FileClass if known is not FileClass.EXCLUDED]
    if name not in choices:
        raise ValueError(f"{name[:80]!r} is no class of files: write CLASS=GLOB with one of {', '.join(choices)}")
    return check_glob(glob), FileClass(name)


def format_path_class(glob: str, file_class: FileClass) -> str:
    """Return what `parse_path_class` reads."""
    return f"{file_class.value}={glob}"
