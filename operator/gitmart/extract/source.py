"""
Where commits with their per-file counts come from: commit ids in, records out.

`Source` is all that the rest of the extraction knows, so that another way of counting (a native
reader of packs) can stand in for the processes of git, with git as its check.
"""

from __future__ import annotations

import secrets
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, BinaryIO, Protocol

from gitmart.extract import patches
from gitmart.extract.errors import DamagedError, GitError
from gitmart.extract.feeder import STDOUT_PIPE, Feeder, set_pipe_size
from gitmart.extract.git import Git
from gitmart.extract.listing import Listing, finish, piped
from gitmart.extract.objects import Objects, is_misprinted
from gitmart.extract.records import Commit, LargeCommit, counts_of, parse_large_record, parse_record, split_records
from gitmart.extract.shape import Shape

READ_SIZE = 1 << 18  # bytes
SEPARATOR_BYTES = 8

FIELDS = "%H%x00%P%x00%an%x00%ae%x00%ad%x00%cn%x00%ce%x00%cd%x00%B"
OPTIONS = (
    "--stdin",
    "-r",  # files, not folders
    "--root",  # a commit without parents adds its whole tree
    "-z",
    "--always",  # merges and empty commits are commits too
    "--encoding=UTF-8",
    "--date=raw",
    "--raw",
    "--no-abbrev",
    "--numstat",
    "-M",  # renames, at git's own threshold and limits
)
FIRST_PARENT = "--diff-merges=first-parent"  # without it git compares a merge with nothing


class Source(Protocol):
    """A way to read commits. Several calls of a method may share a list: each id is taken by one of them."""

    def commits(self, ids: Listing) -> Iterator[Commit | LargeCommit]:
        """Yield the commit of each id this call takes from the list, in any order."""

    def patch_ids(self, ids: Listing) -> Iterator[tuple[bytes, bytes]]:
        """Yield the commit and its patch id for each id this call takes from the list, if it has one; any order."""


class DiffTree:
    """
    A `git diff-tree --stdin` per call of `commits`, another with a `git patch-id` per call of `patch_ids`.

    With `first_parent_counts` merges are compared with their first parent, which costs git up to twice the work.
    """

    def __init__(self, git: Git, shape: Shape) -> None:
        self._git = git
        self._first_parent = shape.first_parent_counts

    def commits(self, ids: Listing) -> Iterator[Commit | LargeCommit]:
        """Yield the commits; raise GitError or DamagedError unless git answered every id it was given."""
        # Nobody can put into a commit what is chosen after the commit was made.
        separator = secrets.token_hex(SEPARATOR_BYTES)
        options = [*OPTIONS, FIRST_PARENT] if self._first_parent else OPTIONS
        with tempfile.TemporaryFile() as printed:
            process = self._git.start(
                "diff-tree", *options, f"--format={separator}{FIELDS}", stdin=subprocess.PIPE, stderr=printed.fileno()
            )
            doubts = Doubts(Objects(self._git))
            feeder = Feeder(ids, piped(process.stdin), doubts.look)
            feeder.start()
            count = 0
            try:
                for record in split_records(_read(piped(process.stdout)), separator.encode(), self._spool):
                    count += 1
                    if isinstance(record, bytes):
                        yield self._finished(doubts.mark(parse_record(record)))
                    else:
                        with record:
                            large = parse_large_record(record)
                            yield self._finished_large(large._replace(head=doubts.mark(large.head)))
            finally:
                process.stdout.close() if process.stdout else None
                if process.poll() is None and count < feeder.fed:
                    process.kill()  # we leave early, and it would go on
                feeder.join()
                doubts.close()
                finish(process)
            if feeder.error is not None:
                raise feeder.error
            if process.returncode != 0:
                printed.seek(0)
                raise GitError("counting lines", printed.read().decode(errors="replace"), process.returncode)
            if count != feeder.fed:
                raise DamagedError(f"git was asked for {feeder.fed} commits and printed {count}")

    def patch_ids(self, ids: Listing) -> Iterator[tuple[bytes, bytes]]:
        """Yield the commits that have a patch id, and it; raise GitError unless git went through all."""
        return patches.patch_ids(self._git, ids)

    def _finished(self, commit: Commit) -> Commit:
        """Return a merge with counts in place of the files, which are not its own; any other commit as it is."""
        if not self._first_parent or len(commit.parents) < 2:
            return commit
        return commit._replace(files=[], first_parent=counts_of(commit.files))

    def _finished_large(self, large: LargeCommit) -> Commit | LargeCommit:
        if not self._first_parent or len(large.head.parents) < 2:
            return large
        return large.head._replace(first_parent=counts_of(large.files))

    def _spool(self) -> BinaryIO:
        return tempfile.TemporaryFile(dir=self._git.folder)


class Doubts:
    """
    Which of the commits that git was given and has not answered have messages it will not print as they are.

    Their objects are looked at before git prints them, a hundredth of git's work.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._misprinted: set[bytes] = set()

    def look(self, names: Sequence[bytes]) -> None:
        """Look at the objects of commits that git is about to be given."""
        self._misprinted.update(
            name for name, found in zip(names, self._objects.read_all(names), strict=True) if is_misprinted(found)
        )

    def mark(self, commit: Commit) -> Commit:
        """Return the commit, marked if it is one of them."""
        if commit.hash not in self._misprinted:
            return commit
        self._misprinted.remove(commit.hash)
        return commit._replace(is_misprinted=True)

    def close(self) -> None:
        """End the process that reads objects."""
        self._objects.close()


def _read(pipe: IO[bytes]) -> Iterator[bytes]:
    set_pipe_size(pipe, STDOUT_PIPE)
    while data := pipe.read(READ_SIZE):
        yield data
