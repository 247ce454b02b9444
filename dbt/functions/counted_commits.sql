{{ config(pre_hook="{{ drop_other_version() }}") }}

with dated as (
    select
        commits.repository_id,
        commits.commit_hash,
        commits.contributor_id,
        people.contributor_name,
        people.contributor_kind,
        case {{ given('dates') }}
            when 'authored' then commits.activity_at
            when 'committed'
                then
                    case
                        when {{ utc_day('commits.committed_at') }} = commits.committed_day then commits.committed_at
                        else commits.commit_date
                    end
        end as counted_at,
        case {{ given('dates') }}
            when 'authored' then commits.commit_day
            when 'committed' then commits.committed_day
            else cast(cast({{ refuse('dates', ['authored', 'committed']) }} as text) as date)
        end as counted_on,
        commits.is_merge,
        commits.in_default_branch,
        {{ of_classes('lines_added', 'commits') }} as lines_added,
        {{ of_classes('lines_deleted', 'commits') }} as lines_deleted,
        {{ of_classes('files_changed', 'commits') }} as files_changed
    from {{ ref('fct_commits') }} as commits
    inner join {{ ref('dim_contributor') }} as people on commits.contributor_id = people.contributor_id
    where
        {{ classes_are_known() }}
        and {{ is_chosen('commits', 'people') }}
)

select
    dated.repository_id,
    dated.commit_hash,
    dated.contributor_id,
    dated.contributor_name,
    dated.contributor_kind,
    dated.counted_at,
    dated.counted_on,
    dated.is_merge,
    dated.in_default_branch,
    dated.lines_added,
    dated.lines_deleted,
    cast(dated.files_changed as bigint) as files_changed
from dated
where
    dated.counted_on is not null
    and {{ is_within('dated.counted_on') }}
order by dated.counted_at desc, dated.commit_hash asc, dated.repository_id asc
