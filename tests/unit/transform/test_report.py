"""The end of a run is told once, and without secrets."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.transform.report import Report


def test_the_first_end_is_the_one_that_is_told(tmp_path: Path) -> None:
    report = Report(tmp_path / "result.json")

    assert report.claim()
    assert not report.claim()
    late = threading.Thread(target=report.end, args=(Outcome.SUCCEEDED, "too late"), daemon=True)
    late.start()
    assert report.close(Outcome.CANCELLED, "first") == Outcome.CANCELLED.exit_code

    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["message"] == "first"
    assert late.is_alive()  # it waits for the process to end


def test_a_secret_is_told_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(tmp_path / "result.json")
    report.keep_secret("")
    report.keep_secret("canary")
    report.facts["failures"] = [{"message": "role canary does not exist"}]
    logging.getLogger("gitmart.x").warning("saw %s", "canary", extra={"text": "a canary"})

    report.end(Outcome.BUG, "it was canary")

    written = (tmp_path / "result.json").read_text(encoding="utf-8") + capsys.readouterr().err
    assert "canary" not in written
    assert written.count("*****") == 5


def test_a_result_file_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Report(tmp_path).end(Outcome.SUCCEEDED, "fine") == 0

    last = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (last["level"], last["file"]) == ("error", str(tmp_path))
