"""What a run leaves in the warehouse, as far as no warehouse is needed to tell."""

from __future__ import annotations

import gzip

import pytest

from gitmart.transform.history import compress, storable


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        pytest.param(None, None, id="nothing"),
        pytest.param("Got 2 results", "Got 2 results", id="a sentence"),
        pytest.param("a\0b", "a\N{REPLACEMENT CHARACTER}b", id="NUL, which PostgreSQL refuses"),
        pytest.param("a\udce9b", "a?b", id="half a character, which no UTF-8 has"),
        pytest.param("x" * 4001, "x" * 4000, id="longer than anybody reads"),
    ],
)
def test_a_text_is_made_storable(text: str | None, stored: str | None) -> None:
    assert storable(text) == stored


def test_a_file_is_kept_with_its_size() -> None:
    packed, size = compress([b"one, ", b"two"])

    assert gzip.decompress(packed) == b"one, two"
    assert size == 8
    assert compress([b"one, ", b"two"]) == (packed, size), "the same file is kept as the same bytes"
