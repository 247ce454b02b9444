"""
The files of one folder of a repository, as they are at one commit: a dbt project of a user's.

It is fetched as histories are, with the same care for what a host may say or send, and nothing of it is checked out:
names and contents come from git's plumbing and are written by us. No link is ever written, so none can lead away.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitmart.contract.fetched import write_commit
from gitmart.contract.outcomes import Outcome
from gitmart.contract.sizes import format_size
from gitmart.extract.errors import DamagedError, ExtractError, LimitError
from gitmart.extract.git import Git
from gitmart.extract.host import Answer, ask
from gitmart.extract.mirror import object_format_of
from gitmart.extract.partial import SUBMODULE, Partial
from gitmart.extract.refs import TAGS, peel
from gitmart.extract.settings import Limits, Remote
from gitmart.extract.shape import BRANCHES

MOST_FETCHED = 256 << 20  # bytes on disk while it is fetched: the folders of the whole repository, the files of one
MOST_FILES = 10_000
MOST_BYTES = 64 << 20  # of the files
LINK = b"120000"  # a mode
_COMMIT = re.compile(rb"[0-9a-f]{40}([0-9a-f]{24})?")
_UNSPEAKABLE = re.compile(rb"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which folder: `ref` is a branch, a tag or a full hash, None that of HEAD; `path` "" is the root."""

    remote: Remote
    ref: str | None = None
    path: str = ""

    @property
    def told(self) -> str:
        """What people call it, but for the folder."""
        return f"{self.remote.url}{f' at {self.ref}' if self.ref else ''}"


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: bytes
    oid: bytes


def fetch_project(wanted: Wanted, environment: Mapping[str, str], work_dir: Path, to: Path) -> str:
    """
    Write the files into the folder `to`, in the place of what is there, and return the commit they are of.

    Raise ExtractError as an extraction does; NotFound too when there is no such ref, commit or folder.
    """
    limits = Limits(bytes=MOST_FETCHED)
    try:
        tip = _tip(wanted, ask(wanted.remote, environment, work_dir, limits))
        partial = Partial(wanted.remote, environment, work_dir / "project.git", object_format_of({tip}), limits)
        commit = _commit(wanted, partial, tip)
        entries = _entries(wanted, partial.git, commit)
        partial.fetch_blobs(partial.missing({entry.oid for entry in entries.values()}))
        contents = _contents(partial.git, {entry.oid for entry in entries.values()})
    except LimitError as error:
        raise LimitError(str(error).replace("limits.bytes (--limit-bytes) allows", "a dbt project may take")) from None
    shutil.rmtree(to, ignore_errors=True)
    for path, oid in _resolved(entries, contents).items():
        file = to / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "xb") as writing:
            writing.write(contents[oid])
    to.mkdir(parents=True, exist_ok=True)  # for a folder without files
    write_commit(to, commit.decode())
    return commit.decode()


def _tip(wanted: Wanted, answer: Answer) -> bytes:
    """Return the object that is asked for."""
    if wanted.ref is None:
        if answer.head:
            return answer.head
        raise ExtractError(f"{wanted.remote.url} has no HEAD: name a branch, a tag or a commit", Outcome.NOT_FOUND)
    name = wanted.ref.encode()
    for full in (BRANCHES + name, TAGS + name, name):
        if full in answer.refs:
            return answer.refs[full]
    if _COMMIT.fullmatch(name):
        return name
    raise ExtractError(
        f"{wanted.remote.url} has no branch and no tag {wanted.ref}; a commit is named by its full hash",
        Outcome.NOT_FOUND,
    )


