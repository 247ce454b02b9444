"""Hands commit ids to a process of git while somebody else reads what it prints."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO

from gitmart.extract.listing import Listing

STDIN_PIPE = 1 << 12  # bytes: 99 ids; the default 64 KiB would let one process hoard 1,598 of them
STDOUT_PIPE = 1 << 20  # bytes: git goes on while its output is worked on


class Feeder(threading.Thread):
    """
    Takes ids from a list and writes them to git: one thread that also read git's output would wait for itself.

    `look` sees the ids of every block before git does.
    """

    def __init__(self, ids: Listing, pipe: IO[bytes], look: Callable[[Sequence[bytes]], None] | None = None) -> None:
        super().__init__(name="feeder", daemon=True)
        self._ids = ids
        self._pipe = pipe
        self._look = look
        self.fed = 0
        self.error: BaseException | None = None
        set_pipe_size(pipe, STDIN_PIPE)

    def run(self) -> None:
        """Feed until the list ends or git goes away."""
        try:
            while block := self._ids.take():
                names = block.split()
                if self._look is not None:
                    self._look(names)
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


def set_pipe_size(pipe: IO[bytes], size: int) -> None:
    """Ask for a pipe of `size` bytes. Linux alone can, and may refuse; it costs only speed."""
    with suppress(AttributeError, OSError):
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, size)
