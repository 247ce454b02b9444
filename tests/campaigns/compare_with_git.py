"""
Compare a warehouse with git itself, row by row. Imports nothing of gitmart.

    python tests/campaigns/compare_with_git.py BARE_REPOSITORY --url-key KEY

The warehouse (any role that may read the raw tables) is named by GITMART_WAREHOUSE_URL. git is asked
by `git log`, `git show-ref` and `git cat-file`, in other ways than gitmart asks it. Prints what
differs and ends with 1 if anything does. Memory: the whole history, so give it a few GiB for large ones.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import psycopg.rows

SHOWN = 5  # differences of a kind
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": "/nonexistent",
}

# What a fresh extraction gives again: natural keys and values, no ids, no run numbers, no clocks.
NATURAL = {
    "commits": """
        select c.commit_hash, a.name, a.email, k.name, k.email, c.commit_date, c.committed_at, c.commit_message,
            c.lines_added, c.lines_deleted, c.files_changed, c.parent_count, c.commit_date_offset_minutes,
            c.committed_at_offset_minutes, c.in_default_branch, c.first_parent_lines_added,
            c.first_parent_lines_deleted, c.first_parent_files_changed, c.patch_id
        from commits c join contributors a on a.id = c.contributor_id join contributors k on k.id = c.committer_id
        where c.repository_id = %(id)s order by 1""",
    "parents": """
        select c.commit_hash, p.position, p.parent_hash from commit_parents p join commits c on c.id = p.commit_id
        where p.repository_id = %(id)s order by 1, 2""",
    "files": """
        select c.commit_hash, f.position, f.status, f.added, f.deleted, f.path, f.old_path,
            f.class
        from commit_files f join commits c on c.id = f.commit_id where f.repository_id = %(id)s order by 1, 2""",
    "trailers": """
        select c.commit_hash, t.position, t.key, t.kind, t.value, a.name, a.email
        from commit_trailers t join commits c on c.id = t.commit_id
        left join contributors a on a.id = t.contributor_id where t.repository_id = %(id)s order by 1, 2""",
    "refs": "select name, kind, object_hash, commit_hash from refs where repository_id = %(id)s order by 1",
    "leaderboard": """
        select a.name, a.email, l.commit_count, l.first_commit_date, l.last_commit_date
        from repository_contributors l join contributors a on a.id = l.contributor_id
        where l.repository_id = %(id)s order by 1, 2""",
    "mailmap": """
        select a.name, a.email, b.name, b.email, m.evidence
        from identity_merges m join contributors a on a.id = m.from_id join contributors b on b.id = m.to_id
        where m.repository_id = %(id)s and m.rule = 'mailmap' and m.undone_at is null order by 1, 2, 3, 4""",
    "quarantine": """
        select commit_hash, field, raw, reason from quarantine where repository_id = %(id)s order by 1, 2, 3""",
}


def natural(connection: psycopg.Connection, url_key: str) -> dict[str, list[tuple[object, ...]]]:
    """Return everything about a repository that a fresh extraction would give again."""
    (repository,) = connection.execute("select id from public.repositories where url_key = %s", [url_key]).fetchone()
    return {name: connection.execute(query, {"id": repository}).fetchall() for name, query in NATURAL.items()}


def git(repository: Path, *words: str | bytes, stdin: bytes = b"", accept: Sequence[int] = (0,)) -> bytes:
    """Return what git prints."""
    done = subprocess.run(
        ["git", f"--git-dir={repository}", *words], input=stdin, capture_output=True, env=ENVIRONMENT, check=False
    )
    if done.returncode not in accept:
        raise RuntimeError(f"git {words}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def text(raw: bytes) -> str:
    """Return bytes as the warehouse writes them."""
    return raw.decode("utf-8", "backslashreplace")


def is_text(raw: bytes) -> bool:
    """Whether the warehouse can hold the bytes as they are."""
    return text(raw).encode() == raw and b"\0" not in raw


class CommitOfGit(NamedTuple):
    """What git says of a commit: each value as bytes, and the object they come from."""

    parents: tuple[str, ...]
    author: tuple[bytes, bytes]
    authored: bytes
    committer: tuple[bytes, bytes]
    committed: bytes
    message: bytes
    object: bytes

    def line(self, field: bytes) -> bytes:
        """Return the value of the object's first header line of that name."""
        found = re.search(rb"(?:\A|\n)" + field + rb" ([^\n]*)", self.object.partition(b"\n\n")[0])
        return found[1] if found else b""

    @property
    def moments(self) -> tuple[tuple[int | None, int | None], ...]:
        """Return both dates as the warehouse should have them."""
        return moment(self.authored, self.line(b"author")), moment(self.committed, self.line(b"committer"))

    @property
    def row(self) -> tuple[object, ...]:
        """Return the commit as the warehouse should have it."""
        authored, committed = self.moments
        author, committer = (tuple(map(text, who)) for who in (self.author, self.committer))
        return self.parents, author, authored, committer, committed, text(self.message)

    def quarantined(self) -> Iterator[tuple[str, bytes]]:
        """Yield field and raw bytes of what the warehouse cannot hold."""
        for field, who in (("author", self.author), ("committer", self.committer)):
            for part, value in zip(("name", "email"), who, strict=True):
                if not is_text(value):
                    yield f"{field} {part}", value
        for field, date in zip(("author", "committer"), self.moments, strict=True):
            if None in date:
                yield field, self.line(field.encode())
        if not is_text(self.message):
            yield "message", self.message
        whole = self.object.partition(b"\n\n")[2]
        if b"\0" in whole:
            yield "message", whole


