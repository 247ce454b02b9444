"""How extractions stand, for who may read the marts: no name, no address and no raw byte, and as of now."""

from alembic import op

revision = "r0014"
down_revision = "r0013"

VIEWS = """
create view dbt_meta.repository_states as
select id as repository_id, state, last_processed_at, updated_at
from public.repositories;

create view dbt_meta.extractions as
select
    repository_id,
    run_number,
    started_at,
    finished_at,
    commits,
    new_commits,
    removed_commits,
    quarantined,
    bytes_fetched,
    gitmart_version
from public.extraction_runs;

create view dbt_meta.quarantined as
select repository_id, field, reason, count(*) as values
from public.quarantine
group by repository_id, field, reason;

grant select on dbt_meta.repository_states, dbt_meta.extractions, dbt_meta.quarantined
    to gitmart_transform, gitmart_read;
"""

COMMENTS = {
    "view repository_states": "How the last extraction of each repository stands, now: dim_repository has it as of the build.",
    "column repository_states.updated_at": "When the state changed: of in_progress, when the extraction began.",
    "view extractions": "Successful extractions, without what only gitmart needs.",
    "column extractions.run_number": "Counts up within the repository.",
    "column extractions.commits": "Of the repository, after the extraction.",
    "column extractions.quarantined": "Values of the repository in quarantine, after the extraction.",
    "view quarantined": "How many values of a repository could not be stored as they are, by field and reason.",
}


def upgrade() -> None:
    """Create the views."""
    connection = op.get_bind()
    connection.exec_driver_sql(VIEWS)
    for name, comment in COMMENTS.items():
        kind, _, what = name.partition(" ")
        text = comment.replace("'", "''")
        connection.exec_driver_sql(f"comment on {kind} dbt_meta.{what} is '{text}'")
