"""Text of strangers (names, messages, paths) on a terminal: what it shows, and nothing it could do."""

from __future__ import annotations

import unicodedata

# Cc control, Cf format (zero-width, right-to-left marks), Cs surrogates, Co private, Cn unassigned,
# Zl and Zp line and paragraph separators.
_HARMFUL = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_MARKS = ("Mn", "Me")  # combining marks; a heap of them climbs over other lines
_MARKS_LIMIT = 2  # in a row; real languages stack no more


def plain(text: str, limit: int | None = None) -> str:
    """
    Return the text on one line without characters that steer a terminal or turn the direction of writing.

    They are replaced by a visible mark. `limit` is the greatest number of characters; more end in `…`.
    """
    shown: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in _MARKS else 0
        if category in _HARMFUL:
            shown.append(" " if character in "\t\n\r" else "\N{REPLACEMENT CHARACTER}")
        elif marks <= _MARKS_LIMIT:
            shown.append(character)
    if limit is not None and len(shown) > limit:
        shown[limit - 1 :] = ["…"]
    return "".join(shown)
