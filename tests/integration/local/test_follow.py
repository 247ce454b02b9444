"""`gitmart local up` without `--once`: schedules are followed with the operator's decisions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from gitmart.controller.admission import Caps
from gitmart.local import locks
from gitmart.local.exits import Exit
from gitmart.local.runs import Runs
from gitmart.resources.config_map import ConfigMap
from gitmart.resources.dbtschedule import DbtSchedule

from .conftest import Local, commit, conditions, stored
from .following import HOUR, MINUTE, SECOND, T0, following

Manifest = Callable[..., Path]


def status(local: Local, name: str, kind: Any = None) -> dict[str, Any]:
    found: dict[str, Any] = (stored(local, name, kind) if kind else stored(local, name))["status"]
    return found


def outcomes(local: Local, name: str, kind: Any = None) -> list[str]:
    """Return how the runs of a resource ended, the latest first."""
    return [entry["outcome"] for entry in status(local, name, kind).get("history", [])]


def lines(process: subprocess.Popen[str], upto: str) -> Iterator[str]:
    """Yield what the command prints, up to the first line that begins so."""
    assert process.stdout is not None
    for line in process.stdout:
        yield line
        if line.startswith(upto):
            return
    raise AssertionError(f"it ended before it said {upto!r}: {process.communicate()}")


def at_work(folder: Path) -> list[str]:
    """Return the commands of the processes that were given the folder, or are in it."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        if any(str(folder) in word for word in [*words, process.info["cwd"] or ""]):
            found.append(" ".join(words))
    return found


def test_a_mailmap_is_applied_by_who_follows(ready: Local, repository: Path, manifest: Manifest) -> None:
    one = manifest("one", repository, identity={"mailmap": {"configMapRef": {"name": "people"}}})
    with following(ready, one) as follow:
        follow.objects.keep(
            ConfigMap.parse(
                {"metadata": {"name": "people"}, "data": {".mailmap": "Author One <one@example.org> <two@example.org>"}}
            )
        )
        follow.settle()

    with psycopg.connect(ready.state.server.url("gitmart_extract")) as connection:
        assert connection.execute("select count(*) from contributors where canonical_id is not null").fetchone() == (1,)


@pytest.fixture
def stuck(ready: Local, tmp_path: Path) -> Local:
    """The same state with a git that never ends, so that an extraction goes on until it is stopped."""
    folder = tmp_path / "stuck"
    folder.mkdir()
    (folder / "git").write_text("#!/bin/sh\nexec sleep 1000\n", encoding="utf-8")
    (folder / "git").chmod(0o755)
    return Local(ready.folder, {"PATH": f"{folder}:{os.environ['PATH']}"})


@pytest.mark.slow
def test_from_the_first_run_to_the_end_by_a_signal(ready: Local, repository: Path, manifest: Manifest) -> None:
    after = {"debounce": "0s"}
    files = (
        "-f",
        manifest("one", repository),
        "-f",
        manifest("analytics", select=["stg_commits"], afterExtraction=after),
    )
    with ready.start("up", *files) as process:
        first = list(lines(process, "ok     dbtschedule/analytics: Succeeded:"))
        assert [line for line in first if line.startswith("ok     repository/one: Succeeded: 3 commits (+3 -0)")]
        assert "which runs now, starts it" in ready.run("run", "repo", "one")
        again = list(lines(process, "ok     repository/one: Succeeded: 3 commits (+0 -0)"))
        assert [line for line in again if line.startswith("start  repository/one:")]
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate()

    assert process.returncode == Exit.ALL_WELL, said
    assert not locks.is_locked(ready.folder / "lock")  # no worker lives on: it would hold the lock
    assert ready.state.server.running()
    assert (outcomes(ready, "one"), outcomes(ready, "analytics", DbtSchedule)) == (["Succeeded"] * 2, ["Succeeded"])
    assert status(ready, "one")["nextExtractionTime"] in ready.run("get", "repo", "one")
    assert status(ready, "analytics", DbtSchedule)["nextScheduleTime"] in ready.run("get", "dbts")


def test_a_new_commit_comes_with_the_next_slot(ready: Local, repository: Path, manifest: Manifest) -> None:
    with following(ready, manifest("one", repository, interval="1h", jitter="0s")) as follow:
        follow.settle()
        assert status(ready, "one")["commits"] == 3
        assert status(ready, "one")["nextExtractionTime"] == "2026-01-01T01:30:00Z"
        commit(repository, 3, "Two")
        follow.after(HOUR - SECOND)
        assert follow.follower.processes == []
        follow.after(SECOND)
        follow.settle()

    assert status(ready, "one")["commits"] == 4
    assert status(ready, "one")["lastExtraction"]["newCommits"] == 1


