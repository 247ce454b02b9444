"""`gitmart local get`: resources as `kubectl get` prints them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gitmart.local.exits import Exit, LocalError, UnknownNameError
from gitmart.local.objects import Objects, plural
from gitmart.local.state import State
from gitmart.local.terminal import plain
from gitmart.resources import dbtschedule, repository
from gitmart.resources.columns import table
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.repository import Repository

if TYPE_CHECKING:
    from gitmart.resources.manifests import AnyResource

# Everything kubectl accepts for a kind: plural, singular, short name, in any case.
WORDS: dict[str, type[AnyResource]] = {
    **dict.fromkeys(("repositories", "repository", "repo"), Repository),
    **dict.fromkeys(("dbtschedules", "dbtschedule", "dbts"), DbtSchedule),
}
_COLUMNS = {Repository: repository.PRINTER_COLUMNS, DbtSchedule: dbtschedule.PRINTER_COLUMNS}
_MINIMUM, _PADDING = 6, 3  # characters; kubectl's tabwriter: k8s.io/cli-runtime/pkg/printers/tabwriter.go


def kind_of(word: str) -> type[AnyResource]:
    """Return the kind that a person means. Raise LocalError."""
    if (kind := WORDS.get(word.lower())) is None:
        raise LocalError(f"{word!r} is not a kind of gitmart: write {', '.join(WORDS)}")
    return kind


def get(state: State, kind: type[AnyResource], name: str | None, form: str) -> Exit:
    """Print the resources of a kind, or the one named. Raise LocalError."""
    state.require()
    found: Sequence[AnyResource] = Objects(state.folder("objects")).all(kind)
    if name is not None:
        found = named(found, kind, name)
    documents = [resource.to_dict() for resource in found]
    if form in ("json", "yaml"):
        sys.stdout.write(_document(documents, form, single=name is not None))
    elif not documents:
        sys.stderr.write(f"No {plural(kind)} found.\n")
    else:
        rows = table(_COLUMNS[kind], documents, datetime.now(UTC), wide=form == "wide")
        sys.stdout.writelines(f"{line}\n" for line in aligned(rows))
    return Exit.ALL_WELL


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines, in columns as wide as kubectl makes them."""
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(_MINIMUM, max(map(len, column)) + _PADDING) for column in zip(*cells, strict=True)]
    widths[-1] = 0  # nothing follows the last one
    return ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]


def named(found: Sequence[AnyResource], kind: type[AnyResource], name: str) -> list[AnyResource]:
    """Return the resources of a name, one per namespace. Raise UnknownNameError."""
    chosen = [resource for resource in found if resource.metadata.name == name]
    if not chosen:
        names = ", ".join(resource.metadata.name for resource in found) or "none"
        raise UnknownNameError(f"there is no {kind.__name__} named {name!r}; there are: {names}")
    return chosen


def _document(documents: list[dict[str, Any]], form: str, *, single: bool) -> str:
    """Return JSON or YAML: the object itself when it was named, else a List, as kubectl does."""
    document = documents[0] if single else {"apiVersion": "v1", "kind": "List", "items": documents}
    if form == "json":
        return json.dumps(document, indent=4, ensure_ascii=False) + "\n"
    import yaml

    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    return text
