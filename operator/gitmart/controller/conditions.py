"""
The only writer of conditions, from one table (design: "What the conditions mean").

`Reconciling` and `Stalled` stand in the list only while they are true, as kstatus expects:
https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Literal

from gitmart.resources.base import Condition

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"
NEW_GENERATION = "NewGeneration"  # reason of Ready until something is known of a generation
INVALID_SPEC = "InvalidSpec"  # a rule that the schema cannot tell
INVALID_POD_TEMPLATE = "InvalidPodTemplate"  # what the API server says of the Job or CronJob
QUEUED = "Queued"  # only while true: due, but no place is free

State = Literal["True", "False", "Unknown"]


class Situation(Enum):
    """Where a resource stands; what follows for its conditions is said in `TABLE`."""

    NEW = auto()  # a new generation of which nothing is known yet
    ROUTINE = auto()  # a run, a wait in the queue, suspend: nothing learnt about the resource
    GOOD = auto()
    RETRYING = auto()  # a person or time can cure it without editing the spec
    NEXT_SLOT = auto()  # it failed and is not repeated before its next slot: memory, deadline
    STALLED = auto()  # only an edit of the spec cures it


@dataclass(frozen=True, slots=True)
class Verdict:
    """A situation and why: `reason` is a CamelCase word, `message` a sentence for people."""

    situation: Situation
    reason: str
    message: str


# Ready, Reconciling, Stalled
TABLE: dict[Situation, tuple[State, bool, bool]] = {
    Situation.NEW: ("Unknown", True, False),
    Situation.GOOD: ("True", False, False),
    Situation.RETRYING: ("False", True, False),
    Situation.NEXT_SLOT: ("False", False, False),
    Situation.STALLED: ("False", False, True),
}


def judged(known: Sequence[Condition], verdict: Verdict, generation: int, now: datetime) -> list[Condition]:
    """
    Return the conditions after a verdict on this generation.

    A routine verdict changes nothing, unless nothing at all is known: then it says why that is so.
    """
    if verdict.situation is Situation.ROUTINE:
        return list(known) if find(known, READY) else put(known, READY, "Unknown", verdict, generation, now)
    ready, reconciling, stalled = TABLE[verdict.situation]
    conditions = put(known, READY, ready, verdict, generation, now)
    for kind, holds in ((RECONCILING, reconciling), (STALLED, stalled)):
        there = put(conditions, kind, "True", verdict, generation, now)
        conditions = there if holds else without(conditions, kind)
    return conditions


def resting(known: Sequence[Condition], verdict: Verdict, generation: int, now: datetime) -> list[Condition]:
    """
    Return the conditions of an object that is suspended: what was known of Ready is said of this generation too.

    Nothing is under way, so Reconciling goes, and nobody waits for it; what stalled another generation goes too.
    """
    ready = find(known, READY)
    rested = without(known, RECONCILING, QUEUED)
    if ready is None or ready.status == "Unknown":
        return put(rested, READY, "Unknown", verdict, generation, now)
    if ready.observed_generation != generation:
        rested = without(rested, STALLED)
    moved = ready.model_copy(update={"observed_generation": generation})
    return [moved if each.type == READY else each for each in rested]


def find(known: Sequence[Condition], kind: str) -> Condition | None:
    """Return the condition of a type, None when there is none."""
    return next((condition for condition in known if condition.type == kind), None)


def without(known: Sequence[Condition], *kinds: str) -> list[Condition]:
    """Return the conditions but for those of these types."""
    return [condition for condition in known if condition.type not in kinds]


def put(
    known: Sequence[Condition], kind: str, status: State, verdict: Verdict, generation: int, now: datetime
) -> list[Condition]:
    """Return the conditions with one set; its transition time moves only if its status does."""
    before = find(known, kind)
    unmoved = before is not None and before.status == status
    condition = Condition(
        type=kind,
        status=status,
        reason=verdict.reason,
        message=verdict.message,
        last_transition_time=before.last_transition_time if before is not None and unmoved else now,
        observed_generation=generation,
    )
    if before is None:
        return [*known, condition]
    return [condition if other.type == kind else other for other in known]


def is_new_generation(known: Sequence[Condition], generation: int) -> bool:
    """Whether nothing was ever said of this generation."""
    ready = find(known, READY)
    return ready is None or ready.observed_generation != generation
