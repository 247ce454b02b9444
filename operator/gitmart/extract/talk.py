"""
git while it talks to a host: in a session of its own, watched, and gone with everything that it started.

A host may send without end, or so slowly that it never ends. What git writes is measured while it writes; what it
says and what it holds in memory has bounds of its own, which no honest host comes near. A file that grows between two
looks ends at RLIMIT_FSIZE, so that what is on disk stays below twice the limit.
"""

from __future__ import annotations

import os
import re
import resource
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gitmart.contract.durations import format_duration
from gitmart.contract.outcomes import Outcome
from gitmart.contract.sizes import format_size
from gitmart.extract.errors import ExtractError, LimitError
from gitmart.extract.refusal import refusal
from gitmart.extract.settings import Limits, Remote

LOOK_EVERY = 0.25  # seconds
READ_SIZE = 1 << 16  # bytes
MOST_WORDS = 16 << 20  # bytes of what git and the host say: a day of progress
KEPT_WORDS = 1 << 16  # bytes of it from which a message is made
MOST_MEMORY = 1 << 30  # bytes of each process that holds no objects: about three million refs
# These hold objects, as many as the repository has: the pod's memory bounds them.
_HOLD_OBJECTS = ("index-pack", "unpack-objects", "rev-list")
_FULL_FILE = re.compile(r"^(?!remote:).*file too large", re.IGNORECASE | re.MULTILINE)  # EFBIG, in git's words
_LINE_END = re.compile(rb"[\r\n]")


@dataclass(frozen=True, slots=True)
class Talk:
    """What is asked of whom. `doing` is for messages; `folder` is where everything is written that counts."""

    remote: Remote
    doing: str
    words: list[str]
    environment: Mapping[str, str]
    folder: Path
    limits: Limits
    working_dir: Path | None = None  # None: `folder`
    hear: Callable[[str], None] | None = None  # takes each line of what git says, from another thread

    def run(self, stdin: int = subprocess.DEVNULL) -> None:
        """Let git do what prints nothing; raise as `start` does."""
        with self.start(stdin):
            pass

    @contextmanager
    def start(self, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL) -> Iterator[IO[bytes] | None]:
        """
        Yield git's standard output if that is a pipe, and wait for its end.

        Raise LimitError when it went beyond a limit, ExtractError (Timeout) when it took too long, and what
        `refusal` makes of git's words when it failed. Whatever else is raised, nothing of it runs on.
        """
        with _files_end_at(self.limits.bytes):
            process = subprocess.Popen(
                self.words, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE,
                env=dict(self.environment), cwd=self.working_dir or self.folder, start_new_session=True,
                restore_signals=False,  # so that SIGXFSZ stays ignored, and git says what it could not write
            )  # fmt: skip
        watch = _Watch(self, process)
        try:
            watch.start()
            yield process.stdout
            process.wait()
        except BaseException:
            watch.end()
            if watch.trespass is not None:
                raise watch.trespass from None
            raise
        watch.end()
        if watch.trespass is not None:
            raise watch.trespass
        if process.returncode != 0:
            raise refusal(self.remote, self.doing, watch.said, process.returncode)


