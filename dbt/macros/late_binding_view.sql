{#
    A view of PostgreSQL's that outlives the tables it reads. PostgreSQL drops a view with its tables, and dbt replaces
    these; but what stands in the text of a function is looked up when it is asked. So the rows come from a function of
    the view's name, and the view hangs on that alone. PostgreSQL puts the text of such a function (SQL, stable, not
    strict, not a security definer, without settings) in its place, so conditions, limits and joins reach the tables.

    The function is replaced in each build, which no reader waits for; the view only when its columns are others. Other
    tools' views on top of it are dropped then. Types are to be written as PostgreSQL writes them.
#}
{% materialization late_binding_view, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set view = this.incorporate(type='view') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {#- A function's columns have no precision: numeric(7,6) is numeric there, and itself again in the view. -#}
    {%- set names, types, columns = [], [], [] -%}
    {%- for column in model.columns.values() -%}
        {%- do names.append(column.name) -%}
        {%- do types.append(column.name ~ ' ' ~ modules.re.sub('[(].*[)]', '', column.data_type)) -%}
        {%- do columns.append('cast(' ~ column.name ~ ' as ' ~ column.data_type ~ ') as ' ~ column.name) -%}
    {%- endfor -%}
    {%- set result = 'TABLE(' ~ types | join(', ') ~ ')' -%}
    {%- set found = run_query(
        "select pg_get_function_result(oid) from pg_proc where oid = to_regprocedure('" ~ view ~ "()')"
    ) -%}
    {%- set is_kept = existing is not none and existing.is_view and found.columns[0].values() == (result,) -%}

    {%- if existing is not none and not is_kept -%}
        {%- do drop_relation_if_exists(existing) -%}
    {%- endif -%}
    {% call statement('main') -%}
        {% if not is_kept %}
            drop function if exists {{ view }}() cascade;
        {% endif %}
        create or replace function {{ view }}() returns {{ result }} language sql stable as $rows$
            select {{ names | join(', ') }}
            from (
                {{ sql }}
            ) as found
        $rows$;
        comment on function {{ view }}() is 'The rows of the view of this name, which is what to read.';
        {% if not is_kept %}
            create view {{ view }} as select {{ columns | join(', ') }} from {{ view }}();
        {% endif %}
    {%- endcall %}

    {% set revokes = should_revoke(existing, full_refresh_mode=not is_kept) %}
    {% do apply_grants(view, config.get('grants'), should_revoke=revokes) %}
    {% do persist_docs(view, model) %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [view]}) }}
{% endmaterialization %}
