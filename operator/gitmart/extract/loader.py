"""Commits into staging tables, a chunk at a time, by binary COPY."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import add

from psycopg import sql

from gitmart.extract.forgotten import Forgotten
from gitmart.extract.git import Git
from gitmart.extract.identities import Identities, Identity
from gitmart.extract.listing import Listing
from gitmart.extract.objects import Objects
from gitmart.extract.quarantine import Quarantined, examine, needs_object, without_forgotten
from gitmart.extract.records import Commit, Counts, LargeCommit, clean, counts_of, is_utf8
from gitmart.extract.staging import Staging
from gitmart.extract.trailers import person_of, trailers_of
from gitmart.warehouse.locks import Connection

CHUNK_COMMITS = 1_000
CHUNK_BYTES = 4 << 20  # of records: bounds the memory of a worker
CHUNK_FILES = 20_000  # of one large commit

# Texts travel as bytea: on the wire of a binary COPY both are bytes, and the server checks them as text.
COLUMNS = {
    "commits": {
        "id": "int8",
        "author": "int8",
        "committer": "int8",
        "commit_hash": "bytea",
        "authored": "int8",
        "author_offset": "int2",
        "committed": "int8",
        "committer_offset": "int2",
        "parent_count": "int4",
        "lines_added": "int8",
        "lines_deleted": "int8",
        "files_changed": "int4",
        "first_parent_lines_added": "int8",
        "first_parent_lines_deleted": "int8",
        "first_parent_files_changed": "int4",
        "message": "bytea",
    },
    "parents": {"commit_id": "int8", "position": "int4", "parent_hash": "bytea"},
    "files": {
        "commit_id": "int8",
        "position": "int4",
        "status": "bytea",
        "added": "int8",
        "deleted": "int8",
        "path": "bytea",
        "old_path": "bytea",
        "class": "bytea",
    },
    "trailers": {
        "commit_id": "int8",
        "position": "int4",
        "key": "bytea",
        "kind": "text",
        "value": "bytea",
        "identity": "int8",
    },
    "identities": {"number": "int8", "name": "bytea", "email": "bytea"},
    "classes": {"path": "bytea", "class": "bytea"},
    "patch_ids": {"commit_hash": "bytea", "patch_id": "bytea"},
    "quarantine": {"commit_hash": "bytea", "field": "text", "raw": "bytea", "reason": "text"},
    "refs": {"name": "bytea", "kind": "text", "object_hash": "bytea", "commit_hash": "bytea"},
}

Row = Sequence[object]


def copy_rows(connection: Connection, staging: Staging, kind: str, rows: Iterable[Row]) -> None:
    """Append rows to the staging table of that kind."""
    columns = COLUMNS[kind]
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        staging.table(kind), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(list(columns.values()))
        write = copy.write_row
        for row in rows:
            write(row)


def copy_lines(connection: Connection, staging: Staging, kind: str, ids: Listing) -> None:
    """Append a closed list of commit ids to the staging table of that kind: its lines are COPY's own text format."""
    statement = sql.SQL("copy {} (commit_hash) from stdin").format(staging.table(kind))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for chunk in ids.chunks():
            copy.write(chunk)


