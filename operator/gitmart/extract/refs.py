"""The refs of a clone, which of them count, and what they lead to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gitmart.contract.redaction import Scrubber
from gitmart.extract.errors import DamagedError
from gitmart.extract.git import Git
from gitmart.extract.shape import BRANCHES, Shape, digest

TAGS = b"refs/tags/"
_NO_REF_NAME = re.compile(rb"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|\Z)|\A[./]|[./]\Z")

SHORTEST_SECRET = 8  # characters


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
    """The selected refs and HEAD. `digest` is that of `digest_of`."""

    refs: tuple[Ref, ...]
    head: bytes | None  # the commit of HEAD; None in an empty repository or when HEAD points nowhere
    default_branch: bytes | None  # full name of the branch HEAD points to, if it exists
    digest: str

    @property
    def tips(self) -> list[bytes]:
        """Return the commits from which everything that counts can be reached, each once."""
        return list(dict.fromkeys(ref.commit_hash for ref in self.refs if ref.commit_hash))


def digest_of(refs: Iterable[tuple[bytes, bytes]], head: bytes, shape: Shape, class_rules: str | None = None) -> str:
    """
    Return 32 hex digits that stay as long as an extraction would find nothing to do.

    They are made of the name and object of each selected ref, of HEAD (the full name of the branch it points
    to, the commit when it points to none, b"" when there is neither), and of what shapes the data (with `class_rules`, a
    `rules_digest`, in the place of the shape's own rules of classes). No part can hold NUL: git and the system forbid
    it in names and options.
    """
    named = sorted(b"ref " + name + b" " + object_hash for name, object_hash in refs)
    return digest([b"HEAD " + head, *shape.parts(class_rules), *named])


def read_refs(git: Git, shape: Shape, host_has_head: Callable[[], bool]) -> Refs:
    """
    Return the refs of a clone that count.

    `host_has_head` is asked only when HEAD points to no branch: of one that points to a branch yet to be born, a
    clone makes a tag of that name.
    """
    listed = [line.split(b" ", 1) for line in git.run(
        "for-each-ref", "--format=%(objectname) %(refname)", BRANCHES.decode(), TAGS.decode()
    ).splitlines()]  # fmt: skip
    chosen = [(oid, name) for oid, name in listed if shape.selects(name)]
    commits = peel(git, [oid for oid, _ in chosen])
    refs = tuple(Ref(name, oid, commits[oid]) for oid, name in chosen)
    target = git.run("symbolic-ref", "--quiet", "HEAD", accept=(0, 1)).strip()
    # Where HEAD points nowhere, rev-parse takes a branch or a tag that is called HEAD in its place.
    if target:
        head = {name: oid for oid, name in listed}.get(target, b"")
    else:
        head = git.run("rev-parse", "HEAD").strip() if host_has_head() else b""
    branch = target if target and head else None
    digest = digest_of(((ref.name, ref.object_hash) for ref in refs), branch or head, shape)
    return Refs(refs, head or None, branch, digest)


def refuse_repeated(refs: Refs, secrets: Iterable[str]) -> None:
    """
    Raise DamagedError when the name of a ref repeats a secret: names go into the warehouse, and secrets must not.

    A short secret may be part of an honest name, and is not looked for.
    """
    scrubber = Scrubber(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)
    for ref in refs.refs:
        name = ref.name.decode("utf-8", "replace")
        if scrubber.clean(name) != name:
            raise DamagedError("the host lists a branch or tag whose name repeats the credentials that it was sent")


def is_ref_name(name: bytes) -> bool:
    """Whether git lets a ref have this name: check_refname_format() in git's refs.c."""
    return _NO_REF_NAME.search(name) is None and b"/" in name


def peel(git: Git, oids: Sequence[bytes]) -> dict[bytes, bytes | None]:
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
