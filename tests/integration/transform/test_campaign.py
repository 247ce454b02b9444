"""A few kills of the campaign in `tests/campaigns`, on the real dbt project."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CAMPAIGN = Path(__file__).parents[2] / "campaigns" / "kill_transform.py"


@pytest.mark.slow
def test_kills_leave_marts_whole_and_nothing_running() -> None:
    done = subprocess.run(
        [sys.executable, str(CAMPAIGN), "--kills", "2", "--every", "2"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures["kills"], figures["wrong"]) == (2, 0)
    assert figures["looks"] > 0
