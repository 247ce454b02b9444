"""Whose raw tables a warehouse replicates, and until when a run of dbt into a replica had all that its source had."""

from alembic import op

revision = "r0013"
down_revision = "r0012"

TABLE = """
create table replicated_from (
    only_row boolean primary key default true check (only_row),
    source   text not null,
    tables   text[] not null,
    revision text,
    since    timestamptz not null default now()
);
comment on table replicated_from is
    'One row in a warehouse whose raw tables another one fills, by gitmart replicate: docs/replication.md. Else empty.';
comment on column replicated_from.source is 'The other one: system identifier of its server, and oid of its database.';
comment on column replicated_from.tables is 'Those whose rows are the other one''s.';
comment on column replicated_from.revision is
    'gitmart_revision when the set-up was last done, and with it all tables there were; NULL: it was not done to its end.';

grant select on replicated_from to gitmart_extract, gitmart_transform;

alter table dbt_meta.runs add column replicated_until timestamptz;
comment on column dbt_meta.runs.replicated_until is
    'The replica had all that its source had until then, at least; NULL: it is no replica, or nobody could tell.';
"""


def upgrade() -> None:
    """Create the table and the column."""
    op.get_bind().exec_driver_sql(TABLE)
