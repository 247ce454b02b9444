"""
How peers read a history, each in the way its own documentation shows, into the tables that gitmart fills.

Runs in an environment of its own, with the peers and psycopg alone: `python peer_readers.py TOOL REPOSITORY URL`.
All of them load with COPY and as sets, which none does by itself: what is compared is the reading.
"""

from __future__ import annotations

import email.utils
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

import psycopg


class Record(NamedTuple):
    """A commit with its files: path, lines added and deleted (None: binary)."""

    hash: str
    author: tuple[str, str]
    committer: tuple[str, str]
    authored: datetime
    committed: datetime
    message: str
    parents: list[str]
    files: list[tuple[str, int | None, int | None]]


def pydriller(path: str) -> Iterator[Record]:
    """Read with PyDriller's modified files."""
    from pydriller import Repository

    for commit in Repository(path, include_refs=True).traverse_commits():
        yield Record(
            commit.hash,
            (commit.author.name or "", commit.author.email or ""),
            (commit.committer.name or "", commit.committer.email or ""),
            commit.author_date,
            commit.committer_date,
            commit.msg,
            commit.parents,
            [
                (file.new_path or file.old_path or "", file.added_lines, file.deleted_lines)
                for file in commit.modified_files
            ],
        )


def gitpython(path: str) -> Iterator[Record]:
    """Read with GitPython's stats."""
    import git

    for commit in git.Repo(path).iter_commits("--all"):
        yield Record(
            commit.hexsha,
            (commit.author.name or "", commit.author.email or ""),
            (commit.committer.name or "", commit.committer.email or ""),
            commit.authored_datetime,
            commit.committed_datetime,
            str(commit.message),
            [parent.hexsha for parent in commit.parents],
            [(str(name), each["insertions"], each["deletions"]) for name, each in commit.stats.files.items()],
        )


def perceval(path: str) -> Iterator[Record]:
    """Read with perceval's own log and parser, without its clone."""
    from perceval.backends.core.git import GitParser, GitRepository

    for commit in GitParser(GitRepository(path, path).log()).parse():
        yield Record(
            commit["commit"],
            _person(commit["Author"]),
            _person(commit["Commit"]),
            datetime.strptime(commit["AuthorDate"], "%a %b %d %H:%M:%S %Y %z"),
            datetime.strptime(commit["CommitDate"], "%a %b %d %H:%M:%S %Y %z"),
            commit["message"],
            commit["parents"],
            [(file["file"], _count(file.get("added")), _count(file.get("removed"))) for file in commit["files"]],
        )


TOOLS: dict[str, Callable[[str], Iterator[Record]]] = {
    "PyDriller": pydriller,
    "GitPython": gitpython,
    "perceval": perceval,
}


def _person(text: str) -> tuple[str, str]:
    return email.utils.parseaddr(text)


def _count(text: str | None) -> int | None:
    return None if text in {None, "-"} else int(str(text))


STAGING = """
create temp table met (hash text, author_name text, author_email text, committer_name text, committer_email text,
    authored timestamptz, committed timestamptz, message text, parents text[], files integer, added bigint, deleted bigint);
create temp table met_files (hash text, position integer, path text, added bigint, deleted bigint);
"""
MERGE = """
insert into repositories (url, url_key, host, name) values ('file:///peer', 'file:///peer', '', 'peer');
insert into contributors (name, email)
select author_name, author_email from met union select committer_name, committer_email from met
on conflict do nothing;
insert into commits (repository_id, contributor_id, committer_id, commit_hash, commit_date, committed_at, commit_message,
    lines_added, lines_deleted, changed_run, files_changed, parent_count, in_default_branch)
select r.id, a.id, c.id, hash, authored, committed, message, added, deleted, 1, files, cardinality(parents), true
from met
join repositories r on r.url_key = 'file:///peer'
join contributors a on (a.name, a.email) = (author_name, author_email)
join contributors c on (c.name, c.email) = (committer_name, committer_email);
insert into commit_parents (commit_id, position, repository_id, changed_run, parent_hash)
select c.id, p.position, c.repository_id, 1, p.hash from met
join commits c on c.commit_hash = met.hash, unnest(met.parents) with ordinality as p (hash, position);
insert into commit_files (commit_id, position, status, repository_id, changed_run, added, deleted, path)
select c.id, f.position, 'M', c.repository_id, 1, f.added, f.deleted, f.path
from met_files f join commits c on c.commit_hash = f.hash;
"""


def clean(text: str) -> str:
    """Return what PostgreSQL takes."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


def load(records: Iterator[Record], url: str) -> None:
    """Load all records in one transaction."""
    files: list[tuple[object, ...]] = []
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(STAGING)
        with cursor.copy("copy met from stdin") as copy:
            for record in records:
                counts = [(added or 0, deleted or 0) for _, added, deleted in record.files]
                copy.write_row(
                    [
                        record.hash, *map(clean, (*record.author, *record.committer)), record.authored, record.committed,
                        clean(record.message), record.parents, len(counts), sum(a for a, _ in counts),
                        sum(d for _, d in counts),
                    ]
                )  # fmt: skip
                files += [
                    (record.hash, place, clean(path), added, deleted)
                    for place, (path, added, deleted) in enumerate(record.files, 1)
                ]
        with cursor.copy("copy met_files from stdin") as copy:
            for row in files:
                copy.write_row(row)
        cursor.execute(MERGE)


if __name__ == "__main__":
    tool, repository, url = sys.argv[1:]
    load(TOOLS[tool](repository), url)
