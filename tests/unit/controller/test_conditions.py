"""The table of conditions, and what moves a transition time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gitmart.controller.conditions import Situation, Verdict, is_new_generation, judged
from gitmart.resources.base import Condition

T0 = datetime(2026, 1, 1, tzinfo=UTC)
LATER = T0 + timedelta(hours=1)


def verdict(situation: Situation, reason: str = "Why") -> Verdict:
    return Verdict(situation, reason, "because")


def summary(conditions: list[Condition]) -> dict[str, str]:
    return {condition.type: condition.status for condition in conditions}


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        pytest.param(Situation.NEW, {"Ready": "Unknown", "Reconciling": "True"}, id="new"),
        pytest.param(Situation.GOOD, {"Ready": "True"}, id="good"),
        pytest.param(Situation.RETRYING, {"Ready": "False", "Reconciling": "True"}, id="retrying"),
        pytest.param(Situation.NEXT_SLOT, {"Ready": "False"}, id="next-slot"),
        pytest.param(Situation.STALLED, {"Ready": "False", "Stalled": "True"}, id="stalled"),
        pytest.param(Situation.ROUTINE, {"Ready": "Unknown"}, id="routine-and-nothing-known"),
    ],
)
@pytest.mark.parametrize("before", [None, *Situation])
def test_conditions_follow_the_situation_whatever_was_before(
    before: Situation | None, situation: Situation, expected: dict[str, str]
) -> None:
    known = judged([], verdict(before), 1, T0) if before else []
    after = summary(judged(known, verdict(situation), 1, LATER))

    if situation is Situation.ROUTINE and before is not None:
        assert after == summary(known)
    else:
        assert after == expected


def test_a_routine_verdict_changes_nothing_that_is_known() -> None:
    known = judged([], verdict(Situation.GOOD), 1, T0)

    assert judged(known, verdict(Situation.ROUTINE, "Suspended"), 2, LATER) == known


def test_a_transition_time_moves_only_with_the_status() -> None:
    good = judged([], verdict(Situation.GOOD), 1, T0)
    still_good = judged(good, verdict(Situation.GOOD, "Other"), 2, LATER)
    bad = judged(still_good, verdict(Situation.RETRYING), 2, LATER)

    assert [condition.last_transition_time for condition in still_good] == [T0]
    assert still_good[0].reason == "Other"
    assert still_good[0].observed_generation == 2
    assert [condition.last_transition_time for condition in bad] == [LATER, LATER]


def test_conditions_of_other_types_are_left_alone() -> None:
    other = Condition(type="SourcesFresh", status="True", reason="Fresh", message="", last_transition_time=T0)

    assert judged([other], verdict(Situation.STALLED), 1, LATER)[0] == other


def test_a_generation_is_new_until_ready_speaks_of_it() -> None:
    known = judged([], verdict(Situation.GOOD), 1, T0)

    assert is_new_generation([], 1)
    assert not is_new_generation(known, 1)
    assert is_new_generation(known, 2)