def moment(printed: bytes, ident: bytes) -> tuple[int | None, int | None]:
    """
    Return seconds and minutes east of UTC of a `--date=raw` date that git can read, else NULLs.

    git prints 0 for what it cannot hold, too; then the object's own line decides.
    """
    found = re.fullmatch(rb"(\d+) ([+-])(\d+)(\d\d)", printed)
    if found is None:
        return None, None
    if int(found[1]) == 0 and int((ident.rpartition(b">")[2].split() or [b"1"])[0]) != 0:
        return None, None
    minutes = int(found[3]) * 60 + int(found[4])
    offset = None if minutes > 24 * 60 or int(found[4]) > 59 else -minutes if found[2] == b"-" else minutes
    return (int(found[1]) if int(found[1]) <= 253402300799 else None), offset


def printed_by_log(repository: Path, *words: str) -> Iterator[bytes]:
    """Yield what `git log` prints of each commit that counts, hash first."""
    separator = secrets.token_hex(8)  # nothing that was committed before can hold it
    printed = git(repository, "log", "--branches", "--tags", "--no-show-signature", "--no-mailmap", *[
        word.replace("SEPARATOR", separator) for word in words
    ])  # fmt: skip
    yield from printed.split(separator.encode())[1:]


def objects(repository: Path, names: Iterable[str]) -> Iterator[bytes]:
    """Yield the objects of those names."""
    printed = git(repository, "cat-file", "--batch", "--buffer", stdin="".join(f"{n}\n" for n in names).encode())
    position = 0
    while position < len(printed):
        end = printed.index(b"\n", position)
        size = int(printed[position:end].rpartition(b" ")[2])
        yield printed[end + 1 : end + 1 + size]
        position = end + size + 2


def message_of(printed: bytes, people: Iterable[bytes], raw: bytes) -> bytes:
    """
    Return what git prints of a message, but for an object in which it finds no end of the header.

    git 2.39 prints of its own memory then. The header is also lost when it is read in a declared encoding
    that has other letters than ASCII.
    """
    header, blank, message = raw.partition(b"\n\n")
    if blank and b"\0" not in header and (any(people) or b"\nencoding " not in header):
        return printed
    return message.partition(b"\0")[0]


def commits_of_git(repository: Path) -> dict[str, CommitOfGit]:
    """Return every commit that counts by its hash."""
    form = "SEPARATOR%H%x00%P%x00%an%x00%ae%x00%ad%x00%cn%x00%ce%x00%cd%x00%B%x00"
    found = {}
    for record in printed_by_log(repository, "--encoding=UTF-8", "--date=raw", f"--format={form}"):
        name, *fields = record.split(b"\0")
        found[name.decode()] = fields
    return {
        name: CommitOfGit(
            tuple(parents.decode().split()),
            (an, ae),
            authored,
            (cn, ce),
            committed,
            message_of(message, (an, ae, cn, ce), raw),
            raw,
        )
        for (name, (parents, an, ae, authored, cn, ce, committed, message, *_)), raw in zip(
            found.items(), objects(repository, found), strict=True
        )
    }


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


