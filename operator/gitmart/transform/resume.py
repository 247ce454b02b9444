"""
Going on where a run was cut off: what had ended well is not built again.

Only a run that was cut off (stopped, out of time, without the warehouse) is gone on with. One whose data or
code failed is run whole: what was mended since may be anywhere. And only if nothing that makes the marts has
changed: the project's files, gitmart, dbt, the options, the raw data, the day. Else all is built, as if there
had been no run before.

`dbt retry` does less: it knows the nodes that failed, and not those that were never reached.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from psycopg import sql

from gitmart import __version__
from gitmart.contract.outcomes import Outcome
from gitmart.transform.dbt import Dbt, Node
from gitmart.transform.history import History
from gitmart.transform.settings import Settings
from gitmart.warehouse.connections import connect
from gitmart.warehouse.locks import Connection

log = logging.getLogger(__name__)

CUT_OFF = frozenset({Outcome.CANCELLED, Outcome.TIMEOUT, Outcome.WAREHOUSE_UNREACHABLE, Outcome.DISK_FULL})
_ENDED_WELL = ("success", "pass", "warn")
_READ_BY_PROJECTS = ("DBT_ENV_", "GITMART_DBT_")  # variables; others are in the manifest if a model reads them
_FOR_PROFILES = "DBT_ENV_SECRET_"  # dbt shows these to no model, and a digest of one could be guessed
_WRITTEN = ("target", "logs")  # folders at the project's root that dbt writes into

_FAMILY = """
with recursive family as (
    select id, resumes from dbt_meta.runs where id = %s
    union all
    select earlier.id, earlier.resumes from dbt_meta.runs as earlier join family on earlier.id = family.resumes
)
select unique_id from (
    select distinct on (unique_id) unique_id, status
    from dbt_meta.node_runs where run_id in (select id from family) order by unique_id, run_id desc
) as last
where status = any(%s)
"""


@dataclass(frozen=True, slots=True)
class CutOff:
    """A run that can be gone on with, and the unique ids of what it and those before it have done."""

    run_id: int
    done: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left to build of a run that was cut off; `done` nodes had ended well."""

    nodes: tuple[Node, ...]
    done: int


def find_rest(dbt: Dbt, settings: Settings, history: History, manifest: Any, today: date) -> Rest | None:
    """
    Return what is left to build, None if that is all; and let the history know how to go on with this run.

    Whatever goes wrong here means that all is built.
    """
    try:
        manifest.build_parent_and_child_maps()
        schemas = {source.schema for source in manifest.sources.values()}
        name = "gitmart-transform history"
        with connect(settings.url, application_name=name, autocommit=True) as connection:
            key = resume_key(connection, settings, dbt.version, schemas, manifest.env_vars, today)
            if key is None or history.run_id is None:
                return None
            cut_off = find_cut_off(connection, settings.schema, history.run_id, key) if settings.resume else None
            done = still_there(connection, _relations(manifest), cut_off.done) if cut_off else frozenset()
            selected = dbt.selected() if done else ()
            nodes = to_build(selected, done, manifest.child_map)
            resumed = 0 < len(nodes) < len(selected) and _can_be_named(dbt, nodes)
            history.remember(connection, key, cut_off.run_id if cut_off and resumed else None)
    except Exception as error:
        log.warning("cannot tell what an earlier run has done: all is built", extra={"why": str(error)})
        return None
    return Rest(nodes, len(selected) - len(nodes)) if resumed else None


def _can_be_named(dbt: Dbt, nodes: tuple[Node, ...]) -> bool:
    """Whether dbt's selection, which knows names and no ids, can name these nodes and no others."""
    return {node.unique_id for node in dbt.selected(nodes)} == {node.unique_id for node in nodes}


def resume_key(
    connection: Connection,
    settings: Settings,
    dbt_version: str,
    source_schemas: Collection[str],
    variables: Mapping[str, str],
    today: date,
) -> str | None:
    """
    Return what stands for all that makes the marts; None if a source is not of gitmart's raw tables.

    Nobody could say whether such a source has changed. `variables`: what models read of the environment. `today`,
    because marts count back from it.
    """
    if len(source_schemas) != 1:
        return None
    runs = sql.Identifier(*source_schemas, "extraction_runs")
    if connection.execute("select to_regclass(%s)", [runs.as_string(connection)]).fetchone() == (None,):
        return None
    parts = {
        "versions": [__version__, dbt_version],
        "files": digest_of_files(settings.project_dir),
        "environment": _environment(variables),
        "options": [
            settings.schema, settings.select, settings.exclude, settings.selector, settings.variables,
            settings.full_refresh, settings.warn_error, settings.store_failures,
        ],
        "data": connection.execute(
            sql.SQL("select repository_id, max(run_number) from {} group by 1 order by 1").format(runs)
        ).fetchall(),
        "day": today.isoformat(),
    }  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def find_cut_off(connection: Connection, schema: str, before: int, key: str) -> CutOff | None:
    """Return the schema's last run before the one with id `before` if it was cut off and has the key."""
    last: Any = connection.execute(
        "select id, outcome, resume_key from dbt_meta.runs where target_schema = %s and id < %s order by id desc limit 1",
        [schema, before],
    ).fetchone()
    if last is None or last[2] != key or last[1] not in {outcome.value for outcome in CUT_OFF}:
        return None
    done = connection.execute(_FAMILY, [last[0], list(_ENDED_WELL)]).fetchall()
    return CutOff(last[0], frozenset(str(name) for (name,) in done)) if done else None


def still_there(connection: Connection, relations: Mapping[str, str], done: Iterable[str]) -> frozenset[str]:
    """Return those of `done` whose table, view or function exists; what makes none, such as a test, counts as there."""
    names = list(done)
    found = connection.execute(
        "select name from unnest(%s::text[], %s::text[]) as node (name, relation)"
        " where relation is null or to_regclass(relation) is not null or to_regproc(relation) is not null",
        [names, [relations.get(name) for name in names]],
    ).fetchall()
    return frozenset(str(name) for (name,) in found)


def to_build(
    selected: Iterable[Node], done: Collection[str], children: Mapping[str, Collection[str]]
) -> tuple[Node, ...]:
    """Return what is not done among the selected nodes, and what stands on it."""
    nodes = {node.unique_id: node for node in selected}
    wanted: dict[str, None] = {}
    rest = [name for name in nodes if name not in done]
    while rest:
        name = rest.pop()
        if name not in wanted:
            wanted[name] = None
            rest += children.get(name, ())
    return tuple(node for name, node in nodes.items() if name in wanted)


def digest_of_files(folder: Path) -> str:
    """Return what stands for the files of a project, but for those that runs write."""
    digest = hashlib.sha256()
    for path in sorted(_files(folder)):
        digest.update(json.dumps(str(path.relative_to(folder))).encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        kept = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        folders[:] = [name for name in kept if Path(parent) != folder or name not in _WRITTEN]
        yield from (Path(parent, name) for name in names if Path(parent, name).is_file())


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if name.startswith(_READ_BY_PROJECTS)}
    return {name: value for name, value in {**variables, **known}.items() if not name.startswith(_FOR_PROFILES)}


def _relations(manifest: Any) -> dict[str, str]:
    """Return the table, view or function of each node that makes one."""
    nodes = {**manifest.nodes, **manifest.functions}
    return {name: node.relation_name for name, node in nodes.items() if getattr(node, "relation_name", None)}
