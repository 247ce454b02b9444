"""What runs keep of a commit if they are asked to: counts of merges against their first parent, and patch ids."""

from alembic import op

revision = "r0009"
down_revision = "r0008"

COLUMNS = """
alter table commits
    add column first_parent_lines_added bigint,
    add column first_parent_lines_deleted bigint,
    add column first_parent_files_changed integer,
    add column patch_id text;
comment on column commits.first_parent_lines_added is
    'Of a merge: sum over files of git diff-tree --numstat -M against its first parent; NULL: no merge, or not asked for.';
comment on column commits.first_parent_lines_deleted is 'As first_parent_lines_added.';
comment on column commits.first_parent_files_changed is 'As first_parent_lines_added.';
comment on column commits.patch_id is
    'git patch-id --stable of git diff-tree -p -M --full-index; NULL: a merge, nothing changed, or not asked for.';
-- Rows without one cost it nothing.
create index commits_patch_id on commits (patch_id) where patch_id is not null;
"""


def upgrade() -> None:
    """Add the columns; the next run that is asked to fills them for all commits."""
    op.get_bind().exec_driver_sql(COLUMNS)
