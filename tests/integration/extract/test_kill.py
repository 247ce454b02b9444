"""The campaign against the extractor, in small: `make campaign-kill-extract` is the whole of it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

CAMPAIGN = Path(__file__).parents[2] / "campaigns" / "kill_extract.py"


@pytest.mark.slow
def test_a_killed_extraction_leaves_nothing_half_done(warehouse: Any, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("kill_extract", CAMPAIGN)
    assert spec is not None
    assert spec.loader is not None
    kill_extract = importlib.util.module_from_spec(spec)
    sys.modules["kill_extract"] = kill_extract
    spec.loader.exec_module(kill_extract)
    (tmp_path / "work").mkdir()
    subject = kill_extract.Subject(
        kill_extract.make_repository(tmp_path, 3000),
        warehouse.url("gitmart_extract"),
        tmp_path / "work",
        tmp_path / "extract.log",
    )

    ended = kill_extract.campaign(subject, kills=1, seed=1)

    assert {phase: count["killed"] for phase, count in ended.items()} == dict.fromkeys(kill_extract.PHASES, 1)
