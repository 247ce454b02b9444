{#
    Of fct_daily_activity: the commits with a day of one kind of date, those of `changed_days` alone if so asked. `day`
    is the column of fct_commits that has that kind.
#}
{% macro commits_of_days(date_kind, day, of_changed_days) -%}
    select
        commits.*,
        commits.{{ day }} as activity_day,
        '{{ date_kind }}' as date_kind
    from {{ ref('fct_commits') }} as commits
    {% if of_changed_days %}
        inner join changed_days
            on
                commits.repository_id = changed_days.repository_id
                and commits.{{ day }} = changed_days.activity_day
                and changed_days.date_kind = '{{ date_kind }}'
        {{ where_outdated('commits.repository_id') }}
    {% else %}
        where commits.{{ day }} is not null
    {% endif %}
{%- endmacro %}
