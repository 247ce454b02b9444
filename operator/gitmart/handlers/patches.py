"""The smallest merge patch from one JSON value to another (RFC 7386)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the patch that makes `before` into `after`; {} when they are equal. Lists are replaced as a whole."""
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        known = before.get(name)
        if known == value and name in before:
            continue
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            patch[name] = merge_patch(known, value)
        else:
            patch[name] = value
    return patch
