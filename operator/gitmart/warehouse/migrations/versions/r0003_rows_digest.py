"""What a run's rows hold: runs of another version or with other options read all commits anew."""

from alembic import op

revision = "r0003"
down_revision = "r0002"

COLUMN = """
alter table extraction_runs add column rows_digest text;
comment on column extraction_runs.rows_digest is
    'Stands for what the rows of a commit hold after the run; NULL: it was a version that did not tell.';
"""


def upgrade() -> None:
    """Add the column; runs before it did not tell."""
    op.get_bind().exec_driver_sql(COLUMN)
