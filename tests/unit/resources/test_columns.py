"""The table of `kubectl get` and of local mode."""

from datetime import UTC, datetime, timedelta

import pytest

from gitmart.resources import dbtschedule, repository
from gitmart.resources.columns import PrinterColumn, human_age, table

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DOCUMENT = {
    "metadata": {"name": "one", "creationTimestamp": "2025-12-31T23:00:00Z"},
    "spec": {"url": "https://git.example.org/a", "suspend": False},
    "status": {
        "commits": 0,
        "lastCheckTime": "2026-01-01T23:55:30Z",
        "nextExtractionTime": "2026-01-02T06:00:00Z",
        "conditions": [{"type": "Stalled", "status": "False"}, {"type": "Ready", "status": "True", "message": "fine"}],
    },
}


def test_the_table_of_repositories_is_that_of_kubectl() -> None:
    assert table(repository.PRINTER_COLUMNS, [DOCUMENT], NOW) == [
        ["NAME", "URL", "READY", "STATE", "COMMITS", "CONTRIBUTORS", "LAST CHECK", "NEXT", "AGE"],
        ["one", "https://git.example.org/a", "True", "", "0", "", "4m30s", "2026-01-02T06:00:00Z", "25h"],
    ]


def test_wide_shows_more() -> None:
    header, row = table(repository.PRINTER_COLUMNS, [DOCUMENT], NOW, wide=True)

    assert dict(zip(header, row, strict=True))["MESSAGE"] == "fine"
    assert set(header) > {"HEAD", "LAST EXTRACTION"}


def test_a_flag_is_printed_as_in_yaml() -> None:
    header, row = table(dbtschedule.PRINTER_COLUMNS, [DOCUMENT], NOW)

    assert dict(zip(header, row, strict=True))["SUSPEND"] == "false"


@pytest.mark.parametrize("path", ["status", ".status[0]", ".a[?(@.b)]", ".a..b", ".items[*]"])
def test_a_path_outside_the_subset_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="must be made of"):
        PrinterColumn("X", path)


@pytest.mark.parametrize("document", [{}, {"status": None}, {"status": []}, {"status": {"conditions": "x"}}])
def test_what_is_not_there_is_blank(document: dict[str, object]) -> None:
    assert PrinterColumn("Ready", '.status.conditions[?(@.type=="Ready")].status').cell(document, NOW) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (5 * 3600 + 1800, "5h30m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (52 * 3600, "2d4h"),
        (8 * 86400, "8d"),
        (700 * 86400, "700d"),
        (2 * 365 * 86400, "2y"),
        (900 * 86400, "2y170d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_an_age_reads_as_kubectl_prints_it(seconds: int, text: str) -> None:
    assert human_age(timedelta(seconds=seconds)) == text
