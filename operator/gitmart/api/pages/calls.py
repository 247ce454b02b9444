"""Where a program gets the numbers of a chart: calls of the API, with the switches of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gitmart.api.pages.state import link
from gitmart.api.switches import Switches


@dataclass(frozen=True, slots=True)
class Call:
    """Addresses of the same numbers as JSON and as CSV."""

    api: str
    csv: str


def call(path: str, switches: Switches, without: tuple[str, ...] = (), **more: Any) -> Call:
    """Return the call of a path below /analytics: the switches but for those it does not have, and more parameters."""
    chosen = {
        name: value
        for name, value in switches.model_dump(mode="json", exclude_defaults=True, include=set(Switches.NAMES)).items()
        if name not in without
    }
    parameters = more | chosen
    return Call(link(f"/analytics/{path}", **parameters), link(f"/analytics/{path}", **parameters, format="csv"))
