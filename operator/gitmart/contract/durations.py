"""Durations as people write them in manifests and options: `45s`, `10m`, `1h30m` (Go's notation, whole units)."""

from __future__ import annotations

import re
from datetime import timedelta

PATTERN = r"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$"
ALLOWED = "write whole numbers with units, largest first, such as 45s, 10m, 1h30m or 2d"

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}  # seconds
_LONGEST = 36_500 * 86_400  # seconds; a hundred years, so that adding one to a date stays a date


def parse_duration(text: str) -> timedelta:
    """Return the length of time; raise ValueError with what is allowed."""
    if not text or not re.match(PATTERN, text) or len(text) > 32:
        raise ValueError(f"{text[:40]!r} is not a duration: {ALLOWED}")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9]+)([dhms])", text))
    if seconds > _LONGEST:
        raise ValueError(f"{text!r} is longer than a hundred years")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Return the shortest text that `parse_duration` reads as this duration, to the second."""
    rest = int(duration.total_seconds())
    parts = []
    for unit, length in _UNITS.items():
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
