"""The addresses a repository had before: its row goes on under another one when the histories share a root commit."""

from alembic import op

revision = "r0008"
down_revision = "r0007"

TABLE = """
create table repository_urls (
    repository_id bigint not null references repositories (id),
    until_run     bigint not null,
    since         timestamptz not null,
    until         timestamptz not null,
    url           text not null,
    url_key       text not null,
    primary key (repository_id, until_run)
);
create index repository_urls_url_key on repository_urls (url_key);
comment on table repository_urls is
    'Addresses that a repository had before the one in repositories, which it has had since the newest until.';
comment on column repository_urls.until_run is 'extraction_runs.run_number of the first run from the next address.';
comment on column repository_urls.since is 'When the row was made, or got this address.';

grant select, insert, update, delete on repository_urls to gitmart_extract;
grant select on repository_urls to gitmart_transform;
"""


def upgrade() -> None:
    """Create the table."""
    op.get_bind().exec_driver_sql(TABLE)
