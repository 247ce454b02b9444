"""The embedded server: started by whoever comes, found by everybody, recovered after any kill."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from gitmart.local import locks
from gitmart.local.postgres import SUPERUSER, EmbeddedPostgres, PostgresError

START = "import sys, pathlib; from gitmart.local.postgres import EmbeddedPostgres as E; E(pathlib.Path(sys.argv[1])).start()"


@pytest.fixture
def unmade(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A folder in which nothing is yet."""
    made = EmbeddedPostgres(tmp_path / 'a $HOME `x` "é"' / "postgres")
    made.folder.mkdir(parents=True)
    yield made
    made.stop()
    shutil.rmtree(made.folder)  # pytest keeps folders; these are large


@pytest.fixture
def embedded(unmade: EmbeddedPostgres, cluster: Path) -> EmbeddedPostgres:
    """A server that was stopped."""
    shutil.copytree(cluster, unmade.folder, dirs_exist_ok=True)
    return unmade


def query(embedded: EmbeddedPostgres, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(embedded.url(SUPERUSER), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def starting(embedded: EmbeddedPostgres) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", START, str(embedded.folder)], start_new_session=True)


def postmaster(embedded: EmbeddedPostgres) -> int:
    return int((embedded.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])


def test_a_stopped_server_comes_back_with_its_data_on_its_port(embedded: EmbeddedPostgres) -> None:
    embedded.start()
    before = embedded.url("gitmart_owner")
    query(embedded, "create table kept as select 1 as one")
    embedded.stop()
    embedded.stop()
    assert not embedded.running()

    embedded.start()
    embedded.start()

    assert embedded.url("gitmart_owner") == before
    assert query(embedded, "select * from kept") == [(1,)]


def test_a_killed_server_is_recovered(embedded: EmbeddedPostgres) -> None:
    embedded.start()
    query(embedded, "create table kept as select 1 as one")
    os.kill(postmaster(embedded), signal.SIGKILL)

    embedded.start()

    assert query(embedded, "select * from kept") == [(1,)]


def test_a_pid_file_with_somebody_elses_number_does_not_fool_it(embedded: EmbeddedPostgres) -> None:
    embedded.start()
    lines = (embedded.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    embedded.stop()
    lines[0] = str(os.getpid())  # surely alive, and surely not the server
    (embedded.data / "postmaster.pid").write_text("\n".join(lines), encoding="utf-8")

    assert not embedded.running()
    embedded.stop()  # must not signal us
    embedded.start()

    assert query(embedded, "select 1") == [(1,)]


def test_a_taken_port_is_avoided(embedded: EmbeddedPostgres) -> None:
    embedded.start()
    before = embedded.url("gitmart_read")
    embedded.stop()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", int(before.rsplit(":", 1)[1].split("/")[0])))
        squatter.listen()

        embedded.start()

        assert embedded.url("gitmart_read") != before
        assert query(embedded, "select 1") == [(1,)]


def test_starts_at_once_share_one_server(unmade: EmbeddedPostgres) -> None:
    processes = [starting(unmade) for _ in range(3)]

    assert [process.wait() for process in processes] == [0, 0, 0]
    assert query(unmade, "select count(*) from pg_database where datname = 'gitmart'") == [(1,)]
    waits = "select bool_and(setting::bool) from pg_settings where name in ('fsync', 'full_page_writes')"
    assert query(unmade, waits) == [(True,)], "people keep what is in it"


@pytest.mark.slow
@pytest.mark.parametrize("sign", ["server.lock", "initdb.password", "data.new", "data.new/global", "data"])
def test_a_start_killed_at_any_moment_is_recovered(unmade: EmbeddedPostgres, sign: str) -> None:
    embedded = unmade
    process = starting(embedded)
    while not (embedded.folder / sign).exists():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    embedded.start()

    assert {row[0] for row in query(embedded, "select rolname from pg_roles where rolname like 'gitmart%'")} == {
        "gitmart_owner", "gitmart_extract", "gitmart_transform", "gitmart_read",
    }  # fmt: skip
    assert not (embedded.folder / "initdb.password").exists()
    assert not (embedded.folder / "data.new").exists()


def test_passwords_are_for_the_owner_alone(embedded: EmbeddedPostgres) -> None:
    embedded.start()

    assert (embedded.folder / "secrets.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(embedded.url("gitmart_read").replace("gitmart_read:", "gitmart_read:x"))


def test_a_server_that_cannot_start_says_why(embedded: EmbeddedPostgres) -> None:
    embedded.start()
    embedded.stop()
    with open(embedded.data / "postgresql.conf", "a", encoding="utf-8") as configuration:
        configuration.write("shared_buffers = 'plenty'\n")

    with pytest.raises(PostgresError, match="plenty"):
        embedded.start()
    assert not locks.is_locked(embedded.lock)


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        pytest.param("/dev/null/postgres", "/dev/null.*: Not a directory", id="no-folder"),
        pytest.param("/" + "x/" * 460, "path is too long for PostgreSQL", id="long-path"),
    ],
)
def test_an_impossible_folder_is_named(folder: str, message: str) -> None:
    with pytest.raises(PostgresError, match=message):
        EmbeddedPostgres(Path(folder)).start()


def test_a_long_path_works(cluster: Path, tmp_path: Path) -> None:
    embedded = EmbeddedPostgres(tmp_path / "/".join(["x" * 50] * 10))
    shutil.copytree(cluster, embedded.folder)

    embedded.start()
    try:
        assert query(embedded, "select 1") == [(1,)]
    finally:
        embedded.stop()
        shutil.rmtree(embedded.folder)


def test_an_unknown_role_is_refused_with_those_there_are(embedded: EmbeddedPostgres) -> None:
    with pytest.raises(PostgresError, match=r"root is not a role of gitmart; there are gitmart_owner, .*gitmart_read"):
        embedded.url("root")
