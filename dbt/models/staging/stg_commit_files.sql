-- Only fct_commits reads this view, as it does stg_commits: both are read in one transaction.
with commit_files as (
    select * from {{ source('raw', 'commit_files') }}
)

select
    commit_id,
    position as file_number,
    {{ file_class_name('class') }} as file_class,
    added as lines_added,
    deleted as lines_deleted
from commit_files
