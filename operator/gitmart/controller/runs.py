"""How a worker's run ended: from its result, its exit code and what the system did to it, to one verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gitmart.contract.outcomes import MEANINGS, RESULT_LOST, Outcome
from gitmart.controller.conditions import Situation, Verdict

# Ends that the worker itself cannot tell of.
OUT_OF_MEMORY = "OOMKilled"  # Kubernetes' own word
EVICTED = "Evicted"  # likewise

_SIGNAL_BASE = 128  # a process ended by signal N exits with 128 + N, as shells and container runtimes tell it

_MOST = 2**53  # that a count in a status can be

_SITUATIONS = {
    Outcome.SUCCEEDED: Situation.GOOD,
    Outcome.SKIPPED: Situation.ROUTINE,
    Outcome.CANCELLED: Situation.ROUTINE,  # a node was drained, a person pressed Ctrl-C: the resource is what it was
    Outcome.TIMEOUT: Situation.NEXT_SLOT,
    Outcome.INVALID_INPUT: Situation.STALLED,
    Outcome.MOVED: Situation.STALLED,
    Outcome.LIMIT_EXCEEDED: Situation.STALLED,
    Outcome.NOTHING_SELECTED: Situation.STALLED,
}


@dataclass(frozen=True, slots=True)
class Run:
    """
    What was seen of a worker that ended.

    `result` is the document it left (see gitmart.contract.result), None when there is none.
    `deadline_exceeded` and `out_of_memory` are what the system says it did.
    """

    started_at: datetime
    finished_at: datetime
    exit_code: int
    result: Mapping[str, object] | None = None
    deadline_exceeded: bool = False
    out_of_memory: bool = False
    evicted: str | None = None  # why, in the kubelet's words
    never_started: Verdict | None = None  # why, if it is known that nothing ever ran
    pod_gone: str | None = None  # what its failed Job says, if no pod is there to say more
    job: str | None = None  # name of its Job, None when it was none
    generation: int | None = None  # of the resource it ran for, None when that is the present one
    url: str | None = None  # that an extraction was made to read, None when that is not known
    full_refresh: bool = False  # whether dbt was to rebuild its incremental models from nothing

    @property
    def duration(self) -> timedelta:
        """How long it took; between nothing and a year, whatever the clocks did."""
        return min(max(self.finished_at - self.started_at, timedelta(0)), timedelta(days=365))

    def number(self, name: str) -> int | None:
        """Return a count among the result's facts, None when it is not told."""
        value = (self.result or {}).get(name)
        known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST
        return value if known and isinstance(value, int) else None

    def text(self, name: str) -> str | None:
        """Return a text among the result's facts, None when it is not told."""
        value = (self.result or {}).get(name)
        return value if isinstance(value, str) else None


def verdict_of(run: Run) -> Verdict:
    """
    Return how the run ended: `reason` is an Outcome's word, `OOMKilled`, `Evicted` or `ResultLost`.

    The exit code decides between good and bad, as a Job's condition does; the result says the rest.
    """
    told = _told_outcome(run)
    if run.never_started is not None:
        return run.never_started
    if run.exit_code == 0:
        if told is None:
            return _lost("the run ended well but left no result: it is repeated to learn the totals")
        if not told.good:
            return _lost(f"the run left the result {told} but its exit code says success")
        return _told(run, told)
    if run.out_of_memory:
        return Verdict(
            Situation.NEXT_SLOT, OUT_OF_MEMORY, "the run needed more memory than spec.resources.limits.memory allows"
        )
    if run.evicted is not None and told in (None, Outcome.CANCELLED):
        return Verdict(Situation.NEXT_SLOT, EVICTED, f"the pod was evicted: {run.evicted}")
    if run.deadline_exceeded and told in (None, Outcome.CANCELLED):
        return Verdict(Situation.NEXT_SLOT, Outcome.TIMEOUT, "the run took longer than spec.timeout and was stopped")
    if told is not None and not told.good:
        return _told(run, told)
    if run.pod_gone is not None:
        return _lost(f"the Job failed, and its pod is gone: {run.pod_gone}")
    return _untold(run.exit_code)


def _told_outcome(run: Run) -> Outcome | None:
    word = run.text("outcome")
    return Outcome(word) if word in {outcome.value for outcome in Outcome} else None


def _told(run: Run, outcome: Outcome) -> Verdict:
    return Verdict(_situation(outcome), outcome, run.text("message") or MEANINGS[outcome].summary)


def _situation(outcome: Outcome) -> Situation:
    return _SITUATIONS.get(outcome, Situation.RETRYING)


def _untold(exit_code: int) -> Verdict:
    """Return what a bad exit code alone says. Each outcome above 0 has a code of its own."""
    for outcome in Outcome:
        if outcome.exit_code == exit_code:
            return Verdict(_situation(outcome), outcome, f"{MEANINGS[outcome].summary} The run left no result.")
    if exit_code > _SIGNAL_BASE:
        return _lost(f"the run was killed by signal {exit_code - _SIGNAL_BASE} and left no result")
    return _lost(f"the run ended with exit code {exit_code} and left no result")


def _lost(message: str) -> Verdict:
    return Verdict(Situation.RETRYING, RESULT_LOST, message)
