"""
The options that shape the data: with others, the same refs would leave something else in the warehouse.

Two digests follow from them. One of the refs and everything here tells a check whether a run would find anything to
do (`refs.digest_of`). `Shape.rows` is narrower: it stands for what the rows of one commit hold, whichever commits
count. Where it differs from that of the last run, a run reads all commits anew and replaces their rows, so that
what a new version or option keeps is there for old commits too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256

from gitmart.contract.file_classes import PathRules
from gitmart.extract.default_classes import rules_digest

BRANCHES = b"refs/heads/"

# Raise it whenever an extraction stores something else for the same commit than the version before did: each
# repository is then read anew although its host has nothing new.
EXTRACTOR_VERSION = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """Which refs count, and what is kept of a commit."""

    include: tuple[str, ...] = ()  # globs of branch names; empty: all branches, and tags
    exclude: tuple[str, ...] = ()
    paths: PathRules = field(default_factory=PathRules)  # classes of files
    first_parent_counts: bool = False  # compare merges with their first parent, too
    patch_ids: bool = False

    @property
    def rows(self) -> str:
        """32 hex digits that stand for what the rows of one commit hold."""
        kept = {b"first parent counts": self.first_parent_counts, b"patch ids": self.patch_ids}
        return digest([b"%d" % EXTRACTOR_VERSION, *(name for name, is_kept in kept.items() if is_kept)])

    def parts(self, class_rules: str | None = None) -> list[bytes]:
        """Return everything that shapes the data, for a digest; with the digest of other rules of classes if given."""
        return [
            self.rows.encode(),
            *(b"include " + os.fsencode(glob) for glob in sorted(set(self.include))),
            *(b"exclude " + os.fsencode(glob) for glob in sorted(set(self.exclude))),
            b"classes " + (rules_digest(self.paths) if class_rules is None else class_rules).encode(),
        ]

    def selects(self, name: bytes) -> bool:
        """
        Whether the ref of that full name counts.

        These are all branches and tags; with `include` or `exclude` the selected branches alone, since a tag may
        hold any branch's commits.
        """
        if not self.include and not self.exclude:
            return True
        if not name.startswith(BRANCHES):
            return False
        short = name.removeprefix(BRANCHES).decode(errors="backslashreplace")
        wanted = not self.include or any(fnmatchcase(short, glob) for glob in self.include)
        return wanted and not any(fnmatchcase(short, glob) for glob in self.exclude)


def digest(parts: Iterable[bytes]) -> str:
    """Return 32 hex digits of parts without NUL."""
    return sha256(b"\0".join(parts)).hexdigest()[:32]
