"""How the tests come by a browser, or say that they do not."""

from __future__ import annotations

import pytest
from tests.browser import chromium


@pytest.mark.parametrize(("required", "code"), [("1", 1), ("", 0)])
def test_no_browser_is_told_and_a_failure_where_one_is_required(
    required: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(chromium.REQUIRED, required)
    monkeypatch.delenv(chromium.GIVEN, raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")

    assert chromium.prepare() == code
    said = capsys.readouterr().err
    assert "install Debian's chromium-headless-shell, or name a program with GITMART_CHROMIUM" in said
    assert ("are skipped" in said) is not bool(required)


def test_a_browser_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(chromium.GIVEN, "/opt/browser")
    assert str(chromium.executable()) == "/opt/browser"
