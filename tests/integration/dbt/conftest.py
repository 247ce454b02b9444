"""A warehouse that dbt builds in, raw tables written as the extractor writes them, and dbt in this process."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from gitmart.local.postgres import SUPERUSER, EmbeddedPostgres
from gitmart.transform.frugal import lighten
from gitmart.transform.hearing import hear_only
from gitmart.transform.sessions import share_sessions

PROJECT = Path(__file__).parents[3] / "dbt"
SCHEMA = "analytics"
REBUILT = "rebuilt"  # where a full refresh puts the same marts
SUFFIXES = ("", "_staging", "_intermediate", "_test_failures")
MARTS = {
    "fct_commits": ("repository_id", "commit_hash"),
    "fct_contributions": ("repository_id", "commit_hash", "contributor_id", "contribution_role"),
    "fct_file_changes": ("repository_id", "commit_id", "file_number"),
    "fct_daily_activity": (
        "repository_id",
        "contributor_id",
        "date_kind",
        "activity_day",
        "in_default_branch",
        "is_merge",
        "is_first_of_patch",
        "is_first_of_patch_anywhere",
    ),
    "fct_daily_commits": ("repository_id", "contributor_id", "commit_day"),
    "fct_repository_activity": ("repository_id", "granularity", "period_start"),
    "fct_repository_contributors": ("repository_id", "contributor_id"),
    "dim_repository": ("repository_id",),
    "dim_contributor": ("contributor_id",),
    "dim_identity": ("identity_id",),
    "repository_summary": ("repository_id",),
    "contributor_summary": ("contributor_id",),
    "fct_repository_snapshots": ("repository_id", "taken_on"),
    "fct_repository_languages": ("repository_id", "language"),
    "fct_repository_topics": ("repository_id", "topic"),
    "fct_releases": ("repository_id", "release_id"),
    "dim_branch": ("repository_id", "branch_id"),
    "bi_all_refs_commits": ("repository_id", "commit_hash"),
    "bi_commits": ("repository_id", "commit_hash"),
    "bi_contributors": ("contributor_id",),
    "bi_daily_commits": ("repository_id", "contributor_id", "commit_day"),
    "bi_file_changes": ("repository_id", "commit_hash", "path", "old_path"),
    "bi_monthly_activity": ("repository_id", "month_start"),
    "bi_releases": ("repository_id", "tag_name"),
    "bi_repositories": ("repository_id",),
    "bi_repository_contributors": ("repository_id", "contributor_id"),
}
VIEWS = tuple(name for name in MARTS if name.startswith("bi_"))
FACTS = ("fct_commits", "fct_contributions", "fct_file_changes", "fct_daily_activity", "fct_daily_commits")
STATES = ("int_contributors", "int_built_repositories", "int_fingerprints", "int_repository_states")
# What else is built by repository.
STEPS = {
    "int_commit_credits": ("repository_id", "commit_hash"),
    "int_contributor_totals": ("repository_id", "contributor_id"),
    "int_identity_commits": ("repository_id", "identity_id", "git_role"),
    "int_time_series": ("repository_id", "granularity", "period_start"),
}
NO_UNIT_TESTS = ("--exclude-resource-type", "unit_test")  # these bring their own rows, and expect default variables

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Run:
    """One extraction of a repository: everything it does commits together."""

    connection: Connection
    repository: int
    number: int

    def add(
        self,
        name: str,
        author: int,
        date: str | None = "2024-03-01 10:00+00",
        *,
        committed: str | None = "2024-03-01 11:00+00",
        zone: int | None = 0,
        lines: tuple[int, int] = (3, 1),
        merge: bool = False,
        in_default_branch: bool = True,
        file_class: str = "s",
        patch: str | None = None,
        paths: Sequence[str] = (),
    ) -> None:
        """
        Insert a commit; its hash is made from its name.

        All its lines are of its first file, all files of a class of that letter; without paths it has one file, which
        no other commit changes. `zone` is that of the author date, minutes east of UTC.
        """
        paths = paths or (f"file of {name}",)
        added = self.connection.execute(
            """
            insert into commits (repository_id, contributor_id, committer_id, commit_hash, commit_date, committed_at,
                commit_message, lines_added, lines_deleted, files_changed, parent_count, in_default_branch, patch_id,
                changed_run, commit_date_offset_minutes)
            values (%s, %s, %s, %s, %s, %s, '', %s, %s, %s, %s, %s, %s, %s, %s) returning id
            """,
            [
                self.repository, author, author, commit_hash(name), date, committed,
                *((0, 0, 0) if merge else (*lines, len(paths))), 2 if merge else 1, in_default_branch, patch, self.number, zone,
            ],
        ).fetchone()  # fmt: skip
        if added and not merge:
            for position, path in enumerate(paths, 1):
                self.add_file(added[0], position, file_class, lines if position == 1 else (None, None), path)

    def add_file(
        self, commit: int, position: int, file_class: str, lines: tuple[int | None, int | None], path: str = ""
    ) -> None:
        """
        Insert a file that a commit changed; what the commit says of all files stays as it is.

        `path` may be two with ` => ` between them: the file was renamed.
        """
        old, _, new = path.rpartition(" => ")
        self.connection.execute(
            """
            insert into commit_files
                (commit_id, position, status, repository_id, changed_run, added, deleted, path, old_path, class)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                commit, position, "R" if old else "M", self.repository, self.number, *lines,
                new or f"file{commit}-{position}", old or None, file_class,
            ],
        )  # fmt: skip

    def reclass(self, file_class: str, *hashes: str) -> None:
        """Let all files of commits be of a class."""
        self.connection.execute(
            """
            with changed as (
                update commits set changed_run = %(run)s
                where repository_id = %(repository)s and commit_hash = any(%(hashes)s) returning id
            )
            update commit_files as f set class = %(class)s, changed_run = %(run)s from changed where f.commit_id = changed.id
            """,
            {"run": self.number, "repository": self.repository, "hashes": list(hashes), "class": file_class},
        )

    def credit(self, name: str, kind: str, person: int | None) -> None:
        """Add a trailer to the commit of that name."""
        self.connection.execute(
            """
            insert into commit_trailers (commit_id, position, repository_id, changed_run, key, kind, value, contributor_id)
            select id, 1 + (select count(*) from commit_trailers where commit_id = commits.id), repository_id, changed_run,
                %s, %s, '', %s
            from commits where repository_id = %s and commit_hash = %s
            """,
            [kind, kind, person, self.repository, commit_hash(name)],
        )

    def remove(self, *hashes: str) -> None:
        """Let commits vanish: they move to removed_commits."""
        self.connection.execute(
            """
            with gone as (
                delete from commits where repository_id = %s and commit_hash = any(%s) returning *
            ), gone_files as (
                delete from commit_files as f using gone where f.commit_id = gone.id
            ), gone_trailers as (
                delete from commit_trailers where commit_id in (select id from gone)
            )
            insert into removed_commits
                (repository_id, commit_hash, removed_run, contributor_id, commit_date, committed_at, reason)
            select repository_id, commit_hash, %s, contributor_id, commit_date, committed_at, 'unreachable' from gone
            """,
            [self.repository, list(hashes), self.number],
        )

    def flip(self, *hashes: str) -> None:
        """Let commits enter or leave the default branch."""
        self.connection.execute(
            """
            update commits set in_default_branch = not in_default_branch, changed_run = %s
            where repository_id = %s and commit_hash = any(%s)
            """,
            [self.number, self.repository, list(hashes)],
        )

    def point(self, ref: str, target: str) -> None:
        """Let a branch or tag (`heads/…`, `tags/…`) lead to a commit."""
        self.connection.execute(
            "insert into refs (repository_id, name, kind, object_hash, commit_hash, changed_run)"
            " values (%s, 'refs/' || %s, case when %s like 'tags/%%' then 'tag' else 'branch' end, %s, %s, %s)",
            [self.repository, ref, ref, target, target, self.number],
        )

    def finish(self) -> None:
        """Write the leaderboard and the book of runs."""
        self.connection.execute("delete from repository_contributors where repository_id = %s", [self.repository])
        self.connection.execute(
            """
            insert into repository_contributors
            select repository_id, contributor_id, count(*), min(commit_date), max(commit_date), %s
            from commits where repository_id = %s and in_default_branch group by repository_id, contributor_id
            """,
            [self.number, self.repository],
        )
        self.connection.execute(
            """
            insert into extraction_runs
            values (%s, %s, now(), clock_timestamp(), 'main', null, '', 0, 0, 1, 0, 0, 0, 0, 0, '{}', '2.0', '0')
            """,
            [self.repository, self.number],
        )