class Loader:
    """One worker's way into the staging tables: its own connection, its own look at commits in doubt."""

    def __init__(
        self,
        connection: Connection,
        staging: Staging,
        identities: Identities,
        git: Git,
        class_of: Callable[[bytes], bytes],
        forgotten: Forgotten,
    ) -> None:
        """Take what all workers share; `class_of` is that of `classes.Classes`."""
        self._forgotten = forgotten
        self._class_of = class_of
        self._connection = connection
        self._staging = staging
        self._identities = identities
        self._objects = Objects(git)

    def load(self, commits: Iterable[Commit | LargeCommit], loaded: Callable[[int], None]) -> None:
        """Store all commits; `loaded(n)` hears of every chunk. Row order between workers is arbitrary."""
        chunk: list[Commit] = []
        size = 0
        try:
            for commit in commits:
                if isinstance(commit, LargeCommit):
                    self._store_large(commit)
                    loaded(1)
                    continue
                chunk.append(commit)
                size += commit.size
                if len(chunk) >= CHUNK_COMMITS or size >= CHUNK_BYTES:
                    self._store(chunk)
                    loaded(len(chunk))
                    chunk, size = [], 0
            if chunk:
                self._store(chunk)
                loaded(len(chunk))
        finally:
            self._objects.close()

    def _store(self, chunk: list[Commit]) -> None:
        kept: list[Quarantined] = []
        for index, commit in enumerate(chunk):
            if not commit.is_utf8 or needs_object(commit):
                chunk[index] = self._examined(commit, kept)
        met: list[tuple[int, Identity]] = []
        ids = self._reserve_ids(len(chunk))
        number, class_of = self._identities.number, self._class_of
        messages = [self._forgotten.message(commit.message) for commit in chunk]
        self._copy(
            {
                "commits": [
                    _commit_row(i, c, number(c.author, met), number(c.committer, met), counts_of(c.files), message)
                    for i, c, message in zip(ids, chunk, messages, strict=True)
                ],
                "parents": [(i, n, p) for i, c in zip(ids, chunk, strict=True) for n, p in enumerate(c.parents, 1)],
                "files": [
                    (i, n, status, added, deleted, path, old_path, class_of(path))
                    for i, c in zip(ids, chunk, strict=True)
                    for n, (status, added, deleted, path, old_path) in enumerate(c.files, 1)
                ],
                "trailers": [row for i, c in zip(ids, chunk, strict=True) for row in self._trailers(i, c, met)],
                "identities": [(n, name, email) for n, (name, email) in met],
                "quarantine": kept,
            }
        )

    def _store_large(self, commit: LargeCommit) -> None:
        kept: list[Quarantined] = []
        head = self._examined(commit.head, kept)
        (row_id,) = self._reserve_ids(1)
        sums = Counts()
        while files := list(islice(commit.files, CHUNK_FILES)):
            is_text = all(is_utf8(file.path) and is_utf8(file.old_path or b"") for file in files)
            piece = self._examined(head._replace(files=files, is_utf8=is_text), kept)
            self._copy({
                "files": [
                    (row_id, sums.files + n, *file, self._class_of(file.path)) for n, file in enumerate(piece.files, 1)
                ]
            })  # fmt: skip
            sums = Counts(*map(add, sums, counts_of(piece.files)))
        met: list[tuple[int, Identity]] = []
        author, committer = (self._identities.number(who, met) for who in (head.author, head.committer))
        message = self._forgotten.message(head.message)
        self._copy(
            {
                "commits": [_commit_row(row_id, head, author, committer, sums, message)],
                "parents": [(row_id, n, parent) for n, parent in enumerate(head.parents, 1)],
                "trailers": list(self._trailers(row_id, head, met)),
                "identities": [(n, name, email) for n, (name, email) in met],
                "quarantine": kept,
            }
        )

    def _trailers(self, row_id: int, commit: Commit, met: list[tuple[int, Identity]]) -> Iterator[Row]:
        for position, trailer in enumerate(trailers_of(commit.message), 1):
            person = person_of(trailer)
            number = None if person is None else self._identities.number(person, met)
            yield row_id, position, trailer.key, trailer.kind, self._forgotten.message(trailer.value), number

    def _examined(self, commit: Commit, kept: list[Quarantined]) -> Commit:
        """Return the commit as it can be stored; what cannot is appended to `kept`."""
        original = self._objects.read(commit.hash) if needs_object(commit) else b""
        examined, found = examine(commit, original)
        tidy = examined if examined.is_utf8 else as_utf8(examined)
        kept += without_forgotten(found, tidy, self._forgotten) if self._forgotten else found
        return tidy

    def _copy(self, rows: dict[str, Sequence[Row]]) -> None:
        for kind, some in rows.items():
            if some:
                copy_rows(self._connection, self._staging, kind, some)

    def _reserve_ids(self, count: int) -> list[int]:
        # Taken here, so that files and parents know their commit's id without a join afterwards.
        rows = self._connection.execute(
            "select nextval('public.commits_id_seq') from generate_series(1, %s)", [count]
        ).fetchall()
        return [int(str(row[0])) for row in rows]


def _commit_row(row_id: int, commit: Commit, author: int, committer: int, sums: Counts, message: bytes) -> Row:
    return (
        row_id,
        author,
        committer,
        commit.hash,
        commit.authored.seconds,
        commit.authored.offset,
        commit.committed.seconds,
        commit.committed.offset,
        len(commit.parents),
        *sums,
        *(commit.first_parent or (None, None, None)),
        message,
    )


def as_utf8(commit: Commit) -> Commit:
    """Return the commit with every text cleaned."""

    def tidy(value: bytes) -> bytes:
        return clean(value).encode()

    return commit._replace(
        author=(tidy(commit.author[0]), tidy(commit.author[1])),
        committer=(tidy(commit.committer[0]), tidy(commit.committer[1])),
        message=tidy(commit.message),
        files=[
            change._replace(path=tidy(change.path), old_path=None if change.old_path is None else tidy(change.old_path))
            for change in commit.files
        ],
    )
