"""
Compare a warehouse with git itself, row by row. Imports nothing of gitmart.

    python tests/campaigns/compare_with_git.py BARE_REPOSITORY --url-key KEY

The warehouse (any role that may read the raw tables) is named by GITMART_WAREHOUSE_URL. git is asked
by `git log`, which prints everything in another way than the commands that gitmart uses. Prints what
differs and ends with 1 if anything does. Memory: the whole history, so give it a few GiB for large ones.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg

SHOWN = 5  # differences of a kind
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_NO_REPLACE_OBJECTS": "1",
}

# What a fresh extraction gives again: natural keys and values, no ids, no run numbers, no clocks.
NATURAL = {
    "commits": """
        select c.commit_hash, a.name, a.email, k.name, k.email, c.commit_date, c.committed_at, c.commit_message,
            c.lines_added, c.lines_deleted, c.files_changed, c.parent_count, c.commit_date_offset_minutes,
            c.committed_at_offset_minutes, c.in_default_branch
        from commits c join contributors a on a.id = c.contributor_id join contributors k on k.id = c.committer_id
        where c.repository_id = %(id)s order by 1""",
    "parents": """
        select c.commit_hash, p.position, p.parent_hash from commit_parents p join commits c on c.id = p.commit_id
        where p.repository_id = %(id)s order by 1, 2""",
    "files": """
        select c.commit_hash, f.position, f.status, f.added, f.deleted, f.path, f.old_path
        from commit_files f join commits c on c.id = f.commit_id where f.repository_id = %(id)s order by 1, 2""",
    "refs": "select name, kind, object_hash, commit_hash from refs where repository_id = %(id)s order by 1",
    "leaderboard": """
        select a.name, a.email, l.commit_count, l.first_commit_date, l.last_commit_date
        from repository_contributors l join contributors a on a.id = l.contributor_id
        where l.repository_id = %(id)s order by 1, 2""",
    "quarantine": """
        select commit_hash, field, raw, reason from quarantine where repository_id = %(id)s order by 1, 2, 3""",
}


def natural(connection: psycopg.Connection, url_key: str) -> dict[str, list[tuple[object, ...]]]:
    """Return everything about a repository that a fresh extraction would give again."""
    (repository,) = connection.execute("select id from public.repositories where url_key = %s", [url_key]).fetchone()
    return {name: connection.execute(query, {"id": repository}).fetchall() for name, query in NATURAL.items()}


def git(repository: Path, *words: str) -> bytes:
    """Return what git prints."""
    return subprocess.run(
        ["git", f"--git-dir={repository}", *words], stdout=subprocess.PIPE, env=ENVIRONMENT, check=True
    ).stdout


def text(raw: bytes) -> str:
    """Return bytes as the warehouse writes them."""
    return raw.decode("utf-8", "backslashreplace")


def moment(raw: bytes) -> tuple[int | None, int | None]:
    """Return seconds and minutes east of UTC of a `--date=raw` date that git can read, else NULLs."""
    found = re.fullmatch(rb"(\d+) ([+-])(\d+)(\d\d)", raw)
    if found is None:
        return None, None
    minutes = int(found[3]) * 60 + int(found[4])
    offset = None if minutes > 24 * 60 or int(found[4]) > 59 else -minutes if found[2] == b"-" else minutes
    return (int(found[1]) if int(found[1]) <= 253402300799 else None), offset


def commits_of_git(repository: Path) -> dict[str, tuple[object, ...]]:
    """Return hash -> parents, author, committer, dates and message."""
    form = "%x1e%x1d%x1e%H%x00%P%x00%an%x00%ae%x00%ad%x00%cn%x00%ce%x00%cd%x00%B%x00"
    printed = git(
        repository,
        "log",
        "--branches",
        "--tags",
        "--encoding=UTF-8",
        "--date=raw",
        "--no-show-signature",
        f"--format={form}",
    )
    found = {}
    for record in printed.split(b"\x1e\x1d\x1e")[1:]:
        name, parents, *fields = record.split(b"\0")
        an, ae, ad, cn, ce, cd, body = fields[:7]
        found[name.decode()] = (
            tuple(parents.decode().split()),
            (text(an), text(ae)),
            moment(ad),
            (text(cn), text(ce)),
            moment(cd),
            text(body),
        )
    return found


def commits_of_warehouse(connection: psycopg.Connection, repository: int) -> dict[str, tuple[object, ...]]:
    """Return the same from the tables."""
    rows = connection.execute(
        """
        select c.commit_hash,
            coalesce((select array_agg(p.parent_hash order by p.position) from public.commit_parents p
                      where p.commit_id = c.id), '{}'),
            a.name, a.email, extract(epoch from c.commit_date)::bigint, c.commit_date_offset_minutes,
            k.name, k.email, extract(epoch from c.committed_at)::bigint, c.committed_at_offset_minutes,
            c.commit_message
        from public.commits c
        join public.contributors a on a.id = c.contributor_id
        join public.contributors k on k.id = c.committer_id
        where c.repository_id = %s
        """,
        [repository],
    )
    return {
        row[0]: (tuple(row[1]), (row[2], row[3]), (row[4], row[5]), (row[6], row[7]), (row[8], row[9]), row[10])
        for row in rows
    }


def files_of_git(repository: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return hash -> (status, added, deleted, path, old path) of every changed file, in git's order."""
    order = ["--branches", "--tags", "--no-show-signature", "--root", "-M", "-z", "--format=%x1e%x1d%x1e%H%x00"]
    counts = {h: list(_numstat(f)) for h, f in _fields(git(repository, "log", *order, "--numstat"))}
    states = {h: list(_raw(f)) for h, f in _fields(git(repository, "log", *order, "--raw", "--no-abbrev"))}
    return {
        name: [(state, *count) for state, count in zip(states[name], counted, strict=True)]
        for name, counted in counts.items()
    }


