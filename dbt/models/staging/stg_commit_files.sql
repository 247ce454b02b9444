-- Read in one transaction with stg_commits, by whoever reads it: fct_commits, and fct_file_changes where both agree.
with commit_files as (
    select * from {{ source('raw', 'commit_files') }}
)

select
    commit_id,
    position as file_number,
    path,
    old_path,
    {{ change_type_name('status') }} as change_type,
    {{ file_class_name('class') }} as file_class,
    added as lines_added,
    deleted as lines_deleted
from commit_files