class FileOfGit(NamedTuple):
    """A changed file."""

    status: str
    added: int | None
    deleted: int | None
    path: bytes
    old_path: bytes | None

    @property
    def row(self) -> tuple[object, ...]:
        """Return the file as the warehouse should have it."""
        return (*self[:3], text(self.path), None if self.old_path is None else text(self.old_path))

    def quarantined(self) -> Iterator[tuple[str, bytes]]:
        """Yield field and raw bytes of what the warehouse cannot hold."""
        for field, path in (("path", self.path), ("old path", self.old_path)):
            if path is not None and not is_text(path):
                yield field, path


def files_of_git(repository: Path) -> dict[str, list[FileOfGit]]:
    """Return hash -> every changed file, in git's order."""
    options = ["--root", "-M", "-z", "--format=SEPARATOR%H%x00"]
    counts = {h: list(_numstat(f)) for h, f in _fields(printed_by_log(repository, *options, "--numstat"))}
    states = {h: list(_raw(f)) for h, f in _fields(printed_by_log(repository, *options, "--raw", "--no-abbrev"))}
    return {
        name: [FileOfGit(state, *count) for state, count in zip(states[name], counted, strict=True)]
        for name, counted in counts.items()
    }


def _fields(records: Iterable[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    for record in records:
        name, _, rest = record.partition(b"\0")
        fields = rest.lstrip(b"\0").removeprefix(b"\n").split(b"\0")
        while fields and not fields[-1]:
            fields.pop()
        yield name.decode(), fields


def _numstat(fields: list[bytes]) -> Iterator[tuple[int | None, int | None, bytes, bytes | None]]:
    rest = iter(fields)
    for field in rest:
        added, deleted, path = field.split(b"\t", 2)
        lines = (None, None) if added == b"-" else (int(added), int(deleted))
        if path:
            yield *lines, path, None
        else:
            old = next(rest)
            yield *lines, next(rest), old


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


def trailers_of_git(repository: Path, commits: Mapping[str, CommitOfGit]) -> dict[str, list[tuple[str, str]]]:
    """Return hash -> key and value of every trailer, as git itself finds them, of commits that have any."""
    records = printed_by_log(repository, "--encoding=UTF-8", "--format=SEPARATOR%H%x00%B%x00%(trailers:only,unfold)")
    found = {}
    for record in records:
        name, message, listed = record.split(b"\0", 2)
        if (true := commits[name.decode()].message) != message:  # git printed something else than there is
            parse = ("interpret-trailers", "--parse", "--no-divider")
            listed = git(repository, *parse, stdin=re.sub(rb"\A([ \t\r]*\n)+", b"", true))
        if pairs := [line.partition(b":")[::2] for line in listed.split(b"\n") if line]:
            found[name.decode()] = [(text(key).lower(), text(value.removeprefix(b" "))) for key, value in pairs]
    return found


def people_of_trailers(trailers: Mapping[str, list[tuple[str, str]]]) -> set[tuple[str, str]]:
    """Return name and e-mail of whom co-authors' trailers name."""
    values = [value for listed in trailers.values() for key, value in listed if key == "co-authored-by"]
    named = [re.match(r"([^<>]*)<([^<>]+@[^<>]*)>", value) for value in values]
    people = [(who[1].strip(" \t\r\"',;:"), who[2].strip(" \t\r\x0b\x0c")) for who in named if who]
    return {who for who in people if who[0]}


def first_parent_of_git(repository: Path, commits: Mapping[str, CommitOfGit]) -> dict[str, tuple[int | None, ...]]:
    """Return hash -> lines added, lines deleted and files of a merge against its first parent, else three times None."""
    found: dict[str, tuple[int | None, ...]] = dict.fromkeys(commits, (None, None, None))
    for name, commit in commits.items():
        if len(commit.parents) > 1:
            printed = git(repository, "diff-tree", "-r", "-M", "-z", "--numstat", commit.parents[0], name)
            files = list(_numstat(printed.split(b"\0")[:-1]))
            found[name] = (sum(file[0] or 0 for file in files), sum(file[1] or 0 for file in files), len(files))
    return found


def patch_ids_of_git(repository: Path, commits: Iterable[str]) -> dict[str, tuple[str | None]]:
    """Return hash -> patch id, or None."""
    patches = subprocess.Popen(
        ["git", f"--git-dir={repository}", "log", "--branches", "--tags", "--no-show-signature", "--format=%H",
         "--root", "-p", "-M", "--full-index"], stdout=subprocess.PIPE, env=ENVIRONMENT,
    )  # fmt: skip
    printed = subprocess.run(
        ["git", f"--git-dir={repository}", "patch-id", "--stable"],
        stdin=patches.stdout, stdout=subprocess.PIPE, env=ENVIRONMENT, check=True,
    ).stdout  # fmt: skip
    patches.communicate()
    if patches.returncode:
        raise RuntimeError("git log -p failed")
    found = {name: patch_id for patch_id, name in (line.split() for line in printed.decode().splitlines())}
    return {name: (found.get(name),) for name in commits}


def refs_of_git(repository: Path) -> dict[str, tuple[object, ...]]:
    """Return cleaned name -> kind, object and commit of every branch and tag, and its raw name."""
    listed = git(repository, "show-ref", "--dereference", "--heads", "--tags", accept=(0, 1)).splitlines()
    leads = {name: oid.decode() for oid, name in (line.split(b" ", 1) for line in listed)}
    names = [name for name in leads if not name.endswith(b"^{}")]
    ends = [leads.get(name + b"^{}", leads[name]) for name in names]
    kinds = git(repository, "cat-file", "--batch-check=%(objecttype)", stdin="".join(f"{e}\n" for e in ends).encode())
    return {
        text(name): (
            "branch" if name.startswith(b"refs/heads/") else "tag", leads[name], end if kind == b"commit" else None, name
        )
        for name, end, kind in zip(names, ends, kinds.splitlines(), strict=True)
    }  # fmt: skip


def tip_of_head(repository: Path) -> str:
    """Return what HEAD leads to, "" if nowhere: most of git's commands would then take a tag named HEAD instead."""
    return git(repository, "show-ref", "--verify", "--hash", "HEAD", accept=(0, 128)).decode().strip()


def default_of_git(repository: Path) -> tuple[set[str], str | None]:
    """Return the commits that HEAD reaches, and the short name of the branch it points to if there is one."""
    tip = tip_of_head(repository)
    target = git(repository, "symbolic-ref", "--quiet", "HEAD", accept=(0, 1)).strip()
    reached = set(git(repository, "rev-list", tip).decode().split()) if tip else set()
    return reached, text(target.removeprefix(b"refs/heads/")) if tip and target.startswith(b"refs/heads/") else None


def mailmap_of_git(repository: Path) -> dict[object, object]:
    """Return author -> whom the .mailmap in HEAD puts in the place. git would take a symbolic link for one, too."""
    tip = tip_of_head(repository)
    there = git(repository, "ls-tree", tip, "--", ".mailmap") if tip else b""
    if not there.startswith((b"100644 blob", b"100755 blob")):
        return {}
    form = "--format=%x00%an%x00%ae%x00%aN%x00%aE%x00"
    mailmap = ("-c", f"mailmap.blob={tip}:.mailmap")
    printed = git(repository, *mailmap, "log", "--branches", "--tags", "--encoding=UTF-8", form)
    raw = printed.split(b"\0")
    fields = [text(field) for field in raw]
    found = {tuple(fields[at : at + 2]): tuple(fields[at + 2 : at + 4]) for at in range(1, len(fields) - 4, 5)}
    for at in range(1, len(fields) - 4, 5):
        # What names these bytes names also whoever writes how they are stored: both are one contributor.
        if (name := bytes_stored_as(fields[at])) is not None and fields[at + 1]:
            mapped = git(repository, *mailmap, "check-mailmap", "--", b"%s <%s>" % (name, raw[at + 1]))
            proper_name, _, proper_mail = mapped.removesuffix(b">\n").rpartition(b" <")
            if proper_name != name or proper_mail != raw[at + 1]:
                found[fields[at], fields[at + 1]] = text(proper_name), text(proper_mail)
    nobody = ("%aN", "%aE")  # git found no author to ask for
    return {who: proper for who, proper in found.items() if proper not in (who, nobody)}


def bytes_stored_as(name: str) -> bytes | None:
    r"""Return the bytes that are no UTF-8 and are stored as this text, with \xNN in their places; None without any."""
    raw = re.sub(rb"\\x([89a-f][0-9a-f])", lambda found: bytes([int(found[1], 16)]), name.encode())
    return raw if raw != name.encode() and text(raw) == name else None


def leaderboard_of_git(commits: Mapping[str, CommitOfGit], reached: set[str]) -> dict[object, object]:
    """Return author -> number of commits in the default branch, the first and the last date."""
    found: dict[object, list[int | None]] = {}
    for name in reached & commits.keys():
        commit = commits[name]
        found.setdefault(tuple(map(text, commit.author)), []).append(commit.moments[0][0])
    return {
        who: (len(dates), *(choose((d for d in dates if d is not None), default=None) for choose in (min, max)))
        for who, dates in found.items()
    }


def quarantine_of_git(
    commits: Mapping[str, CommitOfGit],
    files: Mapping[str, Iterable[FileOfGit]],
    refs: Mapping[str, tuple[object, ...]],
) -> dict[object, object]:
    """Return hash -> field and raw bytes of all that cannot be stored; the hash of a ref's name is None."""
    found: dict[object, object] = {}
    for name, commit in commits.items():
        values = [*commit.quarantined(), *(value for file in files[name] for value in file.quarantined())]
        if values:
            found[name] = sorted(values)
    odd = sorted(("ref", raw) for *_, raw in refs.values() if isinstance(raw, bytes) and not is_text(raw))
    return found | ({None: odd} if odd else {})


def differences(kind: str, expected: Mapping[Any, object], found: Mapping[Any, object]) -> int:
    """Print what differs between git and the warehouse; return how many keys do."""
    wrong = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
    for key in wrong[:SHOWN]:
        print(f"{kind} {key}\n  git:       {expected.get(key)!r}\n  warehouse: {found.get(key)!r}"[:2000])
    print(f"{kind}: {len(expected)} in git, {len(found)} in the warehouse, {len(wrong)} differ")
    return len(wrong)


def compare(
    connection: psycopg.Connection,
    repository: Path,
    url_key: str,
    *,
    first_parent_counts: bool = False,
    patch_ids: bool = False,
) -> int:
    """
    Print what differs between a bare repository and the warehouse; return how many keys do.

    What the extraction was not asked for (`first_parent_counts`, `patch_ids`) must be NULL.
    """
    row = connection.execute("select id from public.repositories where url_key = %s", [url_key]).fetchone()
    if row is None:
        print(f"the warehouse has no repository {url_key}")
        return 1
    (number,) = row
    commits, files, refs = commits_of_git(repository), files_of_git(repository), refs_of_git(repository)
    reached, branch = default_of_git(repository)
    rows = {name: [file.row for file in changed] for name, changed in files.items()}
    sums = {
        name: (sum(f.added or 0 for f in changed), sum(f.deleted or 0 for f in changed), len(changed))
        for name, changed in files.items()
    }
    quarantine = quarantine_of_git(commits, files, refs)

    def in_warehouse(query: str) -> dict[Any, tuple[object, ...]]:
        return {key: tuple(rest) for key, *rest in connection.execute(query.encode(), {"id": number})}

    wrong = differences(
        "commit", {name: commit.row for name, commit in commits.items()}, commits_of_warehouse(connection, number)
    )
    wrong += differences("files of", rows, files_of_warehouse(connection, number))
    wrong += differences("sums of", sums, in_warehouse(SUMS))
    trailers = trailers_of_git(repository, commits)
    rows_of_trailers: dict[str, list[tuple[str, str]]] = {}
    for name, key, value in connection.execute(TRAILERS, {"id": number}):
        rows_of_trailers.setdefault(name, []).append((key, value))
    wrong += differences("trailers of", trailers, rows_of_trailers)
    wrong += differences(
        "co-authors", dict.fromkeys(people_of_trailers(trailers)),
        dict.fromkeys(connection.execute(CO_AUTHORS, {"id": number})),
    )  # fmt: skip
    nothing = dict.fromkeys(commits, (None, None, None))
    against_first = first_parent_of_git(repository, commits) if first_parent_counts else nothing
    wrong += differences("first-parent counts of", against_first, in_warehouse(FIRST_PARENT))
    patches = patch_ids_of_git(repository, commits) if patch_ids else dict.fromkeys(commits, (None,))
    wrong += differences("patch id of", patches, in_warehouse(PATCH_IDS))
    wrong += differences("parents of", {n: (len(c.parents),) for n, c in commits.items()}, in_warehouse(PARENT_COUNTS))
    wrong += differences("default branch of", {name: (name in reached,) for name in commits}, in_warehouse(FLAGS))
    wrong += differences("ref", {name: ref[:3] for name, ref in refs.items()}, in_warehouse(REFS))
    wrong += differences("leaderboard of", leaderboard_of_git(commits, reached), {
        (name, email): tuple(rest) for name, email, *rest in connection.execute(LEADERBOARD, {"id": number})
    })  # fmt: skip
    wrong += differences("mailmap of", mailmap_of_git(repository), {
        (name, email): tuple(rest) for name, email, *rest in connection.execute(MAILMAP, {"id": number})
    })  # fmt: skip
    wrong += differences("quarantine of", quarantine, quarantine_of_warehouse(connection, number))
    people = {tuple(map(text, who)) for commit in commits.values() for who in (commit.author, commit.committer)}
    totals = {
        "commits": len(commits),
        "people": len(people),
        "authors": len({commit.row[1] for commit in commits.values()}),
        "branches": sum(ref[0] == "branch" for ref in refs.values()),
        "tags": sum(ref[0] == "tag" for ref in refs.values()),
        "quarantined": sum(len(values) for values in quarantine.values() if isinstance(values, list)),
    }
    wrong += differences("totals", totals, totals_of_warehouse(connection, number))
    if branch is not None:  # a clone may name a branch for a HEAD that points to a commit
        wrong += differences("default branch", {"name": (branch,)}, in_warehouse(DEFAULT_BRANCH))
    return wrong


SUMS = "select commit_hash, lines_added, lines_deleted, files_changed from public.commits where repository_id = %(id)s"
FIRST_PARENT = """
    select commit_hash, first_parent_lines_added, first_parent_lines_deleted, first_parent_files_changed
    from public.commits where repository_id = %(id)s"""
PATCH_IDS = "select commit_hash, patch_id from public.commits where repository_id = %(id)s"
FLAGS = "select commit_hash, in_default_branch from public.commits where repository_id = %(id)s"
PARENT_COUNTS = "select commit_hash, parent_count from public.commits where repository_id = %(id)s"
REFS = "select name, kind, object_hash, commit_hash from public.refs where repository_id = %(id)s"
DEFAULT_BRANCH = "select 'name', default_branch from public.repositories where id = %(id)s"
TRAILERS = b"""
    select c.commit_hash, t.key, t.value from public.commit_trailers t join public.commits c on c.id = t.commit_id
    where t.repository_id = %(id)s order by c.id, t.position"""
CO_AUTHORS = b"""
    select distinct a.name, a.email from public.commit_trailers t
    join public.contributors a on a.id = t.contributor_id
    where t.repository_id = %(id)s and t.key = 'co-authored-by'"""
LEADERBOARD = b"""
    select a.name, a.email, l.commit_count, extract(epoch from l.first_commit_date)::bigint,
        extract(epoch from l.last_commit_date)::bigint
    from public.repository_contributors l join public.contributors a on a.id = l.contributor_id
    where l.repository_id = %(id)s"""


MAILMAP = b"""
    select a.name, a.email, b.name, b.email
    from public.identity_merges m join public.contributors a on a.id = m.from_id
    join public.contributors b on b.id = m.to_id
    where m.repository_id = %(id)s and m.rule = 'mailmap' and m.undone_at is null
        and exists (select from public.commits c where c.contributor_id = a.id and c.repository_id = m.repository_id)"""


def quarantine_of_warehouse(connection: psycopg.Connection, repository: int) -> dict[object, object]:
    """Return hash -> field and raw bytes."""
    found: dict[object, list[tuple[str, bytes]]] = {}
    for name, field, raw in connection.execute(
        "select commit_hash, field, raw from public.quarantine where repository_id = %s", [repository]
    ):
        found.setdefault(name, []).append((field, bytes(raw)))
    return {name: sorted(values) for name, values in found.items()}


def totals_of_warehouse(connection: psycopg.Connection, repository: int) -> dict[str, object]:
    """Return what the last run's own row says, and the number of people."""
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(
            """
            select commits, contributors as authors, branches, tags, quarantined, (
                select count(distinct who) from public.commits c, unnest(array[c.contributor_id, c.committer_id]) who
                where c.repository_id = r.repository_id
            ) as people
            from public.extraction_runs r where repository_id = %s order by run_number desc limit 1""",
            [repository],
        ).fetchone()


def main() -> int:
    """Compare and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("repository", type=Path, help="a bare repository: what was extracted")
    parser.add_argument("--url-key", required=True, help="the repository's url_key in the warehouse")
    parser.add_argument("--first-parent-counts", action="store_true", help="it was extracted with them")
    parser.add_argument("--patch-ids", action="store_true", help="it was extracted with them")
    arguments = parser.parse_args()
    with psycopg.connect(os.environ["GITMART_WAREHOUSE_URL"]) as connection:
        wrong = compare(
            connection,
            arguments.repository,
            arguments.url_key,
            first_parent_counts=arguments.first_parent_counts,
            patch_ids=arguments.patch_ids,
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
