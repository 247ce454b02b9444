"""
The result of a worker's run, as it travels from the process to whoever started it.

It is one JSON object in the container's termination message (`/dev/termination-log`), which the
kubelet cuts at 4096 bytes: https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/.
A result carries totals, never deltas to be added up, so that losing one loses nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from gitmart.contract.outcomes import Outcome

RESULT_LIMIT = 4096  # bytes; the kubelet cuts a termination message here
RESULT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Result:
    """
    What a run tells: how it ended, when, and facts of its kind.

    `message` is one sentence for people. `facts` holds JSON values named in camelCase as in status;
    lists in it are ordered most important first, because trimming takes from the end.
    """

    kind: str  # "extract", "check", "fetch", "transform", "migrate" or "purge"
    outcome: Outcome
    message: str
    started_at: datetime
    finished_at: datetime
    facts: Mapping[str, object] = field(default_factory=dict)

    def to_json(self, limit: int = RESULT_LIMIT) -> str:
        """Return the JSON text, at most `limit` bytes of UTF-8; `truncated` is true if anything was left out."""
        for document in self._shrinking():
            text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
            if len(text.encode("utf-8", "replace")) <= limit:
                return text
        raise ValueError(f"a result cannot be told in {limit} bytes")

    def _shrinking(self) -> Iterator[dict[str, object]]:
        """Yield the document whole, then ever smaller: lists from their ends, then texts, then facts."""
        whole: dict[str, object] = {
            "version": RESULT_VERSION,
            "kind": self.kind,
            "outcome": self.outcome.value,
            "message": self.message,
            "startedAt": self.started_at.isoformat(timespec="milliseconds"),
            "finishedAt": self.finished_at.isoformat(timespec="milliseconds"),
            **self.facts,
        }
        yield whole
        for items, characters in ((10, 400), (5, 200), (3, 120), (1, 80), (0, 80)):
            yield {name: _cut(value, items, characters) for name, value in whole.items()} | {"truncated": True}
        yield {name: value for name, value in whole.items() if name not in self.facts} | {
            "message": _shorten(self.message, 80),
            "truncated": True,
        }


def _shorten(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"


def _cut(value: object, items: int, characters: int) -> object:
    match value:
        case str():
            return _shorten(value, characters)
        case list():
            return [_cut(item, items, characters) for item in value[:items]]
        case dict():
            return {name: _cut(item, items, characters) for name, item in value.items()}
        case _:
            return value


def read_result(text: str) -> dict[str, object] | None:
    """Return the object a worker left, or None when there is none that can be believed (cut, foreign, empty)."""
    try:
        document = json.loads(text)
    except ValueError:
        return None
    if not isinstance(document, dict) or document.get("version") != RESULT_VERSION:
        return None
    if document.get("outcome") not in {outcome.value for outcome in Outcome}:
        return None
    return document


def write_result(result: Result, path: Path) -> None:
    """Write the result for the kubelet. The file may be a mount point, so it is never replaced or renamed."""
    with open(path, "w", encoding="utf-8", errors="replace") as file:
        file.write(result.to_json())
        file.flush()
        with suppress(OSError):  # a device or pipe cannot be synced, and need not be
            os.fsync(file.fileno())
