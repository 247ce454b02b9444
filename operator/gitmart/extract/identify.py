"""
The identities of a run: everybody it met gets a row, its mailmaps are kept, and who is who is settled.

The rows come first and on their own (`contributors.py`); the rest is a part of the run's one transaction.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from psycopg import sql

from gitmart.contract.outcomes import Outcome
from gitmart.extract.contributors import Person, add_contributors
from gitmart.extract.errors import ExtractError, InputError
from gitmart.extract.forgotten import Forgotten
from gitmart.extract.head_files import LARGEST, HeadFiles
from gitmart.extract.mailmap import PATH, Entry, Mailmap, parse
from gitmart.extract.records import clean
from gitmart.extract.settle import ByRun, lock_identities, settle
from gitmart.extract.staging import Staging
from gitmart.warehouse.locks import Connection

FILE_VARIABLE = "GITMART_MAILMAP_FILE"
SOURCE_VARIABLE = "GITMART_MAILMAP_SOURCE"

MET = "select distinct name, email from {identities}"

RESOLVE = """
update {identities} as met set contributor_id = known.id
from public.contributors as known
where known.identity_hash = public.gitmart_digest(met.name || chr(10) || met.email)
"""

# Whoever has a part in the repository's commits and one of these addresses.
OF_REPOSITORY = """
select name, email from public.contributors as c
where lower(email collate "C") = any(%(emails)s) and (
    exists (select from public.commits where contributor_id = c.id and repository_id = %(repository)s)
    or exists (select from public.commit_trailers where contributor_id = c.id and repository_id = %(repository)s)
)
"""

LEAVING = """
select contributor_id from public.commits where id in (select commit_id from {gone})
union
select t.contributor_id from public.commit_trailers as t
where t.commit_id in (select commit_id from {gone}) and t.contributor_id is not null
"""

ALL_OF_REPOSITORY = """
select contributor_id from public.commits where repository_id = %(repository)s
union
select t.contributor_id from public.commits as c join public.commit_trailers as t on t.commit_id = c.id
where c.repository_id = %(repository)s and t.contributor_id is not null
"""

KEPT = """
select line, version, new_name, new_email, old_name, old_email from public.mailmap_entries
where repository_id = %(repository)s and source = %(source)s order by line
"""

FORGET = "delete from public.mailmap_entries where repository_id = %(repository)s and source = %(source)s"

KEEP = """
insert into public.mailmap_entries
    (repository_id, source, line, version, new_name, new_email, old_name, old_email, changed_run)
select %(repository)s, %(source)s, line, %(version)s, new_name, new_email, old_name, old_email, %(run)s
from unnest(%(line)s::integer[], %(new_name)s::text[], %(new_email)s::text[], %(old_name)s::text[], %(old_email)s::text[])
    as found (line, new_name, new_email, old_name, old_email)
"""

SPOKEN_OF = """
select id from public.contributors where lower(email collate "C") = any(%(emails)s)
union select from_id from public.identity_merges where repository_id = %(repository)s and undone_at is null
"""

BOOKS = """
update public.extraction_runs as now
set user_mailmap = %(user)s, mailmap = case when %(is_read)s then %(mailmap)s else (
    select before.mailmap from public.extraction_runs as before
    where before.repository_id = %(repository)s and before.run_number < %(run)s
    order by before.run_number desc limit 1
) end
where now.repository_id = %(repository)s and now.run_number = %(run)s
"""


@dataclass(frozen=True, slots=True)
class Source:
    """A mailmap: which version of it, and what it says, cleaned as names in the warehouse are."""

    version: str
    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, version: str, content: bytes, forgotten: Forgotten) -> Source:
        """Return what the content says, without the lines that speak of forgotten people."""
        entries = map(_cleaned, parse(content))
        return cls(version, tuple(each for each in entries if not forgotten or not forgotten.is_in_mailmap(each)))


@dataclass(frozen=True, slots=True)
class Mailmaps:
    """
    The mailmaps that a run applies: the repository's, then the user's.

    `is_read` is false while HEAD stays where it was: the repository's is what the warehouse holds of it.
    """

    repository: Source | None = None
    user: Source | None = None
    is_read: bool = True

    @classmethod
    def of(cls, files: HeadFiles | None, user: bytes | None, forgotten: Forgotten) -> Mailmaps:
        """Return those of the files of HEAD (None: they are what they were) and of the user."""
        file = files.at(PATH) if files is not None else None
        return cls(
            Source.of(file.blob, file.content, forgotten) if file is not None else None,
            Source.of(sha256(user).hexdigest(), user, forgotten) if user is not None else None,
            files is not None,
        )


def user_mailmap(environment: Mapping[str, str] = os.environ) -> bytes | None:
    """
    Return the content of the file GITMART_MAILMAP_FILE, None when the variable is not set.

    GITMART_MAILMAP_SOURCE is what people call the file. Raise ExtractError when it is not there or too large.
    """
    path = environment.get(FILE_VARIABLE)
    if not path:
        return None
    source = environment.get(SOURCE_VARIABLE) or f"the file named by {FILE_VARIABLE} ({path})"
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise ExtractError(f"{source} is missing: a mailmap is needed", Outcome.SECRET_MISSING) from None
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}") from None
    if len(content) > LARGEST:
        raise InputError(f"{source} is larger than {LARGEST >> 20} MiB, more than a mailmap may be")
    return content


def add_people(connection: Connection, staging: Staging, repository: int, mailmaps: Mailmaps) -> None:
    """Add everybody whom the run met or its mailmaps put in their place, and write the ids beside the identities."""
    met = [(str(row[0]), str(row[1])) for row in connection.execute(_on(MET, staging))]
    add_contributors(connection, met)
    connection.execute(_on(RESOLVE, staging))
    entries = [*_kept(connection, repository, mailmaps), *(mailmaps.user.entries if mailmaps.user else ())]
    if entries:
        emails = sorted({entry.old_email.lower().decode() for entry in entries})
        there = connection.execute(OF_REPOSITORY, {"repository": repository, "emails": emails})
        people = {*met, *((str(row[0]), str(row[1])) for row in there)}
        add_contributors(connection, list(_proper(Mailmap(entries), people)))


def leaving(connection: Connection, staging: Staging, repository: int, *, anew: bool) -> set[int]:
    """Return whose commits the merge is about to delete; with `anew` these are all."""
    found = connection.execute(_on(ALL_OF_REPOSITORY if anew else LEAVING, staging), {"repository": repository})
    return {int(str(row[0])) for row in found}


def members_of(connection: Connection, repository: int) -> set[int]:
    """Return everybody who has a part in the repository's commits, or of whom its mailmap speaks."""
    given = {"repository": repository, "emails": []}
    found = connection.execute(f"{ALL_OF_REPOSITORY} union {SPOKEN_OF}".encode(), given)
    return {int(str(row[0])) for row in found}