def _fields(printed: bytes) -> Iterator[tuple[str, list[bytes]]]:
    for record in printed.split(b"\x1e\x1d\x1e")[1:]:
        name, _, rest = record.partition(b"\0")
        fields = rest.lstrip(b"\0").removeprefix(b"\n").split(b"\0")
        while fields and not fields[-1]:
            fields.pop()
        yield name.decode(), fields


def _numstat(fields: list[bytes]) -> Iterator[tuple[object, ...]]:
    rest = iter(fields)
    for field in rest:
        added, deleted, path = field.split(b"\t", 2)
        numbers = (None, None) if added == b"-" else (int(added), int(deleted))
        if path:
            yield (*numbers, text(path), None)
        else:
            old = next(rest)
            yield (*numbers, text(next(rest)), text(old))


def _raw(fields: list[bytes]) -> Iterator[str]:
    rest = iter(fields)
    for field in rest:
        state = field.split(b" ")[-1][:1].decode()
        next(rest)
        if state in "RC":
            next(rest)
        yield state


def files_of_warehouse(connection: psycopg.Connection, repository: int) -> dict[str, list[tuple[object, ...]]]:
    """Return the same from the tables; commits without files too."""
    found: dict[str, list[tuple[object, ...]]] = {
        row[0]: []
        for row in connection.execute("select commit_hash from public.commits where repository_id = %s", [repository])
    }
    for name, *file in connection.execute(
        """
        select c.commit_hash, f.status::text, f.added, f.deleted, f.path, f.old_path
        from public.commit_files f join public.commits c on c.id = f.commit_id
        where c.repository_id = %s order by c.id, f.position
        """,
        [repository],
    ):
        found[name].append(tuple(file))
    return found


def differences(kind: str, expected: dict[str, object], found: dict[str, object]) -> int:
    """Print what differs between git and the warehouse; return how many keys do."""
    wrong = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
    for key in wrong[:SHOWN]:
        print(f"{kind} {key}\n  git:       {expected.get(key)!r}\n  warehouse: {found.get(key)!r}"[:2000])
    print(f"{kind}: {len(expected)} in git, {len(found)} in the warehouse, {len(wrong)} differ")
    return len(wrong)


def main() -> int:
    """Compare and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("repository", type=Path, help="a bare repository: what was extracted")
    parser.add_argument("--url-key", required=True, help="the repository's url_key in the warehouse")
    arguments = parser.parse_args()
    with psycopg.connect(os.environ["GITMART_WAREHOUSE_URL"]) as connection:
        row = connection.execute(
            "select id from public.repositories where url_key = %s", [arguments.url_key]
        ).fetchone()
        if row is None:
            print(f"the warehouse has no repository {arguments.url_key}")
            return 1
        (repository,) = row
        wrong = differences(
            "commit", commits_of_git(arguments.repository), commits_of_warehouse(connection, repository)
        )
        files = files_of_git(arguments.repository)
        wrong += differences("files of", files, files_of_warehouse(connection, repository))
        sums = {
            name: (sum(f[1] or 0 for f in changed), sum(f[2] or 0 for f in changed), len(changed))
            for name, changed in files.items()
        }
        wrong += differences("sums of", sums, _sums(connection, repository))
        main_line = git(arguments.repository, "rev-list", "HEAD").decode().split()
        reached = set(main_line) & files.keys()
        flagged = {name: name in reached for name in files}
        wrong += differences("default branch of", flagged, _flags(connection, repository))
    return 1 if wrong else 0


def _sums(connection: psycopg.Connection, repository: int) -> dict[str, object]:
    rows = connection.execute(
        "select commit_hash, lines_added, lines_deleted, files_changed from public.commits where repository_id = %s",
        [repository],
    )
    return {row[0]: row[1:] for row in rows}


def _flags(connection: psycopg.Connection, repository: int) -> dict[str, object]:
    rows = connection.execute(
        "select commit_hash, in_default_branch from public.commits where repository_id = %s", [repository]
    )
    return dict(rows.fetchall())


if __name__ == "__main__":
    sys.exit(main())
