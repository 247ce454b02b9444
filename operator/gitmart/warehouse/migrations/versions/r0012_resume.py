"""Where a run of dbt that was cut off can be gone on with."""

from alembic import op

revision = "r0012"
down_revision = "r0011"

COLUMNS = """
alter table dbt_meta.runs
    add column resume_key text,
    add column resumes bigint references dbt_meta.runs (id) on delete set null;
create index runs_resumes on dbt_meta.runs (resumes); -- for the foreign key
comment on column dbt_meta.runs.resume_key is
    'Stands for code, options, raw data and day: a run may go on with one of the same. NULL: it may not.';
comment on column dbt_meta.runs.resumes is
    'The run that was cut off and that this one went on with: nodes that had ended well were not built again.';
"""


def upgrade() -> None:
    """Add the columns; runs before them cannot be gone on with."""
    op.get_bind().exec_driver_sql(COLUMNS)
