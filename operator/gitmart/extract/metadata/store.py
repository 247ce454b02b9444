"""Host metadata in the warehouse: snapshots over time, what is remembered of answers, and how a look went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from datetime import date, datetime

from psycopg import sql

from gitmart.extract.metadata.asking import Remembered
from gitmart.extract.metadata.due import Looked
from gitmart.extract.metadata.facts import Facts, Language
from gitmart.warehouse.locks import Connection

_CHILDREN = ("topics", "languages")  # fields of Facts that have tables of their own
_COLUMNS = tuple(each.name for each in fields(Facts) if each.name not in _CHILDREN)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The latest snapshot of a repository."""

    id: int
    taken_on: date
    facts: Facts


def read_looked(connection: Connection, repository_id: int) -> Looked | None:
    """Return how the last look went, None before the first."""
    row = connection.execute(
        """select provider, api_url, attempted_at, outcome, message, requests, pending, next_at, taken_at
           from public.repository_metadata where repository_id = %s""",
        [repository_id],
    ).fetchone()
    return Looked(*row) if row is not None else None  # type: ignore[arg-type] # the columns are of its types


def write_looked(connection: Connection, repository_id: int, looked: Looked) -> None:
    """Write how a look went."""
    connection.execute(
        """insert into public.repository_metadata
               (repository_id, provider, api_url, attempted_at, outcome, message, requests, pending, next_at, taken_at)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
           on conflict (repository_id) do update
           set provider = excluded.provider, api_url = excluded.api_url, attempted_at = excluded.attempted_at,
               outcome = excluded.outcome, message = excluded.message, requests = excluded.requests,
               pending = excluded.pending, next_at = excluded.next_at, taken_at = excluded.taken_at""",
        [repository_id, *astuple(looked)],
    )


def read_remembered(connection: Connection, repository_id: int) -> dict[str, Remembered]:
    """Return what is remembered of answers, by resource."""
    rows = connection.execute(
        """select resource, url, token_fingerprint, etag, last_modified from public.host_answers
           where repository_id = %s""",
        [repository_id],
    )
    return {str(row[0]): Remembered(*row[1:]) for row in rows}  # type: ignore[arg-type]


def read_latest(connection: Connection, repository_id: int) -> Snapshot | None:
    """Return the latest snapshot, None before the first."""
    row = connection.execute(
        sql.SQL("select id, taken_on, {} from public.repository_snapshots where repository_id = %s order by taken_on desc limit 1").format(
            sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
        ),
        [repository_id],
    ).fetchone()  # fmt: skip
    if row is None:
        return None
    topics = connection.execute(
        "select topic from public.repository_topics where snapshot_id = %s order by position", [row[0]]
    )
    languages = connection.execute(
        """select language, size_bytes, share from public.repository_languages
           where snapshot_id = %s order by language collate "C" """,
        [row[0]],
    )
    values: dict[str, object] = dict(zip(_COLUMNS, row[2:], strict=True))
    values["topics"] = tuple(str(each[0]) for each in topics)
    values["languages"] = tuple(Language(*each) for each in languages)  # type: ignore[arg-type]
    taken_on = row[1]
    assert isinstance(taken_on, date)  # noqa: S101 # what the column holds
    return Snapshot(int(str(row[0])), taken_on, Facts(**values))  # type: ignore[arg-type]


def write_facts(
    connection: Connection,
    repository_id: int,
    *,
    provider: str,
    run_number: int,
    facts: Facts,
    latest: Snapshot | None,
    remember: Mapping[str, Remembered],
    now: datetime,
) -> None:
    """
    Keep the facts, and what is remembered of the answers they come from, together.

    Facts that are as before only lengthen the time that the latest snapshot holds for. Of one UTC day the last
    facts are kept.
    """
    with connection.transaction():
        if latest is not None and latest.facts == facts:
            connection.execute(
                "update public.repository_snapshots set last_seen_at = %s where id = %s", [now, latest.id]
            )
        else:
            if latest is not None and latest.taken_on == now.date():
                connection.execute("delete from public.repository_snapshots where id = %s", [latest.id])
            _insert(connection, repository_id, provider, run_number, facts, now)
        connection.execute(
            "update public.repositories set host_id = %(id)s where id = %(repository)s and host_id is distinct from %(id)s",
            {"id": facts.host_id, "repository": repository_id},
        )
        connection.execute("delete from public.host_answers where repository_id = %s", [repository_id])
        for resource, each in remember.items():
            connection.execute(
                """insert into public.host_answers (repository_id, resource, url, token_fingerprint, etag, last_modified)
                   values (%s, %s, %s, %s, %s, %s)""",
                [repository_id, resource, *astuple(each)],
            )


def _insert(
    connection: Connection, repository_id: int, provider: str, run_number: int, facts: Facts, now: datetime
) -> None:
    row = connection.execute(
        sql.SQL(
            """insert into public.repository_snapshots
                   (repository_id, taken_on, taken_at, last_seen_at, run_number, provider, {})
               values (%s, %s, %s, %s, %s, %s, {}) returning id"""
        ).format(
            sql.SQL(", ").join(map(sql.Identifier, _COLUMNS)), sql.SQL(", ").join([sql.Placeholder()] * len(_COLUMNS))
        ),
        [repository_id, now.date(), now, now, run_number, provider, *(getattr(facts, name) for name in _COLUMNS)],
    ).fetchone()
    snapshot = row[0] if row else None
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into public.repository_topics (snapshot_id, position, repository_id, topic) values (%s, %s, %s, %s)",
            [(snapshot, position, repository_id, topic) for position, topic in enumerate(facts.topics, 1)],
        )
        cursor.executemany(
            """insert into public.repository_languages (snapshot_id, language, repository_id, size_bytes, share)
               values (%s, %s, %s, %s, %s)""",
            [(snapshot, each.name, repository_id, each.size_bytes, each.share) for each in facts.languages],
        )
