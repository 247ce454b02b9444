"""The refs of a clone, which of them count, and what they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256

from gitmart.extract.errors import DamagedError
from gitmart.extract.git import Git

BRANCHES = b"refs/heads/"
TAGS = b"refs/tags/"


@dataclass(frozen=True, slots=True)
class Ref:
    """A branch or tag. Names are bytes: git does not say how they are encoded."""

    name: bytes  # full, such as refs/heads/main
    object_hash: bytes
    commit_hash: bytes | None  # None: the tag leads to a tree or a blob

    @property
    def is_branch(self) -> bool:
        """Whether it is a branch."""
        return self.name.startswith(BRANCHES)


@dataclass(frozen=True, slots=True)
class Refs:
    """The selected refs and HEAD."""

    refs: tuple[Ref, ...]
    head: bytes | None  # the commit of HEAD; None in an empty repository or when HEAD points nowhere
    default_branch: bytes | None  # full name of the branch HEAD points to, if it exists

    @property
    def tips(self) -> list[bytes]:
        """Return the commits from which everything that counts can be reached, each once."""
        return list(dict.fromkeys(ref.commit_hash for ref in self.refs if ref.commit_hash))

    @property
    def digest(self) -> str:
        """Return 16 hex digits that change whenever a selected ref or HEAD does."""
        lines = sorted(ref.name + b" " + ref.object_hash for ref in self.refs)
        return sha256(b"\n".join([*lines, b"HEAD " + (self.default_branch or self.head or b"")])).hexdigest()[:16]


def read_refs(git: Git, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Refs:
    """
    Return the refs that count.

    These are all branches and tags; with `include` or `exclude` (globs of branch names), the selected
    branches alone, since a tag may hold any branch's commits.
    """
    listed = [line.split(b" ", 1) for line in git.run(
        "for-each-ref", "--format=%(objectname) %(refname)", BRANCHES.decode(), TAGS.decode()
    ).splitlines()]  # fmt: skip
    chosen = [(oid, name) for oid, name in listed if _selected(name, include, exclude)]
    commits = _peel(git, [oid for oid, _ in chosen])
    refs = tuple(Ref(name, oid, commits[oid]) for oid, name in chosen)
    target = git.run("symbolic-ref", "--quiet", "HEAD", accept=(0, 1)).strip()
    head = git.run("rev-parse", "--quiet", "--verify", "HEAD^{commit}", accept=(0, 1)).strip()
    return Refs(refs, head or None, target if target and head else None)


def _selected(name: bytes, include: Sequence[str], exclude: Sequence[str]) -> bool:
    if not include and not exclude:
        return True
    if not name.startswith(BRANCHES):
        return False
    short = name.removeprefix(BRANCHES).decode(errors="backslashreplace")
    wanted = not include or any(fnmatchcase(short, glob) for glob in include)
    return wanted and not any(fnmatchcase(short, glob) for glob in exclude)


def _peel(git: Git, oids: Sequence[bytes]) -> dict[bytes, bytes | None]:
    """Return for each object the commit it leads to through any number of tags, None if that is no commit."""
    asked = b"".join(oid + b"^{}\n" for oid in oids)
    answers = git.run("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=asked).splitlines()
    commits: dict[bytes, bytes | None] = {}
    for oid, answer in zip(oids, answers, strict=True):
        found, _, kind = answer.rpartition(b" ")
        if kind not in {b"commit", b"tree", b"blob"}:
            raise DamagedError(f"a ref points to {oid.decode()}, which leads to no object: {answer.decode()}")
        commits[oid] = found if kind == b"commit" else None
    return commits
