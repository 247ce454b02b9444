"""Whom users asked to forget: keyed hashes that every load consults, and the key they are made with."""

from alembic import op

revision = "r0010"
down_revision = "r0009"

TABLES = """
create table forgotten_key (
    only_row boolean primary key default true check (only_row),
    key      bytea not null
);
comment on table forgotten_key is 'The random key of the hashes in forgotten; no row until somebody is forgotten.';

create table forgotten (
    hash       bytea primary key,
    kind       text not null check (kind in ('identity', 'key', 'name', 'login', 'first', 'word', 'stem')),
    person     text not null,
    words      smallint check ((words is not null) = (kind = 'name')),
    created_at timestamptz not null default now()
);
comment on table forgotten is
    'What forgotten people are recognised by, as HMAC-SHA256 with forgotten_key: docs/privacy.md.';
comment on column forgotten.kind is
    'identity: name and e-mail; key: as identity_keys.key; name: of several words; login: a user name; first: the first word of a name; word: one that any of them cannot do without; stem: one that a login cannot.';
comment on column forgotten.person is 'Stands for the person in the pseudonyms that take the place of names and addresses.';
comment on column forgotten.words is 'How many words the name has.';

-- Nobody but who loads: with the key whoever guesses a name can tell whether it was forgotten. Not delete, for it is for good.
grant select, insert on forgotten_key, forgotten to gitmart_extract;
"""


def upgrade() -> None:
    """Create the tables."""
    op.get_bind().exec_driver_sql(TABLES)
