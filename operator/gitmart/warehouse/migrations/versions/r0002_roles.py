"""
What each role may do. Schemas belong to the owner, what is in them to whoever creates it.

- extract: reads and writes the raw tables, and makes its unlogged staging tables in `gitmart_staging`;
- transform: reads the raw tables and writes the schemas of dbt;
- read: reads what dbt publishes in `analytics`; dbt grants the tables one by one.
"""

from alembic import op

revision = "r0002"
down_revision = "r0001"

GRANTS = """
create schema if not exists gitmart_staging;
create schema if not exists analytics;
create schema if not exists analytics_staging;
create schema if not exists analytics_intermediate;
create schema if not exists analytics_test_failures;

revoke create on schema public from public;
grant usage on schema public to gitmart_extract, gitmart_transform;
grant select, insert, update, delete on
    repositories, contributors, commits, commit_parents, commit_files, removed_commits,
    refs, extraction_runs, quarantine, repository_contributors to gitmart_extract;
grant usage on all sequences in schema public to gitmart_extract;
grant select on
    repositories, contributors, commits, commit_parents, commit_files, removed_commits,
    refs, extraction_runs, quarantine, repository_contributors to gitmart_transform;
grant select on gitmart_revision to gitmart_extract, gitmart_transform, gitmart_read;
grant usage on schema public to gitmart_read;

grant usage, create on schema gitmart_staging to gitmart_extract;
grant usage, create on schema
    analytics, analytics_staging, analytics_intermediate, analytics_test_failures to gitmart_transform;
grant usage on schema analytics to gitmart_read;
"""


def upgrade() -> None:
    """Create the schemas and grant the roles what they need; `gitmart migrate` made the roles."""
    op.get_bind().exec_driver_sql(GRANTS)
