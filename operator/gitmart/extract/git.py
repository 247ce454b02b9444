"""
Running git on untrusted input: nothing of the machine's configuration, no hook, no shell, no prompt.

GitPython understands what git says of its progress; statistics come from git's own plumbing in `source.py`,
because GitPython takes ten times as long for them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gitmart.extract.errors import DamagedError, GitError
from gitmart.extract.settings import Settings
from gitmart.extract.talk import Talk

LONGEST_PROGRESS = 200  # characters


class Git:
    """A bare repository and the environment in which git reads it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)

    def command(self, *words: str) -> list[str]:
        """Return the argument list of a git command on this repository."""
        return ["git", f"--git-dir={self.folder}", *words]

    def run(self, *words: str, stdin: bytes = b"", accept: Sequence[int] = (0,)) -> bytes:
        """Return what git prints; raise GitError on an exit code that is not accepted."""
        done = subprocess.run(
            self.command(*words), input=stdin, capture_output=True, env=self.environment, cwd=self.folder, check=False
        )
        if done.returncode not in accept:
            raise GitError(f"git {words[0]}", done.stderr.decode(errors="replace"), done.returncode)
        return done.stdout

    def start(self, *words: str, stdin: int | None = subprocess.DEVNULL, stderr: int) -> subprocess.Popen[bytes]:
        """Start git with its output in a pipe, unbuffered on our side; `stderr` is a file's descriptor."""
        return subprocess.Popen(
            self.command(*words),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
            env=self.environment,
            cwd=self.folder,
        )


def fetched_bytes(folder: Path) -> int:
    """Return the bytes of packs and loose objects of the bare repositories in the folder: what was fetched."""
    files = (file for file in folder.glob("*.git/objects/*/*") if file.suffix in {"", ".pack"})  # no index of ours
    return sum(file.stat().st_size for file in files if not file.is_symlink())  # those of a cache came before


def git_version(environment: Mapping[str, str]) -> str:
    """Return git's version, such as 2.39.5: rename detection and counts may differ between versions."""
    done = subprocess.run(["git", "--version"], capture_output=True, text=True, env=dict(environment), check=True)
    return done.stdout.removeprefix("git version ").strip()


def clone(settings: Settings, environment: Mapping[str, str], advance: Callable[[float, float], None]) -> Git:
    """
    Clone the repository bare into the work folder; branches and tags, all of their history.

    `advance(done, total)` hears of the progress in objects. Raise GitError, or DamagedError when the
    source is shallow, since every commit at its edge would seem to add the whole tree.
    """
    folder = settings.work_dir / "repository.git"
    words = ["git", "clone", "--bare", "--progress", "--verbose", "--", str(settings.url), str(folder)]
    Talk(
        settings.remote, f"cloning {settings.url}", words, environment, settings.work_dir, settings.limits,
        hear=_progress(advance),
    ).run()  # fmt: skip
    if (folder / "shallow").exists():
        raise DamagedError(
            f"{settings.url} is a shallow clone: its history is cut off, so line counts would be wrong; "
            "fetch the rest there with `git fetch --unshallow`"
        )
    return Git(folder, environment)


def _progress(advance: Callable[[float, float], None]) -> Callable[[str], None]:
    """Return what makes progress of the lines that git says."""
    import git as gitpython  # 0.2 s of imports that a wrong option need not wait for

    class Progress(gitpython.RemoteProgress):
        objects = 0.0

        def update(
            self,
            op_code: int,
            cur_count: str | float,
            max_count: str | float | None = None,
            message: str = "",  # noqa: ARG002
        ) -> None:
            """Take receiving and resolving for a half of the work each, in objects."""
            stage, share = op_code & self.OP_MASK, float(cur_count) / float(max_count or 1)
            if stage == self.RECEIVING and max_count:
                self.objects = float(max_count)
                advance(self.objects * share / 2, self.objects)
            elif stage == self.RESOLVING and max_count:
                advance(self.objects * (1 + share) / 2, self.objects)

    progress = Progress()
    understand = progress.new_message_handler()

    def hear(line: str) -> None:
        if len(line) > LONGEST_PROGRESS or line.startswith("remote:"):  # a host may claim any numbers
            return
        understand(line)
        # It keeps what it does not understand, and a host may talk without end.
        progress.other_lines.clear()
        progress.error_lines.clear()

    return hear


def forget_git_variables() -> None:
    """Remove GIT_* from our own environment: a caller's GIT_DIR or GIT_CONFIG_* must not reach any git we start."""
    for name in [name for name in os.environ if name.startswith("GIT_") and name != "GIT_PYTHON_REFRESH"]:
        del os.environ[name]
