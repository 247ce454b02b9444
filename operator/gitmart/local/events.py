"""What a follower tells people: a line when a run starts, one when it ends, one for what stands still."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from gitmart.controller.conditions import STALLED, find
from gitmart.controller.runs import Run
from gitmart.local.report import Ending, extraction_ending, tell, transformation_ending
from gitmart.local.runs import Key, key_of
from gitmart.local.terminal import plain
from gitmart.resources.manifests import AnyResource
from gitmart.resources.repository import Repository


class Events:
    """Tells each thing once."""

    def __init__(self) -> None:
        self._told: dict[Key, Ending | None] = {}  # what each resource was said to wait for

    def started(self, resource: AnyResource, log: Path) -> None:
        """Tell that a run has started."""
        _line("start ", resource, f"what it says is in {log}")

    def again(self, resource: AnyResource, result: Mapping[str, object] | None, at: datetime) -> None:
        """Tell that a run failed for a passing reason and is repeated."""
        why = f"{result['outcome']}: {result.get('message', '')}" if result else "it left no result"
        _line("again ", resource, f"{why}; again at {_time(at)}")

    def visited(self, resource: AnyResource, runs: Sequence[Run]) -> None:
        """Tell of the runs that ended, or of what the resource waits for if that is new."""
        for run in runs:
            ending = (
                extraction_ending(run, resource)
                if isinstance(resource, Repository)
                else transformation_ending(run, resource)
            )
            tell(resource, Ending(ending.well, ending.word, f"{ending.message}{_next(resource)}"))
        first = key_of(resource) not in self._told
        before, standing = self._told.get(key_of(resource)), _standing(resource)
        self._told[key_of(resource)] = standing
        if runs:
            return
        if first and standing is None and (coming := _next(resource)):
            _line("wait  ", resource, coming.removeprefix("; "))
        elif before == standing:
            return
        elif standing is not None:
            tell(resource, standing)
        elif before is not None:
            _line("ok    ", resource, f"nothing is in the way any more{_next(resource)}")


def _standing(resource: AnyResource) -> Ending | None:
    """Return why nothing is started, None while something may be."""
    if (stalled := find(resource.status.conditions, STALLED)) is not None:
        return Ending(False, stalled.reason, stalled.message)
    if resource.spec.suspend:
        return Ending(True, "Suspended", "spec.suspend is true: nothing is started")
    return None


def _next(resource: AnyResource) -> str:
    if isinstance(resource, Repository):
        at = resource.status.next_extraction_time
    else:
        times = (resource.status.next_schedule_time, resource.status.next_full_refresh_time)
        at = min((time for time in times if time is not None), default=None)
    return f"; next at {_time(at)}" if at is not None else ""


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _line(mark: str, resource: AnyResource, text: str) -> None:
    sys.stdout.write(plain(f"{mark} {resource.kind.lower()}/{resource.metadata.name}: {text}") + "\n")
    sys.stdout.flush()
