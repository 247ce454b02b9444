{{ config(pre_hook="{{ drop_other_version() }}") }}

-- A commit that changes very many files says nothing of any two of them: it counts neither for a pair nor for a file.
-- Files are compared by a hash of their path, which is much quicker; two have the same one by one chance in 2^64.
with changes as (
    select
        chosen.repository_id,
        chosen.commit_id,
        chosen.path,
        hashtextextended(chosen.path, chosen.repository_id) as file_key
    from ({{ chosen_file_changes() }}) as chosen
    where chosen.files_of_commit <= {{ given('most_files') }}
),

-- A file with fewer commits than a pair takes is in no pair.
files as (
    select
        changes.file_key,
        max(changes.repository_id) as repository_id,
        max(changes.path) as path,
        count(*) as commits
    from changes
    group by changes.file_key
    having count(*) >= {{ given('at_least_together') }}
),

touched as (
    select
        changes.commit_id,
        changes.file_key
    from changes
    where changes.file_key in (select files.file_key from files)
),

pairs as (
    select
        one.file_key,
        other.file_key as other_key,
        count(*) as commits_together
    from touched as one
    inner join touched as other on one.commit_id = other.commit_id
    where
        case
            when coupled_with is null then one.file_key < other.file_key
            else
                one.file_key <> other.file_key
                and one.file_key in (select files.file_key from files where files.path = coupled_with)
        end
    group by one.file_key, other.file_key
    having count(*) >= {{ given('at_least_together') }}
),

named as (
    select
        one.repository_id,
        pairs.commits_together,
        coalesce(one.path = coupled_with or (coupled_with is null and one.path < other.path), false) as is_in_order,
        one.path,
        other.path as other_path,
        one.commits,
        other.commits as other_commits
    -- Every pair has both files. The joins are full ones, and what is no pair is left out by what may be null, since
    -- PostgreSQL expects a handful of pairs, and would look for the files of each one after the other.
    from pairs
    full join files as one on pairs.file_key = one.file_key
    full join files as other on pairs.other_key = other.file_key
    where coalesce(pairs.commits_together, 0) > 0
)

select
    named.repository_id,
    case when named.is_in_order then named.path else named.other_path end as path,
    case when named.is_in_order then named.other_path else named.path end as other_path,
    named.commits_together,
    case when named.is_in_order then named.commits else named.other_commits end as commits,
    case when named.is_in_order then named.other_commits else named.commits end as other_commits,
    {{ calculate_share('named.commits_together', 'least(named.commits, named.other_commits)') }} as confidence,
    {{ calculate_share(
        'named.commits_together', 'named.commits + named.other_commits - named.commits_together'
    ) }} as jaccard
from named
order by named.commits_together desc, 1 asc, 2 asc, 3 asc
