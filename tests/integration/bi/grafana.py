"""What Grafana makes of a query before PostgreSQL sees it: variables in the browser, then macros in its data source."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[3] / "charts" / "gitmart" / "files" / "grafana"
VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)(?::(\w+))?\}")
MACRO = re.compile(r"\$__(\w+)\(([^)]*)\)")
ALL = "$__all"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard of the chart."""

    file: Path
    content: dict[str, Any]

    @property
    def panels(self) -> dict[str, dict[str, Any]]:
        """Its panels by title."""
        return {panel["title"]: panel for panel in self.content["panels"]}

    @property
    def variables(self) -> dict[str, dict[str, Any]]:
        """Its variables by name."""
        return {variable["name"]: variable for variable in self.content["templating"]["list"]}

    @property
    def queries(self) -> dict[str, str]:
        """The SQL of each panel by title, and of each variable that has one by `$` and its name."""
        panels = {title: panel["targets"][0]["rawSql"] for title, panel in self.panels.items()}
        return panels | {f"${name}": each["query"] for name, each in self.variables.items() if each["type"] == "query"}

    def sql(self, title: str, since: datetime, until: datetime, chosen: Mapping[str, str]) -> str:
        """Return a query as PostgreSQL gets it, with what is chosen for the variables; of others the default."""
        text = VARIABLE.sub(lambda found: self._replaced(found, chosen), self.queries[title])
        begin, end = (f"'{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'" for moment in (since, until))
        macros = {
            "timeFilter": lambda column: f"{column} BETWEEN {begin} AND {end}",
            "timeFrom": lambda _: begin,
            "timeTo": lambda _: end,
        }
        return MACRO.sub(lambda found: macros[found[1]](found[2]), text)

    def _replaced(self, found: re.Match[str], chosen: Mapping[str, str]) -> str:
        name = found[1] or found[2]
        if name.startswith("__"):  # a macro, or none of the dashboard's
            return found[0]
        variable = self.variables[name]
        value = chosen.get(name, variable.get("current", {}).get("value", ""))
        if value == ALL:
            return str(variable["allValue"])  # as it is, whatever the format
        if found[3] == "raw" or not (variable["multi"] or variable["includeAll"]):
            return str(value)
        return "'" + str(value).replace("'", "''") + "'"


def dashboards() -> dict[str, Dashboard]:
    """Return the dashboards by the name of their file."""
    return {
        file.stem: Dashboard(file, json.loads(file.read_text(encoding="utf-8"))) for file in sorted(FOLDER.iterdir())
    }
