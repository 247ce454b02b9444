"""`gitmart local up --once` with a real server, real workers and real git."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from gitmart.local import locks
from gitmart.local.exits import Exit
from gitmart.resources.dbtschedule import DbtSchedule

from .conftest import Local, commit, conditions, git, stored

Manifest = Callable[..., Path]


def commits(local: Local) -> list[tuple[object, ...]]:
    with psycopg.connect(local.state.server.url("gitmart_extract")) as connection:
        return connection.execute("select commit_hash from commits order by 1").fetchall()


def wait_for_running(local: Local, process: subprocess.Popen[str], name: str) -> None:
    """Wait until the worker of a Repository was started; the process under test must live."""
    while not (local.state.folder("work") / f"clone-{name}").exists():
        assert process.poll() is None, process.communicate()


@pytest.mark.slow
def test_everything_from_nothing_to_down_and_up_again(local: Local, repository: Path, manifest: Manifest) -> None:
    files = ("-f", manifest("one", repository), "-f", manifest("analytics"))

    said = local.run("up", "--once", *files)

    assert "ok     repository/one: Succeeded: 3 commits (+3 -0) of 2 contributors on 2 branches" in said
    assert "ok     dbtschedule/analytics: Succeeded:" in said
    url = local.run("url").strip()
    with psycopg.connect(url) as connection:
        assert connection.execute("select sum(commits) from analytics.repository_summary").fetchall() == [(3,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select 1 from public.commits")
    header, row = local.run("get", "repositories").splitlines()
    assert header.split() == [
        "NAME",
        "URL",
        "READY",
        "STATE",
        "COMMITS",
        "CONTRIBUTORS",
        "LAST",
        "CHECK",
        "NEXT",
        "AGE",
    ]
    assert row.split()[2:6] == ["True", "completed", "3", "2"]
    assert conditions(stored(local, "analytics", DbtSchedule))["LastRunSucceeded"] == ("True", "Succeeded")

    local.run("down")
    assert "the server is down" in local.run("url", code=Exit.NO_SERVER)
    assert local.run("get", "repo").splitlines()[1].split()[:3] == row.split()[:3]
    commit(repository, 3, "Two")
    assert "4 commits (+1 -0)" in local.run("up", "--once")
    assert local.run("url").strip() == url


@pytest.mark.slow
def test_two_schemas_are_two_targets_and_one_is_one(ready: Local, manifest: Manifest) -> None:
    small = {"select": ["stg_contributors"]}
    first, second = manifest("first", **small), manifest("second", target={"schema": "sales"}, **small)
    third = manifest("third", target={"schema": "sales"}, **small)

    said = ready.run("up", "--once", "-f", first, "-f", second, "-f", third, code=Exit.RESOURCES_FAILED)

    assert "ok     dbtschedule/first: Succeeded:" in said
    assert "ok     dbtschedule/second: Succeeded:" in said
    assert "FAILED dbtschedule/third: TargetConflict: default/second is older and writes schema sales" in said
    with psycopg.connect(ready.state.server.url("postgres")) as connection:
        views = connection.execute("select schemaname from pg_views where viewname = 'stg_contributors' order by 1")
        assert views.fetchall() == [("analytics_staging",), ("sales_staging",)]


def test_a_failure_of_one_leaves_the_other_and_gives_its_own_code(
    ready: Local, repository: Path, manifest: Manifest, tmp_path: Path
) -> None:
    good, bad = manifest("good", repository), manifest("bad", tmp_path / "nowhere")

    said = ready.run("up", "--once", "-f", bad, "-f", good, code=Exit.RESOURCES_FAILED)

    assert "FAILED repository/bad: NotFound:" in said
    assert "ok     repository/good:" in said
    assert conditions(stored(ready, "bad")) == {"Ready": ("False", "NotFound"), "Reconciling": ("True", "NotFound")}
    assert stored(ready, "bad")["status"]["consecutiveFailures"] == 1
    assert conditions(stored(ready, "good")) == {"Ready": ("True", "Succeeded")}


def people(local: Local) -> list[tuple[object, ...]]:
    with psycopg.connect(local.state.server.url("gitmart_extract")) as connection:
        return connection.execute(
            """select c.name, p.name from contributors as c left join contributors as p on p.id = c.canonical_id
               where exists (select from commits where contributor_id = c.id) order by 1"""
        ).fetchall()


def test_a_mailmap_of_a_config_map_beside_the_manifest_is_applied(
    ready: Local, repository: Path, manifest: Manifest, tmp_path: Path
) -> None:
    one = manifest("one", repository, identity={"mailmap": {"configMapRef": {"name": "people", "key": "ours"}}})
    said = ready.run("up", "--once", "-f", one, code=Exit.RESOURCES_FAILED)
    assert "FAILED repository/one: SecretMissing: key ours of ConfigMap people in namespace default" in said
    assert "manifests given with -f may hold it) is missing: a mailmap is needed" in said

    config_map = tmp_path / "people.yaml"
    data = "data: {ours: 'Author One <one@example.org> <two@example.org>'}"
    config_map.write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: people}}\n{data}\n", encoding="utf-8")
    assert "ok     repository/one: Succeeded" in ready.run("up", "--once", "-f", config_map, "-f", one)

    assert people(ready) == [("Author One", None), ("Author Two", "Author One")]
    commit(repository, 3, "Two")
    assert "4 commits (+1 -0)" in ready.run("up", "--once")  # it is known from then on
    assert people(ready) == [("Author One", None), ("Author Two", "Author One")]


def test_a_cache_has_no_effect_and_that_is_said(ready: Local, repository: Path, manifest: Manifest) -> None:
    cache = {"persistentVolumeClaim": {"claimName": "git-cache"}}

    said = ready.run("up", "--once", "-f", manifest("one", repository, cache=cache))

    assert "repository/one: spec.cache has no effect here: local mode has no volume claims" in said
    assert "ok     repository/one: Succeeded" in said


def test_a_host_of_ones_own_network_may_be_named(ready: Local, manifest: Manifest) -> None:
    said = ready.run("up", "--once", "-f", manifest("own", "https://127.0.0.1:9/a/b"), code=Exit.RESOURCES_FAILED)

    assert "FAILED repository/own: HostUnreachable:" in said


@pytest.mark.slow
def test_suspended_and_duplicate_resources_are_not_run(ready: Local, repository: Path, manifest: Manifest) -> None:
    first, suspended = manifest("first", repository), manifest("idle", repository.parent / "x", suspend=True)
    said = ready.run("up", "--once", "-f", first, "-f", suspended)
    assert "ok     repository/idle: Suspended: spec.suspend is true: skipped" in said

    said = ready.run("up", "--once", "-f", manifest("again", repository), code=Exit.RESOURCES_FAILED)

    assert "FAILED repository/again: DuplicateURL: spec.url is the repository of default/first" in said
    assert conditions(stored(ready, "again")) == {
        "Ready": ("False", "DuplicateURL"),
        "Stalled": ("True", "DuplicateURL"),
    }


@pytest.mark.slow
def test_an_edited_spec_is_a_new_generation(ready: Local, repository: Path, manifest: Manifest) -> None:
    ready.run("up", "--once", "-f", manifest("one", repository))
    before = stored(ready, "one")
    ready.run("up", "--once", "-f", manifest("one", repository, branches={"include": ["main"]}))
    after = stored(ready, "one")

    assert [document["metadata"]["generation"] for document in (before, after)] == [1, 2]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["observedGeneration"] == 2
    assert after["status"]["branches"] == 1


@pytest.mark.parametrize("words", [["up", "--once"], ["up"]])
def test_every_mistake_is_named_before_anything_starts(local: Local, manifest: Manifest, words: list[str]) -> None:
    wrong = manifest("one", "git@git.example.org:a", timeout="soon", branch="main")

    said = local.run(*words, "-f", wrong, code=Exit.INVALID_INPUT)

    assert all(field in said for field in ("spec.url", "spec.timeout", "spec.branch"))
    assert not local.folder.exists()


def test_secrets_stay_in_their_files(ready: Local, repository: Path, manifest: Manifest) -> None:
    ready.run("up", "--once", "-f", manifest("one", repository))
    passwords = json.loads((ready.state.folder("postgres") / "secrets.json").read_text(encoding="utf-8"))
    told = [path for name in ("objects", "logs", "work", "manifests") for path in ready.state.folder(name).rglob("*")]

    assert list(ready.state.folder("secrets").iterdir()) == []
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in told if path.is_file()]
    assert texts
    assert not [text for text in texts for password in passwords.values() if password in text]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_everything_stays_usable(
    ready: Local, repository: Path, manifest: Manifest, number: signal.Signals
) -> None:
    file = manifest("one", repository)
    ready.state.server.start()
    with psycopg.connect(ready.state.server.url("gitmart_owner")) as owner:
        owner.execute("lock table commits in access exclusive mode")  # no run ends before the signal comes
        with ready.start("up", "--once", "-f", file) as process:
            wait_for_running(ready, process, "one")
            process.send_signal(number)
            _, said = process.communicate()

    assert process.returncode == Exit.CANCELLED, said
    assert "run the command again" in said
    assert not locks.is_locked(ready.folder / "lock")  # no worker lives on: it would hold the lock
    assert ready.state.server.running()
    ready.run("up", "--once", "-f", file)
    assert len(commits(ready)) == 3


@pytest.mark.slow
def test_killed_in_the_middle_the_next_one_goes_on(ready: Local, repository: Path, manifest: Manifest) -> None:
    file = manifest("one", repository)
    with ready.start("up", "--once", "-f", file) as process:
        wait_for_running(ready, process, "one")
        process.kill()

    assert stored(ready, "one")["status"]["state"] == "in_progress"
    ready.run("up", "--once", "-f", manifest("other", repository.parent / "x", suspend=True))
    assert stored(ready, "one")["status"]["state"] == "failed"
    ready.run("up", "--once", "-f", file)

    assert stored(ready, "one")["status"]["state"] == "completed"
    assert len(commits(ready)) == 3
    assert list(ready.state.folder("work").glob("clone-*")) == []


@pytest.mark.slow
def test_two_at_once_take_turns_and_say_so(ready: Local, repository: Path, manifest: Manifest) -> None:
    file = manifest("one", repository)
    programs, asked, held = (repository.parent / name for name in ("bin", "asked", "held"))
    programs.mkdir()
    held.touch()
    waits = f"touch '{asked}'; while [ -e '{held}' ]; do sleep 0.05; done"
    (programs / "git").write_text(f'#!/bin/sh\n{waits}\nexec {shutil.which("git")} "$@"\n', encoding="utf-8")
    (programs / "git").chmod(0o755)
    slow = Local(ready.folder, {"PATH": f"{programs}:{os.environ['PATH']}"})

    with slow.start("up", "--once", "-f", file) as first:
        while not asked.exists():
            assert first.poll() is None, first.communicate()
        with ready.start("up", "--once", "-f", file) as second:
            assert second.stderr is not None
            told = second.stderr.readline()
            held.unlink()
            _, said_second = second.communicate()
        _, said_first = first.communicate()

    assert (first.returncode, second.returncode) == (0, 0), (said_first, said_second)
    assert told == f"waiting for another command on this state folder: gitmart local up (process {first.pid})\n"


@pytest.mark.slow
def test_a_run_over_its_timeout_is_a_timeout(ready: Local, repository: Path, manifest: Manifest) -> None:
    hanging = repository.parent / "bin"
    hanging.mkdir()
    (hanging / "git").write_text("#!/bin/sh\nexec sleep 1000\n", encoding="utf-8")
    (hanging / "git").chmod(0o755)
    slow = Local(ready.folder, {"PATH": f"{hanging}:{os.environ['PATH']}"})

    said = slow.run("up", "--once", "-f", manifest("one", repository, timeout="10s"), code=Exit.RESOURCES_FAILED)

    assert "FAILED repository/one: Timeout:" in said
    assert conditions(stored(ready, "one")) == {"Ready": ("False", "Timeout")}


def test_reset_asks_and_then_deletes_everything(ready: Local, repository: Path, manifest: Manifest) -> None:
    ready.run("up", "--once", "-f", manifest("one", repository))

    assert "say --yes" in ready.run("reset", code=Exit.INVALID_INPUT)
    assert ready.state.server.running()
    ready.run("reset", "--yes")

    assert not ready.folder.exists()
    assert git(repository, "status", "--porcelain") == ""
