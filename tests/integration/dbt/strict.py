"""
Builds the project with dbt as strict as it can be: a program of its own, since it changes dbt itself.

dbt compares YAML with its schema for some adapters alone, and postgres is none of them. Here it does, and
every deprecation is an error. Which dbt that is depends on the interpreter.
"""

from __future__ import annotations

import json
import sys

from dbt.cli.main import dbtRunner
from dbt.jsonschemas import jsonschemas
from dbt.version import __version__

jsonschemas._JSONSCHEMA_SUPPORTED_ADAPTERS.add("postgres")

deprecated: list[str] = []


def listen(event: object) -> None:
    """Note each deprecation: dbt raises the first, and we want to see all."""
    if "Deprecat" in event.info.name:  # type: ignore[attr-defined]
        deprecated.append(event.info.msg)  # type: ignore[attr-defined]


done = dbtRunner(callbacks=[listen]).invoke(
    ["build", "--warn-error-options", json.dumps({"error": ["Deprecations"]}), "--show-all-deprecations", *sys.argv[1:]]
)
statuses = [] if done.exception else [str(result.status) for result in done.result.results]
print(
    json.dumps(
        {
            "version": __version__,
            "exception": str(done.exception or ""),
            "deprecated": deprecated,
            "statuses": sorted(set(statuses)),
            "nodes": len(statuses),
        }
    )
)
