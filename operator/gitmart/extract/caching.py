"""What a run does with its cache: whatever goes wrong there is told as the fact `cacheProblem`, and stops no run."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from gitmart.contract.signals import Stopped
from gitmart.extract.cache import CacheError, opened
from gitmart.extract.errors import ExtractError
from gitmart.extract.history import History
from gitmart.extract.host import Answer
from gitmart.extract.mirror import fetch_missing, fill, open_mirror
from gitmart.extract.work import Run

log = logging.getLogger(__name__)


@contextmanager
def using_cache(run: Run) -> Iterator[None]:
    """Hold the cache of the repository, if there is one, until the run ends; raise InputError for a wrong option."""
    with ExitStack() as held:
        if run.settings.cache_dir is not None:
            settings = run.settings
            try:
                run.cache = held.enter_context(opened(run.settings.cache_dir, settings.url.key, settings.warehouse))
            except CacheError as error:
                without_cache(run, error)
        yield


def without_cache(run: Run, error: Exception) -> None:
    """Go on without the cache, and say why."""
    run.cache = None
    _tell(run, f"{error}: the run went without the cache")


def cached_history(run: Run, environment: Mapping[str, str], answer: Answer) -> History:
    """Return the whole history that the host has listed; raise as `open_mirror` and `fetch_missing` do."""
    assert run.cache is not None  # noqa: S101 # the caller has looked
    with run.phase("check"):
        mirror = open_mirror(run.settings, environment, answer, run.cache)
    with run.phase("fetch"):
        return fetch_missing(run.settings, environment, answer, mirror)


def fill_cache(run: Run) -> None:
    """Keep what came for the next run. The warehouse has it by now, so nothing here undoes the run."""
    if run.cache is None or run.history is None or run.history.partial is not None:
        return
    try:
        with run.phase("store"):
            fill(run.cache, run.history, run.settings.workers)
    except (CacheError, ExtractError, OSError) as error:
        _tell(run, str(error))
    except Stopped as stopped:
        _tell(run, f"the cache was not filled: {stopped}")


def _tell(run: Run, problem: str) -> None:
    run.facts["cacheProblem"] = problem
    log.warning("the cache did not serve", extra={"repository": run.settings.url.key, "reason": problem})
