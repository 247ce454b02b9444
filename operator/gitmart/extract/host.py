"""
What a host lists: `git ls-remote`.

Only what counts is kept: a host may list ten times as many refs of pull requests.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from gitmart.extract.errors import DamagedError
from gitmart.extract.listing import finish, piped
from gitmart.extract.refs import BRANCHES, TAGS
from gitmart.extract.refusal import refusal
from gitmart.extract.settings import Remote

MOST_BYTES = 64 << 20  # of what git prints: about 900,000 refs
LONGEST_LINE = 1 << 16  # bytes; git's own limit of a ref's name is shorter


@dataclass(slots=True)
class Answer:
    """The branches and tags a host lists, and what it says of HEAD."""

    refs: dict[bytes, bytes]  # full name -> object
    peeled: dict[bytes, bytes] = field(default_factory=dict)  # full name of an annotated tag -> what it leads to
    head: bytes = b""  # object; b"" in an empty repository or when HEAD points nowhere
    target: bytes = b""  # full name of the ref HEAD points to, if the host says so

    def take(self, line: bytes) -> None:
        """Take a line of `git ls-remote --symref`."""
        value, _, name = line.rstrip(b"\n").partition(b"\t")
        if value.startswith(b"ref: "):
            self.target = value.removeprefix(b"ref: ") if name == b"HEAD" else self.target
        elif name == b"HEAD":
            self.head = value
        elif name.startswith((BRANCHES, TAGS)):
            if name.endswith(b"^{}"):  # what a tag leads to, which git adds
                self.peeled[name.removesuffix(b"^{}")] = value
            else:
                self.refs[name] = value


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


def ask(remote: Remote, environment: Mapping[str, str], folder: Path) -> Answer:
    """
    Ask the host; `folder` takes what git says meanwhile.

    Raise ExtractError as a clone would, DamagedError when the host lists more than gitmart reads.
    """
    with tempfile.TemporaryFile(dir=folder) as printed:
        process = subprocess.Popen(
            ["git", "ls-remote", "--symref", "--", str(remote.url)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=printed.fileno(),
            env=environment, cwd=folder, start_new_session=True,
        )  # fmt: skip
        try:
            answer = _read(remote, piped(process.stdout))
        except BaseException:
            kill_session(process)
            raise
        finally:
            finish(process)
        if process.returncode != 0:
            printed.seek(0)
            said = printed.read(1 << 20).decode(errors="replace")
            if "out of memory" in said.lower():
                raise _too_much(remote)
            raise refusal(remote, f"asking {remote.url}", said, process.returncode)
        return answer


def _read(remote: Remote, output: IO[bytes]) -> Answer:
    answer = Answer({})
    rest = MOST_BYTES
    while line := output.readline(LONGEST_LINE):
        rest -= len(line)
        if rest < 0 or not line.endswith(b"\n"):
            raise _too_much(remote)
        answer.take(line)
    return answer


def _too_much(remote: Remote) -> DamagedError:
    return DamagedError(
        f"{remote.url} lists more than {MOST_BYTES >> 20} MiB of refs, or names of more than "
        f"{LONGEST_LINE >> 10} KiB: gitmart reads no more than that"
    )


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """End git and the helpers it started; they make up a session of their own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
