"""The end of a run is told once, and without secrets."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from urllib.parse import quote

import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.contract.redaction import Scrubber
from gitmart.transform.report import Report


def test_the_first_end_is_the_one_that_is_told(tmp_path: Path) -> None:
    report = Report(tmp_path / "result.json", Scrubber())

    assert report.claim()
    assert not report.claim()
    late = threading.Thread(target=report.end, args=(Outcome.SUCCEEDED, "too late"), daemon=True)
    late.start()
    assert report.close(Outcome.CANCELLED, "first") == Outcome.CANCELLED.exit_code

    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["message"] == "first"
    assert late.is_alive()  # it waits for the process to end


def test_the_result_stands_before_anybody_records_it(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    report = Report(file, Scrubber())
    seen: list[tuple[str, str]] = []
    report.recorders.append(
        lambda result: seen.append((result.message, json.loads(file.read_text("utf-8"))["message"]))
    )

    report.end(Outcome.SUCCEEDED, "done")

    assert seen == [("done", "done")]


@pytest.mark.parametrize("secret", ["canary", 'a"b\\c', "gehe\u00edm/nis", "%40canary"])
def test_a_secret_is_told_nowhere(tmp_path: Path, secret: str) -> None:
    scrubber = Scrubber()
    scrubber.learn("")
    scrubber.learn(secret)
    report = Report(tmp_path / "result.json", scrubber)
    report.facts["failures"] = [{"message": f"role {secret} does not exist"}]

    report.end(Outcome.BUG, f"it was {secret}")

    written = (tmp_path / "result.json").read_text(encoding="utf-8")
    assert json.loads(written)["message"] == "it was *****"
    assert json.loads(written)["failures"] == [{"message": "role ***** does not exist"}]
    assert scrubber.clean(json.dumps({"text": secret})) == '{"text": "*****"}'
    assert scrubber.clean(f"https://user:{quote(secret, safe='')}@host") == "https://user:*****@host"


def test_a_result_file_that_cannot_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert Report(tmp_path, Scrubber()).end(Outcome.SUCCEEDED, "fine") == 0

    assert caplog.records[-1].levelname == "ERROR"
    assert vars(caplog.records[-1])["file"] == str(tmp_path)
