"""The chart of months, and the environment of workers."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gitmart.local.summary import BAR, MONTHS, Month, chart
from gitmart.local.workers import worker_environment


def test_silent_months_are_shown_and_the_longest_bar_fills_the_width() -> None:
    months = [Month(date(2025, 12, 1), 200), Month(date(2026, 2, 1), 1)]

    assert list(chart(months, "#")) == [f"  2025-12  {'#' * BAR} 200", "  2026-01  0", "  2026-02  # 1"]


def test_only_the_last_months_are_shown() -> None:
    lines = list(chart([Month(date(1, 1, 1), 9), Month(date(2026, 2, 1), 1)], "#"))

    assert len(lines) == MONTHS
    assert lines[-1] == f"  2026-02  {'#' * BAR} 1"


@pytest.mark.parametrize("count", [0, 3])
def test_one_month_is_a_chart_too(count: int) -> None:
    assert len(list(chart([Month(date(2026, 2, 1), count)], "#"))) == 1


def test_a_worker_does_not_see_another_database() -> None:
    given = {
        "PATH": "/bin",
        "PGHOST": "elsewhere",
        "GITMART_WAREHOUSE_URL": "postgresql://x",
        "GITMART_DBT_PROJECT": "p",
    }

    assert worker_environment(given, Path("/s/url")) == {
        "PATH": "/bin",
        "GITMART_DBT_PROJECT": "p",
        "GITMART_WAREHOUSE_URL_FILE": "/s/url",
    }
