"""
Run one worker command as a process of its own, as a Job would: its limits, its deadline, its result.

The worker gets its connection URL through a file that it alone is told of. It dies with us, and the
state folder's lock, which it inherits, stays held until it is gone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gitmart.contract.result import read_result
from gitmart.controller.runs import Run
from gitmart.local.cgroups import Group

# A worker keeps its timeout itself and says so in its result; this much later it is taken to be stuck.
DEADLINE_GRACE = timedelta(seconds=30)
TERMINATION_GRACE = 30  # seconds from SIGTERM to SIGKILL, Kubernetes' default

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


class Cancelled(Exception):  # noqa: N818 - it is no error
    """A person stopped us while the worker ran; `run` is how that ended."""

    def __init__(self, run: Run) -> None:
        super().__init__("cancelled")
        self.run = run


@dataclass(frozen=True, slots=True)
class Worker:
    """
    A worker command and what surrounds it.

    `result_file` is None for a command that leaves no result. `log` takes its stderr; None leaves the
    terminal to it. `output` takes its stdout. `lock` is the descriptor of the state's lock; None for one that changes nothing. `grace` is in seconds,
    from asking to killing. `url_file` is None for a command that needs no warehouse. `environment` is added to ours.
    """

    words: Sequence[str]
    url_file: Path | None
    result_file: Path | None
    log: Path | None
    lock: int | None
    group: Group | None = None
    deadline: timedelta | None = None
    grace: float = TERMINATION_GRACE
    output: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self) -> Run:
        """Run it to its end and return what was seen. Raise Cancelled on KeyboardInterrupt, once it has stopped."""
        if self.result_file:
            self.result_file.unlink(missing_ok=True)
        started = datetime.now(UTC)
        process = self.start()
        try:
            overdue = self._wait(process)
        except KeyboardInterrupt:
            _stop(process, self.grace)
            raise Cancelled(self._seen(process, started, overdue=False)) from None
        finally:
            if process.poll() is None:
                kill(process)
        return self._seen(process, started, overdue=overdue)

    @property
    def command(self) -> list[str]:
        """The words of the process."""
        # -P: a folder of the user's named like a module of ours must not be taken for it.
        told = ["--result-file", str(self.result_file)] if self.result_file else []
        return [sys.executable, "-P", "-m", "gitmart", *self.words, *told]

    def start(self) -> subprocess.Popen[bytes]:
        """
        Start it. Whoever does not call `run` waits for it and keeps its deadline.

        What a signal's handler raises meanwhile is raised in the end, and nothing runs then.
        """
        process = None
        try:
            with held_back():
                process = self._popen()
        except BaseException:
            if process is not None:
                kill(process)
            raise
        return process

    def _popen(self) -> subprocess.Popen[bytes]:
        with open(self.log or os.devnull, "ab") as log, open(self.output or os.devnull, "wb") as output:
            return subprocess.Popen(
                self.command,
                env=worker_environment({**os.environ, **self.environment}, self.url_file),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log if self.log else None,
                start_new_session=True,  # Ctrl-C reaches us alone, and we stop it
                pass_fds=[] if self.lock is None else [self.lock],
                # We have no threads, so code may run between fork and exec.
                preexec_fn=_entrance(self.group),
            )

    def _wait(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait for the process, at most until its deadline; return whether it had to be stopped."""
        try:
            process.wait(self.deadline.total_seconds() if self.deadline else None)
        except subprocess.TimeoutExpired:
            _stop(process, self.grace)
            return True
        return False

    def _seen(self, process: subprocess.Popen[bytes], started: datetime, *, overdue: bool) -> Run:
        text = ""
        if self.result_file:
            with suppress(OSError):
                text = self.result_file.read_text(encoding="utf-8", errors="replace")
        return Run(
            started_at=started,
            finished_at=datetime.now(UTC),
            exit_code=exit_code(process.returncode),
            result=read_result(text),
            deadline_exceeded=overdue,
            out_of_memory=self.group is not None and self.group.ran_out_of_memory(),
        )


@contextmanager
def held_back() -> Iterator[None]:
    """
    Let signals that ask us to stop be handled after the block. For the main thread.

    Around a fork Python calls what modules have registered, such as logging, and loses an exception that comes out
    of there: Ctrl-C at that moment would stop nothing.
    """
    heard: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers = {number: handler for number, handler in before.items() if callable(handler)}
    for number in handlers:
        signal.signal(number, lambda number, _frame: heard.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for each in heard:
        handlers[signal.Signals(each)](each, None)


def exit_code(returncode: int) -> int:
    """Return Popen's code as shells and container runtimes tell it: 128 + N for signal N."""
    return returncode if returncode >= 0 else 128 - returncode


def worker_environment(environment: Mapping[str, str], url_file: Path | None) -> dict[str, str]:
    """Return the environment of a worker: ours, without what would lead it to another database."""
    foreign = ("PG", "GITMART_WAREHOUSE_URL")
    kept = {name: value for name, value in environment.items() if not name.startswith(foreign)}
    return {**kept, "GITMART_WAREHOUSE_URL_FILE": str(url_file)} if url_file else kept


def _stop(process: subprocess.Popen[bytes], grace: float) -> None:
    """Ask the process to stop; kill it if it does not, or if a person asks again."""
    process.terminate()
    try:
        process.wait(grace)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all of its group, and wait for it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # it leads a group of its own, with its git processes
    process.wait()


def _entrance(group: Group | None) -> Callable[[], None]:
    """Return what the child does before it becomes the worker: enter its group, and die when we do."""
    ours = os.getpid()
    libc = ctypes.CDLL(None)
    entrances = [str(path) for path in group.entrances] if group else []

    def enter() -> None:
        for path in entrances:
            descriptor = os.open(path, os.O_WRONLY)
            os.write(descriptor, b"0")
            os.close(descriptor)
        if sys.platform == "linux":
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != ours:  # we died before it was set
                os.kill(os.getpid(), signal.SIGTERM)

    return enter
