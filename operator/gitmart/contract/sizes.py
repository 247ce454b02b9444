"""Sizes in bytes as people write them in options: 4096, 500Mi, 8Gi (a subset of Kubernetes' quantities)."""

from __future__ import annotations

import re

_UNITS = "KMGTPE"
MOST = 1 << 60  # bytes, 1Ei: what a quantity of Kubernetes holds


def parse_size(text: str) -> int:
    """Return the bytes that `text` stands for. Raises ValueError with what is allowed."""
    found = re.fullmatch(r"([0-9]{1,19})([KMGTPE]i)?", text, re.ASCII)
    size = int(found[1]) << (10 * (_UNITS.index(found[2][0]) + 1) if found[2] else 0) if found else 0
    if not 0 < size <= MOST:
        raise ValueError(f"{text[:20]!r} is no size: write bytes, or such as 500Mi or 8Gi, above 0 and at most 1Ei")
    return size


def format_size(size: int) -> str:
    """Return the size in the largest unit of which it is a whole number, such as 16Gi."""
    power = 0
    while size and size % 1024 == 0 and power < len(_UNITS):
        size, power = size // 1024, power + 1
    return f"{size}{_UNITS[power - 1]}i" if power else str(size)
