"""
The real operator as a process beside the cluster, which can be made to die at any of its writes.

It is `gitmart operator` but for one thing: GITMART_TEST_DIE names a moment, such as `before POST jobs 2` or
`after PATCH repositories/status 1`, at which the process ends as if it were killed. Each write is noted in the file
GITMART_TEST_WRITES before it is sent. With GITMART_TEST_IMPATIENT watches are compared every few seconds, and one that
stays behind for some more is dead. The switches are this program's, the product has none.

Each operator is a process of its own, forked from one that has imported everything and done nothing else: hundreds are
started, and half of what a start costs is importing.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import multiprocessing
import os
import signal
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gitmart.contract.logs import configure_logging
from gitmart.handlers.cluster import JSON, Cluster, Object
from gitmart.handlers.command import serve
from gitmart.handlers.liveness import Limits
from gitmart.handlers.settings import Settings
from gitmart.handlers.watches import Watches

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
DIED = 99  # exit code of a process that ended at its moment
ROOT = Path(__file__).parents[2]
FORKS = multiprocessing.get_context("forkserver")
_STARTING = threading.Lock()
_has_started = False


class MortalCluster(Cluster):
    """Notes every write, and ends the process at the moment it was told."""

    seen: ClassVar[Counter[str]] = Counter()

    async def _write(
        self, method: str, path: str, body: Object, content_type: str = JSON, query: Mapping[str, str] | None = None
    ) -> Object:
        write, moment = named(method, path), os.environ["GITMART_TEST_DIE"]
        self.seen[write] += 1
        write = f"{write} {self.seen[write]}"
        with open(os.environ["GITMART_TEST_WRITES"], "a", encoding="ascii") as notes:
            notes.write(f"{write}\n")
        if moment == f"before {write}":
            os._exit(DIED)
        answer = await super()._write(method, path, body, content_type, query)
        if moment == f"after {write}":
            os._exit(DIED)
        return answer


def named(method: str, path: str) -> str:
    """Return what a write is about, without names: `PATCH repositories/status`, `POST jobs`."""
    words = path.split("/")
    plural, rest = words[words.index("namespaces") + 2], words[words.index("namespaces") + 3 :]
    return f"{method} {'/'.join([plural, *rest[1:]])}"


@dataclass
class OperatorProcess:
    """The operator of one namespace. It may be started again after its end; logs and writes are kept in `folder`."""

    kubeconfig: Path
    namespace: str
    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.process: ForkServerProcess | None = None
        self.health_port, self.http_port = _free_ports(2)

    def start(self, die: str = "") -> None:
        """Start it, to end at the moment `die` if one is named."""
        environment = os.environ | {
            "KUBECONFIG": str(self.kubeconfig), "GITMART_WATCH_NAMESPACES": self.namespace,
            "GITMART_IMAGE": "localhost/none:1", "GITMART_CHECKS": "false",
            "GITMART_HEALTH_PORT": str(self.health_port), "GITMART_HTTP_PORT": str(self.http_port),
            "GITMART_TEST_DIE": die, "GITMART_TEST_WRITES": str(self.folder / "writes"), **self.settings,
        }  # fmt: skip
        self.process = FORKS.Process(target=_serve, args=(environment, self.folder / "log"))
        _start(self.process)

    @property
    def exit_code(self) -> int | None:
        """The exit code once it has ended, None before; minus the signal that killed it."""
        assert self.process is not None
        return self.process.exitcode

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it, if it has not, and return its exit code."""
        assert self.process is not None
        if self.process.exitcode is None:
            assert self.process.pid is not None
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, how)
        self.process.join(30)
        if self.process.exitcode is None:
            self.process.kill()
            raise TimeoutError(f"the operator did not end by {how.name}:\n{self.log}")
        return self.process.exitcode

    def ask(self, path: str) -> tuple[int, str]:
        """Return status and text of /healthz, /readyz or /metrics; 0 while nobody answers."""
        port = self.health_port if path == "/healthz" else self.http_port
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    @property
    def is_ready(self) -> bool:
        """Whether it has read everything there is, and visits."""
        return self.ask("/readyz")[0] == 200

    @property
    def writes(self) -> list[str]:
        """All writes of all its lives, in order."""
        notes = self.folder / "writes"
        return notes.read_text(encoding="ascii").splitlines() if notes.exists() else []

    @property
    def log(self) -> str:
        """What it has printed lately."""
        return (self.folder / "log").read_text(encoding="utf-8")[-4000:]


def install_definitions(cluster: Any) -> None:
    """Have our kinds in the cluster as the working tree defines them."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"))
    names = [f"crd/{name}.gitmart.dev" for name in ("repositories", "dbtschedules")]
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _end_with_the_thread_that_started_us() -> None:
    """Let no killed test run leave an operator behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _be_impatient() -> None:
    allowing, compare = Limits.allowing, Watches.keep_comparing
    Limits.allowing = lambda timeout: replace(allowing(timeout), watch=20.0)  # type: ignore[method-assign]
    Watches.keep_comparing = lambda self, cluster: compare(self, cluster, every=5.0)  # type: ignore[method-assign,assign]


def _start(process: ForkServerProcess) -> None:
    """Start a process; the one that all are forked from starts with the first, and must find and import this module."""
    global _has_started
    with _STARTING:
        if _has_started:
            process.start()
            return
        FORKS.set_forkserver_preload([__name__])
        with pytest.MonkeyPatch.context() as patch:  # while no other thread is there yet that could look
            patch.setenv("PYTHONPATH", str(ROOT))
            process.start()
        _has_started = True


def _serve(environment: Mapping[str, str], log: Path) -> None:
    """Be an operator."""
    _end_with_the_thread_that_started_us()
    os.environ.clear()
    os.environ.update(environment)
    nowhere, printed = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for number, target in enumerate((nowhere, printed, printed)):
        os.dup2(target, number)
    if environment.get("GITMART_TEST_IMPATIENT"):
        _be_impatient()
    configure_logging()
    sys.exit(asyncio.run(serve(Settings.of(argparse.Namespace(), os.environ), MortalCluster)))
