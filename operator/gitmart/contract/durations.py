"""Durations as people write them in manifests and options: 30s, 10m, 1h30m (a subset of Go's notation)."""

from __future__ import annotations

import re
from datetime import timedelta

PATTERN = r"^([0-9]{1,6}[hms]){1,3}$"
ALLOWED = "write it like 30s, 10m or 1h30m"

TEXT_LIMIT = 20  # characters: of a duration that is accepted, and of a wrong one that is repeated
_SECONDS = {"h": 3600, "m": 60, "s": 1}


def parse_duration(text: str) -> timedelta:
    """Return the duration `text` stands for. Raises ValueError on anything but numbers with h, m or s."""
    if re.fullmatch(PATTERN, text, re.ASCII) is None:
        raise ValueError(f"{text[:TEXT_LIMIT]!r} is no duration: {ALLOWED}")
    return timedelta(seconds=sum(int(part[:-1]) * _SECONDS[part[-1]] for part in re.findall(r"\d+[hms]", text)))


def format_duration(duration: timedelta) -> str:
    """Return whole seconds as hours, minutes and seconds, such as 1h30m; less than a second is 0s."""
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return "".join(f"{count}{unit}" for count, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if count) or "0s"
