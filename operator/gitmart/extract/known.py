"""What the warehouse knows of a repository: the refs of the last run, and the commits they reach."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from psycopg import sql

from gitmart.extract.refs import Ref, digest_of
from gitmart.extract.shape import BRANCHES, Shape
from gitmart.warehouse.locks import Connection

# Nothing is older for `date_of`: some versions of git read smaller numbers as something else.
EARLIEST = 315_532_800  # 1980-01-01T00:00:00Z


@dataclass(frozen=True, slots=True)
class Known:
    """
    The state after the last run.

    The commits of the warehouse are closed: whatever one of them leads to is in the warehouse too, with its
    parents, since a run brings all that its refs reach, or nothing.
    """

    connection: Connection
    repository_id: int
    refs: dict[bytes, Ref]  # by full name; one that is no UTF-8 stands as it was cleaned
    head: bytes | None  # the commit of HEAD
    default_branch: bytes | None  # full name
    digest: str
    rows: str | None  # `Shape.rows` of that run; None: it was a version that did not tell
    class_rules: str | None  # `rules_digest` of that run
    classes: str | None  # `Classes.digest` of that run

    def is_of(self, shape: Shape) -> bool:
        """
        Whether a run with this shape would have left this state, but for the classes of files.

        Also false when the name of a ref is no UTF-8, since its bytes are not in the warehouse.
        """
        refs = ((ref.name, ref.object_hash) for ref in self.refs.values())
        return digest_of(refs, self.default_branch or self.head or b"", shape, self.class_rules or "") == self.digest

    def attributes(self) -> bytes:
        """Return what `Classes.attributes` was at the last run."""
        row = self.connection.execute(
            "select attributes from public.repositories where id = %s", [self.repository_id]
        ).fetchone()
        return bytes(row[0]) if row else b""  # type: ignore[call-overload]

    def commits(self, ids: Collection[bytes]) -> set[bytes]:
        """Return those of the ids that are commits in the warehouse."""
        rows = self.connection.execute(
            "select commit_hash from public.commits where repository_id = %s and commit_hash = any(%s)",
            [self.repository_id, [name.decode() for name in ids]],
        )
        return {str(row[0]).encode() for row in rows}

    def count(self) -> int:
        """Return how many commits the warehouse has of the repository."""
        row = self.connection.execute(
            "select count(*) from public.commits where repository_id = %s", [self.repository_id]
        ).fetchone()
        return int(str(row[0])) if row else 0

    def count_reachable(self, listed: sql.Composable, tips: Collection[bytes]) -> int:
        """
        Return how many of them the tips and the commits of the table `listed` lead to.

        The table lists all commits on disk that new tips lead to.
        """
        statement = sql.SQL(
            """with recursive reached (id) as (
                select c.id from public.commits as c
                where c.repository_id = %(repository)s
                    and (c.commit_hash = any(%(tips)s) or c.commit_hash in (select commit_hash from {}))
                union
                select c.id
                from reached
                join public.commit_parents as p on p.commit_id = reached.id
                join public.commits as c on c.repository_id = %(repository)s and c.commit_hash = p.parent_hash
            )
            select count(*) from reached"""
        ).format(listed)
        row = self.connection.execute(
            statement, {"repository": self.repository_id, "tips": [name.decode() for name in tips]}
        ).fetchone()
        return int(str(row[0])) if row else 0

    def date_of(self, tips: Collection[bytes], window: int) -> int:
        """
        Return the committer date of the oldest of these commits, in seconds since 1970.

        Those that are older than the newest by more than `window` seconds count as so much older; dates after
        the last run are lies and count as its start.
        """
        row = self.connection.execute(
            """select extract(epoch from least(
                   (select max(started_at) from public.extraction_runs where repository_id = %(repository)s),
                   greatest(min(committed_at), max(committed_at) - make_interval(secs => %(window)s))
               ))::bigint
               from public.commits where repository_id = %(repository)s and commit_hash = any(%(tips)s)""",
            {"repository": self.repository_id, "window": window, "tips": [name.decode() for name in tips]},
        ).fetchone()
        return max(EARLIEST, int(str(row[0]))) if row and row[0] is not None else EARLIEST


def read_known(connection: Connection, repository_id: int) -> Known | None:
    """Return what the warehouse knows; None when it has no commit of the repository."""
    run = connection.execute(
        """select default_branch, head, refs_digest, rows_digest, class_rules_digest, classes_digest
           from public.extraction_runs
           where repository_id = %(repository)s
               and exists (select from public.commits where repository_id = %(repository)s)
           order by run_number desc limit 1""",
        {"repository": repository_id},
    ).fetchone()
    if run is None:
        return None
    branch, head, digest, *others = run
    rows = connection.execute(
        "select name, object_hash, commit_hash from public.refs where repository_id = %s", [repository_id]
    )
    refs = [Ref(str(name).encode(), str(oid).encode(), _bytes(commit)) for name, oid, commit in rows]
    return Known(
        connection,
        repository_id,
        {ref.name: ref for ref in refs},
        _bytes(head),
        None if branch is None else BRANCHES + str(branch).encode(),
        str(digest),
        *(None if value is None else str(value) for value in others),
    )


def _bytes(value: object) -> bytes | None:
    return None if value is None else str(value).encode()