@pytest.mark.slow
def test_a_failure_is_tried_again_more_and_more_rarely(ready: Local, manifest: Manifest, tmp_path: Path) -> None:
    with following(ready, manifest("bad", tmp_path / "nowhere", retries=0)) as follow:
        waits = []
        for failures in range(1, 4):
            follow.settle()
            assert status(ready, "bad")["consecutiveFailures"] == failures
            again = datetime.fromisoformat(status(ready, "bad")["nextExtractionTime"])
            waits.append(again - follow.now)
            follow.after(again - follow.now - SECOND)
            assert follow.follower.processes == []
            follow.after(SECOND)

    assert waits == [MINUTE, 2 * MINUTE, 4 * MINUTE]
    assert conditions(stored(ready, "bad")) == {"Ready": ("False", "NotFound"), "Reconciling": ("True", "NotFound")}


def test_a_passing_failure_is_repeated_at_once_as_a_job_would(
    ready: Local, repository: Path, manifest: Manifest
) -> None:
    away = repository.rename(repository.with_name("away"))
    with following(ready, manifest("one", repository, retries=1)) as follow:
        follow.settle()
        assert ([job.failures for job in follow.jobs()], outcomes(ready, "one")) == ([1], [])
        assert status(ready, "one")["state"] == "in_progress"
        away.rename(repository)
        follow.after(9 * SECOND)
        assert follow.follower.processes == []
        follow.after(SECOND)
        follow.settle()

        assert len(follow.jobs()) == 1
    assert outcomes(ready, "one") == ["Succeeded"]


@pytest.mark.slow
def test_suspended_and_duplicate_resources_start_nothing(
    ready: Local, repository: Path, manifest: Manifest, capsys: pytest.CaptureFixture[str]
) -> None:
    idle = manifest("idle", repository.parent / "x", suspend=True)
    schedule = manifest("analytics", suspend=True, schedule="* * * * *")
    with following(ready, manifest("one", repository), idle, schedule) as follow:
        follow.settle()
    with following(ready, manifest("again", repository), idle, schedule, at=T0 + HOUR) as follow:
        follow.settle()
        assert [job.resource for job in follow.jobs()] == ["one"]

    assert conditions(stored(ready, "again"))["Stalled"] == ("True", "DuplicateURL")
    assert conditions(stored(ready, "idle")) == {"Ready": ("Unknown", "Suspended")}
    said = capsys.readouterr().out
    assert "FAILED repository/again: DuplicateURL: spec.url is the repository of default/one" in said
    assert "ok     repository/idle: Suspended: spec.suspend is true" in said


@pytest.mark.slow
def test_extractions_wait_for_a_place(ready: Local, repository: Path, manifest: Manifest) -> None:
    files = [manifest(f"r{number}", repository.parent / f"none{number}", retries=0) for number in range(3)]
    with following(ready, *files, caps=Caps(1, 0)) as follow:
        follow.after()
        assert [job.resource for job in follow.jobs()] == ["r0"]
        assert conditions(stored(ready, "r1"))["Queued"] == ("True", "ExtractionsCapFull")
        follow.settle()

        assert [job.resource for job in follow.jobs()] == ["r0", "r1", "r2"]
    assert [outcomes(ready, f"r{number}") for number in range(3)] == [["NotFound"]] * 3
    assert "Queued" not in conditions(stored(ready, "r1"))


@pytest.mark.slow
def test_of_ended_runs_as_many_are_kept_as_in_a_cluster(ready: Local, manifest: Manifest, tmp_path: Path) -> None:
    with following(ready, manifest("bad", tmp_path / "nowhere", retries=0)) as follow:
        for _ in range(5):
            follow.settle()
            follow.after(HOUR)
            follow.settle()

        assert len(follow.jobs("bad")) == 3
    files = sorted(path.suffix for path in (ready.state.folder("runs") / "default").iterdir())
    assert files == sorted([".json", ".log", ".result"] * 3)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_what_was_cut_off_goes_on_under_the_same_name(
    stuck: Local, ready: Local, repository: Path, manifest: Manifest, number: signal.Signals
) -> None:
    with stuck.start("up", "-f", manifest("one", repository)) as process:
        list(lines(process, "start  repository/one:"))
        while status(ready, "one").get("state") != "in_progress":
            assert process.poll() is None, process.communicate()
        assert at_work(ready.state.folder("work"))
        process.send_signal(number)
        process.communicate()
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else Exit.ALL_WELL)
    cut_off = Runs(ready.state.folder("runs")).active()
    assert status(ready, "one")["state"] == ("in_progress" if number == signal.SIGKILL else "pending")

    with ready.start("up") as process:  # waits for the lock until no worker of the killed one is left
        list(lines(process, "ok     repository/one: Succeeded: 3 commits (+3 -0)"))
        process.terminate()
        process.communicate()

    assert at_work(ready.state.folder("work")) == []
    assert [entry["job"] for entry in status(ready, "one")["history"]] == [run.job for run in cut_off]
    assert status(ready, "one")["state"] == "completed"


