"""
Stable patch ids: the same for commits that make the same change, whatever they were made upon.

    git diff-tree --stdin -r --root -p -M --full-index | git patch-id --stable

git pours the patches from one process into the other, so none of them passes through here or is held whole. No
message is printed, and every line of a patch begins with a sign, a space or a word of git's own, so nothing in a
repository can pass for the line that names a commit.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator

from gitmart.extract.errors import GitError
from gitmart.extract.feeder import STDOUT_PIPE, Feeder, set_pipe_size
from gitmart.extract.git import Git
from gitmart.extract.listing import Listing, finish, piped

OPTIONS = (
    "--stdin",
    "-r",
    "--root",
    "-p",
    "-M",  # a file that was only moved has the same id whatever is in it
    "--full-index",  # of binary files the names of the objects count, and may not hang on what else there is
)


def patch_ids(git: Git, ids: Listing) -> Iterator[tuple[bytes, bytes]]:
    """
    Yield the commit and its patch id for each id this call takes from the list, in that order.

    Merges and commits that change nothing have none. Raise GitError unless git went through all.
    """
    with tempfile.TemporaryFile() as printed:
        differ = git.start("diff-tree", *OPTIONS, stdin=subprocess.PIPE, stderr=printed.fileno())
        patches = piped(differ.stdout)
        set_pipe_size(patches, STDOUT_PIPE)
        hasher = git.start("patch-id", "--stable", stdin=patches.fileno(), stderr=printed.fileno())
        patches.close()  # its reader is the other process alone, so that the end of either is noticed
        feeder = Feeder(ids, piped(differ.stdin))
        feeder.start()
        ended = False
        try:
            with open(piped(hasher.stdout).fileno(), "rb", closefd=False) as lines:
                for line in lines:
                    patch_id, commit = line.split()
                    yield commit, patch_id
            ended = True
        finally:
            if not ended:  # we leave early, and they would go on
                hasher.kill()
                differ.kill()
            feeder.join()
            finish(hasher)
            finish(differ)
        if feeder.error is not None:
            raise feeder.error
        if code := differ.returncode or hasher.returncode:
            printed.seek(0)
            raise GitError("computing patch ids", printed.read().decode(errors="replace"), code)
