{#
    The organisation that an address of mail speaks of: its domain, in small letters. NULL where the domain is a
    provider's that anybody may have an address at, an account's at a code host, or there is none. It is a hint: a
    person's domain may be their own, and people write with private addresses for their employers.
#}
{% macro organization(email) -%}
    {%- set domain = mail_domain(email) -%}
    case
        when {{ domain }} in ('{{ public_mail_domains() | join("', '") }}') then null
        when {{ domain }} like '%noreply%' or {{ domain }} not like '%.%' then null
        else {{ domain }}
    end
{%- endmacro %}


{# What stands behind the last @, in small letters; NULL without one. #}
{% macro mail_domain(email) -%}
    {{- adapter.dispatch('mail_domain', 'gitmart')(email) -}}
{%- endmacro %}


{% macro default__mail_domain(email) -%}
    {%- set backwards = 'reverse(lower(' ~ email ~ '))' -%}
    case
        when {{ email }} like '%@%'
            then reverse(substr({{ backwards }}, 1, {{ dbt.position("'@'", backwards) | trim }} - 1))
    end
{%- endmacro %}


{% macro postgres__mail_domain(email) -%}
    substring(lower({{ email }}) from '@([^@]*)$')
{%- endmacro %}


{# Redshift's adapter would take PostgreSQL's. #}
{% macro redshift__mail_domain(email) -%}
    {{- gitmart.default__mail_domain(email) -}}
{%- endmacro %}


{# Providers that give an address to anybody. Not complete; whoever knows more overrides this macro. #}
{% macro public_mail_domains() -%}
    {{- return([
        'gmail.com', 'googlemail.com', 'outlook.com', 'hotmail.com', 'live.com', 'msn.com', 'yahoo.com', 'ymail.com',
        'aol.com', 'icloud.com', 'me.com', 'mac.com', 'proton.me', 'protonmail.com', 'pm.me', 'fastmail.com',
        'fastmail.fm', 'hey.com', 'zoho.com', 'tutanota.com', 'gmx.com', 'gmx.de', 'gmx.net', 'gmx.at', 'gmx.ch',
        'web.de', 't-online.de', 'mailbox.org', 'posteo.de', 'mail.ru', 'yandex.ru', 'yandex.com', 'qq.com',
        'foxmail.com', '163.com', '126.com', 'sina.com', 'naver.com', 'hanmail.net', 'orange.fr', 'free.fr',
        'laposte.net', 'libero.it', 'seznam.cz', 'wp.pl', 'o2.pl', 'users.noreply.github.com',
        'users.noreply.gitlab.com',
    ]) -}}
{%- endmacro %}
