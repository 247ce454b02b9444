"""From what was seen of a run to one verdict."""

from __future__ import annotations

import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.controller.conditions import Situation
from gitmart.controller.runs import Run, verdict_of

from .objects import a_run

KILLED, TERMINATED = 137, 143


@pytest.mark.parametrize(
    ("run", "reason", "situation"),
    [
        pytest.param(a_run(), "Succeeded", Situation.GOOD, id="good"),
        pytest.param(a_run("Skipped"), "Skipped", Situation.ROUTINE, id="skipped"),
        pytest.param(a_run(None), "ResultLost", Situation.RETRYING, id="good-without-a-result"),
        pytest.param(a_run("NotFound", 0), "ResultLost", Situation.RETRYING, id="contradiction"),
        pytest.param(a_run("Succeeded", 70), "Bug", Situation.RETRYING, id="a-bad-exit-code-counts"),
        pytest.param(a_run("NotFound", 66), "NotFound", Situation.RETRYING, id="not-found"),
        pytest.param(a_run("InvalidInput", 64), "InvalidInput", Situation.STALLED, id="invalid"),
        pytest.param(a_run("Moved", 67), "Moved", Situation.STALLED, id="moved"),
        pytest.param(
            a_run("AddressNotAllowed", 84), "AddressNotAllowed", Situation.RETRYING, id="administrator-may-allow"
        ),
        pytest.param(a_run("Timeout", 72), "Timeout", Situation.NEXT_SLOT, id="own-timeout"),
        pytest.param(a_run("Cancelled", 80), "Cancelled", Situation.ROUTINE, id="cancelled"),
        pytest.param(a_run(None, 69), "WarehouseUnreachable", Situation.RETRYING, id="exit-code-alone"),
        pytest.param(a_run(None, 1), "ResultLost", Situation.RETRYING, id="unknown-exit-code"),
        pytest.param(a_run(None, KILLED), "ResultLost", Situation.RETRYING, id="killed"),
        pytest.param(a_run(None, KILLED, out_of_memory=True), "OOMKilled", Situation.NEXT_SLOT, id="oom"),
        pytest.param(a_run("Bug", 70, out_of_memory=True), "OOMKilled", Situation.NEXT_SLOT, id="oom-of-a-child"),
        pytest.param(a_run(out_of_memory=True), "Succeeded", Situation.GOOD, id="good-in-spite-of-oom"),
        pytest.param(a_run(None, KILLED, deadline_exceeded=True), "Timeout", Situation.NEXT_SLOT, id="deadline"),
        pytest.param(a_run("Cancelled", 80, deadline_exceeded=True), "Timeout", Situation.NEXT_SLOT, id="stopped"),
        pytest.param(a_run("DiskFull", 74, deadline_exceeded=True), "DiskFull", Situation.RETRYING, id="told-before"),
    ],
)
def test_the_verdict_of_a_run(run: Run, reason: str, situation: Situation) -> None:
    verdict = verdict_of(run)

    assert (verdict.reason, verdict.situation) == (reason, situation)
    assert verdict.message


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if not outcome.good])
def test_every_bad_outcome_is_told_with_or_without_its_result(outcome: Outcome) -> None:
    told = verdict_of(a_run(outcome, outcome.exit_code))
    untold = verdict_of(a_run(None, outcome.exit_code))

    assert told.reason == untold.reason == outcome
    assert told.situation is untold.situation
    assert told.message == f"it was {outcome}"


@pytest.mark.parametrize("value", ["3", None, True, 2.5], ids=repr)
def test_a_fact_of_another_type_is_not_believed(value: object) -> None:
    assert a_run(commits=value).number("commits") is None


def test_the_message_names_the_field_that_cures_it() -> None:
    assert "spec.resources.limits.memory" in verdict_of(a_run(None, KILLED, out_of_memory=True)).message
    assert "spec.timeout" in verdict_of(a_run(None, TERMINATED, deadline_exceeded=True)).message
