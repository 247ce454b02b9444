"""Migrations: from nothing, from every earlier revision with data, and by two at once."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from gitmart.warehouse.connections import connect
from gitmart.warehouse.errors import NotMigratedError, RefusedError
from gitmart.warehouse.migrate import migrate
from gitmart.warehouse.revision import MIGRATIONS, check_revision, needed_revision


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS))
    return configuration


SCRIPTS = ScriptDirectory.from_config(_configuration())
REVISIONS = [script.revision for script in reversed(list(SCRIPTS.walk_revisions()))]

# Rows that every revision so far can hold.
DATA = """
insert into repositories (url, url_key, host, name) values ('https://h.example/a', 'https://h.example/a', 'h.example', 'a');
insert into contributors (name, email) values ('Author One', 'one@example.org');
insert into commits (repository_id, contributor_id, committer_id, commit_hash, commit_message, lines_added, lines_deleted,
    changed_run, files_changed, parent_count, in_default_branch) values (1, 1, 1, repeat('a', 40), 'm', 1, 0, 1, 1, 0, true);
insert into commit_files (commit_id, position, status, repository_id, changed_run, added, deleted, path)
    values (1, 1, 'A', 1, 1, 1, 0, 'file');
"""


def test_the_newest_revision_is_the_one_workers_ask_for() -> None:
    assert needed_revision() == SCRIPTS.get_current_head()


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_revision_upgrades_with_its_data(revision: str, empty_database: Any) -> None:
    migrate(empty_database.url("gitmart_owner"), revision)
    empty_database.query(DATA)

    assert migrate(empty_database.url("gitmart_owner")) == needed_revision()

    found = empty_database.query(
        """select r.url_key, c.commit_hash, f.path, a.name from commits c join repositories r on r.id = c.repository_id
           join contributors a on a.id = c.contributor_id join commit_files f on f.commit_id = c.id"""
    )
    assert found == [("https://h.example/a", "a" * 40, "file", "Author One")]


def test_two_migrations_at_once_both_end_well(empty_database: Any) -> None:
    # alembic's context is global to a process, so two at once means two processes.
    command = [sys.executable, "-m", "gitmart", "migrate"]
    environment = {"GITMART_WAREHOUSE_URL": empty_database.url("gitmart_owner")}
    processes = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) for _ in range(3)]
    printed = [process.communicate()[1].decode() for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0], printed
    assert empty_database.query("select count(*) from gitmart_revision") == [(1,)]


def test_a_migration_run_again_changes_nothing(warehouse: Any) -> None:
    assert migrate(warehouse.url("gitmart_owner")) == needed_revision()


@pytest.mark.parametrize("revision", [None, *REVISIONS[:-1]])
def test_workers_refuse_a_warehouse_of_another_revision(revision: str | None, empty_database: Any) -> None:
    if revision is not None:
        migrate(empty_database.url("gitmart_owner"), revision)

    with (
        connect(empty_database.url("gitmart_owner"), application_name="test", autocommit=True) as connection,
        pytest.raises(NotMigratedError, match="run `gitmart migrate`"),
    ):
        check_revision(connection)


def test_a_role_that_is_not_the_owner_cannot_migrate(empty_database: Any) -> None:
    with pytest.raises(RefusedError):
        migrate(empty_database.url("gitmart_read"))


def test_the_columns_that_consumers_of_the_original_schema_read_keep_their_names(warehouse: Any) -> None:
    expected = {
        "commits": {"id", "repository_id", "contributor_id", "commit_hash", "commit_date", "commit_message", "lines_added",
                    "lines_deleted", "files_changed", "created_at"},
        "repositories": {"id", "url", "state", "last_processed_at", "updated_at"},
        "contributors": {"id", "username", "email", "profile_url"},
        "repository_contributors": {"repository_id", "contributor_id", "commit_count"},
    }  # fmt: skip
    for table, columns in expected.items():
        found = warehouse.query(
            "select column_name from information_schema.columns where table_schema = 'public' and table_name = %s",
            table,
        )
        assert columns <= {str(name) for (name,) in found}, table


def test_the_state_of_a_repository_is_one_of_four_words(warehouse: Any) -> None:
    insert = "insert into repositories (url, url_key, host, name, state) values ('u', %s, 'h', 'n', %s)"
    for state in ("pending", "in_progress", "completed", "failed"):
        warehouse.query(insert, state, state)
    with pytest.raises(psycopg.errors.CheckViolation):
        warehouse.query(insert, "x", "done")


def test_names_of_any_length_are_kept_apart(warehouse: Any) -> None:
    insert = "insert into contributors (name, email) values (%s, %s)"
    long_name = "n" * 100_000
    warehouse.query(insert, long_name, "e")
    warehouse.query(insert, long_name + "x", "e")
    with pytest.raises(psycopg.errors.UniqueViolation):
        warehouse.query(insert, long_name, "e")