def settle_run(connection: Connection, staging: Staging, by: ByRun, mailmaps: Mailmaps, left: set[int]) -> None:
    """Keep the mailmaps, and settle whoever came, left, or is spoken of otherwise than before."""
    lock_identities(connection)
    changed = left | {
        int(str(row[0])) for row in connection.execute(_on("select distinct contributor_id from {identities}", staging))
    }
    if mailmaps.is_read:
        changed |= _keep(connection, by, "repository", mailmaps.repository)
    changed |= _keep(connection, by, "user", mailmaps.user)
    settle(connection, changed, by)
    connection.execute(
        BOOKS,
        {
            "repository": by.repository,
            "run": by.run,
            "is_read": mailmaps.is_read,
            "mailmap": mailmaps.repository.version if mailmaps.repository else None,
            "user": mailmaps.user.version if mailmaps.user else None,
        },
    )


def _keep(connection: Connection, by: ByRun, source: str, mailmap: Source | None) -> set[int]:
    """Keep the mailmap if it is another one than was kept; return whom that may concern."""
    given: dict[str, object] = {"repository": by.repository, "run": by.run, "source": source}
    rows = connection.execute(KEPT, given).fetchall()
    entries = mailmap.entries if mailmap else ()
    kept = [entry_of(row) for row in rows]
    if kept == list(entries) and (not mailmap or {row[1] for row in rows} <= {mailmap.version}):
        return set()
    connection.execute(FORGET, given)
    if mailmap and entries:
        columns = {name: [_text(getattr(entry, name)) for entry in entries] for name in Entry._fields[1:]}
        connection.execute(KEEP, {
            **given, **columns, "line": [entry.line for entry in entries], "version": mailmap.version,
        })  # fmt: skip
    emails = sorted({entry.old_email.lower().decode() for entry in (*kept, *entries)})
    return {int(str(row[0])) for row in connection.execute(SPOKEN_OF, {**given, "emails": emails})}


def _kept(connection: Connection, repository: int, mailmaps: Mailmaps) -> list[Entry]:
    """Return what the repository's mailmap says."""
    if mailmaps.is_read:
        return list(mailmaps.repository.entries) if mailmaps.repository else []
    return [entry_of(row) for row in connection.execute(KEPT, {"repository": repository, "source": "repository"})]


def _proper(mailmap: Mailmap, people: set[Person]) -> Iterator[Person]:
    for name, email in people:
        if (found := mailmap.map(name.encode(), email.encode())) is not None:
            yield found.name.decode(), found.email.decode()


def entry_of(row: tuple[object, ...]) -> Entry:
    """Return the line of a row of mailmap_entries."""
    line, _, *texts, old_email = row
    new_name, new_email, old_name = (None if text is None else str(text).encode() for text in texts)
    return Entry(int(str(line)), new_name, new_email, old_name, str(old_email).encode())


def _cleaned(entry: Entry) -> Entry:
    new_name, new_email, old_name = (None if text is None else clean(text).encode() for text in entry[1:4])
    return Entry(entry.line, new_name, new_email, old_name, clean(entry.old_email).encode())


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _on(statement: str, staging: Staging) -> sql.Composed:
    return sql.SQL(statement).format(**staging.tables)
