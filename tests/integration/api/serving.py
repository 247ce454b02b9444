"""`gitmart api` as a process of its own, asked over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def served(url: str, *words: str, **environment: str) -> Iterator[str]:
    """Yield the address of an API that reads the marts at a connection URL; it ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "gitmart", "api", "--port", "0", *words],
        env={**os.environ, "GITMART_WAREHOUSE_URL": url, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            told = json.loads(line) if line.startswith("{") else {}
            if told.get("message") == "listening":
                break
        else:
            raise AssertionError(f"gitmart api ended with {process.wait()}")
        yield str(told["address"]).rstrip("/")
    finally:
        process.terminate()
        process.communicate(timeout=30)
