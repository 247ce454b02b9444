"""
Compiles the project for one adapter, and lets the adapter go through a build that reaches nobody.

A program of its own, for the interpreter that has the adapters. There is no warehouse: what dbt would ask one for,
whether a table is there and what columns it has, is answered here, statements are swallowed, and whoever opens a
connection all the same is refused. What comes out is printed as JSON: the SQL of a first build and of one that finds
all tables built, how each model ended, and its settings.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import sqlglot
from dbt.adapters.contracts.connection import AdapterResponse, ConnectionState
from dbt.adapters.factory import get_adapter_class_by_name
from dbt.cli.main import dbtRunner
from dbt.clients.jinja import get_rendered
from dbt.context.providers import RuntimeProvider, SourceContext, generate_runtime_model_context
from dbt.task.compile import CompileRunner
from dbt_common.clients.agate_helper import empty_table, table_from_data_flat

calls: list[str] = []


def refuse(*address: object, **_: object) -> Any:
    """Note whom somebody wants to talk to, and let nobody."""
    calls.append(str(address[-1]))
    raise ConnectionRefusedError(f"nobody may be called, not even {address[-1]}")


class Warehouse:
    """What is said to be there: nothing, or the tables of all models as the last build has left them."""

    def __init__(self, manifest: Any, *, built: bool) -> None:
        self.models = [node for node in manifest.nodes.values() if node.resource_type == "model"]
        self.built = built

    def relation(self, adapter: Any, database: str | None, schema: str, identifier: str) -> Any:
        """Return the relation of that name; None when it is not there."""
        for model in self.models:
            if self.built and (model.schema, model.alias) == (schema, identifier):
                kind = "view" if model.config.materialized == "view" else "table"
                names = (stored(adapter, name) for name in (database, schema, identifier))
                return adapter.Relation.create(*names, type=kind)
        return None

    def columns(self, adapter: Any, relation: Any) -> list[Any]:
        """Return the columns of a relation, or of one that is about to take its place."""
        [model] = [model for model in self.models if model.alias == relation.identifier.lower().split("__dbt_")[0]]
        return [adapter.Column(stored(adapter, column.name), "text") for column in model.columns.values()]

    def answer(self, sql: str) -> Any:
        """Return what a query finds: nothing, but for which repositories were built, if anything was."""
        noted = self.built and "int_built_repositories" in sql
        return table_from_data_flat([{"repository_id": 1}], ["repository_id"]) if noted else empty_table()

    def answer_for(self, adapter_class: Any) -> None:
        """Let adapters of a class ask here, and let what they tell a warehouse be forgotten."""
        adapter_class.get_relation = lambda adapter, database, schema, identifier, **_: self.relation(
            adapter, database, schema, identifier
        )
        adapter_class.get_columns_in_relation = lambda adapter, relation: self.columns(adapter, relation)
        adapter_class.get_column_schema_from_query = adapter_class.list_schemas = lambda *_, **__: []
        adapter_class.execute = lambda _, sql="", *__, **___: (AdapterResponse("OK"), self.answer(sql))
        connections = adapter_class.ConnectionManager
        connections.open = classmethod(opened)
        connections.execute = adapter_class.execute
        connections.add_query = lambda *_, **__: (None, None)
        for name in ("begin", "commit", "add_begin_query", "add_commit_query"):
            setattr(connections, name, lambda *_, **__: None)
        connections.close = classmethod(lambda _, connection: connection)
        if adapter_class.type() == "bigquery":  # it does these by requests, not by SQL
            adapter_class.is_replaceable = lambda *_, **__: True
            adapter_class.update_columns = adapter_class.update_table_description = lambda *_, **__: None


def opened(_: Any, connection: Any, *__: Any) -> Any:
    """Return a connection as if it had been opened."""
    connection.handle, connection.state = object(), ConnectionState.OPEN
    return connection


def stored(adapter: Any, name: str | None) -> str | None:
    """Return a name that nobody has quoted as the warehouse tells it."""
    return name.upper() if name and adapter.type() == "snowflake" else name


def beside_models(runner: Any, manifest: Any) -> Iterator[tuple[str, str]]:
    """Return what dbt renders besides a model's SQL: its hooks, and how old its sources are."""
    node = runner.node
    if node.resource_type != "model":
        return
    context = generate_runtime_model_context(node, runner.config, manifest)
    for number, hook in enumerate([*node.config.pre_hook, *node.config.post_hook]):
        yield f"hook {number} of {node.name}", get_rendered(hook.sql, context, node).strip()
    for name in node.depends_on.nodes:
        if source := manifest.sources.get(name):
            context = SourceContext(source, runner.config, manifest, RuntimeProvider(), None).to_dict()
            yield f"freshness of {source.name}", get_rendered(source.loaded_at_query, context, source)


def compiled(manifest: Any, words: list[str]) -> dict[str, str]:
    """Return the SQL of models, data tests, hooks and freshness by name."""
    rendered: dict[str, str] = {}
    compile_node = CompileRunner.compile

    def compile_all(runner: Any, manifest: Any) -> Any:
        rendered.update(beside_models(runner, manifest))
        return compile_node(runner, manifest)

    CompileRunner.compile = compile_all
    done = dbtRunner(manifest=manifest).invoke(["compile", "--no-introspect", "--no-populate-cache", *words])
    CompileRunner.compile = compile_node
    if done.exception is not None:
        raise done.exception
    for result in done.result.results:
        if result.node.resource_type in ("model", "test"):
            rendered[result.node.name] = result.node.compiled_code
    return {name: sql for name, sql in rendered.items() if sql}


def gone_through(manifest: Any, words: list[str]) -> dict[str, str]:
    """Return what stopped the adapter, by model; nothing of those that it built as far as it can tell."""
    done = dbtRunner(manifest=manifest).invoke(["run", "--no-populate-cache", *words])
    if done.exception is not None:
        raise done.exception
    return {r.node.name: r.message or str(r.status) for r in done.result.results if str(r.status) != "success"}


@cache  # most statements are the same once all tables are there
def problem(text: str, dialect: str) -> str | None:
    """Return what is wrong with a text that shall be one statement of a dialect; None: nothing."""
    try:
        found = sqlglot.parse(text, dialect=dialect)
    except sqlglot.errors.SqlglotError as error:
        return str(error)
    if len(found) != 1 or isinstance(found[0], sqlglot.exp.Command | None):
        return f"not one statement but {found}"
    return None


def main(target: str, *words: str) -> dict[str, Any]:
    """Compile for an adapter."""
    socket.socket.connect = socket.socket.connect_ex = refuse  # type: ignore[method-assign, assignment]
    socket.getaddrinfo = refuse
    options = [*words, "--target", target]
    parsed = dbtRunner().invoke(["parse", *options])
    if parsed.exception is not None:
        raise parsed.exception
    manifest = parsed.result
    sql, stopped = {}, {}
    for state in ("fresh", "built"):
        Warehouse(manifest, built=state == "built").answer_for(get_adapter_class_by_name(target))
        sql[state] = compiled(manifest, options)
        stopped[state] = gone_through(manifest, options)
    models = [node for node in manifest.nodes.values() if node.resource_type == "model"]
    return {
        "calls": calls,
        "stopped": stopped,
        "sql": sql,
        "problems": {
            f"{name}, {state}": wrong
            for state, statements in sql.items()
            for name, text in statements.items()
            if (wrong := problem(text, target))
        },
        "models": {node.name: node.config.to_dict() for node in models},
        "types": {
            node.name: {column.name: column.data_type for column in node.columns.values() if column.data_type}
            for node in models
        },
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