@dataclass(slots=True)
class Raw:
    """The raw tables, as the role of the extractor may write them."""

    connection: Connection

    def repository(self, name: str) -> int:
        """Insert a repository and return its id."""
        return self._id(
            "insert into repositories (url, url_key, host, name, state)"
            " values ('https://git.example/' || %(name)s, 'https://git.example/' || %(name)s, 'git.example', %(name)s,"
            " 'completed') returning id",
            {"name": name},
        )

    def person(self, name: str, kind: str = "human") -> int:
        """Insert a contributor and return its id."""
        return self._id(
            "insert into contributors (name, email, kind) values (%(name)s, %(name)s || '@example.org', %(kind)s)"
            " returning id",
            {"name": name, "kind": kind},
        )

    def join(self, contributor: int, person: int | None) -> None:
        """Say that a contributor is the same person as another; None: stands alone."""
        self.connection.execute("update contributors set canonical_id = %s where id = %s", [person, contributor])

    def snapshot(self, repository: int, day: str, stars: int, **languages: str) -> None:
        """Insert what a host tells on a day; it has a topic for each star."""
        snapshot = self._id(
            """
            insert into repository_snapshots
                (repository_id, taken_on, taken_at, last_seen_at, run_number, provider, host_id, stars, license_spdx,
                 is_archived)
            values (%(repository)s, cast(%(day)s as date), cast(%(day)s as date), cast(%(day)s as date), 1, 'github', 4711, %(stars)s, 'MIT', false) returning id
            """,
            {"repository": repository, "day": day, "stars": stars},
        )
        for position in range(1, stars + 1):
            self.connection.execute(
                "insert into repository_topics values (%s, %s, %s, %s)",
                [snapshot, position, repository, f"topic-{position}"],
            )
        for language, share in languages.items():
            self.connection.execute(
                "insert into repository_languages values (%s, %s, %s, 10, %s)", [snapshot, language, repository, share]
            )

    @contextmanager
    def run(self, repository: int) -> Iterator[Run]:
        """One extraction, in one transaction."""
        with self.connection.transaction():
            last = self.query(
                "select coalesce(max(run_number), 0) from extraction_runs where repository_id = %s", repository
            )
            run = Run(self.connection, repository, last[0][0] + 1)
            yield run
            run.finish()

    def hashes(self, repository: int, condition: str = "true") -> list[str]:
        """Return the hashes of commits in a stable order."""
        rows = self.query(
            f"select commit_hash from commits where repository_id = %s and {condition} order by 1", repository
        )
        return [row[0] for row in rows]

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.connection.execute(statement.encode(), parameters).fetchall()

    def _id(self, statement: str, parameters: Mapping[str, object]) -> int:
        row = self.connection.execute(statement.encode(), parameters).fetchone()
        assert row is not None
        return int(row[0])


