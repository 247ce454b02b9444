"""Log lines: JSON for machines, words for people."""

from __future__ import annotations

import io
import json
import logging

import pytest

from gitmart.contract.logs import JsonFormatter, PlainFormatter, configure_logging


def _record(level: int = logging.INFO, **facts: object) -> logging.LogRecord:
    return logging.makeLogRecord({"name": "gitmart.x", "levelno": level, "levelname": logging.getLevelName(level),
                                  "msg": "done %s", "args": ("now",), **facts})  # fmt: skip


def test_a_line_for_machines_holds_the_facts_apart() -> None:
    line = json.loads(JsonFormatter().format(_record(commits=3)))

    assert (line["message"], line["level"], line["logger"], line["commits"]) == ("done now", "info", "gitmart.x", 3)


def test_a_line_for_people() -> None:
    assert PlainFormatter().format(_record(commits=3)) == "done now  commits=3"
    assert PlainFormatter().format(_record(logging.WARNING)) == "warning: done now"


def test_a_message_with_line_feeds_stays_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    configure_logging(stream)

    logging.getLogger("gitmart.y").info("one\ntwo", extra={"path": "a\nb"})

    assert stream.getvalue().count("\n") == 1
