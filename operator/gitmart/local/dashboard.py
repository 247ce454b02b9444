"""The dashboard in local mode: `gitmart api` as a process beside us, on this machine alone, for everybody on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gitmart.contract.target_schema import DEFAULT
from gitmart.local.exits import ServerError
from gitmart.local.report import say
from gitmart.local.state import State, write_file
from gitmart.local.workers import Worker, kill
from gitmart.resources.dbtschedule import DbtSchedule

HOST = "127.0.0.1"
PORT = 8080  # what people expect
ANY_PORT = 0  # a free one, if somebody has that
START_SECONDS = 60.0  # on a machine that is busy
STOP_SECONDS = 10.0


def is_wanted(asked: bool | None) -> bool:
    """Whether to serve the dashboard: as was asked for, else if a person looks on."""
    return asked if asked is not None else sys.stdout.isatty() and not os.environ.get("CI")


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The dashboard while it is served; `address` is what a browser opens."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait(self) -> None:
        """Wait until it ends by itself. Raise ServerError then."""
        code = self.process.wait()
        raise ServerError(f"the dashboard ended with exit code {code}: see {self.log}")


@contextmanager
def dashboard(state: State, schedules: Iterable[DbtSchedule]) -> Iterator[Dashboard]:
    """Serve the marts of the state's warehouse until the end of the block. Raise ServerError if that cannot be."""
    name = f"dashboard-{os.getpid()}"  # there may be several
    url_file, log = state.folder("secrets") / f"{name}.url", state.folder("logs") / f"{name}.log"
    write_file(url_file, state.server.url("gitmart_read"))
    try:
        for port in (PORT, ANY_PORT):
            log.unlink(missing_ok=True)
            words = [
                "api", "--no-authentication", "--host", HOST, "--port", str(port), "--metrics-port", "none",
                "--schema", _schema(schedules),
            ]  # fmt: skip
            # It changes nothing, so it holds no lock: `down` need not wait for whoever looks on.
            process = Worker(words=words, url_file=url_file, result_file=None, log=log, lock=None).start()
            try:
                if address := _address(process, log):
                    url_file.unlink(missing_ok=True)  # it has been read
                    yield Dashboard(address, process, log)
                    log.unlink(missing_ok=True)
                    return
            finally:
                _end(process)
        raise ServerError(f"the dashboard does not start: see {log}")
    finally:
        url_file.unlink(missing_ok=True)


def serve(state: State, schedules: Iterable[DbtSchedule]) -> None:
    """Serve the dashboard until Ctrl-C, and say where. Raise ServerError when it does not start or ends by itself."""
    with dashboard(state, schedules) as served:
        sys.stdout.write(f"\nThe dashboard: {served.address}   (Ctrl-C stops it)\n")
        sys.stdout.flush()
        try:
            served.wait()
        except KeyboardInterrupt:
            say("stopped; the warehouse still runs")


def _schema(schedules: Iterable[DbtSchedule]) -> str:
    """Return the schema that is looked at: the usual one, unless no DbtSchedule builds it."""
    built = sorted({each.spec.target.schema_name for each in schedules})
    return built[0] if built and DEFAULT not in built else DEFAULT


def _address(process: subprocess.Popen[bytes], log: Path) -> str | None:
    """Return where it listens, once it says so; None if it ends instead, which it does where somebody has the port."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        has_ended = process.poll() is not None
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("{") and (told := json.loads(line)).get("message") == "listening":
                return str(told["address"])
        if has_ended:
            return None
        time.sleep(0.05)
    raise ServerError(f"the dashboard does not start within {START_SECONDS:.0f} s: see {log}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    if process.poll() is None:
        kill(process)
