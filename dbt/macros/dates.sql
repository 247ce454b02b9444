{#
    Instants, days and clocks. Adapters differ most here, so whatever is not the same for all of them is dispatched:
    `default` is PostgreSQL's and DuckDB's, Databricks takes Spark's.
#}


{# An instant that is known when the SQL is made. #}
{% macro instant(text) %}
    {{- return(adapter.dispatch('instant', 'gitmart')(text)) -}}
{% endmacro %}

{% macro default__instant(text) -%}
    cast('{{ text }}' as timestamp with time zone)
{%- endmacro %}

{% macro bigquery__instant(text) -%}
    cast('{{ text }}' as timestamp)
{%- endmacro %}

{% macro spark__instant(text) -%}
    cast('{{ text }}' as timestamp)
{%- endmacro %}


{# The calendar day of an instant in UTC, NULL for NULL. #}
{% macro utc_day(instant) %}
    {{- return(adapter.dispatch('utc_day', 'gitmart')(instant)) -}}
{% endmacro %}

{% macro default__utc_day(instant) -%}
    cast({{ instant }} at time zone 'UTC' as date)
{%- endmacro %}

{% macro snowflake__utc_day(instant) -%}
    cast(convert_timezone('UTC', {{ instant }}) as date)
{%- endmacro %}

{% macro bigquery__utc_day(instant) -%}
    cast(datetime({{ instant }}, 'UTC') as date)
{%- endmacro %}

{# Spark shows instants on the session's clock, whatever that is: days are counted from the epoch. #}
{% macro spark__utc_day(instant) -%}
    date_from_unix_date(cast(floor(unix_seconds({{ instant }}) / 86400) as int))
{%- endmacro %}


{# Whether an instant lies more than 24 hours after another; false when it is NULL. #}
{% macro more_than_a_day_after(instant, other) -%}
    coalesce({{ instant }} > {{ a_day_after(other) }}, false)
{%- endmacro %}


{# The instant 24 hours after another. #}
{% macro a_day_after(instant) %}
    {{- return(adapter.dispatch('a_day_after', 'gitmart')(instant)) -}}
{% endmacro %}

{% macro default__a_day_after(instant) -%}
    {{ dbt.dateadd('hour', 24, instant) }}
{%- endmacro %}

{# The rest have a dbt.dateadd that makes something of it which is no instant any more, or refuses NULL. #}
{% macro redshift__a_day_after(instant) -%}
    {{ instant }} + interval '24 hours'
{%- endmacro %}

{% macro bigquery__a_day_after(instant) -%}
    timestamp_add({{ instant }}, interval 24 hour)
{%- endmacro %}

{% macro spark__a_day_after(instant) -%}
    {{ instant }} + interval 24 hours
{%- endmacro %}


{# How many days one day lies after another; NULL for NULL. #}
{% macro days_between(first, last) %}
    {{- return(adapter.dispatch('days_between', 'gitmart')(first, last)) -}}
{% endmacro %}

{% macro default__days_between(first, last) -%}
    cast({{ last }} - {{ first }} as bigint)
{%- endmacro %}

{% macro snowflake__days_between(first, last) -%}
    cast(datediff(day, {{ first }}, {{ last }}) as bigint)
{%- endmacro %}

{% macro bigquery__days_between(first, last) -%}
    date_diff({{ last }}, {{ first }}, day)
{%- endmacro %}

{% macro spark__days_between(first, last) -%}
    cast(datediff({{ last }}, {{ first }}) as bigint)
{%- endmacro %}


{# The first day of the day, week (from Monday) or month a day lies in. #}
{% macro first_day_of(granularity, day) %}
    {{- return(day if granularity == 'day' else adapter.dispatch('first_day_of', 'gitmart')(granularity, day)) -}}
{% endmacro %}

{% macro default__first_day_of(granularity, day) -%}
    cast({{ dbt.date_trunc(granularity, 'cast(' ~ day ~ ' as timestamp)') }} as date)
{%- endmacro %}

{# A week begins on Sunday there, unless it is called otherwise. #}
{% macro bigquery__first_day_of(granularity, day) -%}
    date_trunc({{ day }}, {{ 'isoweek' if granularity == 'week' else granularity }})
{%- endmacro %}


{# The day of the build in UTC; `days` earlier if given. #}
{% macro build_day(days=0) -%}
    cast('{{ (run_started_at - modules.datetime.timedelta(days=days)).strftime("%Y-%m-%d") }}' as date)
{%- endmacro %}


{# What a clock showed at an instant which stood so many minutes east of UTC; NULL for NULL. Spark has no such type. #}
{% macro local_clock(instant, minutes_east) %}
    {{- return(adapter.dispatch('local_clock', 'gitmart')(instant, minutes_east)) -}}
{% endmacro %}

{% macro default__local_clock(instant, minutes_east) -%}
    ({{ instant }} at time zone 'UTC') + {{ minutes_east }} * interval '1 minute'
{%- endmacro %}

{% macro redshift__local_clock(instant, minutes_east) -%}
    dateadd(minute, {{ minutes_east }}, {{ instant }} at time zone 'UTC')
{%- endmacro %}

{% macro snowflake__local_clock(instant, minutes_east) -%}
    dateadd(minute, {{ minutes_east }}, convert_timezone('UTC', {{ instant }}))
{%- endmacro %}

{% macro bigquery__local_clock(instant, minutes_east) -%}
    datetime_add(datetime({{ instant }}, 'UTC'), interval {{ minutes_east }} minute)
{%- endmacro %}


{# The weekday (1 Monday to 7 Sunday) that such a clock showed. #}
{% macro local_weekday(instant, minutes_east) %}
    {{- return(adapter.dispatch('local_weekday', 'gitmart')(instant, minutes_east)) -}}
{% endmacro %}

{% macro default__local_weekday(instant, minutes_east) -%}
    cast(extract(isodow from {{ local_clock(instant, minutes_east) }}) as smallint)
{%- endmacro %}

{% macro snowflake__local_weekday(instant, minutes_east) -%}
    cast(dayofweekiso({{ local_clock(instant, minutes_east) }}) as smallint)
{%- endmacro %}

{# Sunday is 0 there. #}
{% macro redshift__local_weekday(instant, minutes_east) -%}
    cast(mod(cast(extract(dow from {{ local_clock(instant, minutes_east) }}) as integer) + 6, 7) + 1 as smallint)
{%- endmacro %}

{# Days since the Monday: it counts weekdays from Sunday. #}
{% macro bigquery__local_weekday(instant, minutes_east) -%}
    {%- set day = 'date(' ~ local_clock(instant, minutes_east) ~ ')' -%}
    date_diff({{ day }}, date_trunc({{ day }}, isoweek), day) + 1
{%- endmacro %}

{# The epoch began on a Thursday. #}
{% macro spark__local_weekday(instant, minutes_east) -%}
    cast(pmod(floor((unix_seconds({{ instant }}) + 60 * {{ minutes_east }}) / 86400) + 3, 7) + 1 as smallint)
{%- endmacro %}


{# The hour (0 to 23) that such a clock showed. #}
{% macro local_hour(instant, minutes_east) %}
    {{- return(adapter.dispatch('local_hour', 'gitmart')(instant, minutes_east)) -}}
{% endmacro %}

{% macro default__local_hour(instant, minutes_east) -%}
    cast(extract(hour from {{ local_clock(instant, minutes_east) }}) as smallint)
{%- endmacro %}

{% macro spark__local_hour(instant, minutes_east) -%}
    cast(floor(pmod(unix_seconds({{ instant }}) + 60 * {{ minutes_east }}, 86400) / 3600) as smallint)
{%- endmacro %}
