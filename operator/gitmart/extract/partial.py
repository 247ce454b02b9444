"""
A bare repository that holds a part of a history, and gets from its remote only what it is told to get.

It is a partial clone (see gitformat-pack(5), "partial clone") to the git that fetches, and an ordinary
repository to the git that reads: what makes it partial is told to `git fetch` on its command line. So a
reader that meets a missing object fails, in any version of git, instead of fetching it unasked, one object
at a time. Nothing here may be believed to be complete before its `boundary` was looked at.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from gitmart.extract.errors import GitError
from gitmart.extract.git import Git
from gitmart.extract.listing import Listing, finish, piped
from gitmart.extract.records import nul_ended
from gitmart.extract.settings import Limits, Remote
from gitmart.extract.source import FIRST_PARENT
from gitmart.extract.talk import Talk

READ_SIZE = 1 << 16  # bytes
NO_FILE = b"000000"  # a mode: the side of a diff on which the file is not there
SUBMODULE = b"160000"  # a mode: the object is a commit of another repository


class Partial:
    """The repository. `git` reads it and cannot talk to anybody."""

    def __init__(
        self, remote: Remote, environment: Mapping[str, str], folder: Path, object_format: str, limits: Limits
    ) -> None:
        self._remote = remote
        self._environment = dict(environment)
        self._object_format = object_format
        self._folder = folder.parent  # whatever is fetched into it counts
        self._limits = limits
        folder.mkdir()
        # Both say the same, the first to every git, the second to git 2.44 and newer.
        self.git = Git(folder, {**environment, "GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"})
        self.git.run("init", "--quiet", "--bare", f"--object-format={object_format}")

    def beside(self, name: str) -> Partial:
        """Return another one with the same remote, empty, in a folder of that name beside this one."""
        return Partial(
            self._remote, self._environment, self.git.folder.with_name(name), self._object_format, self._limits
        )

    def fetch(self, ids: Collection[bytes], *options: str, objects: str = "blob:none") -> None:
        """
        Get the objects and the history behind them, as far as `options` of git-fetch(1) and the filter let it.

        Raise what `refusal` makes of git's words.
        """
        # Every object becomes a ref of its own, so that the next fetch builds on it; names of the host's
        # refs, which may be anything, stay away from the file system.
        self._fetch([], [*options, f"--filter={objects}"], [b"+%b:refs/fetched/%b" % (name, name) for name in ids])

    def fetch_blobs(self, ids: Collection[bytes]) -> None:
        """Get these very objects, all at once; raise what `refusal` makes of git's words."""
        # Without noop git would name the commits we have, and the host leave out blobs that it believes
        # we have with them.
        self._fetch(["-c", "fetch.negotiationAlgorithm=noop"], ["--filter=blob:none"], ids)

    def _fetch(self, configuration: list[str], options: list[str], lines: Collection[bytes]) -> None:
        if not lines:
            return
        url = str(self._remote.url)
        words = self.git.command(
            "-c", f"remote.origin.url={url}", "-c", "remote.origin.promisor=true",
            "-c", "remote.origin.partialCloneFilter=blob:none",
            "-c", "fetch.unpackLimit=1",  # keep what comes as it comes: its size is what was fetched
            *configuration,
            "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", *options,
            "--stdin", "origin",
        )  # fmt: skip
        talk = Talk(
            self._remote, f"fetching from {url}", words, self._environment, self._folder, self._limits, self.git.folder
        )  # fmt: skip
        with tempfile.TemporaryFile() as asked:
            asked.writelines(line + b"\n" for line in lines)
            asked.seek(0)
            talk.run(stdin=asked.fileno())

    def boundary(self) -> list[bytes]:
        """Return the commits that are on disk without their parents. git shows them as if they had none."""
        file = self.git.folder / "shallow"
        return file.read_bytes().split() if file.exists() else []

    def has(self, commit_hash: bytes) -> bool:
        """Whether the commit is on disk."""
        asked = commit_hash + b"\n"
        return self.git.run("cat-file", "--batch-check", stdin=asked).split()[1:2] == [b"commit"]

    def missing_blobs(self, commits: Listing, *, first_parent: bool = False) -> list[bytes]:
        """
        Return the blobs, each once, that counting the lines of these commits reads and that are not on disk.

        `first_parent`: of merges too, against their first parent. Patches need no other blobs. The list of commits
        must be closed. Raise GitError when a commit or a tree is missing.
        """
        return self.missing(set(self._changed_blobs(commits, [FIRST_PARENT] if first_parent else [])))

    def missing(self, ids: Collection[bytes]) -> list[bytes]:
        """Return those of the objects that are not on disk."""
        answers = self.git.run("cat-file", "--batch-check", stdin=b"".join(name + b"\n" for name in ids))
        return [line.removesuffix(b" missing") for line in answers.splitlines() if line.endswith(b" missing")]

    def _changed_blobs(self, commits: Listing, options: list[str]) -> Iterator[bytes]:
        """Yield both sides of every changed file. Renames are looked for among these, so none other is read."""
        with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as printed:
            asked.writelines(commits.chunks())
            asked.seek(0)
            process = self.git.start(
                "diff-tree", "--stdin", "-r", "--root", "-z", "--raw", "--no-abbrev", "--no-commit-id", "--no-renames",
                *options,
                stdin=asked.fileno(), stderr=printed.fileno(),
            )  # fmt: skip
            try:
                fields = nul_ended(piped(process.stdout), READ_SIZE)
                for change in fields:
                    next(fields)  # the path
                    old_mode, mode, old, new, _ = change.removeprefix(b":").split(b" ")
                    yield from (
                        name for kind, name in ((old_mode, old), (mode, new)) if kind not in {NO_FILE, SUBMODULE}
                    )
            finally:
                finish(process)
            if process.returncode != 0:
                printed.seek(0)
                raise GitError("listing files", printed.read().decode(errors="replace"), process.returncode)
