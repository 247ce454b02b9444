"""Text of strangers does nothing to a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmart.local.terminal import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("Author One", "Author One", id="plain"),
        pytest.param("\x1b[31mred\x1b[0m", "�[31mred�[0m", id="ansi"),
        pytest.param("a\tb\r\nc", "a b  c", id="white-space"),
        pytest.param("abc\u202edef", "abc�def", id="right-to-left-override"),
        pytest.param("zero\u200bwidth", "zero�width", id="zero-width"),
        pytest.param("[red]x[/red]", "[red]x[/red]", id="markup-is-text"),
        pytest.param("\u05d0\u05d1", "\u05d0\u05d1", id="right-to-left-script"),
        pytest.param("e\u0301" + "\u0301" * 50, "e\u0301\u0301", id="heap-of-marks"),
        pytest.param("\udcff", "�", id="lone-surrogate"),
        pytest.param("名前", "名前", id="wide"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text(), st.integers(min_value=1, max_value=20))
def test_no_control_character_passes_and_the_limit_is_kept(text: str, limit: int) -> None:
    shown = plain(text, limit)

    assert not [character for character in shown if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs")]
    assert len(shown) <= limit