def test_an_end_that_was_not_told_is_told_once(ready: Local, repository: Path, manifest: Manifest) -> None:
    file = manifest("one", repository)
    path = ready.state.folder("objects") / "repositories" / "default" / "one.json"
    with following(ready, file) as follow:
        follow.after()
        before = path.read_bytes()
        follow.settle()
    path.write_bytes(before)  # killed between the end of the run and the status
    assert status(ready, "one")["state"] == "in_progress"

    with following(ready, at=T0 + MINUTE) as follow:
        follow.settle()
        assert len(follow.jobs()) == 1

    assert outcomes(ready, "one") == ["Succeeded"]
    assert status(ready, "one")["nextExtractionTime"] > "2026-01-01T06:30"


def test_an_address_changed_before_an_end_was_told_keeps_the_rows(
    ready: Local, repository: Path, manifest: Manifest
) -> None:
    path = ready.state.folder("objects") / "repositories" / "default" / "one.json"
    with following(ready, manifest("one", repository)) as follow:
        follow.after()
        before = path.read_bytes()
        follow.settle()
    path.write_bytes(before)  # killed between the end of the run and the status
    moved = repository.rename(repository.with_name("moved"))

    with following(ready, manifest("one", moved), at=T0 + MINUTE) as follow:
        follow.settle()
        with psycopg.connect(ready.state.server.url("postgres")) as connection:
            rows = connection.execute("select url from repositories").fetchall()

    assert rows == [(moved.as_uri(),)]


def test_a_worker_that_outlived_its_follower_is_believed(ready: Local, repository: Path, manifest: Manifest) -> None:
    with following(ready, manifest("one", repository)) as follow:
        follow.after()
        (process,) = follow.follower.processes
        (job,) = follow.jobs()
        while not follow.runs.result(job):
            assert not process.has_ended() or follow.runs.result(job)

    with following(ready, at=T0 + HOUR) as follow:
        follow.settle()
        assert len(follow.jobs()) == 1

    assert outcomes(ready, "one") == ["Succeeded"]


@pytest.mark.slow
def test_each_time_of_a_schedule_runs_once(ready: Local, manifest: Manifest) -> None:
    file = manifest("analytics", schedule="0 * * * *", select=["stg_commits"])
    with following(ready, file) as follow:
        follow.settle()
        assert follow.jobs() == []
        assert status(ready, "analytics", DbtSchedule)["nextScheduleTime"] == "2026-01-01T01:00:00Z"
        follow.after(HOUR / 2)
        assert [job.slot for job in follow.jobs()] == ["cron-20260101T010000Z"]
        follow.after(HOUR)  # Forbid: it still runs
        assert len(follow.jobs()) == 1
        follow.settle()
        slots = [job.slot for job in follow.jobs()]
    assert slots == ["cron-20260101T010000Z", "cron-20260101T020000Z"]
    for path in ready.state.folder("runs").glob("*/*.cron"):  # killed before it was written
        path.write_text(path.read_text(encoding="ascii").replace("T02:", "T01:"), encoding="ascii")

    with following(ready, at=T0 + 2 * HOUR) as follow:
        follow.settle()
        assert [job.slot for job in follow.jobs()] == slots
    with following(ready, at=T0 + 9 * HOUR) as follow:  # of the times nobody was there the latest
        follow.after()
        assert [job.slot for job in follow.jobs()] == [*slots, "cron-20260101T090000Z"]
        assert status(ready, "analytics", DbtSchedule)["active"] == [follow.jobs()[-1].job]