@dataclass(slots=True)
class Dbt:
    """
    The project, run by dbt in this process as the role of the transformer. Parses once per schema and variables.

    dbt is changed while it runs, as `gitmart transform` changes it: that spares a third of its CPU.
    """

    folder: Path
    settings: dict[str, str]  # environment variables of the profile
    manifests: dict[tuple[str, str], Any] = field(default_factory=dict)  # by schema and variables
    variables: str = ""  # of the project, as JSON; empty: a test may name them itself

    @classmethod
    def of(cls, url: str, folder: Path) -> Dbt:
        """Return the project with a profile that leads to that database; its files go to the folder."""
        parts = conninfo_to_dict(url)
        settings = {f"GITMART_DBT_{name.upper()}": str(parts[name]) for name in ("host", "port", "user", "dbname")}
        settings["GITMART_DBT_TARGET"] = "dev"  # the one with unit tests
        settings["DBT_ENV_SECRET_PASSWORD"] = str(parts["password"])
        settings["DO_NOT_TRACK"] = "1"
        return cls(folder, settings)

    def having(self, **variables: object) -> Dbt:
        """Return the project with other values of its variables."""
        return replace(self, variables=json.dumps(variables))

    def build(self, *words: str, schema: str = SCHEMA) -> dict[str, str]:
        """Build and test; return the status of each node that ran by name."""
        return self.invoke("build", *words, schema=schema)

    def run(self, *words: str, schema: str = SCHEMA) -> dict[str, str]:
        """Run the models; each must succeed."""
        statuses = self.invoke("run", *words, schema=schema)
        assert set(statuses.values()) == {"success"}, statuses
        return statuses

    def invoke(
        self, *words: str, schema: str = SCHEMA, callbacks: Sequence[Callable[[Any], None]] = ()
    ) -> dict[str, str]:
        """Run any command of dbt and return the status of each node by name."""
        from dbt.cli.main import dbtRunner

        from gitmart.transform.dbt import HEARD

        common = [
            "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(self.folder / schema),
            "--log-path", str(self.folder), "--log-level", "none", "--log-level-file", "none", "--no-write-json",
            *(["--vars", self.variables] if self.variables else []),
        ]  # fmt: skip
        with pytest.MonkeyPatch.context() as environment:
            for variable in [name for name in os.environ if name.startswith(("DBT_", "GITMART_DBT_"))]:
                environment.delenv(variable)
            for name, value in {**self.settings, "GITMART_DBT_SCHEMA": schema}.items():
                environment.setenv(name, value)
            for owner, attributes in _changed_by_a_run().items():
                for name in attributes:
                    # So that it is put back.
                    environment.setattr(owner, name, getattr(owner, name, None), raising=False)
            hear_only(HEARD, lambda: None)
            lighten(keeps_parse=False)
            share_sessions()
            key = schema, self.variables
            if key not in self.manifests:
                parsed = dbtRunner().invoke(["parse", *common])
                assert parsed.success, parsed.exception
                self.manifests[key] = parsed.result
            done = dbtRunner(manifest=self.manifests[key], callbacks=list(callbacks)).invoke([*words, *common])
        if done.exception is not None:
            raise done.exception
        return {result.node.name: str(result.status) for result in done.result.results}


