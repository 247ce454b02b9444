"""Runs of `gitmart extract` as a process of its own, measured, into databases of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psycopg
from psycopg import sql

from gitmart.local.postgres import EmbeddedPostgres


@dataclass(frozen=True, slots=True)
class Extraction:
    """One run: seconds of the clock from its start to its end, of CPU with all it waited for, and its result."""

    wall: float
    cpu: float
    result: dict[str, object]

    def seconds(self, *phases: str) -> float:
        """Return the seconds of these phases together."""
        told = self.result["seconds"]
        assert isinstance(told, dict)
        return float(sum(told.get(phase, 0) for phase in phases))


def extract(
    repository: Path,
    warehouse: str,
    folder: Path,
    *words: str,
    watch: Callable[[int], AbstractContextManager[object]] = lambda _: nullcontext(),
    enter: Sequence[Path] = (),
    url: str | None = None,
    environment: Mapping[str, str] = {},
) -> Extraction:
    """
    Extract; `watch(pid)` is entered while it runs, the process writes itself into the control groups of `enter`.

    `url`: where a host serves the repository; without it the process reads it from this machine.
    """
    result_file = folder / "result.json"
    result_file.unlink(missing_ok=True)
    start = time.monotonic()
    # It enters its groups before it becomes gitmart, so that all of it is counted.
    process = subprocess.Popen(
        [
            *entering(enter), sys.executable, "-m", "gitmart", "extract", f"--url={url or f'file://{quote(str(repository))}'}", "--allow-file-urls",
            f"--work-dir={folder}", f"--result-file={result_file}", *words,
        ],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "GITMART_WAREHOUSE_URL": warehouse, **environment},
    )  # fmt: skip
    with watch(process.pid):
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    if not result_file.exists():
        raise SystemExit(f"gitmart extract ended without a result: status {status}")
    result = json.loads(result_file.read_text(encoding="utf-8"))
    if status != 0:
        raise SystemExit(f"gitmart extract failed: {result['outcome']}: {result['message']}")
    return Extraction(wall, usage.ru_utime + usage.ru_stime, result)


def entering(groups: Sequence[Path]) -> list[str]:
    """Return what to put before a command so that it enters control groups, by their entrances, before it begins."""
    script = 'while [ "$1" != -- ]; do echo 0 > "$1"; shift; done; shift; exec "$@"'
    return ["/bin/sh", "-c", script, "sh", *map(str, groups), "--"]


@contextmanager
def database(server: EmbeddedPostgres, template: str = "gitmart") -> Iterator[str]:
    """Make a database like that one, yield its name, and drop it."""
    name = f"bench_{uuid4().hex}"
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
        make = "create database {} template {} owner gitmart_owner"
        connection.execute(sql.SQL(make).format(sql.Identifier(name), sql.Identifier(template)))
        connection.execute("checkpoint")
        try:
            yield name
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
