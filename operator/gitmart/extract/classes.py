"""
The class of a file: a pure function of its path, what the Repository says, and the `.gitattributes` files of HEAD.

What the Repository says outranks what the attributes say, that outranks the rules for all repositories. The content of
files is not read. Today's attributes count for the whole history, so that a path has one class at a time, and figures
of different years can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from hashlib import sha256

from gitmart.contract.file_classes import FileClass, PathRules
from gitmart.extract.attributes import Attributes, is_true
from gitmart.extract.default_classes import RULES, rules_digest
from gitmart.extract.globs import FirstMatch

# In this order: of two that hold, the first counts.
LINGUIST = {
    b"linguist-generated": FileClass.GENERATED,
    b"linguist-vendored": FileClass.VENDORED,
    b"linguist-documentation": FileClass.DOCUMENTATION,
}
REMEMBERED = 1 << 16  # paths: most histories change the same ones again and again
_CODES = {known: known.code.encode() for known in FileClass}
_CLEANED = re.compile(rb"\\x([89a-f][0-9a-f])")


class Classes:
    r"""
    Classes by path. `files` are the `.gitattributes` files of HEAD's tree with their contents.

    `of` takes a path as the warehouse has it, in UTF-8, and returns the letter that is stored. Of a path whose bytes
    are no UTF-8 the warehouse has `\xNN` in their place, which is taken for the byte again.
    """

    def __init__(self, rules: PathRules, files: Mapping[bytes, bytes]) -> None:
        excluded = [(glob, FileClass.EXCLUDED) for glob in rules.exclude]
        self._rules = FirstMatch([*excluded, *rules.classes])
        self._attributes = Attributes(files, LINGUIST)
        self.of = lru_cache(REMEMBERED)(self._letter)
        self.attributes = self._attributes.pack()  # what the warehouse keeps of the files
        self.digest = sha256(rules_digest(rules).encode() + self.attributes).hexdigest()[:32]

    def _letter(self, path: bytes) -> bytes:
        return _CODES[self.class_of(path)]

    def class_of(self, path: bytes) -> FileClass:
        """Return the class of a path."""
        raw = _CLEANED.sub(_byte, path) if b"\\x" in path else path
        if (said := self._rules.find(raw)) is not None:
            return said
        holds = {LINGUIST[name]: is_true(value) for name, value in self._attributes.of(raw).items()}
        for known in LINGUIST.values():
            if holds.get(known):
                return known
        return _defaults_without(frozenset(holds)).find(raw) or FileClass.SOURCE


@cache
def _defaults_without(denied: frozenset[FileClass]) -> FirstMatch[FileClass]:
    """Return the rules for all repositories but those of the classes that a file is said not to be of."""
    return FirstMatch([rule for rule in RULES if rule[1] not in denied])


def _byte(cleaned: re.Match[bytes]) -> bytes:
    return bytes((int(cleaned[1], 16),))
