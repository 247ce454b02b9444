"""A Secret that nobody has made yet: every worker says so, and may be started again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WORDS = "key some-url of Secret gitmart-warehouse in namespace default"


@pytest.mark.parametrize(
    "words",
    [("extract", "--url=https://git.invalid/a"), ("transform",), ("migrate",)],
    ids=["extract", "transform", "migrate"],
)
def test_each_worker_ends_as_secret_missing(words: tuple[str, ...], tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITMART_", "PG"))}
    result_file = tmp_path / "result.json"

    done = subprocess.run(
        [sys.executable, "-m", "gitmart", *words, f"--result-file={result_file}"],
        env={**kept, "GITMART_WAREHOUSE_URL_FILE": str(tmp_path / "no"), "GITMART_WAREHOUSE_URL_SOURCE": WORDS},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    result = json.loads(result_file.read_text(encoding="utf-8"))
    assert (done.returncode, result["outcome"]) == (79, "SecretMissing"), done.stderr
    assert result["message"].startswith(f"{WORDS} is missing")
