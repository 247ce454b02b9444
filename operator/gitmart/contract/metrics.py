"""
The catalogue of metrics: what each figure means, and where it is read.

The file beside this module is made from the dbt project's YAML by `make generate`; docs/metrics.md is the same for
people.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def catalogue() -> dict[str, Any]:
    """
    Return `metrics` (name, definition, source, caveat, places) and `functions` (name, description, arguments, result).

    Source is empty for what is gitmart's own, caveat where there is nothing to beware of; places are columns of marts
    (`mart.column`) and of functions (`function(…).column`, or the call alone). Texts may have links in Markdown, whose
    targets are pages of docs/.
    """
    told: dict[str, Any] = json.loads((files(__package__) / "metrics.json").read_text(encoding="utf-8"))
    return told
