"""`helm test`: the script of its pod against a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "charts" / "gitmart" / "files" / "check.py"


class Operator(BaseHTTPRequestHandler):
    """Answers as the operator's /readyz does: the path is the status."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.end_headers()
        self.wfile.write(b"the first lists are not in yet\n")

    def log_message(self, *words: object) -> None:
        """Keep the tests' output to the tests."""


@pytest.fixture
def operator() -> Iterator[str]:
    """Address of something that answers with the status that is asked for."""
    with HTTPServer(("127.0.0.1", 0), Operator) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def check(folder: Path, warehouse: Any, ready_url: str, api: str = "", **urls: str) -> subprocess.CompletedProcess[str]:
    """Run the script as in a pod whose Secret holds the warehouse's URLs."""
    for role in ("extract", "transform", "read"):
        (folder / f"{role}-url").write_text(urls.get(role) or warehouse.url(f"gitmart_{role}"))
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.read_text()], capture_output=True, text=True, check=False,
        env=os.environ | {
            "WAREHOUSE_FOLDER": str(folder), "OPERATOR_READY_URL": ready_url, "API_READY_URL": api, "PATIENCE_SECONDS": "0",
        },
    )  # fmt: skip


def test_all_is_well(tmp_path: Path, warehouse: Any, operator: str) -> None:
    done = check(tmp_path, warehouse, f"{operator}/200")

    assert (done.returncode, done.stderr) == (0, "")
    assert "its roles may log in, the operator ready" in done.stdout


def test_the_api_is_asked_too(tmp_path: Path, warehouse: Any, operator: str) -> None:
    good = check(tmp_path, warehouse, f"{operator}/200", api=f"{operator}/200")
    bad = check(tmp_path, warehouse, f"{operator}/200", api=f"{operator}/503")

    assert (good.returncode, bad.returncode) == (0, 1)
    assert "the operator and the API ready" in good.stdout
    assert "the API is not ready: the first lists are not in yet" in bad.stdout


def test_an_operator_that_is_not_ready_is_named(tmp_path: Path, warehouse: Any, operator: str) -> None:
    done = check(tmp_path, warehouse, f"{operator}/503")

    assert done.returncode == 1
    assert "the operator is not ready: the first lists are not in yet" in done.stdout


def test_an_operator_that_is_not_there_is_named(tmp_path: Path, warehouse: Any) -> None:
    done = check(tmp_path, warehouse, "http://127.0.0.1:1/readyz")

    assert done.returncode == 1
    assert "the operator does not answer: " in done.stdout


def test_a_warehouse_without_tables_is_named(tmp_path: Path, empty_database: Any, operator: str) -> None:
    done = check(tmp_path, empty_database, f"{operator}/200")

    assert done.returncode == 1
    assert "extract-url: the warehouse is at revision none" in done.stdout


def test_the_key_whose_url_does_not_work_is_named(tmp_path: Path, warehouse: Any, operator: str) -> None:
    done = check(
        tmp_path,
        warehouse,
        f"{operator}/200",
        read=warehouse.url("gitmart_read").replace("gitmart_read", "gitmart_nobody"),
    )

    assert done.returncode == 1
    assert done.stdout.startswith("read-url: ")
