"""
Asking git hosts for news: `gitmart check` in child processes, a few at a time.

A child gets nothing of the operator's but what it needs: no variable of Kubernetes', no descriptor, a session of
its own. It limits its memory and its view of the files itself, before it talks to the host (extract/confine.py); here its
time and output are limited, and it ends with all it has started.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gitmart.contract.durations import format_duration
from gitmart.contract.outcomes import Outcome
from gitmart.contract.result import RESULT_VERSION, read_result
from gitmart.controller.runs import Run, verdict_of
from gitmart.handlers.settings import Settings
from gitmart.resources.repository import Repository
from gitmart.resources.shape import shape_options

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-I", "-m", "gitmart", "check")  # -I: no variable and no folder adds modules
OUTPUT_LIMIT = 64 * 1024  # bytes
OVERTIME = timedelta(seconds=5)  # a check ends itself at its timeout; this long it may take to say so
GRACE = 2.0  # seconds between SIGTERM and SIGKILL
_KEPT = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")  # of the operator's own environment


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """How checks are made. `environment` is all that a child gets."""

    at_a_time: int
    timeout: timedelta
    networks: tuple[str, ...]  # CIDRs of private networks that hosts may be in
    environment: Mapping[str, str]
    command: Sequence[str] = COMMAND
    overtime: timedelta = OVERTIME

    @classmethod
    def of(cls, settings: Settings, environment: Mapping[str, str] = os.environ) -> CheckOptions:
        """Return what the administrator decided."""
        chosen = {
            "LANG": "C.UTF-8",
            "HTTPS_PROXY": settings.git_proxy,
            "NO_PROXY": settings.git_no_proxy,
            "GITMART_GIT_CA": settings.git_ca,
        }
        kept = {name: environment.get(name, "") for name in _KEPT}
        return cls(
            at_a_time=settings.max_checks,
            timeout=settings.check_timeout,
            networks=settings.allowed_networks,
            environment={name: text for name, text in (kept | chosen).items() if text},
        )


class _TooMuchError(Exception):
    """The child prints more than a check has to say."""


class Checks:
    """
    Asks hosts; those that come while all places are taken wait in the order they came.

    `ended` is told the outcome's word of every check that was not cancelled.
    """

    def __init__(self, options: CheckOptions, ended: Callable[[str], None] | None = None) -> None:
        self._options = options
        self._ended = ended
        self._places = asyncio.Semaphore(options.at_a_time)

    async def __call__(self, repository: Repository) -> Run:
        """Ask the host of a Repository."""
        return await self.ask(str(repository.spec.url), shape_options(repository.spec))

    async def ask(self, url: str, shape: Iterable[str] = ()) -> Run:
        """
        Ask a host, and return how that went; `result` is never None. `shape`: options that shape the data.

        Whatever happens to the child becomes an outcome: Timeout if it took too long, Bug if it could not be
        started or left no result. Only cancellation is raised, after the child has ended.
        """
        words = [*self._options.command, f"--url={url}", f"--timeout={format_duration(self._options.timeout)}"]
        words += shape
        words += [f"--allow-network={network}" for network in self._options.networks]
        async with self._places:
            run = await self._run(words)
        if self._ended:
            self._ended(verdict_of(run).reason)
        return run

    async def _run(self, words: Sequence[str]) -> Run:
        started = datetime.now(UTC)
        try:
            process = await asyncio.create_subprocess_exec(
                *words, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=dict(self._options.environment), cwd="/",
                start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            return _failure(started, Outcome.BUG, f"the check cannot be started: {error}")
        drain = asyncio.create_task(_first_bytes(process.stderr))
        try:
            async with asyncio.timeout((self._options.timeout + self._options.overtime).total_seconds()):
                printed, said, code = await _all(process.stdout), await drain, await process.wait()
        except TimeoutError:
            limit = format_duration(self._options.timeout)
            return _failure(started, Outcome.TIMEOUT, f"the check did not end within its timeout of {limit}")
        except _TooMuchError:
            limit = f"{OUTPUT_LIMIT // 1024} KiB"
            return _failure(started, Outcome.BUG, f"the check printed more than {limit}")
        finally:
            await _end(process, drain)
        return _told(started, code, printed, said)


async def _all(stream: asyncio.StreamReader | None) -> bytes:
    """Return what the stream holds. Raises _TooMuchError beyond OUTPUT_LIMIT."""
    if stream is None:
        return b""
    text = b""
    while piece := await stream.read(OUTPUT_LIMIT):
        text += piece
        if len(text) > OUTPUT_LIMIT:
            raise _TooMuchError
    return text


async def _first_bytes(stream: asyncio.StreamReader | None) -> bytes:
    """Read the stream to its end and return its beginning, so that nobody waits for a full pipe."""
    text = b""
    while stream is not None and (piece := await stream.read(OUTPUT_LIMIT)):
        text += piece[: OUTPUT_LIMIT - len(text)]
    return text


async def _end(process: Process, drain: asyncio.Task[bytes]) -> None:
    """End the child, unless it has ended: first it may end by itself what it started, then everything is killed."""
    if process.returncode is not None and drain.done():
        return
    # asyncio tells nobody that a child has ended before its pipes have, and sees no end of a pipe that is not read.
    rest = asyncio.gather(_first_bytes(process.stdout), drain)
    try:
        with suppress(TimeoutError, ProcessLookupError):
            process.terminate()
            async with asyncio.timeout(GRACE):
                await process.wait()
        _kill_family(process)
        with suppress(TimeoutError):  # a process that left the family keeps the pipes; it is nobody's to wait for
            async with asyncio.timeout(GRACE):
                await process.wait()
                await asyncio.shield(rest)
    finally:
        rest.cancel()
        # The streams have no public way to close what they read from.
        process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001


def _kill_family(process: Process) -> None:
    """Kill what is left of a child and all it started; git makes a session of its own, so a group is not enough."""
    family = []
    if process.returncode is None:
        import psutil  # only here: it is needed after a check has gone wrong, and costs memory

        with suppress(psutil.Error):
            family = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    for kill, pid in [(os.killpg, process.pid), *((os.kill, each) for each in family)]:
        with suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


def _told(started: datetime, code: int, printed: bytes, said: bytes) -> Run:
    result = read_result(printed.decode("utf-8", "replace"))
    if result is not None and Outcome(str(result["outcome"])).exit_code == code:
        return Run(started, datetime.now(UTC), code, result)
    log.error("check left no result", extra={"exit_code": code, "stderr": said[-2000:].decode("utf-8", "replace")})
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return _failure(started, Outcome.BUG, f"the check {how} and left no result; the operator's log holds what it said")


def _failure(started: datetime, outcome: Outcome, message: str) -> Run:
    result = {"version": RESULT_VERSION, "kind": "check", "outcome": outcome.value, "message": message}
    return Run(started, datetime.now(UTC), outcome.exit_code, result)
