"""What has changed of a repository, found without reading all that has not."""

from alembic import op

revision = "r0015"
down_revision = "r0014"

# Rows of a run come together and in order, so each of these stays small and is written at one place.
INDEXES = """
create index commits_repository_id_changed_run on commits (repository_id, changed_run);
create index commit_trailers_repository_id_changed_run on commit_trailers (repository_id, changed_run);
create index commits_with_patch_id on commits (repository_id) where patch_id is not null;
"""


def upgrade() -> None:
    """Create the indexes; extractions wait meanwhile."""
    op.get_bind().exec_driver_sql(INDEXES)