@pytest.mark.slow
def test_full_refreshes_have_a_schedule_of_their_own(ready: Local, repository: Path, manifest: Manifest) -> None:
    daily = {"schedule": "0 1 * * *", "select": ["+fct_commits"]}
    one = manifest("one", repository)
    with following(ready, one, manifest("analytics", fullRefreshSchedule="0 2 * * *", **daily)) as follow:
        follow.settle()
        assert status(ready, "analytics", DbtSchedule)["nextFullRefreshTime"] == "2026-01-01T02:00:00Z"
        follow.after(HOUR)
        follow.settle()
        follow.after(HOUR)
        follow.settle()
        slots = [job.slot for job in follow.jobs("analytics")]
    assert slots == ["cron-20260101T010000Z", "full-20260101T020000Z"]
    told = status(ready, "analytics", DbtSchedule)
    assert [(run["outcome"], run.get("fullRefresh")) for run in told["history"]] == [
        ("Succeeded", True), ("Succeeded", None),
    ]  # fmt: skip
    assert (told["lastRun"]["fullRefresh"], told["nextFullRefreshTime"]) == (True, "2026-01-02T02:00:00Z")
    with psycopg.connect(ready.state.server.url("gitmart_read")) as connection:
        ran = connection.execute("select full_refresh from dbt_meta.runs order by id").fetchall()
    assert ran == [(False,), (True,)]

    with following(ready, manifest("analytics", **daily), at=T0 + 2 * HOUR) as follow:  # the field is removed
        follow.settle()
        assert "nextFullRefreshTime" not in status(ready, "analytics", DbtSchedule)
    again = manifest("analytics", fullRefreshSchedule="0 2 * * *", **daily)
    with following(ready, again, at=T0 + 30 * HOUR) as follow:  # and comes again: the times between were not its
        follow.settle()
        assert [job.slot for job in follow.jobs("analytics")] == [*slots, "cron-20260102T010000Z"]


@pytest.mark.slow
def test_replace_stops_the_run_before(ready: Local, manifest: Manifest) -> None:
    with following(ready, manifest("analytics", schedule="* * * * *", concurrencyPolicy="Replace")) as follow:
        follow.after(MINUTE)
        follow.after(MINUTE)
        assert [job.slot for job in follow.jobs()] == ["cron-20260101T003200Z"]
        assert len(follow.follower.processes) == 2  # the one before is about to end


def test_one_request_is_one_run(ready: Local, repository: Path, manifest: Manifest) -> None:
    with following(ready, manifest("one", repository)) as follow:
        follow.settle()
        ready.run("run", "repository", "one")
        follow.settle()
        follow.settle()
        slots = [job.slot.partition("-")[0] for job in follow.jobs()]
    token = stored(ready, "one")["metadata"]["annotations"]["gitmart.dev/requested-at"]

    assert (slots, status(ready, "one")["lastHandledRequest"]) == (["request"], token)  # one good run is kept
    assert len(outcomes(ready, "one")) == 2
    assert "the next `gitmart local up` starts it" in ready.run("run", "repo", "one")
    assert "there is no Repository named 'two'" in ready.run("run", "repo", "two", code=Exit.NOT_FOUND)


def test_a_wrong_cap_is_named(ready: Local) -> None:
    said = ready.run("up", "--max-extractions", "-1", code=Exit.INVALID_INPUT)

    assert "'-1' is not a number of extractions: write 0 for no limit, 1 or more" in said


@pytest.mark.slow
def test_the_host_is_asked_before_an_extraction(ready: Local, repository: Path, manifest: Manifest, host: Any) -> None:
    address = host.publish(repository)
    with ready.start("up", "-f", manifest("one", address, interval="1h", jitter="0s")) as process:
        list(lines(process, "ok     repository/one: Succeeded:"))
        process.terminate()
        process.communicate()
    extracted = status(ready, "one")["lastExtraction"]
    assert extracted["newCommits"] == 3
    _let_time_pass(ready, "one", 2 * HOUR)
    with following(ready, at=datetime.fromisoformat(extracted["finishedAt"])) as follow:
        follow.settle()

        assert conditions(stored(ready, "one"))["Ready"] == ("True", "UpToDate")
        assert len(outcomes(ready, "one")) == 1
        commit(repository, 3, "Two")
        host.publish(repository)
        follow.after(HOUR)
        follow.settle()

    assert status(ready, "one")["lastExtraction"]["newCommits"] == 1


def _let_time_pass(local: Local, name: str, wait: timedelta) -> None:
    """Make what was done last as much older."""
    path = local.state.folder("objects") / "repositories" / "default" / f"{name}.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    last = document["status"]["lastExtraction"]
    moved = (datetime.fromisoformat(last["finishedAt"]) - wait).isoformat()
    last |= {"finishedAt": moved}
    document["status"]["lastCheckTime"] = moved
    path.write_text(json.dumps(document), encoding="utf-8")
