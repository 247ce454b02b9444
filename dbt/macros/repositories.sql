{#
    Building by repository: an incremental model reads the rows of repositories that have changed alone
    (`where_outdated`), compares them with its own or replaces those, and what it holds of the others stays as it is.

    int_repository_states has a state of each repository, which is another one as soon as a row of the facts or a
    name in a trailer is, made of int_fingerprints, which is built so itself from what fct_commits notes (commits.sql);
    int_built_repositories has for each such model the states that it was built from, written in
    the transaction that builds it. The variables of the project and the model's own text are part of the second.
#}


{# The states that models are built from, which int_fingerprints comes before. #}
{% macro states_of_repositories() -%}
    {%- if model.name == 'int_fingerprints' -%}
        (
            select
                repository_id,
                state
            from {{ ref('int_built_repositories') }}
            where model_name = 'fct_commits'
        )
    {%- else -%}
        {{ ref('int_repository_states') }}
    {%- endif -%}
{%- endmacro %}


{# The state that this model would be built from, given that of the repository. #}
{% macro state_of_model(state) -%}
    {%- if execute -%}
        {%- set text = model.raw_code ~ var('counted_file_classes') ~ var('count_rewrites_once') -%}
        {{ state }} || ' {{ local_md5(text) }}'
    {%- else -%}
        {{ state }}
    {%- endif -%}
{%- endmacro %}


{#
    The ids of the repositories that this model does not hold, or holds in another state than they are in, or that have
    no commits any more: a query.
#}
{% macro query_of_outdated_repositories() -%}
    select states.repository_id
    from {{ states_of_repositories() }} as states
    left join {{ ref('int_built_repositories') }} as built
        on
            states.repository_id = built.repository_id
            and built.model_name = '{{ this.identifier }}'
    where
        built.repository_id is null
        or built.state <> {{ state_of_model('states.state') }}
    union all
    select gone.repository_id
    from {{ ref('int_built_repositories') }} as gone
    left join {{ states_of_repositories() }} as others on gone.repository_id = others.repository_id
    where gone.model_name = '{{ this.identifier }}' and others.repository_id is null
{%- endmacro %}


{# The same, to stand in the brackets after `in`. #}
{% macro outdated_repositories() -%}
    {{ listed(query_of_outdated_repositories()) }}
{%- endmacro %}


{# A query of ids of repositories, to stand in the brackets after `in`. #}
{% macro listed(query) %}
    {{- return(adapter.dispatch('listed', 'gitmart')(query)) -}}
{% endmacro %}

{% macro default__listed(query) -%}
    {{ query }}
{%- endmacro %}

{# PostgreSQL guesses that a query has half of all repositories, and reads whole tables; of a list it knows better. #}
{% macro postgres__listed(query) -%}
    {%- if not execute -%}
        {{ query }}
    {%- else -%}
        {%- set ids = run_query(query).columns[0].values() -%}
        {%- if ids | length > 1000 -%}
            {{ query }}
        {%- else -%}
            {{ ids | join(', ') or 'null' }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{# Where clause of an incremental build: rows of these repositories alone. #}
{% macro where_outdated(repository_id='repository_id') -%}
    {%- if is_incremental() -%}
        where {{ repository_id }} in ({{ outdated_repositories() }})
    {%- endif -%}
{%- endmacro %}


{# A pre-hook of models that build whole repositories. #}
{% macro delete_outdated_repositories() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        {{ where_outdated() }}
    {%- endif -%}
{%- endmacro %}


{# Whether this model is such a one. #}
{% macro is_built_by_repository() -%}
    {{- return('model.gitmart.int_built_repositories' in model.depends_on.nodes) -}}
{%- endmacro %}


{# Whether any state is noted that it was built from. #}
{% macro knows_its_repositories() -%}
    {%- set noted -%}
        select 1 from {{ ref('int_built_repositories') }} where model_name = '{{ this.identifier }}' limit 1
    {%- endset -%}
    {{- return(run_query(noted).rows | length > 0) -}}
{%- endmacro %}


{#
    Post-hooks, both in this order: note which state of each repository the model holds now. Where an adapter has it
    built anew every time there is nothing to note.
#}
{% macro forget_built_repositories() -%}
    {%- if not config.get('full_refresh') %}
    delete from {{ ref('int_built_repositories') }}
    where
        model_name = '{{ this.identifier }}'
        and not exists (
            select 1 from {{ states_of_repositories() }} as states
            where
                states.repository_id = {{ ref('int_built_repositories') }}.repository_id
                and {{ state_of_model('states.state') }} = {{ ref('int_built_repositories') }}.state
        )
    {% endif %}
{%- endmacro %}

{% macro remember_built_repositories() -%}
    {%- if not config.get('full_refresh') %}
    insert into {{ ref('int_built_repositories') }} (model_name, repository_id, state)
    select
        '{{ this.identifier }}',
        states.repository_id,
        {{ state_of_model('states.state') }}
    from {{ states_of_repositories() }} as states
    where not exists (
        select 1 from {{ ref('int_built_repositories') }} as built
        where
            built.model_name = '{{ this.identifier }}'
            and built.repository_id = states.repository_id
    )
    {% endif %}
{%- endmacro %}


{#
    An aggregate that is another text as soon as a row of the group is another one, but for one chance in 2^64.
    Adapters without one say that everything has changed, with each build.
#}
{% macro fingerprint(columns) %}
    {{- return(adapter.dispatch('fingerprint', 'gitmart')(columns)) -}}
{% endmacro %}

{% macro default__fingerprint(columns) -%}
    max('{{ invocation_id }}')
{%- endmacro %}

{#
    PostgreSQL's hash of a row is a sum over its columns. Were it summed over rows as it is, two rows could swap a value
    (which of two commits is the first of its patch) and nothing would tell, so it is hashed again.
#}
{% macro postgres__fingerprint(columns) -%}
    cast(
        sum(
            cast(
                hashtextextended(cast(hash_record_extended(row({{ columns | join(', ') }}), 0) as text), 0) as numeric
            )
        ) as text
    )
{%- endmacro %}

{# It takes PostgreSQL's macros, and has no such function. #}
{% macro redshift__fingerprint(columns) -%}
    {{ gitmart.default__fingerprint(columns) }}
{%- endmacro %}


{# Any value as text. #}
{% macro as_text(value) -%}
    cast({{ value }} as {{ dbt.type_string() }})
{%- endmacro %}
