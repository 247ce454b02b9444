"""
Lists of commit ids in files, so that memory does not grow with the history.

A file holds one id per line, all of one width, so any part of it can be read without the rest. One
thread writes while others take blocks: line counting starts before the walk over the history ends.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from gitmart.extract.errors import GitError
from gitmart.extract.git import Git

# Ids a worker takes at once. Neighbours in history share trees and deltas, so large blocks save git work
# (a tenth of its time between 64 and 512); small ones at the end let the workers end together.
SMALLEST_BLOCK = 32
LARGEST_BLOCK = 512
SHARE = 8  # of what is left, a block is at most one part in so many
CHUNK = 1 << 16  # bytes


class Listing:
    """A growing file of commit ids."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "w+b", buffering=0)  # noqa: SIM115 # lives as long as the listing
        self._changed = threading.Condition()
        self._written = 0
        self._taken = 0
        self._width = 0  # bytes of a line, line feed included
        self._done = False
        self._error: BaseException | None = None

    def append(self, data: bytes) -> None:
        """Add whole lines."""
        if not data:
            return
        if not self._width:
            self._width = data.index(b"\n") + 1
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) or 0 :]
        with self._changed:
            self._written += len(data)
            self._changed.notify_all()

    def close(self, error: BaseException | None = None) -> None:
        """Say that no more will come; with an error, whoever takes from the list hears of it."""
        with self._changed:
            self._done, self._error = True, self._error or error
            self._changed.notify_all()

    def take(self) -> bytes:
        """Return some lines that nobody else gets, waiting for them; b"" at the end."""
        with self._changed:
            while not self._done and self._written - self._taken < SMALLEST_BLOCK * max(self._width, 1):
                self._changed.wait()
            if self._error is not None:
                raise self._error
            start, left = self._taken, self._written - self._taken
            count = left // max(self._width, 1) // SHARE
            length = min(max(SMALLEST_BLOCK, min(count, LARGEST_BLOCK)) * self._width, left)
            self._taken += length
        return os.pread(self._file.fileno(), length, start)

    def rewind(self) -> None:
        """Let the ids be taken once more, all of them. The list must be closed, and nobody be taking from it."""
        self._taken = 0

    def __len__(self) -> int:
        """Return how many ids are in it so far."""
        return self._written // self._width if self._width else 0

    def chunks(self) -> Iterator[bytes]:
        """Yield the whole file in pieces. The list must be closed."""
        position = 0
        while data := os.pread(self._file.fileno(), CHUNK, position):
            yield data
            position += len(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def list_commits(git: Git, into: Listing, tips: Iterable[bytes], without: Iterable[bytes] = ()) -> None:
    """
    Append the ids of all commits that can be reached from `tips` and not from `without`, then close the list.

    Raise GitError, after closing the list with it, when git could not walk the whole history.
    """
    wanted = b"".join(tip + b"\n" for tip in tips)
    unwanted = b"".join(b"^" + tip + b"\n" for tip in without)
    try:
        if wanted:
            _walk(git, into, wanted + unwanted)
    except BaseException as error:
        into.close(error)
        raise
    into.close()


def _walk(git: Git, into: Listing, revisions: bytes) -> None:
    # Revisions come from a file: ten thousand refs fit no argument list, and a pipe could fill up.
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as printed:
        asked.write(revisions)
        asked.seek(0)
        process = git.start("rev-list", "--stdin", stdin=asked.fileno(), stderr=printed.fileno())
        output = piped(process.stdout)
        rest = b""
        try:
            while data := output.read(CHUNK):
                whole, newline, rest = (rest + data).rpartition(b"\n")
                into.append(whole + newline)
        finally:
            finish(process)
        if process.returncode != 0:
            printed.seek(0)
            raise GitError("listing the commits", printed.read().decode(errors="replace"), process.returncode)


def piped(pipe: IO[bytes] | None) -> IO[bytes]:
    """Return the pipe that was asked for when the process was started."""
    if pipe is None:
        raise AssertionError("the process was started without this pipe")
    return pipe


def finish(process: subprocess.Popen[bytes]) -> None:
    """Close our ends and wait for the process; one that does not notice is killed."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None and not pipe.closed:
            pipe.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
