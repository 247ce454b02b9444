"""Sizes as people write them."""

from __future__ import annotations

import pytest

from gitmart.contract.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("1023", 1023), ("1Ki", 1024), ("500Mi", 500 << 20), ("16Gi", 16 << 30), ("1Ei", 1 << 60)],
)
def test_a_size_is_read_as_it_is_written(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert format_size(size) == text


@pytest.mark.parametrize(
    "text", ["", "0", "0Gi", "-1", "1.5Gi", "1GiB", "1G", "1 Gi", "2Ei", "9" * 20, "\u0663", "1Gi\n"]
)
def test_what_is_no_size_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="is no size: write bytes, or such as 500Mi or 8Gi"):
        parse_size(text)
