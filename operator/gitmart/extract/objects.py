"""Commit objects as git stores them, byte by byte, for all that git does not print as it is."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress

from gitmart.extract.errors import DamagedError
from gitmart.extract.git import Git
from gitmart.extract.listing import finish, piped

BUFFER = 1 << 16  # bytes
# Ids of 64 digits that fit the smallest pipe there is, a page: git may be busy writing to us while we write to it,
# and such a write is never a partial one.
AT_ONCE = 50


class Objects:
    """One `git cat-file` that starts when first needed and is used by one thread."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, commit_hash: bytes) -> bytes:
        """Return the commit object; raise DamagedError when git has none."""
        (found,) = self.read_all([commit_hash])
        return found

    def read_all(self, commit_hashes: Sequence[bytes]) -> Iterator[bytes]:
        """Yield the commit objects in that order; raise DamagedError when git lacks one."""
        for start in range(0, len(commit_hashes), AT_ONCE):
            yield from self._read_some(commit_hashes[start : start + AT_ONCE])

    def _read_some(self, commit_hashes: Sequence[bytes]) -> Iterator[bytes]:
        if self._process is None:
            # Unlike --batch it writes when told to, not once per object: half the time.
            self._process = self._git.start(
                "cat-file", "--batch-command", "--buffer", stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            self._output = open(piped(self._process.stdout).fileno(), "rb", BUFFER, closefd=False)  # noqa: SIM115
        asked = b"".join(b"contents %s\n" % name for name in commit_hashes) + b"flush\n"
        with suppress(BrokenPipeError):  # then there is no answer either
            piped(self._process.stdin).write(asked)
        for name in commit_hashes:
            answer = self._output.readline().split()
            if len(answer) != 3 or answer[1] != b"commit":
                raise DamagedError(f"git has no commit {name.decode()}")
            yield self._output.read(int(answer[2]) + 1)[:-1]

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            finish(self._process)
            self._process = None


def is_misprinted(commit: bytes) -> bool:
    """
    Whether git does not print the message of the commit object as it is.

    git ends it at the first NUL. Where a header does not end, with an empty line or at all, git (2.39 for
    one) prints whatever comes next in its memory, such as a part of another commit.
    """
    return b"\0" in commit or b"\n\n" not in commit
