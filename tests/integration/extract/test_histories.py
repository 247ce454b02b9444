"""Whatever a history holds and whatever becomes of it, the warehouse equals git after every run (invariants 3 to 6)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.integration.extract.histories import History, histories
from tests.integration.extract.live import Stage


@pytest.fixture(scope="module")
def stage(
    shared_warehouse: Any, second_shared_warehouse: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """Where the histories of this module play."""
    folder: Path = tmp_path_factory.mktemp("histories")
    with Stage.between(folder, shared_warehouse.url, second_shared_warehouse.url) as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(1800)  # finding the simplest history that fails takes minutes
@settings(
    max_examples=200,
    derandomize=True,  # the campaign draws others: make campaign-histories
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(history=histories(most_steps=3))
def test_any_history_equals_git_at_every_step(history: History, stage: Stage) -> None:
    stage.play(history, fresh_at_every_step=False)