@dataclass(frozen=True, slots=True)
class Marts:
    """What dbt has built, as the superuser sees it."""

    url: str

    def rows(self, mart: str, columns: str = "*", schema: str = SCHEMA) -> list[tuple[Any, ...]]:
        """Return the rows of a mart, or of a step to one, in the order of its key."""
        where = f"{schema}_intermediate" if mart in STEPS else schema
        return self.query(f"select {columns} from {where}.{mart} order by {', '.join((MARTS | STEPS)[mart])}")

    def query(
        self, statement: str, *parameters: object, named: Mapping[str, object] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows, [] when it gives none."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), named or parameters or None)
            return cursor.fetchall() if cursor.description else []

    def assert_equal_to_full_refresh(self, marts: Sequence[str] = tuple(MARTS)) -> None:
        """Compare what incremental builds made with what a full refresh made in the other schema."""
        for mart in marts:
            built, rebuilt = self.rows(mart), self.rows(mart, schema=REBUILT)
            assert sorted(set(built) ^ set(rebuilt), key=str) == [], mart
            assert len(built) == len(rebuilt), mart

    def clear(self) -> None:
        """Drop all marts, and empty the raw tables."""
        raw_tables = [row[0] for row in self.query("select tablename from pg_tables where schemaname = 'public'")]
        raw_tables.remove("gitmart_revision")
        self.query(f"truncate {', '.join(raw_tables)} restart identity cascade")
        built = self.query(
            "select format('drop %%s if exists %%I.%%I cascade', case relkind when 'v' then 'view' else 'table' end,"
            " nspname, relname) from pg_class join pg_namespace on pg_namespace.oid = relnamespace"
            " where relkind in ('r', 'v') and nspname like any(%(schemas)s)"
            " union all select 'drop function ' || cast(oid as regprocedure) from pg_proc"
            " where cast(cast(pronamespace as regnamespace) as text) like any(%(schemas)s)",
            named={"schemas": [f"{SCHEMA}%", f"{REBUILT}%"]},
        )
        for (statement,) in built:
            self.query(statement)


def _changed_by_a_run() -> dict[Any, tuple[str, ...]]:
    """Return what `hear_only`, `lighten` and `share_sessions` change of dbt and its libraries."""
    import mashumaro.jsonschema.schema
    from agate.data_types import date, date_time, number
    from dbt.adapters.postgres.connections import PostgresConnectionManager
    from dbt.parser.manifest import ManifestLoader
    from dbt_common.clients.jinja import NativeSandboxTemplate
    from dbt_common.events.base_types import BaseEvent
    from dbt_common.events.event_manager import EventManager

    return {
        BaseEvent: ("__init__", "pb_msg"), EventManager: ("fire_event",), NativeSandboxTemplate: ("new_context",),
        number: ("Locale",), date: ("parsedatetime",), date_time: ("parsedatetime",),
        mashumaro.jsonschema.schema: ("_default",), ManifestLoader: ("write_manifest_for_partial_parse",),
        PostgresConnectionManager: ("open", "_close_handle", "cleanup_all"),
    }  # fmt: skip


def commit_hash(name: str) -> str:
    """Return the hash that a commit of this name has here."""
    return sha256(name.encode()).hexdigest()[:40]


@pytest.fixture(scope="session")
def dbt_database(server: EmbeddedPostgres) -> Iterator[str]:
    """One migrated database for all tests here: dbt's parse hangs on its name."""
    name = f"test_dbt_{uuid4().hex}"
    with psycopg.connect(server.url(SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template gitmart owner gitmart_owner").format(sql.Identifier(name))
        )
        with psycopg.connect(server.url(SUPERUSER, name), autocommit=True) as inside:
            for suffix in SUFFIXES:
                schema = sql.Identifier(REBUILT + suffix)
                inside.execute(sql.SQL("create schema {}").format(schema))
                inside.execute(sql.SQL("grant usage, create on schema {} to gitmart_transform").format(schema))
        try:
            yield name
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def dbt(server: EmbeddedPostgres, dbt_database: str, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """The project, with a profile that leads to the database."""
    return Dbt.of(server.url("gitmart_transform", dbt_database), tmp_path_factory.mktemp("dbt"))


@pytest.fixture
def marts(server: EmbeddedPostgres, dbt_database: str) -> Marts:
    """The marts; none are there when a test begins, and the raw tables are empty."""
    marts = Marts(server.url(SUPERUSER, dbt_database))
    marts.clear()
    return marts


@pytest.fixture
def raw(server: EmbeddedPostgres, dbt_database: str, marts: Marts) -> Iterator[Raw]:
    """The raw tables, empty."""
    with psycopg.connect(server.url("gitmart_extract", dbt_database), autocommit=True) as connection:
        yield Raw(connection)
