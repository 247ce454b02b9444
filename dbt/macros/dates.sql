{# The calendar day of an instant in UTC, NULL for NULL. #}
{% macro utc_day(instant) %}
    {{- return(adapter.dispatch('utc_day', 'gitmart')(instant)) -}}
{% endmacro %}

{% macro default__utc_day(instant) -%}
    cast({{ instant }} as date)
{%- endmacro %}

{% macro postgres__utc_day(instant) -%}
    cast({{ instant }} at time zone 'UTC' as date)
{%- endmacro %}


{# Whether an instant lies more than 24 hours after another; false when it is NULL. #}
{% macro more_than_a_day_after(instant, other) -%}
    coalesce({{ instant }} > {{ dbt.dateadd('hour', 24, other) }}, false)
{%- endmacro %}


{# The first day of the day, week (from Monday) or month a day lies in. #}
{% macro first_day_of(granularity, day) -%}
    {%- if granularity == 'day' -%}
        {{ day }}
    {%- else -%}
        cast({{ dbt.date_trunc(granularity, 'cast(' ~ day ~ ' as timestamp)') }} as date)
    {%- endif -%}
{%- endmacro %}


{# The day of the build in UTC; `days` earlier if given. #}
{% macro build_day(days=0) -%}
    cast('{{ (run_started_at - modules.datetime.timedelta(days=days)).strftime("%Y-%m-%d") }}' as date)
{%- endmacro %}
