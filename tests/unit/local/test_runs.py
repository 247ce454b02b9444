"""What a follower keeps of runs, and what decisions see of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gitmart.controller.runs import verdict_of
from gitmart.local.exits import StateError
from gitmart.local.runs import End, Record, Runs, ended, left_behind

T0 = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ("Repository", "default", "one")


def a_record(job: str = "one-1", **changes: Any) -> Record:
    made = Record(
        job=job, kind="Repository", namespace="default", resource="one", owner="u", slot="generation-1", token=None,
        generation=2, host="git.example.org", created_at=T0,
    )  # fmt: skip
    return replace(made, **changes)


def told(outcome: str, **facts: Any) -> str:
    return json.dumps({"version": 1, "outcome": outcome, "message": "m", **facts})


@pytest.mark.parametrize(
    ("end", "state", "reason"),
    [
        pytest.param(End(T0, 0, told("Succeeded")), "complete", "Succeeded", id="good"),
        pytest.param(End(T0, 66, told("NotFound")), "failed", "NotFound", id="bad"),
        pytest.param(End(T0, 137), "failed", "ResultLost", id="killed"),
        pytest.param(End(T0, 137, out_of_memory=True), "failed", "OOMKilled", id="out of memory"),
        pytest.param(End(T0, 80, told("Cancelled"), overdue=True), "failed", "Timeout", id="over its deadline"),
    ],
)
def test_an_ended_run_is_seen_as_an_ended_job(end: End, state: str, reason: str) -> None:
    child = ended(a_record(), end).child()

    assert (child.job.state, child.job.finished_at, child.job.owner) == (state, T0, "u")
    assert verdict_of(child.run()).reason == reason
    assert (child.run().job, child.run().generation) == ("one-1", 2)


def test_a_run_that_goes_on_is_seen_as_one_that_works() -> None:
    child = a_record().child()

    assert (child.job.active, child.trouble(), child.is_stuck(T0 + timedelta(days=1))) == (True, None, False)


def test_runs_are_there_after_a_crash(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    going, done = a_record("one-1", token="t"), ended(a_record("one-2"), End(T0, 0, "told"))
    for record in (going, done):
        runs.save(record)

    again = Runs(tmp_path)

    assert (again.of(KEY), again.active(), again.get("one-2")) == ([going, done], [going], done)


def test_a_deleted_run_leaves_nothing(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.save(a_record())
    for suffix in ("log", "result"):
        runs.path(a_record(), suffix).write_text("x", encoding="utf-8")
    runs.delete(a_record())
    runs.path(a_record(), "result").write_text("its worker was still at it", encoding="utf-8")
    Runs(tmp_path).tidy()

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(told("Succeeded", finishedAt="2026-01-01T00:00:05.900+00:00"), 0, id="good"),
        pytest.param(told("NotFound", finishedAt="2026-01-01T00:00:05.900+00:00"), 66, id="bad"),
        pytest.param(told("Cancelled"), None, id="stopped with its follower: begins anew"),
        pytest.param("", None, id="killed: begins anew"),
    ],
)
def test_an_end_that_nobody_saw_is_known_by_its_result(tmp_path: Path, text: str, code: int | None) -> None:
    runs = Runs(tmp_path)
    runs.save(a_record())
    runs.path(a_record(), "result").write_text(text, encoding="utf-8")

    found = [record.end for record in left_behind(runs, runs.active(), T0 + timedelta(hours=1))]

    assert found == ([] if code is None else [End(T0 + timedelta(seconds=5), code, text)])


def test_the_time_of_a_schedule_is_that_of_the_object_it_was_kept_for(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.save(a_record())  # makes the folder
    runs.save_schedule_time(KEY, "u", T0)

    assert Runs(tmp_path).last_schedule_time(KEY, "u") == T0
    assert Runs(tmp_path).last_schedule_time(KEY, "another object of the name") is None


def test_full_refreshes_have_a_time_of_their_own_that_can_be_forgotten(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.forget_full_refreshes(KEY)
    runs.save_schedule_time(KEY, "u", T0, full_refresh=True)
    assert runs.last_schedule_time(KEY, "u") is None
    assert Runs(tmp_path).last_schedule_time(KEY, "u", full_refresh=True) == T0

    runs.forget_full_refreshes(KEY)
    assert runs.last_schedule_time(KEY, "u", full_refresh=True) is None


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / "one-1.json").write_text("{", encoding="utf-8")

    with pytest.raises(StateError, match=r"one-1\.json is damaged .*: delete it"):
        Runs(tmp_path)
