"""
Erasing forgotten people from the rows that are there, by the same rules by which later loads keep them out.

All of it is a part of one transaction of whoever forgets, who holds the locks. Every text is looked at: what a
message holds of a name cannot be asked of an index, and whatever a later load would find must be found here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from gitmart.extract.contributors import AT_ONCE, key_rows
from gitmart.extract.forgotten import Forgotten
from gitmart.extract.identify import entry_of
from gitmart.extract.quarantine import tells
from gitmart.warehouse.locks import Connection

Counts = dict[str, int]  # rows by table
Row = tuple[object, ...]

ERASED = "erased"  # in place of evidence

PSEUDONYMS = """
update public.contributors as c set name = found.name, email = found.email, username = null, profile_url = null
from unnest(%s::bigint[], %s::text[], %s::text[]) as found (id, name, email) where c.id = found.id
"""

# A row that changes takes its repository's next run number, as whoever follows changed_run expects.
_NEXT = "(select max(run_number) + 1 from public.extraction_runs as r where r.repository_id = old.repository_id)"

MESSAGES = f"""
update public.commits as old set commit_message = found.text, changed_run = {_NEXT}
from unnest(%s::bigint[], %s::text[]) as found (id, text) where old.id = found.id
returning old.repository_id, old.id
"""  # noqa: S608 # of this file's own texts

VALUES = f"""
update public.commit_trailers as old set value = found.text, changed_run = {_NEXT}
from unnest(%s::bigint[], %s::integer[], %s::text[]) as found (id, position, text)
where old.commit_id = found.id and old.position = found.position
returning old.repository_id
"""  # noqa: S608 # of this file's own texts

RAW = f"""
update public.quarantine as old set raw = '', changed_run = {_NEXT} where id = any(%s) returning old.repository_id
"""  # noqa: S608 # of this file's own texts

QUARANTINED = """
select q.id, q.field, q.raw, c.id, c.contributor_id, c.committer_id from public.quarantine as q
left join public.commits as c on c.repository_id = q.repository_id and c.commit_hash = q.commit_hash
where q.raw <> '' and q.commit_hash is not null
"""

MAILMAPS = """
select repository_id, source, line, version, new_name, new_email, old_name, old_email from public.mailmap_entries
"""

DROP_LINES = """
delete from public.mailmap_entries as e using unnest(%s::bigint[], %s::text[], %s::integer[]) as found (repository_id, source, line)
where (e.repository_id, e.source, e.line) = (found.repository_id, found.source, found.line)
"""

# The newest run once more, with its times, so that nothing looks fresher than it is. It brought and fetched nothing.
RUNS = """
insert into public.extraction_runs
select (jsonb_populate_record(last, jsonb_build_object(
    'run_number', last.run_number + 1, 'new_commits', 0, 'removed_commits', 0, 'bytes_fetched', 0, 'seconds', '{}'::jsonb
))).*
from public.extraction_runs as last
where last.repository_id = any(%(repositories)s) and last.run_number = (
    select max(run_number) from public.extraction_runs as r where r.repository_id = last.repository_id
)
"""


def erase(connection: Connection, forgotten: Forgotten) -> Counts:
    """Erase those who are forgotten and return how many rows changed or went. Who is who must be settled afterwards."""
    people = _rename(connection, forgotten)
    counts = {"contributors": len(people)}
    for table, statement in {
        "contributor_accounts": "delete from public.contributor_accounts where contributor_id = any(%(ids)s)",
        "identity_keys": "delete from public.identity_keys where contributor_id = any(%(ids)s)",
        "identity_merges": "update public.identity_merges set evidence = %(erased)s"
        " where from_id = any(%(ids)s) or to_id = any(%(ids)s)",
    }.items():
        counts[table] = connection.execute(statement.encode(), {"ids": list(people), "erased": ERASED}).rowcount
    key_rows(connection, [(number, *renamed) for number, renamed in people.items()])
    counts["identity_decisions"] = _erase_reasons(connection, forgotten, set(people))
    lines = [row[:3] for row in connection.execute(MAILMAPS) if forgotten.is_in_mailmap(entry_of(row[2:]))]
    counts["mailmap_entries"] = connection.execute(DROP_LINES, _columns(lines, 3)).rowcount if lines else 0
    return counts | _erase_texts(connection, forgotten) | erase_history(connection, forgotten)


def _rename(connection: Connection, forgotten: Forgotten) -> dict[int, tuple[str, str]]:
    """Give pseudonyms to contributors, and return them by id."""
    renamed = {}
    for number, name, email in connection.execute("select id, name, email from public.contributors").fetchall():
        who = str(name).encode(), str(email).encode()
        if (stored := forgotten.identity(who)) != who:
            renamed[int(str(number))] = stored[0].decode(), stored[1].decode()
    connection.execute(PSEUDONYMS, _columns([(number, *who) for number, who in renamed.items()], 3))
    return renamed


def _erase_reasons(connection: Connection, forgotten: Forgotten, people: set[int]) -> int:
    """Erase what users gave as reasons: of these people all, of others what they hold of them."""
    rows = connection.execute(
        "select id, contributor_id, into_id, reason from public.identity_decisions where reason is not null"
    ).fetchall()
    told = [
        (number, None if {who, into} & people else forgotten.text(str(reason)), reason)
        for number, who, into, reason in rows
    ]
    changed = [(number, stored) for number, stored, reason in told if stored != reason]
    return connection.execute(
        """update public.identity_decisions as d set reason = found.reason
           from unnest(%s::bigint[], %s::text[]) as found (id, reason) where d.id = found.id""",
        _columns(changed, 2),
    ).rowcount


def _erase_texts(connection: Connection, forgotten: Forgotten) -> Counts:
    """Erase from messages, trailers and quarantine, and give the repositories whose rows changed a run."""
    touched: set[object] = set()
    named: set[object] = set()
    counts = {"commits": 0, "commit_trailers": 0}
    commits = _stream(connection, "select id, commit_message from public.commits", forgotten)
    while some := list(islice(commits, AT_ONCE)):
        rows = connection.execute(MESSAGES, _columns(some, 2)).fetchall()
        counts["commits"] += len(rows)
        touched |= {row[0] for row in rows}
        named |= {row[1] for row in rows}
    trailers = _stream(connection, "select commit_id, position, value from public.commit_trailers", forgotten)
    while some := list(islice(trailers, AT_ONCE)):
        rows = connection.execute(VALUES, _columns(some, 3)).fetchall()
        counts["commit_trailers"] += len(rows)
        touched |= {row[0] for row in rows}
    emptied = _quarantined(connection, forgotten, named.__contains__)
    touched |= {row[0] for row in connection.execute(RAW, [emptied])}
    counts["quarantine"] = len(emptied)
    counts["extraction_runs"] = connection.execute(RUNS, {"repositories": list(touched)}).rowcount
    return counts


def erase_history(connection: Connection, forgotten: Forgotten) -> Counts:
    """
    Erase from what dbt said of its runs, and return how many rows changed or went.

    PostgreSQL repeats a row that breaks a rule. Whole files of it go. The connection may be a replica's.
    """
    nodes = "select run_id, unique_id, message from dbt_meta.node_runs where message is not null"
    told = list(_stream(connection, nodes, forgotten))
    connection.execute(
        """update dbt_meta.node_runs as n set message = found.message
           from unnest(%s::bigint[], %s::text[], %s::text[]) as found (run_id, unique_id, message)
           where (n.run_id, n.unique_id) = (found.run_id, found.unique_id)""",
        _columns(told, 3),
    )
    runs = list(_stream(connection, "select id, message from dbt_meta.runs where message is not null", forgotten))
    connection.execute(
        """update dbt_meta.runs as r set message = found.message
           from unnest(%s::bigint[], %s::text[]) as found (id, message) where r.id = found.id""",
        _columns(runs, 2),
    )
    files = connection.execute("delete from dbt_meta.artifacts where name = 'run_results.json'").rowcount
    return {"dbt_meta.node_runs": len(told), "dbt_meta.runs": len(runs), "dbt_meta.artifacts": files}


def _quarantined(connection: Connection, forgotten: Forgotten, is_named: Callable[[object], bool]) -> list[object]:
    """Return what of the quarantine tells of them."""
    theirs = {
        row[0]
        for row in connection.execute("select id from public.contributors where email like '%.forgotten.invalid'")
    }
    return [
        number
        for number, field, raw, commit, author, committer in connection.execute(QUARANTINED).fetchall()
        if tells(
            forgotten,
            str(field),
            bytes(raw),  # type: ignore[call-overload] # the column is of its type
            author=author in theirs,
            committer=committer in theirs,
            is_named=is_named(commit),
        )
    ]


def _stream(connection: Connection, query: str, forgotten: Forgotten) -> Iterator[Row]:
    """Yield the rows whose last column tells of them, with what shall stand there."""
    with connection.cursor(name="gitmart_texts") as cursor:
        cursor.itersize = AT_ONCE
        for *key, text in cursor.execute(query.encode()):
            if (stored := forgotten.text(str(text))) != text:
                yield (*key, stored)


def _columns(rows: Sequence[Row], width: int) -> list[list[object]]:
    return [[row[place] for row in rows] for place in range(width)]
