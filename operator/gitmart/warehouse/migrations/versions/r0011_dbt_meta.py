"""What became of each run of dbt, for people to ask in SQL: runs, nodes, freshness, artifacts, the docs."""

from alembic import op

revision = "r0011"
down_revision = "r0010"

TABLES = """
create schema if not exists dbt_meta;

create table dbt_meta.runs (
    id              bigint generated always as identity primary key,
    target_schema   text not null,
    started_at      timestamptz not null,
    finished_at     timestamptz,
    outcome         text,
    message         text,
    invocation_id   text,
    dbt_version     text,
    gitmart_version text not null,
    full_refresh    boolean not null,
    selected        text[] not null,
    excluded        text[] not null,
    threads         integer not null,
    elapsed_seconds double precision,
    nodes           integer,
    succeeded       integer,
    passed          integer,
    warned          integer,
    failed          integer,
    errored         integer,
    skipped         integer
);
create index runs_target_schema_started_at on dbt_meta.runs (target_schema, started_at desc);

create table dbt_meta.node_runs (
    run_id        bigint not null references dbt_meta.runs (id) on delete cascade,
    unique_id     text not null,
    name          text not null,
    resource_type text not null,
    status        text not null,
    seconds       double precision not null,
    rows_affected bigint,
    failures      bigint,
    message       text,
    primary key (run_id, unique_id)
);
create index node_runs_unique_id on dbt_meta.node_runs (unique_id, run_id);

create table dbt_meta.source_freshness (
    run_id        bigint not null references dbt_meta.runs (id) on delete cascade,
    source        text not null,
    status        text not null,
    max_loaded_at timestamptz,
    age_seconds   double precision,
    message       text,
    primary key (run_id, source)
);

create table dbt_meta.artifacts (
    run_id     bigint not null references dbt_meta.runs (id) on delete cascade,
    name       text not null,
    gzip       bytea not null,
    size_bytes bigint not null,
    primary key (run_id, name)
);
alter table dbt_meta.artifacts alter column gzip set storage external; -- it is compressed already

create table dbt_meta.docs (
    target_schema text primary key,
    run_id        bigint not null,
    made_at       timestamptz not null,
    gzip          bytea not null,
    size_bytes    bigint not null
);
alter table dbt_meta.docs alter column gzip set storage external;

create view dbt_meta.slowest_models as
select
    runs.target_schema,
    node.unique_id,
    node.name,
    count(*) as runs,
    percentile_cont(0.5) within group (order by node.seconds) as median_seconds,
    percentile_cont(0.95) within group (order by node.seconds) as p95_seconds,
    max(node.seconds) as max_seconds,
    (array_agg(node.seconds order by node.run_id desc))[1] as last_seconds
from dbt_meta.node_runs as node
join dbt_meta.runs as runs on runs.id = node.run_id
where node.status = 'success'
group by runs.target_schema, node.unique_id, node.name;

create view dbt_meta.flaky_tests as
with verdicts as (
    select
        runs.target_schema,
        node.unique_id,
        node.name,
        node.run_id,
        runs.started_at,
        node.status in ('pass', 'warn') as is_good,
        lag(node.status in ('pass', 'warn'))
            over (partition by runs.target_schema, node.unique_id order by node.run_id) as was_good
    from dbt_meta.node_runs as node
    join dbt_meta.runs as runs on runs.id = node.run_id
    where node.resource_type in ('test', 'unit_test') and node.status in ('pass', 'warn', 'fail')
)
select
    target_schema,
    unique_id,
    name,
    count(*) as runs,
    count(*) filter (where not is_good) as failures,
    count(*) filter (where is_good <> was_good) as changes,
    max(started_at) filter (where not is_good) as last_failed_at
from verdicts
group by target_schema, unique_id, name
having count(*) filter (where is_good <> was_good) > 1;

create view dbt_meta.freshness_over_time as
select
    runs.target_schema,
    fresh.source,
    runs.started_at as looked_at,
    fresh.status,
    fresh.max_loaded_at,
    fresh.age_seconds
from dbt_meta.source_freshness as fresh
join dbt_meta.runs as runs on runs.id = fresh.run_id;

grant usage on schema dbt_meta to gitmart_transform, gitmart_read;
grant select on all tables in schema dbt_meta to gitmart_transform, gitmart_read;
grant usage on schema dbt_meta to gitmart_extract; -- to forget a person
grant select, update on dbt_meta.runs, dbt_meta.node_runs to gitmart_extract;
grant select, delete on dbt_meta.artifacts to gitmart_extract;
grant insert, update, delete on
    dbt_meta.runs, dbt_meta.node_runs, dbt_meta.source_freshness, dbt_meta.artifacts, dbt_meta.docs to gitmart_transform;
"""

