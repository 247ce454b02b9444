"""What kind of file each changed file is, and by which rules that was said."""

from alembic import op

revision = "r0006"
down_revision = "r0005"

# A letter takes one byte of a row; the table has a row per file of every commit. Rows from before get the class of the
# rest until the next run, which finds no digest in the run before and says it anew.
COLUMNS = """
alter table commit_files add column class "char" not null default 's';
comment on column commit_files.class is
    'Kind of file, by its path (docs/file-classes.md): s source, t tests, d documentation, c configuration, g generated, v vendored, x excluded.';

alter table extraction_runs add column class_rules_digest text, add column classes_digest text;
comment on column extraction_runs.class_rules_digest is
    'Stands for the rules of the Repository and of this version of gitmart that say of which class a file is.';
comment on column extraction_runs.classes_digest is
    'Stands for these rules and the .gitattributes files of HEAD: the classes are those of before if it is the one of before.';

alter table repositories add column attributes bytea not null default '';
comment on column repositories.attributes is
    'The lines about linguist-* of the .gitattributes files of HEAD: path and lines in turn, each ended by NUL.';
"""


def upgrade() -> None:
    """Add the columns."""
    op.get_bind().exec_driver_sql(COLUMNS)
