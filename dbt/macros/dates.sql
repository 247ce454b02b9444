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


{# How many days one day lies after another; NULL for NULL. #}
{% macro days_between(first, last) -%}
    cast({{ dbt.datediff(first, last, 'day') }} as bigint)
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


{# The weekday (1 Monday to 7 Sunday) that a clock showed which stood so many minutes east of UTC; NULL for NULL. #}
{% macro local_weekday(instant, minutes_east) %}
    {{- return(adapter.dispatch('local_weekday', 'gitmart')(instant, minutes_east)) -}}
{% endmacro %}

{% macro default__local_weekday(instant, minutes_east) -%}
    cast(extract(isodow from {{ dbt.dateadd('minute', minutes_east, instant) }}) as smallint)
{%- endmacro %}

{% macro postgres__local_weekday(instant, minutes_east) -%}
    cast(extract(isodow from ({{ instant }} at time zone 'UTC') + {{ minutes_east }} * interval '1 minute') as smallint)
{%- endmacro %}


{# The hour (0 to 23) that such a clock showed. #}
{% macro local_hour(instant, minutes_east) %}
    {{- return(adapter.dispatch('local_hour', 'gitmart')(instant, minutes_east)) -}}
{% endmacro %}

{% macro default__local_hour(instant, minutes_east) -%}
    cast(extract(hour from {{ dbt.dateadd('minute', minutes_east, instant) }}) as smallint)
{%- endmacro %}

{% macro postgres__local_hour(instant, minutes_east) -%}
    cast(extract(hour from ({{ instant }} at time zone 'UTC') + {{ minutes_east }} * interval '1 minute') as smallint)
{%- endmacro %}
