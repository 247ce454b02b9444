#!/usr/bin/env bash
# What the official image's entrypoint does, for its ordinary variables: makes the database at the
# first start, runs /docker-entrypoint-initdb.d, then becomes the server. Never root.
set -euo pipefail

# setting NAME DEFAULT: $NAME, or the content of the file that $NAME_FILE names; never both.
setting() {
    local file="${1}_FILE"
    if [ -n "${!1:-}" ] && [ -n "${!file:-}" ]; then
        echo "error: both $1 and $file are set: set one" >&2
        exit 1
    fi
    local value=${!1:-${2:-}}
    [ -z "${!file:-}" ] || value=$(<"${!file}")
    export "$1=$value"
    unset "$file"
}

initialise() {
    local method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$method" != trust ]; then
        echo "error: the database is new and POSTGRES_PASSWORD is empty: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE" >&2
        exit 1
    fi
    local -a arguments=()
    eval "arguments=(${POSTGRES_INITDB_ARGS:-})"    # as the official image does
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "${POSTGRES_PASSWORD:-unused}") "${arguments[@]}"
    printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"

    # Scripts of the first start talk to a server that only the socket reaches.
    PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -w start -o "-c listen_addresses=''" 
    export PGHOST=/var/run/postgresql PGUSER=$POSTGRES_USER PGDATABASE=$POSTGRES_DB PGPASSWORD=$POSTGRES_PASSWORD
    [ "$POSTGRES_DB" = postgres ] ||
        psql -v ON_ERROR_STOP=1 --no-psqlrc -d postgres -v db="$POSTGRES_DB" <<< 'create database :"db"'
    local script
    for script in /docker-entrypoint-initdb.d/*; do
        case $script in
            *.sh) if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
            *.sql) psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password -f "$script" ;;
            *.sql.gz) gunzip -c "$script" | psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password ;;
        esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGHOST PGUSER PGDATABASE PGPASSWORD
}

[ "${1:0:1}" != - ] || set -- postgres "$@"
if [ "$1" = postgres ]; then
    setting POSTGRES_PASSWORD
    setting POSTGRES_USER postgres
    setting POSTGRES_DB "$POSTGRES_USER"
    setting POSTGRES_INITDB_ARGS
    mkdir -p "$PGDATA"
    chmod 00700 "$PGDATA" || true
    [ -s "$PGDATA/PG_VERSION" ] || initialise
    set -- postgres -c listen_addresses='*' "${@:2}"
fi
exec "$@"
