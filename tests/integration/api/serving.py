"""`gitmart api` as a process of its own, asked over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

OPEN = ("--no-authentication",)


@dataclass(slots=True)
class Served:
    """A process of `gitmart api`. `lines` are those of its log so far, `text` as they are."""

    process: subprocess.Popen[str]
    lines: list[dict[str, Any]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    _grown: threading.Condition = field(default_factory=threading.Condition)

    @property
    def address(self) -> str:
        """Of the port for everybody, without a slash at its end."""
        return str(self.line("listening")["address"]).rstrip("/")

    @property
    def metrics(self) -> str:
        """Of the port of figures and probes, without a path."""
        return str(self.line("listening")["metrics"]).removesuffix("/metrics")

    def line(self, message: str, **facts: object) -> dict[str, Any]:
        """Return the first line of the log with a message and facts, waiting until there is one."""

        def found() -> dict[str, Any] | None:
            return next((line for line in self.lines if line.items() >= {"message": message, **facts}.items()), None)

        with self._grown:
            assert self._grown.wait_for(lambda: found() or self.process.poll() is not None, timeout=60), self.text
            line = found()
        assert line is not None, f"no line {message} {facts} in {self.text}"
        return line

    def follow(self) -> None:
        """Read what the process writes, to its end."""
        assert self.process.stderr is not None
        for text in self.process.stderr:
            with self._grown:
                self.text.append(text)
                if text.startswith("{"):
                    self.lines.append(json.loads(text))
                self._grown.notify_all()

    def end(self) -> int:
        """Ask it to stop, and return its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=30)


def figure(served: Served, name: str) -> float:
    """Return a figure of the process by its name and labels; 0 if there is none."""
    for line in httpx.get(f"{served.metrics}/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.rpartition(" ")[2])
    return 0.0


def command_of(words: Sequence[str]) -> list[str]:
    """Return the command line, with free ports."""
    return [sys.executable, "-W", "ignore", "-m", "gitmart", "api", "--port", "0", "--metrics-port", "0", *words]


def environment_of(url: str, **more: str) -> dict[str, str]:
    """Return the environment of a process that reads the marts at a connection URL."""
    return {**os.environ, "GITMART_WAREHOUSE_URL": url, **more}


@contextmanager
def process_of(url: str, *words: str, **environment: str) -> Iterator[Served]:
    """Yield a process that listens; it ends with the block. It asks nobody who they are if the words say nothing."""
    asked = any(word.startswith(("--tokens-file", "--oidc-issuer")) for word in words)
    served = Served(
        subprocess.Popen(
            command_of((*words, *(() if asked else OPEN))),
            env=environment_of(url, **environment),
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    reading = threading.Thread(target=served.follow)
    reading.start()
    try:
        assert served.address
        yield served
    finally:
        served.end()
        reading.join(timeout=30)
        assert served.process.stderr is not None
        served.process.stderr.close()


@contextmanager
def served(url: str, *words: str, **environment: str) -> Iterator[str]:
    """Yield the address of an API that reads the marts at a connection URL; it ends with the block."""
    with process_of(url, *words, **environment) as process:
        yield process.address
