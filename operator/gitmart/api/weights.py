"""What a client likes best: the weights of Accept and Accept-Encoding (RFC 9110, 12.4.2)."""

from __future__ import annotations

import re

_WEIGHT = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


def weights(said: str) -> dict[str, float]:
    """Return how much each thing that a header names is liked, from 0 (not at all) to 1; a broken weight is 0."""
    found: dict[str, float] = {}
    for each in said.split(","):
        name, *parameters = (part.strip().lower() for part in each.split(";"))
        if name:
            found.setdefault(name, _weight(parameters))
    return found


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            return float(value) if _WEIGHT.fullmatch(value.strip()) else 0.0
    return 1.0
