{#
    What the functions of this project have in common: the switches, which act when a number is read.

    repository   the repository's id; NULL: all
    since, until the first and the last UTC day that counts; NULL: no limit
    merges       whether merges count
    bots         whether commits of bots and of coding assistants count, not of people alone
    classes      the classes of files whose lines and files count; NULL: the variable counted_file_classes
    dates        authored or committed: which of a commit's two dates counts
    refs         default_branch or all: which commits count
    count_once   never, per_repository or everywhere: whether copies of a change count; NULL: the variable
                 count_rewrites_once

    NULL for any of them is its default. Another value is refused.

    Functions of which it makes sense have `contributor`, too: the person's id; NULL: all.
#}


{# An argument of this function; its default, which the YAML tells, for NULL. #}
{% macro given(name) -%}
    {%- set told = namespace(default=none) -%}
    {%- for argument in model.get('arguments', []) if argument.name == name -%}
        {%- set told.default = argument.get('default_value') -%}
    {%- endfor -%}
    coalesce({{ name }}, {{ told.default }})
{%- endmacro %}


{# End the query with a message: "`argument` is ...: allowed are ...". Stands where a boolean is expected. #}
{% macro refuse(argument, allowed) -%}
    cast('{{ argument }} is ' || {{ argument }} || ': allowed are {{ allowed | join(', ') }}' as boolean)
{%- endmacro %}


{#
    Whether a row of `relation` (commits or days, with the flags of a commit) and its person are chosen; days apart.
    Without `merges` for what merges have none of.
#}
{% macro is_chosen(relation, people, kind='contributor_kind', id='contributor_id', merges=true) -%}
    ({{ relation }}.repository_id = repository or repository is null)
    {% if 'contributor' in model.get('arguments', []) | map(attribute='name') %}
        and ({{ people }}.{{ id }} = contributor or contributor is null)
    {% endif %}
    {% if merges %}
        and ({{ given('merges') }} or not {{ relation }}.is_merge)
    {% endif %}
    and ({{ given('bots') }} or {{ people }}.{{ kind }} = 'human')
    and case {{ given('refs') }}
        when 'default_branch' then {{ relation }}.in_default_branch
        when 'all' then true
        else {{ refuse('refs', ['default_branch', 'all']) }}
    end
    and case coalesce(count_once, '{{ var("count_rewrites_once") }}')
        when 'never' then true
        when 'per_repository' then {{ relation }}.is_first_of_patch
        when 'everywhere' then {{ relation }}.is_first_of_patch_anywhere
        else {{ refuse('count_once', ['never', 'per_repository', 'everywhere']) }}
    end
{%- endmacro %}


{# Whether a day lies between `since` and `until`. #}
{% macro is_within(day) -%}
    ({{ day }} >= since or since is null) and ({{ day }} <= until or until is null)
{%- endmacro %}


{# The classes of files that are chosen. #}
{% macro chosen_classes() -%}
    coalesce(classes, array['{{ counted_file_classes() | join("', '") }}'])
{%- endmacro %}


{# Whether there is each of them; true, or the query ends. #}
{% macro classes_are_known() -%}
    case
        when coalesce(classes <@ array['{{ file_classes().values() | join("', '") }}'], true) then true
        else cast(
            'classes is ' || cast(classes as text) || ': allowed are {{ file_classes().values() | join(", ") }}'
            as boolean
        )
    end
{%- endmacro %}


{# The sum of a measure over the classes of files that are chosen. #}
{% macro of_classes(measure, relation) -%}
    {%- for name in file_classes().values() -%}
        case
            when '{{ name }}' = any({{ chosen_classes() }})
                then {{ relation }}.{{ name }}_{{ measure }}
            else 0
        end{% if not loop.last %} + {% endif %}
    {%- endfor -%}
{%- endmacro %}


{# Rows of fct_daily_activity that the switches choose: contributor, day, commits and measures. #}
{% macro chosen_days() -%}
    select
        activity.repository_id,
        activity.contributor_id,
        activity.activity_day,
        activity.is_merge,
        activity.commits,
        {{ of_classes('lines_added', 'activity') }} as lines_added,
        {{ of_classes('lines_deleted', 'activity') }} as lines_deleted,
        {{ of_classes('files_changed', 'activity') }} as files_changed
    from {{ ref('fct_daily_activity') }} as activity
    inner join {{ ref('dim_contributor') }} as people on activity.contributor_id = people.contributor_id
    where
        activity.date_kind = case {{ given('dates') }}
            when 'authored' then 'authored'
            when 'committed' then 'committed'
            else cast({{ refuse('dates', ['authored', 'committed']) }} as text)
        end
        and {{ classes_are_known() }}
        and {{ is_chosen('activity', 'people') }}
{%- endmacro %}


{#
    Who holds how much of what `measure` and `of_whom` say, those who made none of it left out: holder and amount.
    `days` is a relation of chosen_days.
#}
{% macro holders_of(days) -%}
    select
        amounts.holder,
        cast(sum(amounts.amount) as bigint) as amount
    from (
        select
            case {{ given('of_whom') }}
                when 'contributor' then cast({{ days }}.contributor_id as text)
                when 'organization' then {{ organization('people.email') }}
                else cast({{ refuse('of_whom', ['contributor', 'organization']) }} as text)
            end as holder,
            case {{ given('measure') }}
                when 'commits' then {{ days }}.commits
                when 'lines' then {{ days }}.lines_added + {{ days }}.lines_deleted
                else cast(cast({{ refuse('measure', ['commits', 'lines']) }} as text) as bigint)
            end as amount
        from {{ days }}
        inner join {{ ref('dim_contributor') }} as people on {{ days }}.contributor_id = people.contributor_id
        where {{ is_within(days ~ '.activity_day') }}
    ) as amounts
    where amounts.holder is not null
    group by amounts.holder
    having sum(amounts.amount) > 0
{%- endmacro %}


{# Rows of fct_commits that the switches choose, by author date. #}
{% macro chosen_commits() -%}
    select commits.*
    from {{ ref('fct_commits') }} as commits
    inner join {{ ref('dim_contributor') }} as people on commits.contributor_id = people.contributor_id
    where
        commits.commit_day is not null
        and {{ is_within('commits.commit_day') }}
        and {{ is_chosen('commits', 'people') }}
{%- endmacro %}


{# The day of a commit that the switch `dates` asks for. #}
{% macro chosen_day(commits) -%}
    case {{ given('dates') }}
        when 'authored' then {{ commits }}.commit_day
        when 'committed' then {{ commits }}.committed_day
        else cast(cast({{ refuse('dates', ['authored', 'committed']) }} as text) as date)
    end
{%- endmacro %}


{#
    Rows of fct_file_changes that the switches choose, with what their commit says: who made it, its day, and how many
    files of the chosen classes it changed. Commits without a believable date are among them unless days are asked for.
#}
{% macro chosen_file_changes() -%}
    select
        files.repository_id,
        files.commit_id,
        commits.contributor_id,
        {{ chosen_day('commits') }} as activity_day,
        {{ of_classes('files_changed', 'commits') }} as files_of_commit,
        files.path,
        files.file_class,
        coalesce(files.lines_added, 0) as lines_added,
        coalesce(files.lines_deleted, 0) as lines_deleted
    from {{ ref('fct_commits') }} as commits
    inner join {{ ref('dim_contributor') }} as people on commits.contributor_id = people.contributor_id
    inner join {{ ref('fct_file_changes') }} as files
        on
            commits.repository_id = files.repository_id
            and commits.commit_id = files.commit_id
    where
        files.file_class = any({{ chosen_classes() }})
        and {{ classes_are_known() }}
        and {{ is_within(chosen_day('commits')) }}
        and {{ is_chosen('commits', 'people', merges=false) }}
{%- endmacro %}


{#
    The file of a path where the argument `depth` is NULL, else the directory that it lies in, at most so many levels
    deep, with `/` at its end; `./` is the root.
#}
{% macro directory_of(path) -%}
    case
        when depth is null then {{ path }}
        when depth < 0 then cast(cast({{ refuse('depth', ['NULL', 'numbers from 0']) }} as text) as text)
        when depth = 0 or strpos({{ path }}, '/') = 0 then './'
        else substring({{ path }} from '^(?:[^/]*/){1,' || least(depth, 255) || '}')
    end
{%- endmacro %}


{# The first day of the period a day lies in; `granularity` is an argument of the function. #}
{% macro period_of(day) -%}
    cast(
        date_trunc(
            case
                when granularity in ('day', 'week', 'month', 'quarter', 'year') then granularity
                else cast({{ refuse('granularity', ['day', 'week', 'month', 'quarter', 'year']) }} as text)
            end,
            cast({{ day }} as timestamp)
        ) as date
    )
{%- endmacro %}


{# The length of a period, as an interval; weeks, months, quarters and years differ in days. #}
{% macro length_of_period() -%}
    case granularity when 'quarter' then interval '3 months' else cast('1 ' || granularity as interval) end
{%- endmacro %}