class _Watch(threading.Thread):
    """Hears what git says, and ends it when it goes too far; `trespass` is the error then."""

    def __init__(self, talk: Talk, process: subprocess.Popen[bytes]) -> None:
        super().__init__(name="watch", daemon=True)
        self._talk = talk
        self._process = process
        self._ended = threading.Event()
        self._words = 0
        self._kept = b""
        self._is_cut = False  # the line that is being said began too long ago to be kept
        self._line = b""
        self.trespass: Exception | None = None

    @property
    def said(self) -> str:
        """The last of what git and the host said: whole lines, so that no part of a secret remains of one cut off."""
        return self._kept.decode("utf-8", "replace")

    def run(self) -> None:
        """Listen and look until all who could speak are gone."""
        try:
            self._watch()
        except Exception as error:  # whoever is not watched must not go on
            self._forbid(error)

    def _watch(self) -> None:
        pipe = self._process.stderr
        assert pipe is not None  # noqa: S101 # it was asked for
        looked = time.monotonic()
        with pipe, selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while True:
                if selector.select(LOOK_EVERY):
                    data = os.read(pipe.fileno(), READ_SIZE)
                    if not data:
                        break
                    self._listen(data)
                elif self._ended.is_set():  # somebody who left git's session keeps the pipe open
                    break
                if time.monotonic() - looked >= LOOK_EVERY:
                    self._look()
                    looked = time.monotonic()
        while not self._ended.wait(LOOK_EVERY):  # it closed its mouth, and works on
            self._look()

    def end(self) -> None:
        """End git if it is not dead yet, and all that it started, and look a last time."""
        kill_session(self._process)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait()
        self._ended.set()
        if self.ident is not None:  # a stop may come before it runs
            self.join()
        if self.trespass is None:
            self._look(last=True)
            if self._talk.limits.bytes is not None and _FULL_FILE.search(self.said):
                self._forbid(_too_many_bytes(self._talk.limits))

    def _listen(self, data: bytes) -> None:
        self._words += len(data)
        if self._words > MOST_WORDS:
            self._forbid(LimitError(f"{self._talk.doing}: the host sent more than {MOST_WORDS >> 20} MiB of messages"))
            return
        self._keep(data)
        if self._talk.hear is not None:
            *lines, self._line = (self._line + data).replace(b"\r", b"\n").split(b"\n")
            self._line = self._line[-READ_SIZE:]
            for line in lines:
                self._talk.hear(line[:READ_SIZE].decode("utf-8", "replace"))

    def _keep(self, data: bytes) -> None:
        if self._is_cut:
            if (end := _LINE_END.search(data)) is None:
                return
            data, self._is_cut = data[end.end() :], False
        self._kept += data
        if len(self._kept) > KEPT_WORDS:
            last = self._kept[-KEPT_WORDS:]
            end = _LINE_END.search(last)
            self._kept, self._is_cut = (last[end.end() :], False) if end else (b"", True)

    def _look(self, *, last: bool = False) -> None:
        limits = self._talk.limits
        if self.trespass is not None:
            return
        if limits.bytes is not None and written_bytes(self._talk.folder) > limits.bytes:
            self._forbid(_too_many_bytes(limits))
        elif limits.time is not None and time.monotonic() - limits.since > limits.time.total_seconds():
            self._forbid(
                ExtractError(
                    f"{self._talk.doing}: not fetched within the {format_duration(limits.time)} that limits.time "
                    "(--limit-time) allows",
                    Outcome.TIMEOUT,
                )
            )
        elif not last and self._talk.remote.url.scheme != "file" and _largest(self._process.pid) > MOST_MEMORY:
            self._forbid(
                LimitError(
                    f"{self._talk.doing}: git needs more than {MOST_MEMORY >> 20} MiB to hold what the host lists or says"
                )
            )

    def _forbid(self, trespass: Exception) -> None:
        self.trespass = self.trespass or trespass
        kill_session(self._process)


def _too_many_bytes(limits: Limits) -> LimitError:
    return LimitError(
        f"the repository takes more than the {format_size(limits.bytes or 0)} that limits.bytes (--limit-bytes) allows "
        "for what is fetched"
    )


def written_bytes(folder: Path) -> int:
    """Return the bytes that the bare repositories in the folder take on disk, everything in them included."""
    return sum(_size(entry.path) for entry in _entries(folder) if entry.name.endswith(".git"))


def _size(path: str) -> int:
    total = 0
    for entry in _entries(path):
        with suppress(OSError):  # gone meanwhile
            if entry.is_dir(follow_symlinks=False):
                total += _size(entry.path)
            else:
                found = entry.stat(follow_symlinks=False)
                total += max(found.st_size, found.st_blocks * 512)
    return total


def _entries(path: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except OSError:
        return []


def _largest(pid: int) -> int:
    """Return the memory in bytes of the largest process of a tree, of those that hold no objects."""
    import psutil  # a look at a host that answers at once needs none of it

    largest = 0
    with suppress(psutil.Error, OSError):
        top = psutil.Process(pid)
        for process in (top, *top.children(recursive=True)):
            with suppress(psutil.Error, OSError):
                if not any(word in _HOLD_OBJECTS for word in process.cmdline()[:4]):
                    memory = process.memory_info()
                    # What is mapped from files is not held: the system takes it back when it likes.
                    largest = max(largest, memory.rss - getattr(memory, "shared", 0))
    return largest


@contextmanager
def _files_end_at(size: int | None) -> Iterator[None]:
    """Let no file of a process that is started meanwhile grow beyond `size` bytes."""
    if size is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ceilings = [limit for limit in (soft, hard, size) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_FSIZE, (min(ceilings), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """End git and the helpers it started; they make up a session of their own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
