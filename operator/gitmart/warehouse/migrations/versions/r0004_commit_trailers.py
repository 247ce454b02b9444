"""Trailers of messages, such as Co-authored-by, as rows of their own."""

from alembic import op

revision = "r0004"
down_revision = "r0003"

TABLE = """
create table commit_trailers (
    commit_id      bigint not null,
    position       integer not null,
    repository_id  bigint not null,
    changed_run    bigint not null,
    key            text not null,
    kind           text not null,
    value          text not null,
    contributor_id bigint,
    primary key (commit_id, position)
);
create index commit_trailers_contributor_id on commit_trailers (contributor_id) where contributor_id is not null;
comment on table commit_trailers is
    'Trailers of a message by git''s own rule, unfolded, in their order from 1.';
comment on column commit_trailers.key is 'What stands before the colon, in lower case.';
comment on column commit_trailers.kind is 'What the key says of whom it names: co_author, reviewer, …; other: an unknown key.';
comment on column commit_trailers.value is 'What stands behind the colon, on one line.';
comment on column commit_trailers.contributor_id is 'Whom the value names as Name <mail>; NULL: nobody.';

grant select, insert, update, delete on commit_trailers to gitmart_extract;
grant select on commit_trailers to gitmart_transform;
"""


def upgrade() -> None:
    """Create the table; the next extraction of each repository fills it."""
    op.get_bind().exec_driver_sql(TABLE)
