"""
What a host lists: `git ls-remote`.

Only what counts is kept: a host may list ten times as many refs of pull requests.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from gitmart.extract.errors import GitError, LimitError
from gitmart.extract.listing import piped
from gitmart.extract.refs import TAGS, is_ref_name
from gitmart.extract.settings import Limits, Remote
from gitmart.extract.shape import BRANCHES
from gitmart.extract.talk import Talk

MOST_BYTES = 64 << 20  # of what git prints: about 900,000 refs
LONGEST_LINE = 1 << 16  # bytes; git's own limit of a ref's name is shorter


class ListingError(LimitError):
    """The host lists more refs than gitmart reads, most of which may be of no interest."""


@dataclass(slots=True)
class Answer:
    """The branches and tags a host lists, and what it says of HEAD."""

    refs: dict[bytes, bytes]  # full name -> object
    peeled: dict[bytes, bytes] = field(default_factory=dict)  # full name of an annotated tag -> what it leads to
    head: bytes = b""  # object; b"" in an empty repository or when HEAD points nowhere
    target: bytes = b""  # full name of the ref HEAD points to, if the host says so

    _latest: bytes = b""  # name

    def take(self, line: bytes) -> None:
        """Take a line of `git ls-remote --symref`."""
        value, tab, name = line.rstrip(b"\n").partition(b"\t")
        if not tab:  # the name in the line before has a line feed in it, and so is none
            self.refs.pop(self._latest, None)
        elif value.startswith(b"ref: "):
            self.target = value.removeprefix(b"ref: ") if name == b"HEAD" else self.target
        elif name == b"HEAD":
            self.head = value
        elif name.startswith((BRANCHES, TAGS)):
            if name.endswith(b"^{}"):  # what a tag leads to, which git adds
                self.peeled[name.removesuffix(b"^{}")] = value
            elif is_ref_name(name):  # a host can say anything; a clone leaves such a name out
                self.refs[name] = value
                self._latest = name


def default_branch(answer: Answer) -> bytes | None:
    """
    Return the branch that HEAD of a clone would point to, None when it would point to a commit or nothing.

    A host says nothing about where HEAD points when it points to a commit. `git clone` cannot tell that from
    a host too old to say it, and takes a branch of the same commit: master, then the first by name
    (guess_remote_head() in git's remote.c).
    """
    if not answer.head:
        return None
    if answer.target:
        return answer.target if answer.target.startswith(BRANCHES) and answer.target in answer.refs else None
    branches = sorted(name for name in answer.refs if name.startswith(BRANCHES))
    return next((name for name in [BRANCHES + b"master", *branches] if answer.refs.get(name) == answer.head), None)


def ask(remote: Remote, environment: Mapping[str, str], folder: Path, limits: Limits | None = None) -> Answer:
    """Ask the host; raise ExtractError as a clone would, ListingError when it lists more than gitmart reads."""
    words = ["git", "ls-remote", "--symref", "--", str(remote.url)]
    talk = Talk(remote, f"asking {remote.url}", words, environment, folder, limits or Limits())
    try:
        with talk.start(stdout=subprocess.PIPE) as output:
            return _read(remote, piped(output))
    except GitError as error:
        if "out of memory" in str(error).lower():  # a check gives git no more than it needs
            raise _too_much(remote) from None
        raise


def _read(remote: Remote, output: IO[bytes]) -> Answer:
    answer = Answer({})
    rest = MOST_BYTES
    while line := output.readline(LONGEST_LINE):
        rest -= len(line)
        if rest < 0 or not line.endswith(b"\n"):
            raise _too_much(remote)
        answer.take(line)
    return answer


def _too_much(remote: Remote) -> ListingError:
    return ListingError(
        f"{remote.url} lists more than {MOST_BYTES >> 20} MiB of refs, or names of more than "
        f"{LONGEST_LINE >> 10} KiB: gitmart reads no more than that"
    )
