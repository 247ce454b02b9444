"""Which paths of the warehouse are of another class now than when they were counted."""

from __future__ import annotations

from collections.abc import Callable

from psycopg import sql

from gitmart.extract.loader import copy_rows
from gitmart.extract.staging import Staging
from gitmart.warehouse.locks import Connection

CHUNK = 20_000  # paths in memory at once

# Files have no index by repository, so they are found by their commits.
PATHS = """
select distinct f.path, f.class from public.commits as c join public.commit_files as f on f.commit_id = c.id
where c.repository_id = {}
"""


def stage_classes(
    connection: Connection, staging: Staging, repository_id: int, class_of: Callable[[bytes], bytes]
) -> int:
    """
    Put the paths of the repository whose class is another one now into staging, with that class; return how many.

    The caller holds the repository's lock, so that what is found is what the merge will find.
    """
    changed = 0
    with connection.transaction(), connection.cursor("paths") as cursor:
        connection.execute("set local cursor_tuple_fraction = 1")  # all rows are fetched, not the first few
        cursor.execute(sql.SQL(PATHS).format(sql.Literal(repository_id)))
        while paths := cursor.fetchmany(CHUNK):
            named = [(str(path).encode(), str(known).encode()) for path, known in paths]
            rows = [(path, now) for path, known in named if (now := class_of(path)) != known]
            if rows:
                copy_rows(connection, staging, "classes", rows)
            changed += len(rows)
    return changed
