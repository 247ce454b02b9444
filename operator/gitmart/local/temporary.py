"""
An embedded PostgreSQL that goes with whoever asked for it, however that process ends.

For tests and measurements. A second process waits for the end of the first, which it sees by a pipe
that closes, and then stops the server and deletes its folder: after SIGKILL too nothing is left.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitmart.local.postgres import EmbeddedPostgres


@contextmanager
def temporary_postgres(programs: Path | None = None, *, durable: bool = True) -> Iterator[EmbeddedPostgres]:
    """
    Yield a running server in a folder of its own; `server.folder.parent` may hold other files meant to go with it.

    `programs` and `durable` as of EmbeddedPostgres: what is measured waits for disks, what is tested
    need not. Raise PostgresError when it does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="gitmart-"))
    # A session of its own, so that Ctrl-C, which goes to all of the terminal's group, does not end it first.
    undertaker = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "gitmart.local.temporary", str(folder)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        server = EmbeddedPostgres(folder / "postgres", programs, durable)
        server.start()
        yield server
    finally:
        undertaker.communicate()  # closes the pipe and waits


def main(folder: Path) -> None:
    """Wait until nobody holds the other end of standard input, then clean up."""
    sys.stdin.buffer.read()
    EmbeddedPostgres(folder / "postgres").stop()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
