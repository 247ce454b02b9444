"""
Named files of the tree of HEAD, such as `.mailmap` and every `.gitattributes`: what a repository says of itself.

Their contents are untrusted and bounded. Only regular files count: the target of a symbolic link is no content.
In a partial repository the contents are missing; they are fetched in the one batch that counting needs anyway.
Where HEAD is a commit that was known before, and therefore not on disk, its tree is fetched beside. As long as
HEAD stays where it was, nothing is read, and what the warehouse holds of the files is what they are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from gitmart.extract.errors import DamagedError, GitError
from gitmart.extract.git import Git
from gitmart.extract.history import History
from gitmart.extract.known import Known
from gitmart.extract.listing import finish, piped
from gitmart.extract.quarantine import Quarantined
from gitmart.extract.records import nul_ended

MOST_FILES = 1_000
LARGEST = 1 << 20  # bytes of one file
MOST_BYTES = 16 << 20  # of all files together
FIELD = "file of HEAD"  # of the quarantine

READ_SIZE = 1 << 16  # bytes
REGULAR = frozenset({b"100644", b"100755", b"100664"})  # modes; old versions of git wrote the last one


@dataclass(frozen=True, slots=True)
class Names:
    """Which files are asked for: `paths` from the root, and `basenames` in whatever folder."""

    paths: frozenset[bytes] = frozenset()
    basenames: frozenset[bytes] = frozenset()

    def __contains__(self, path: bytes) -> bool:
        return path in self.paths or path.rpartition(b"/")[2] in self.basenames


class Entry(NamedTuple):
    """A file in the tree: its path from the root, and the name of the object that holds its content."""

    path: bytes
    blob: bytes


@dataclass(frozen=True, slots=True)
class HeadFile:
    """A file of HEAD. Equal blobs are equal contents, so `blob` is the version of the file."""

    path: bytes
    blob: str
    content: bytes


@dataclass(frozen=True, slots=True)
class HeadFiles:
    """The files that were read: those named by their path first, then by path. `ignored`: those too large or too many."""

    files: tuple[HeadFile, ...] = ()
    ignored: tuple[Quarantined, ...] = ()

    def at(self, path: bytes) -> HeadFile | None:
        """Return the file at the path, None when HEAD has none there."""
        return next((file for file in self.files if file.path == path), None)


@dataclass(frozen=True, slots=True)
class HeadTree:
    """The entries that are asked for, and the repository in which their contents are, or will be once fetched."""

    git: Git
    entries: tuple[Entry, ...] = ()
    ignored: tuple[Quarantined, ...] = ()

    @property
    def blobs(self) -> list[bytes]:
        """Return the objects that hold the contents, each once."""
        return list(dict.fromkeys(entry.blob for entry in self.entries))

    def read(self) -> HeadFiles:
        """Return the files; raise DamagedError when git lacks one."""
        wanted, ignored = _bounded(self.entries, _sizes(self.git, self.blobs))
        contents = _contents(self.git, list(dict.fromkeys(entry.blob for entry in wanted)))
        files = tuple(HeadFile(path, blob.decode(), contents[blob]) for path, blob in wanted)
        return HeadFiles(files, self.ignored + ignored)


def find(history: History, known: Known | None, names: Names) -> HeadTree | None:
    """
    Return the files of HEAD that have such names.

    None: HEAD is where it was at the last run, so they are what they were. Raise ExtractError when a host does not
    send the tree, or git lacks it.
    """
    head, partial = history.refs.head, history.partial
    if partial is None:
        return _tree(history.git, head, names)
    if known is not None and known.head == head:
        return None
    if head is None or _has_tree(partial.git, head):
        return _tree(partial.git, head, names)
    # A commit that came into the repository of the run now would seem to have no parents.
    beside = partial.beside("head.git")
    beside.fetch([head], "--depth=1")
    tree = _tree(beside.git, head, names)
    beside.fetch_blobs(beside.missing(tree.blobs))
    return tree


def _tree(git: Git, head: bytes | None, names: Names) -> HeadTree:
    if head is None:
        return HeadTree(git)
    found = sorted(_list(git, head, names), key=lambda entry: (entry.path not in names.paths, entry.path))
    over = tuple(Quarantined(None, FIELD, path, f"more than {MOST_FILES} files") for path, _ in found[MOST_FILES:])
    return HeadTree(git, tuple(found[:MOST_FILES]), over[:1])


def _has_tree(git: Git, commit: bytes) -> bool:
    """Whether the commit is on disk with its tree: one that only a tag led to came without."""
    answer = git.run("cat-file", "--batch-check", stdin=commit + b"^{tree}\n")
    return answer.split()[1:2] == [b"tree"]


def _list(git: Git, commit: bytes, names: Names) -> list[Entry]:
    # Names of paths alone spare git the rest of the tree.
    paths = [] if names.basenames else [path.decode() for path in sorted(names.paths)]
    found = []
    with tempfile.TemporaryFile() as printed:
        process = git.start(
            "ls-tree", "-r", "-z", "--full-tree", commit.decode(), "--", *paths, stderr=printed.fileno()
        )
        try:
            for line in nul_ended(piped(process.stdout), READ_SIZE):
                entry, _, path = line.partition(b"\t")
                mode, _, blob = entry.split(b" ")
                if path in names and mode in REGULAR:
                    found.append(Entry(path, blob))
        finally:
            finish(process)
        if process.returncode != 0:
            printed.seek(0)
            raise GitError("listing HEAD", printed.read().decode(errors="replace"), process.returncode)
    return found


def _sizes(git: Git, blobs: Collection[bytes]) -> dict[bytes, int]:
    asked = b"".join(blob + b"\n" for blob in blobs)
    answers = git.run("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=asked).splitlines()
    sizes = dict(answer.split(b" ") for answer in answers)
    if lost := next((blob for blob, size in sizes.items() if not size.isdigit()), None):
        raise DamagedError(f"git has no blob {lost.decode()}, which a file of HEAD holds")
    return {blob: int(size) for blob, size in sizes.items()}


def _bounded(entries: Collection[Entry], sizes: dict[bytes, int]) -> tuple[list[Entry], tuple[Quarantined, ...]]:
    """Return the entries to read, and what is left out with the reason. Whatever fits still counts after one that does not."""
    wanted, ignored, total = [], [], 0
    for entry in entries:
        size = sizes[entry.blob]
        if size > LARGEST:
            ignored.append(Quarantined(None, FIELD, entry.path, f"larger than {LARGEST >> 20} MiB"))
        elif total + size > MOST_BYTES:
            ignored.append(Quarantined(None, FIELD, entry.path, f"more than {MOST_BYTES >> 20} MiB in all"))
        else:
            total += size
            wanted.append(entry)
    return wanted, tuple(ignored)


def _contents(git: Git, blobs: Collection[bytes]) -> dict[bytes, bytes]:
    printed = git.run("cat-file", "--batch", stdin=b"".join(blob + b"\n" for blob in blobs))
    found, position = {}, 0
    for blob in blobs:
        end = printed.index(b"\n", position)
        size = int(printed[position:end].rpartition(b" ")[2])
        found[blob] = printed[end + 1 : end + 1 + size]
        position = end + size + 2
    return found
