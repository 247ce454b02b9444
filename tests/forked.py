"""
gitmart's commands in processes that begin with their imports done.

Importing dbt takes 2 s of CPU, more than the run of a small project after it. Here one process imports it, and each
command is run by a fork of that one: in a process of its own with its own environment, folder, signals and exit, as
`python -m gitmart` would, only that Python is there already. A test of how a process begins takes an interpreter of
its own.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LARGEST = 2**20  # bytes of a request
IMPORTED = (
    "dbt.cli.main", "dbt.task.build", "dbt.task.docs.generate", "dbt.task.freshness", "dbt.task.list",
    "dbt.adapters.postgres", "dbt_common.clients.agate_helper", "sqlparse", "gitmart.cli", "gitmart.transform.run",
    "gitmart.transform.command", "gitmart.warehouse.replication.command",
)  # fmt: skip


class Forks:
    """The process that forks. Not for several threads."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forked", str(theirs.fileno())], cwd=ROOT, pass_fds=[theirs.fileno()]
            )
        self._channel = ours
        self._asked = 0
        self._begun: dict[int, int] = {}  # the process of each request
        self._ended: dict[int, int] = {}  # and how it ended

    def close(self) -> None:
        """End it, and what it forked."""
        self._channel.close()
        self._process.wait()

    def start(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        errors: Path,
        output: Path | None = None,
    ) -> Forked:
        """
        Run `gitmart WORDS` in the folder with nothing but this environment.

        `errors` and `output`: the files for what it prints, which may be one; without `output` that is lost.
        """
        files = [os.devnull, str(output or os.devnull), str(errors)]
        self._asked += 1  # an answer may be one to a request whose test was given up
        request = json.dumps([self._asked, list(words), dict(environment), str(folder), files]).encode()
        self._channel.settimeout(None)
        self._channel.send(request)
        while self._asked not in self._begun:
            self._hear()
        return Forked(self, self._begun.pop(self._asked), errors)

    def ended(self, pid: int, timeout: float) -> int | None:
        """Return how a fork has ended as subprocess says it: None if it runs after so many seconds, -9 when killed."""
        until = time.monotonic() + timeout
        while pid not in self._ended:
            self._channel.settimeout(max(until - time.monotonic(), 0.001))
            try:
                self._hear()
            except TimeoutError:
                return None
        return self._ended[pid]

    def _hear(self) -> None:
        """Take in one message."""
        message = self._channel.recv(LARGEST)
        assert message, "the process that forks is gone"
        what, number, told = json.loads(message)
        (self._begun if what == "begun" else self._ended)[number] = told
        if what == "begun":
            self._ended.pop(told, None)  # of an earlier process: numbers come again


class Forked:
    """A fork, with as much of `subprocess.Popen` as is needed."""

    def __init__(self, forks: Forks, pid: int, errors: Path) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._forks = forks
        self._errors = errors

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""
        if self.returncode is None:
            self.returncode = self._forks.ended(self.pid, 0)
        return self.returncode

    def communicate(self, timeout: float = 120) -> tuple[None, str]:
        """Wait for its end; return what it wrote to standard error."""
        if self.returncode is None:
            self.returncode = self._forks.ended(self.pid, timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout)
        return None, self._errors.read_text(encoding="utf-8")

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


def _serve(channel: socket.socket) -> list[str]:
    """Fork for each request until nobody asks any more; return in the forks alone, with the command's words."""
    running: set[int] = set()
    while True:
        channel.settimeout(0.02 if running else None)
        try:
            request = channel.recv(LARGEST)
        except TimeoutError:
            request = None
        if request == b"":
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            os._exit(0)
        for pid in list(running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                running.remove(pid)
                channel.send(json.dumps(["ended", pid, os.waitstatus_to_exitcode(status)]).encode())
        if request:
            number, *process = json.loads(request)
            pid = os.fork()
            if pid == 0:
                return _begin(*process, channel)
            running.add(pid)
            channel.send(json.dumps(["begun", number, pid]).encode())


def _begin(
    words: list[str], environment: dict[str, str], folder: str, files: list[str], channel: socket.socket
) -> list[str]:
    """Make a fork's process the command's own; `files`: those of standard input, output and error."""
    channel.close()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in enumerate(files):
        with open(path, "ab" if number else "rb") as file:
            os.dup2(file.fileno(), number)
    sys.argv = ["gitmart", *words]
    tempfile.tempdir = None  # it looks at the environment once
    return words


def _import() -> None:
    from gitmart.transform.frugal import leave_out

    leave_out()
    for name in IMPORTED:
        importlib.import_module(name)
    assert threading.active_count() == 1, "a fork would lack the threads"
    gc.collect()
    gc.freeze()


def _main() -> Any:
    channel = socket.socket(fileno=int(sys.argv[1]))
    _import()
    words = _serve(channel)
    from gitmart.cli import main

    return main(words)


if __name__ == "__main__":
    sys.exit(_main())
