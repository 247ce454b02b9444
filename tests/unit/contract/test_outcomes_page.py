"""The page of outcomes says what the code says."""

from __future__ import annotations

from pathlib import Path

from gitmart.contract.outcomes import MEANINGS

PAGE = Path(__file__).parents[3] / "docs" / "outcomes.md"


def test_the_page_lists_every_outcome_as_it_is() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]

    assert rows == [
        f"| `{outcome.value}` | {meaning.exit_code} | {'yes' if meaning.retryable else 'no'} | {meaning.summary} |"
        for outcome, meaning in MEANINGS.items()
    ]
