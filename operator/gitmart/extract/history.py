"""What a run has of a repository on disk: all of its history, or what the warehouse lacks of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gitmart.extract.git import Git, clone
from gitmart.extract.host import ask
from gitmart.extract.partial import Partial
from gitmart.extract.refs import Refs, read_refs
from gitmart.extract.settings import Settings


@dataclass(frozen=True, slots=True)
class History:
    """
    A repository on disk and the refs that count.

    From `tips` every commit on disk that may be new can be reached, from `head` those of them that the
    default branch has. `partial` is None when the whole history is there.
    """

    git: Git
    refs: Refs
    tips: Sequence[bytes]
    head: bytes | None  # None: HEAD leads to no commit that is on disk
    partial: Partial | None = None


def whole_history(
    settings: Settings, environment: Mapping[str, str], advance: Callable[[float, float], None]
) -> History:
    """Return all there is, by a clone; raise ExtractError. `advance(done, total)` hears of the progress in objects."""
    git = clone(settings, environment, advance)

    def host_has_head() -> bool:
        return bool(ask(settings.remote, environment, settings.work_dir, settings.limits).head)

    refs = read_refs(git, settings.shape, host_has_head)
    return History(git, refs, refs.tips, refs.head)
