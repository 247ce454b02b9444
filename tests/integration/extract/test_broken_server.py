"""PostgreSQL stops, or its disk fills up, in the middle of a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gitmart.local.postgres import EmbeddedPostgres
from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate


@pytest.fixture
def own_server() -> Iterator[EmbeddedPostgres]:
    """A server that the test may stop."""
    with temporary_postgres(durable=False) as server:
        migrate(server.url("gitmart_owner"))
        yield server


def _fill(repository: Any, commits: int) -> None:
    """Make commits with messages that no compression makes small."""
    raw = b"".join(
        b"commit refs/heads/main\ncommitter A <a> %d +0000\ndata 2000\n%s\nM 100644 inline file\ndata 5000\n%s\n"
        % (1_600_000_000 + number, os.urandom(1000).hex().encode(), os.urandom(2500).hex().encode())
        for number in range(commits)
    )
    repository.git("fast-import", "--quiet", stdin=raw)


def _extract(repository: Any, url: str, folder: Path, at_phase: Callable[[str], None]) -> dict[str, object]:
    """Run the command, calling `at_phase` as phases begin, and return its result with the exit code."""
    result_file = folder / "result.json"
    process = subprocess.Popen(
        [
            sys.executable, "-m", "gitmart", "extract", f"--url={repository.url}", "--allow-file-urls",
            f"--work-dir={folder}", f"--result-file={result_file}",
        ],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "GITMART_WAREHOUSE_URL": url},
    )  # fmt: skip
    assert process.stderr is not None
    with process.stderr:
        for line in process.stderr:
            if name := json.loads(line).get("phase"):
                at_phase(name)
    return {**json.loads(result_file.read_text(encoding="utf-8")), "exit": process.wait()}


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["diff", "merge"])
def test_a_server_that_stops_in_the_middle_loses_nothing(
    phase: str, repository: Any, own_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    _fill(repository, 6000)
    stopper = threading.Thread(target=own_server.stop)

    result = _extract(
        repository, own_server.url("gitmart_extract"), tmp_path, lambda name: stopper.start() if name == phase else None
    )
    stopper.join()

    assert (result["exit"], result["outcome"]) == (69, "WarehouseUnreachable")
    own_server.start()
    with psycopg.connect(own_server.url("postgres")) as connection:
        assert connection.execute("select count(*) from commits").fetchone() == (0,)
    again = _extract(repository, own_server.url("gitmart_extract"), tmp_path, print)
    assert (again["exit"], again["commits"]) == (0, 6000)
    with psycopg.connect(own_server.url("postgres")) as connection:
        left = connection.execute("select count(*) from pg_tables where schemaname = 'gitmart_staging'").fetchone()
    assert left == (0,)


@pytest.mark.slow
def test_a_full_disk_of_the_server_is_told_as_such(
    repository: Any, own_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    _fill(repository, 12_000)
    small = own_server.folder.parent / "small"
    small.mkdir()
    own_server.stop()  # it must see the mount, which is made in our namespace
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=28m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not let root mount a file system")
    try:
        (small / "space").mkdir()
        own_server.start()
        with psycopg.connect(own_server.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(f"create tablespace small location '{small}/space'".encode())
            connection.execute("create database full_disk template gitmart tablespace small owner gitmart_owner")

        result = _extract(repository, own_server.url("gitmart_extract", "full_disk"), tmp_path, print)

        assert (result["exit"], result["outcome"]) == (74, "DiskFull"), result["message"]
        assert "PostgreSQL" in str(result["message"])
        with psycopg.connect(own_server.url("postgres", "full_disk")) as connection:
            assert connection.execute("select count(*) from commits").fetchone() == (0,)
    finally:
        own_server.stop()
        subprocess.run(["umount", str(small)], check=True)
