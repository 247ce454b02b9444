"""
Where commits with their per-file counts come from: commit ids in, records out.

`Source` is all that the rest of the extraction knows, so that another way of counting (a native
reader of packs) can stand in for the processes of git, with git as its check.
"""

from __future__ import annotations

import fcntl
import secrets
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, BinaryIO, Protocol

from gitmart.extract.errors import DamagedError, GitError
from gitmart.extract.git import Git
from gitmart.extract.listing import Listing, finish, piped
from gitmart.extract.objects import Objects, is_misprinted
from gitmart.extract.records import Commit, LargeCommit, parse_large_record, parse_record, split_records

READ_SIZE = 1 << 18  # bytes
STDIN_PIPE = 1 << 12  # bytes: 99 ids; the default 64 KiB would let one process hoard 1,598 of them
STDOUT_PIPE = 1 << 20  # bytes: git goes on counting while we load
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


class Source(Protocol):
    """A way to read commits."""

    def commits(self, ids: Listing) -> Iterator[Commit | LargeCommit]:
        """Yield the commit of each id this call takes from the list, in any order; several calls may share a list."""


class DiffTree:
    """One `git diff-tree --stdin` process per call of `commits`."""

    def __init__(self, git: Git) -> None:
        self._git = git

    def commits(self, ids: Listing) -> Iterator[Commit | LargeCommit]:
        """Yield the commits; raise GitError or DamagedError unless git answered every id it was given."""
        # Nobody can put into a commit what is chosen after the commit was made.
        separator = secrets.token_hex(SEPARATOR_BYTES)
        with tempfile.TemporaryFile() as printed:
            process = self._git.start(
                "diff-tree", *OPTIONS, f"--format={separator}{FIELDS}", stdin=subprocess.PIPE, stderr=printed.fileno()
            )
            misprinted: set[bytes] = set()  # of those that git was given and has not answered
            feeder = Feeder(ids, piped(process.stdin), Objects(self._git), misprinted)
            feeder.start()
            count = 0
            try:
                for record in split_records(_read(piped(process.stdout)), separator.encode(), self._spool):
                    count += 1
                    if isinstance(record, bytes):
                        yield _marked(parse_record(record), misprinted)
                    else:
                        with record:
                            large = parse_large_record(record)
                            yield large._replace(head=_marked(large.head, misprinted))
            finally:
                process.stdout.close() if process.stdout else None
                if process.poll() is None and count < feeder.fed:
                    process.kill()  # we leave early, and it would go on
                feeder.join()
                finish(process)
            if feeder.error is not None:
                raise feeder.error
            if process.returncode != 0:
                printed.seek(0)
                raise GitError("counting lines", printed.read().decode(errors="replace"), process.returncode)
            if count != feeder.fed:
                raise DamagedError(f"git was asked for {feeder.fed} commits and printed {count}")

    def _spool(self) -> BinaryIO:
        return tempfile.TemporaryFile(dir=self._git.folder)


def _marked(commit: Commit, misprinted: set[bytes]) -> Commit:
    if commit.hash not in misprinted:
        return commit
    misprinted.remove(commit.hash)
    return commit._replace(is_misprinted=True)


class Feeder(threading.Thread):
    """
    Hands ids to git while somebody else reads its output: one thread doing both would wait for itself.

    Before that it looks at the objects, a hundredth of git's work, and adds to `misprinted` whose messages
    git will not print as they are.
    """

    def __init__(self, ids: Listing, pipe: IO[bytes], objects: Objects, misprinted: set[bytes]) -> None:
        super().__init__(name="feeder", daemon=True)
        self._ids = ids
        self._pipe = pipe
        self._objects = objects
        self._misprinted = misprinted
        self.fed = 0
        self.error: BaseException | None = None
        _set_pipe_size(pipe, STDIN_PIPE)

    def run(self) -> None:
        """Feed until the list ends or git goes away."""
        try:
            while block := self._ids.take():
                names = block.split()
                self._misprinted.update(
                    name
                    for name, found in zip(names, self._objects.read_all(names), strict=True)
                    if is_misprinted(found)
                )
                self.fed += len(names)
                view = memoryview(block)
                while view:
                    view = view[self._pipe.write(view) or 0 :]
        except BrokenPipeError:
            pass  # git's exit code and words say why
        except BaseException as error:  # told to the reader, who raises it
            self.error = error
        finally:
            self._pipe.close()
            self._objects.close()


def _read(pipe: IO[bytes]) -> Iterator[bytes]:
    _set_pipe_size(pipe, STDOUT_PIPE)
    while data := pipe.read(READ_SIZE):
        yield data


def _set_pipe_size(pipe: IO[bytes], size: int) -> None:
    """Ask for a pipe of `size` bytes. Linux alone can, and may refuse; it costs only speed."""
    with suppress(AttributeError, OSError):
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, size)
