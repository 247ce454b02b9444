"""The embedded server of tests and measurements leaves nothing, however its process ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from gitmart.local.postgres import SUPERUSER, EmbeddedPostgres

PROGRAM = """
import sys
from gitmart.local.temporary import temporary_postgres
with temporary_postgres() as server:
    print(server.folder.parent, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, None], ids=["SIGKILL", "SIGINT", "end"])
def test_the_server_goes_with_its_process(number: signal.Signals | None) -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    assert (folder / "postgres" / "data" / "postmaster.pid").exists()
    (undertaker,) = [
        each for each in psutil.process_iter() if f"gitmart.local.temporary {folder}" in " ".join(_words(each))
    ]

    if number is not None:
        process.send_signal(number)
    process.stdin.close()
    process.wait(30)
    process.stdout.close()
    psutil.wait_procs([undertaker], timeout=30)

    assert not folder.exists()
    assert [each for each in psutil.process_iter() if str(folder) in " ".join(_words(each))] == []


def test_one_for_tests_waits_for_no_disk(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as connection:
        assert connection.execute("show fsync").fetchone() == ("off",)


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
