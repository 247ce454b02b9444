"""Whatever a history holds and whatever becomes of it, the warehouse equals git after every run (invariants 3 to 6)."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.integration.extract.histories import History, histories
from tests.integration.extract.live import Stage

from gitmart.extract import loader, source


@pytest.fixture(scope="module")
def stage(
    shared_warehouse: Any, second_shared_warehouse: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """Where the histories of this module play."""
    folder: Path = tmp_path_factory.mktemp("histories")
    with Stage.between(folder, shared_warehouse.url, second_shared_warehouse.url) as made:
        yield made


def some(examples: int) -> settings:
    """Return settings for so many histories, the same ones each time: the campaign draws others."""
    return settings(max_examples=examples, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@pytest.mark.timeout(1800)  # finding the simplest history that fails takes minutes
@some(120)
@given(history=histories(most_steps=2))
def test_any_history_equals_git_at_every_step(history: History, stage: Stage) -> None:
    stage.play(history, fresh_at_every_step=False)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@some(20)
@given(history=histories(most_steps=1))
def test_any_history_equals_git_if_no_commit_fits_into_memory(history: History, stage: Stage) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "split_records", functools.partial(source.split_records, limit=10))
        patch.setattr(source, "READ_SIZE", 50)
        patch.setattr(loader, "CHUNK_FILES", 2)
        stage.play(history, fresh_at_every_step=False)
