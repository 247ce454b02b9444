"""What the warehouse knows of a repository: the refs of the last run, and the commits they reach."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gitmart.extract.refs import BRANCHES, Ref, digest_of
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

    def is_of(self, include: Sequence[str], exclude: Sequence[str]) -> bool:
        """
        Whether a run with these globs, by this version of the extractor, would have left this state.

        Also false when the name of a ref is no UTF-8, since its bytes are not in the warehouse.
        """
        refs = ((ref.name, ref.object_hash) for ref in self.refs.values())
        return digest_of(refs, self.default_branch or self.head or b"", include, exclude) == self.digest

    def commits(self, ids: Collection[bytes]) -> set[bytes]:
        """Return those of the ids that are commits in the warehouse."""
        rows = self.connection.execute(
            "select commit_hash from public.commits where repository_id = %s and commit_hash = any(%s)",
            [self.repository_id, [name.decode() for name in ids]],
        )
        return {str(row[0]).encode() for row in rows}

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
        """select default_branch, head, refs_digest from public.extraction_runs
           where repository_id = %(repository)s
               and exists (select from public.commits where repository_id = %(repository)s)
           order by run_number desc limit 1""",
        {"repository": repository_id},
    ).fetchone()
    if run is None:
        return None
    branch, head, digest = run
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
    )


def _bytes(value: object) -> bytes | None:
    return None if value is None else str(value).encode()