def _commit(wanted: Wanted, partial: Partial, tip: bytes) -> bytes:
    """Fetch the folders of the tip; return its commit."""
    try:
        partial.fetch([tip], "--depth=1")
    except ExtractError as error:
        if error.outcome is Outcome.REPOSITORY_DAMAGED and _COMMIT.fullmatch((wanted.ref or "").encode()):
            raise ExtractError(
                f"{wanted.told}: the host has no such commit, or does not give it ({error})", Outcome.NOT_FOUND
            ) from None
        raise
    commit = peel(partial.git, [tip])[tip]
    if commit is None:
        raise ExtractError(f"{wanted.told} leads to no commit", Outcome.NOT_FOUND)
    return commit


def _entries(wanted: Wanted, git: Git, commit: bytes) -> dict[str, _Entry]:
    """Return the files and links of the folder by their paths in it."""
    folder = f"{commit.decode()}:{wanted.path}"
    if git.run("cat-file", "-t", folder, accept=(0, 1, 128)).strip() != b"tree":
        raise ExtractError(f"{wanted.told} has no folder {wanted.path}", Outcome.NOT_FOUND)
    found: dict[str, _Entry] = {}
    for line in git.run("ls-tree", "-r", "-z", "--full-tree", folder).split(b"\0")[:-1]:
        told, _, name = line.partition(b"\t")
        mode, _, oid = told.split(b" ")
        if mode == SUBMODULE:
            raise ExtractError(
                f"{wanted.told}: {_printable(name)} is a submodule, and none is fetched: put its files into the project",
                Outcome.PROJECT_ERROR,
            )
        found[_path(wanted, name)] = _Entry(mode, oid)
        if len(found) > MOST_FILES:
            raise LimitError(f"{wanted.told}: the project holds more than {MOST_FILES} files")
    return found


def _path(wanted: Wanted, name: bytes) -> str:
    """Return the path of a file; raise DamagedError for one that git would not check out, or nobody could write."""
    try:
        path = name.decode()
    except UnicodeDecodeError:
        path = ""
    parts = path.split("/")
    if _UNSPEAKABLE.search(name) or any(part in {"", ".", ".."} or len(part.encode()) > 255 for part in parts):
        raise DamagedError(f"{wanted.told} has a file with a name that cannot be used: {_printable(name)}")
    return path


def _contents(git: Git, oids: set[bytes]) -> dict[bytes, bytes]:
    """Return the contents of blobs; raise LimitError before they are read if they are too many bytes."""
    asked = b"".join(oid + b"\n" for oid in sorted(oids))
    sizes = git.run("cat-file", "--batch-check=%(objecttype) %(objectsize)", stdin=asked).splitlines()
    if any(not line.startswith(b"blob ") for line in sizes):
        raise DamagedError("the repository lacks files that its commit names")
    if sum(int(line.split()[1]) for line in sizes) > MOST_BYTES:
        raise LimitError(f"the files of the dbt project are more than {format_size(MOST_BYTES)}")
    printed, found, at = git.run("cat-file", "--batch", stdin=asked), {}, 0
    for oid, line in zip(sorted(oids), sizes, strict=True):
        begin = printed.index(b"\n", at) + 1
        end = begin + int(line.split()[1])
        found[oid] = printed[begin:end]
        at = end + 1
    return found


def _resolved(entries: Mapping[str, _Entry], contents: Mapping[bytes, bytes]) -> dict[str, bytes]:
    """Return the blob of each file. A link becomes the file of the folder that it leads to; others are refused."""
    found = {}
    for path, entry in entries.items():
        seen = {path}
        target, at = entry, path
        while target.mode == LINK:
            to = contents[target.oid].decode("utf-8", "replace")
            at = posixpath.normpath(posixpath.join(posixpath.dirname(at), to))
            if to.startswith("/") or at in seen or at not in entries:
                raise ExtractError(
                    f"{path} is a link to {_printable(to.encode())[:200]}, which is no file of the project: "
                    "put the file itself there",
                    Outcome.PROJECT_ERROR,
                )
            seen.add(at)
            target = entries[at]
        found[path] = target.oid
    return found


def _printable(name: bytes) -> str:
    return repr(name.decode("utf-8", "replace"))[1:-1]
