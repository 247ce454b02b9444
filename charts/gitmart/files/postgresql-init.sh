#!/bin/sh
# Runs once, when the database cluster is made. The password goes by the environment, never by an argument.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv owner_password GITMART_OWNER_PASSWORD
create role gitmart_owner login createrole password :'owner_password';
create database gitmart owner gitmart_owner;
SQL
