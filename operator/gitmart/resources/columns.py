"""
The columns a kind is listed with, by `kubectl get` and by local mode alike.

`cell` follows what the API server does with `additionalPrinterColumns`: a missing value is blank, a date is
printed as its age, anything else as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

# A step of the JSONPath subset in use: .field or [?(@.field=="value")]
_STEP = re.compile(r'\.(?P<field>[A-Za-z][A-Za-z0-9]*)|\[\?\(@\.(?P<key>[A-Za-z]+)=="(?P<value>[^"]*)"\)\]')


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """
    A column as the CustomResourceDefinition declares it.

    `type` is `date` only for times in the past: kubectl prints the age of a time to come as `<invalid>`.
    `priority` 0 is always shown, 1 with `-o wide`.
    """

    name: str
    json_path: str
    type: Literal["string", "integer", "boolean", "date"] = "string"
    priority: Literal[0, 1] = 0
    description: str = ""

    def __post_init__(self) -> None:
        list(_steps(self.json_path))

    @property
    def schema_entry(self) -> dict[str, str | int]:
        """The element of `additionalPrinterColumns`."""
        entry: dict[str, str | int] = {"name": self.name, "type": self.type, "jsonPath": self.json_path}
        if self.description:
            entry["description"] = self.description
        return entry | ({"priority": self.priority} if self.priority else {})

    def cell(self, document: Mapping[str, object], now: datetime) -> str:
        """Return what stands in this column for an object in its JSON form. `now` is aware."""
        found = _find(document, self.json_path)
        if found is None or isinstance(found, Mapping | list):
            return ""
        if self.type == "date":
            return human_age(now - datetime.fromisoformat(str(found)))
        return str(found).lower() if isinstance(found, bool) else str(found)


def table(
    columns: Iterable[PrinterColumn], documents: Iterable[Mapping[str, object]], now: datetime, *, wide: bool = False
) -> list[list[str]]:
    """Return the header and a row per object, as `kubectl get` prints them; `wide` is its `-o wide`."""
    shown = [NAME, *(column for column in columns if wide or column.priority == 0)]
    return [
        [column.name.upper() for column in shown],
        *([column.cell(document, now) for column in shown] for document in documents),
    ]


def human_age(age: timedelta) -> str:
    """Return an age as kubectl prints it, such as 45s, 3m20s, 17m, 5h30m, 2d4h or 12d."""
    seconds = int(age.total_seconds())
    if seconds < 0:
        return "0s" if seconds >= -1 else "<invalid>"
    minutes, hours, days, years = seconds // 60, seconds // 3600, seconds // 86400, seconds // (365 * 86400)
    # below each limit (in the first unit) an age is told in that unit, with the rest in the second where there is one
    for count, limit, unit, rest, rest_unit in (
        (seconds, 120, "s", 0, ""),
        (minutes, 10, "m", seconds % 60, "s"),
        (minutes, 180, "m", 0, ""),
        (hours, 8, "h", minutes % 60, "m"),
        (hours, 48, "h", 0, ""),
        (days, 8, "d", hours % 24, "h"),
        (days, 2 * 365, "d", 0, ""),
        (years, 8, "y", days % 365, "d"),
    ):
        if count < limit:
            return f"{count}{unit}" + (f"{rest}{rest_unit}" if rest else "")
    return f"{years}y"


def _steps(json_path: str) -> Iterator[re.Match[str]]:
    """Yield the steps of a path. Raises ValueError where it leaves the subset."""
    position = 0
    while position < len(json_path):
        step = _STEP.match(json_path, position)
        if step is None:
            raise ValueError(f'{json_path!r} must be made of .field and [?(@.field=="value")]')
        yield step
        position = step.end()


def _find(document: object, json_path: str) -> object:
    """Return the value at the path, or None. Of several elements that fit a filter the first counts."""
    found = document
    for step in _steps(json_path):
        if step["field"]:
            found = found.get(step["field"]) if isinstance(found, Mapping) else None
        else:
            elements = found if isinstance(found, list) else []
            fitting = (
                item for item in elements if isinstance(item, Mapping) and item.get(step["key"]) == step["value"]
            )
            found = next(fitting, None)
    return found


NAME = PrinterColumn("Name", ".metadata.name")  # the API server adds it to every kind
AGE = PrinterColumn("Age", ".metadata.creationTimestamp", "date")
READY = PrinterColumn("Ready", '.status.conditions[?(@.type=="Ready")].status')
MESSAGE = PrinterColumn("Message", '.status.conditions[?(@.type=="Ready")].message', priority=1)
