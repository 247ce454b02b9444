"""A process that is still starting ends when it is asked to, also as the first of a container."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.integration.transform.conftest import may_unshare

from gitmart.contract.outcomes import Outcome

SLOW = "import pathlib, time\npathlib.Path({begun!r}).touch()\ntime.sleep(60)\n"


@pytest.mark.skipif(not may_unshare("--pid", "--fork"), reason="needs the right to make a PID namespace")
def test_process_one_heeds_sigterm_while_it_imports(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    (tmp_path / "psycopg.py").write_text(SLOW.format(begun=str(begun)), encoding="utf-8")
    command = [sys.executable, "-m", "gitmart", "extract", "--url", "https://git.example/a/b"]
    with subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", *command], env={**os.environ, "PYTHONPATH": str(tmp_path)}
    ) as outer:
        try:
            while not begun.exists():
                assert outer.poll() is None
                time.sleep(0.05)
            children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text(encoding="ascii").split()
            os.kill(int(children[0]), signal.SIGTERM)
            assert outer.wait(timeout=20) == Outcome.CANCELLED.exit_code
        finally:
            outer.kill()
