{#
    Which repositories fct_commits compares with the raw tables. int_built_repositories has, for this model, the state
    that it has of each repository, written in the transaction that builds it: the numbers of the runs that last changed
    or removed commits or changed trailers, a digest of the model's text and variables, and which build that was. By the
    last one whatever stands on fct_commits knows that rows of the repository may be others.

    Hooks before the model set the state to '' where something may be another one, hooks after it write the new one. All
    of them and the model itself see one snapshot.
#}


{# What the raw tables say of a repository. #}
{% macro state_of_changes(changes) -%}
    {{ as_text('coalesce(' ~ changes ~ '.commits_changed_run, 0)') }}
    || ' ' || {{ as_text('coalesce(' ~ changes ~ '.commits_removed_run, 0)') }}
    || ' ' || {{ as_text('coalesce(' ~ changes ~ '.trailers_changed_run, 0)') }}
{%- endmacro %}


{# A pre-hook: repositories that were never built. #}
{% macro note_new_repositories() -%}
    {%- if not config.get('full_refresh') %}
    insert into {{ ref('int_built_repositories') }} (model_name, repository_id, state)
    select
        'fct_commits',
        changes.repository_id,
        ''
    from {{ ref('stg_repository_changes') }} as changes
    where not exists (
        select 1 from {{ ref('int_built_repositories') }} as built
        where
            built.model_name = 'fct_commits'
            and built.repository_id = changes.repository_id
    )
    {% endif %}
{%- endmacro %}


{#
    A pre-hook: repositories of which anything has changed, that are gone, or where an author turned out to be another
    person. All commits of an author have one person as long as the least and the greatest are that one, which an index
    knows.
#}
{% macro note_changed_repositories() -%}
    {%- if not config.get('full_refresh') %}
    update {{ ref('int_built_repositories') }} set state = ''
    where
        model_name = 'fct_commits'
        {% if is_incremental() %}
        and (
            not exists (
                select 1 from {{ ref('stg_repository_changes') }} as changes
                where
                    changes.repository_id = {{ ref('int_built_repositories') }}.repository_id
                    and {{ ref('int_built_repositories') }}.state
                    like ({{ state_of_model(state_of_changes('changes')) }} || ' %')
            )
            or repository_id in (
                select built.repository_id
                {{ looked_up('(' ~ authors_of_other_people() ~ ') as authors', this, 'built',
                    'built.author_id = authors.contributor_id') }}
            )
        )
        {% endif %}
    {% endif %}
{%- endmacro %}

{% macro authors_of_other_people() -%}
    select contributors.contributor_id
    from {{ ref('stg_contributors') }} as contributors
    where
        (
            select min(lowest.contributor_id) from {{ this }} as lowest
            where lowest.author_id = contributors.contributor_id
        ) <> contributors.person_id
        or (
            select max(highest.contributor_id) from {{ this }} as highest
            where highest.author_id = contributors.contributor_id
        ) <> contributors.person_id
{%- endmacro %}


{# A pre-hook: repositories with a commit that is the first of its patch now, or is it no more. #}
{% macro note_repositories_with_other_firsts() -%}
    {%- if is_incremental() and not config.get('full_refresh') %}
    update {{ ref('int_built_repositories') }} set state = ''
    where
        model_name = 'fct_commits'
        and repository_id in (
            with outdated_repositories as (
                {{ repositories_to_compare() }}
            ),

            {{ changes_in_question() }},

            firsts as (
                {{ firsts_of('changes_in_question') }}
            )

            select built.repository_id
            {{ commits_with_other_firsts() }}
        )
    {% endif %}
{%- endmacro %}


{#
    The repositories so noted: a query. With the greatest run number here, 0 if there is none, whether the raw tables have
    patch ids of it, and whether there are any here.
#}
{% macro repositories_to_compare() -%}
    select
        noted.repository_id,
        coalesce(
            (
                select max(newest.changed_run) from {{ this }} as newest
                where newest.repository_id = noted.repository_id
            ), 0
        ) as changed_run,
        coalesce(changes.has_patch_ids, false) as has_patch_ids,
        (
            select max(patched.patch_id) from {{ this }} as patched
            where patched.repository_id = noted.repository_id
        ) is not null as had_patch_ids
    from {{ ref('int_built_repositories') }} as noted
    left join {{ ref('stg_repository_changes') }} as changes on noted.repository_id = changes.repository_id
    where
        noted.model_name = 'fct_commits'
        and noted.state = ''
{%- endmacro %}


{#
    Steps after `outdated_repositories`: every commit of any repository that makes a change which a commit makes that came,
    went or became another one, and which `besides`, a step, makes. A commit without a patch id, in a repository that has
    patch ids, makes a change of its own: other repositories may have the very same commit.
#}
{% macro changes_in_question(besides=none) -%}
    changes_there as (
        select
            commits.repository_id,
            commits.commit_hash,
            commits.patch_id,
            commits.changed_run
        {{ looked_up('outdated_repositories', ref('stg_commits'), 'commits',
            'outdated_repositories.has_patch_ids and commits.repository_id = outdated_repositories.repository_id') }}
    ),

    changes_here as (
        select
            built.repository_id,
            built.commit_hash,
            built.patch_id,
            built.changed_run
        {{ looked_up('outdated_repositories', this, 'built',
            'outdated_repositories.had_patch_ids and built.repository_id = outdated_repositories.repository_id') }}
    ),

    changes_made as (
        {% for one, other in [('there', 'here'), ('here', 'there')] %}
            select
                changes_{{ one }}.commit_hash,
                changes_{{ one }}.patch_id
            from changes_{{ one }}
            left join changes_{{ other }}
                on
                    changes_{{ one }}.repository_id = changes_{{ other }}.repository_id
                    and changes_{{ one }}.commit_hash = changes_{{ other }}.commit_hash
                    and changes_{{ one }}.changed_run = changes_{{ other }}.changed_run
            where
                changes_{{ other }}.commit_hash is null
                or coalesce(changes_{{ one }}.patch_id, '') <> coalesce(changes_{{ other }}.patch_id, '')
            {% if not loop.last %} union all {% endif %}
    {% endfor %}
    {% if besides %}
            union all
            select
                commit_hash,
                patch_id
            from {{ besides }}
            where has_patch_ids
        {% endif %}
    ),

    patches_in_question as (
        select distinct patch_id from changes_made
        where patch_id is not null
    ),

    hashes_in_question as (
        select distinct
            repositories.repository_id,
            changes_made.commit_hash
        from changes_made
        cross join {{ ref('stg_repository_changes') }} as repositories
        where
            changes_made.patch_id is null
            and repositories.has_patch_ids
    ),

    changes_in_question as (
        select
            commits.repository_id,
            commits.commit_hash,
            commits.patch_id as change_id,
            commits.commit_date,
            commits.in_default_branch
        {{ looked_up('patches_in_question', ref('stg_commits'), 'commits',
            'commits.patch_id = patches_in_question.patch_id') }}
        union all
        select
            commits.repository_id,
            commits.commit_hash,
            commits.commit_hash as change_id,
            commits.commit_date,
            commits.in_default_branch
        {{ looked_up('hashes_in_question', ref('stg_commits'), 'commits',
            'commits.repository_id = hashes_in_question.repository_id'
            ~ ' and commits.commit_hash = hashes_in_question.commit_hash and commits.patch_id is null') }}
    )
{%- endmacro %}


{# Which commits are the first to make a change: a query over all commits that make it. #}
{% macro firsts_of(changes) -%}
    select
        repository_id,
        commit_hash,
        row_number() over (
            partition by repository_id, change_id order by {{ order_of_rewrites() }}
        ) = 1 as is_first_of_patch,
        row_number() over (
            partition by change_id order by {{ order_of_rewrites() }}, repository_id
        ) = 1 as is_first_of_patch_anywhere
    from {{ changes }}
{%- endmacro %}


{# From clause, after a step `firsts`: the rows here, `built`, that say something else. #}
{% macro commits_with_other_firsts() -%}
    {{ looked_up('firsts', this, 'built',
        'built.repository_id = firsts.repository_id and built.commit_hash = firsts.commit_hash') }}
    where
        built.is_first_of_patch <> firsts.is_first_of_patch
        or built.is_first_of_patch_anywhere <> firsts.is_first_of_patch_anywhere
{%- endmacro %}


{#
    A post-hook: delete the commits that vanished from their repository.

    A removal counts for a row of an earlier run only: a commit that came back has a later one. So the
    statement needs no watermark and may be repeated.
#}
{% macro delete_vanished_commits() -%}
    {%- if is_incremental() or not execute %}
    delete from {{ this }}
    where
        repository_id in ({{ listed(query_of_compared_repositories()) }})
        and exists (
            select 1 from {{ ref('stg_removed_commits') }} as removed
            where
                removed.repository_id = {{ this }}.repository_id
                and removed.commit_hash = {{ this }}.commit_hash
                and removed.removed_run > {{ this }}.changed_run
        )
    {% endif %}
{%- endmacro %}

{% macro query_of_compared_repositories() -%}
    select repository_id from {{ ref('int_built_repositories') }}
    where
        model_name = 'fct_commits'
        and state = ''
{%- endmacro %}


{#
    A post-hook: delete the commits of repositories that `gitmart purge` has removed. A repository's row is there before
    its commits, and one that comes back has another id.
#}
{% macro delete_purged_repositories() -%}
    {%- if is_incremental() %}
    delete from {{ this }}
    where repository_id in ({{ listed(query_of_purged_repositories()) }})
    {% endif %}
{%- endmacro %}

{% macro query_of_purged_repositories() -%}
    select built.repository_id
    from {{ ref('int_built_repositories') }} as built
    left join {{ ref('stg_repositories') }} as repositories on built.repository_id = repositories.repository_id
    where
        built.model_name = 'fct_commits'
        and repositories.repository_id is null
{%- endmacro %}


{# Post-hooks, both in this order: note which state of each repository the model holds now. #}
{% macro forget_purged_repositories() -%}
    {%- if not config.get('full_refresh') %}
    delete from {{ ref('int_built_repositories') }}
    where
        model_name = 'fct_commits'
        and not exists (
            select 1 from {{ ref('stg_repositories') }} as repositories
            where repositories.repository_id = {{ ref('int_built_repositories') }}.repository_id
        )
    {% endif %}
{%- endmacro %}

{% macro note_compared_repositories() -%}
    {%- if not config.get('full_refresh') %}
    update {{ ref('int_built_repositories') }} set state = (
        select {{ state_of_model(state_of_changes('changes')) }} || ' {{ invocation_id }}'
        from {{ ref('stg_repository_changes') }} as changes
        where changes.repository_id = {{ ref('int_built_repositories') }}.repository_id
    )
    where
        model_name = 'fct_commits'
        and state = ''
    {% endif %}
{%- endmacro %}