COMMENTS = {
    "table runs": "A run of gitmart transform that had the lock of its schema.",
    "column runs.target_schema": "Schema that dbt wrote into.",
    "column runs.finished_at": "NULL: it runs, or was killed and no later run has noticed.",
    "column runs.outcome": "As in docs/outcomes.md, or ResultLost: it was killed before it could say; NULL: not over.",
    "column runs.message": "The outcome in words.",
    "column runs.invocation_id": "dbt's own name of the build; NULL if there was none.",
    "column runs.selected": "Selectors of the run; empty: all.",
    "column runs.excluded": "Selectors of what was left out.",
    "column runs.elapsed_seconds": "Of the build alone.",
    "column runs.nodes": "Nodes that ended, tests among them.",
    "column runs.succeeded": "Models and the like that were built.",
    "column runs.passed": "Tests that passed.",
    "column runs.warned": "Nodes that warned.",
    "column runs.failed": "Tests that failed.",
    "column runs.errored": "Nodes that could not be run to their end.",
    "column runs.skipped": "Nodes left out because of a failure.",
    "table node_runs": "A model, test or other node of a run. Of a run that was stopped those that had ended.",
    "column node_runs.unique_id": "dbt's name of the node, such as model.gitmart.fct_commits.",
    "column node_runs.status": "dbt's word: success, pass, warn, fail, error, skipped, …",
    "column node_runs.rows_affected": "As PostgreSQL told of the node's last statement; NULL if it did not.",
    "column node_runs.failures": "Rows that a test found; NULL for others.",
    "column node_runs.message": "What dbt says of a node that did not go well; else NULL.",
    "table source_freshness": "How old a source was when a run began.",
    "column source_freshness.source": "source.table of the dbt project.",
    "column source_freshness.max_loaded_at": "When it was last loaded; NULL: never.",
    "table artifacts": "dbt's files of the latest runs: manifest.json, run_results.json, sources.json, catalog.json.",
    "column artifacts.gzip": "The file, compressed (RFC 1952).",
    "column artifacts.size_bytes": "Size of the file itself.",
    "table docs": "dbt's documentation with lineage, one HTML page, of the last good run into a schema.",
    "column docs.run_id": "runs.id of that run, which may be forgotten by now.",
    "column docs.gzip": "The page, compressed (RFC 1952).",
    "column docs.size_bytes": "Size of the page itself.",
    "view slowest_models": "How long each model takes, over all runs that are kept.",
    "view flaky_tests": "Tests whose verdict has changed more than once, over all runs that are kept.",
    "view freshness_over_time": "How old each source was at each run.",
}


def upgrade() -> None:
    """Create the schema, and let dbt's role write and readers read it."""
    connection = op.get_bind()
    connection.exec_driver_sql(TABLES)
    for name, comment in COMMENTS.items():
        kind, _, what = name.partition(" ")
        text = comment.replace("'", "''")
        connection.exec_driver_sql(f"comment on {kind} dbt_meta.{what} is '{text}'")
