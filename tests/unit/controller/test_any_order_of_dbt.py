"""A DbtSchedule in a small model of the world: whatever happens in whatever order, the same end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitmart.contract.kinds import REQUESTED_AT
from gitmart.controller.children import Child
from gitmart.controller.observed import CronJobSeen
from gitmart.controller.transformation import Decision, Seen, decide, job_of
from gitmart.resources.dbtschedule import AfterExtraction, DbtSchedule

from .objects import SECOND, T0, a_job, a_pod, a_schedule, an_ended_pod

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RESYNC = 10 * MINUTE
ENDS = (("Succeeded", 0), ("DataFailed", 81), ("Skipped", 0), ("WarehouseUnreachable", 69), (None, 137))
STEPS = (SECOND, MINUTE, 5 * MINUTE, HOUR, 30 * HOUR, -MINUTE, -HOUR, -24 * HOUR)


@dataclass
class World:
    """The API server with one DbtSchedule, its Jobs and CronJob; visits and people change it."""

    now: datetime = T0
    made: int = 0
    schedule: DbtSchedule = field(default_factory=a_schedule)
    children: dict[str, Child] = field(default_factory=dict)
    cron_job: CronJobSeen | None = None
    suspended: bool | None = None  # the CronJob
    full_cron_job: CronJobSeen | None = None
    full_suspended: bool | None = None
    older: DbtSchedule | None = None
    news: list[datetime] = field(default_factory=list)
    told: list[str] = field(default_factory=list)  # names of Jobs whose end was told, as often as it was

    def spec(self, **changes: Any) -> None:
        metadata = self.schedule.metadata
        metadata = metadata.model_copy(update={"generation": metadata.generation + 1})
        spec = self.schedule.spec.model_copy(update=changes)
        self.schedule = self.schedule.model_copy(update={"spec": spec, "metadata": metadata})

    def request(self, token: str) -> None:
        metadata = self.schedule.metadata.model_copy(update={"annotations": {REQUESTED_AT: token}})
        self.schedule = self.schedule.model_copy(update={"metadata": metadata})

    def add(self, name: str, owner: str, token: str | None = None) -> None:
        job = a_job(name, uid=owner, claimed_by="analytics", at=self.now, token=token)
        self.children[name] = Child(job, [a_pod(name, at=self.now, ran=True)])

    def fire_full(self) -> None:
        """Let the CronJob of full refreshes make a Job, whatever else runs."""
        if self.full_cron_job is not None and not self.full_suspended:
            self.made += 1
            self.add(f"full-{self.made:04}", self.full_cron_job.uid)

    def fire(self, owner: str) -> None:
        """Let the CronJob make a Job, or a person from it."""
        if self.cron_job is not None and (owner == "by-hand" or not (self.suspended or self.running())):
            self.made += 1
            self.add(f"run-{self.made:04}", owner)

    def running(self) -> list[str]:
        return [name for name, child in self.children.items() if child.job.active]

    def end(self, outcome: str | None, code: int) -> None:
        for name in self.running():
            job = replace(self.children[name].job, state="failed" if code else "complete", finished_at=self.now)
            self.children[name] = Child(job, [an_ended_pod(name, outcome, code)])

    def stick(self) -> None:
        for name in self.running():
            self.children[name] = Child(self.children[name].job, [a_pod(name, waiting="ErrImagePull")])

    def visit(self, crash_after: int = 99) -> tuple[Decision, bool] | None:
        """Carry a decision out: None after a crash, else with whether the status has changed."""
        children = list(self.children.values())
        seen = Seen(children, self.cron_job, self.full_cron_job, self.older, tuple(self.news))
        decision = decide(self.schedule, seen, self.now, RESYNC)
        writes = iter(range(1, 99))
        for job in decision.delete:
            assert job.active or job.name in {past.job for past in self.schedule.status.history} | set(self.told)
            self.children.pop(job.name)
            if next(writes) > crash_after:
                return None
        if decision.drop is not None:
            self.drop()
            if next(writes) > crash_after:
                return None
        if decision.full_cron_job is not None and decision.full_cron_job != self.full_suspended:
            self.full_suspended = decision.full_cron_job
            made = CronJobSeen("analytics-full", f"full-{self.made}", "1", "analytics", 1, None, "analytics")
            self.full_cron_job = self.full_cron_job or made
            if next(writes) > crash_after:
                return None
        if decision.cron_job is not None and decision.cron_job != self.suspended:
            self.suspended = decision.cron_job
            self.cron_job = self.cron_job or CronJobSeen("analytics", "cron-uid", "1", "analytics", 1, None)
            if next(writes) > crash_after:
                return None
        if decision.start is not None:
            assert not self.running(), "two runs at a time"
            name = job_of(self.schedule, decision.start.slot)
            assert name not in self.children, "a slot of a Job that is there"
            self.add(name, "analytics", decision.start.token)
            if next(writes) > crash_after:
                return None
        changed = decision.status != self.schedule.status
        document = self.schedule.model_copy(update={"status": decision.status}).to_dict()
        self.schedule = DbtSchedule.parse(document)  # as the API server keeps it
        self.told += [run.job for run in decision.runs if run.job]
        return decision, changed or next(writes) > 1

    def drop(self) -> None:
        """Delete the CronJob of full refreshes; its Jobs stay without an owner, and are adopted."""
        assert self.full_cron_job is not None
        for name, child in self.children.items():
            if child.job.owner == self.full_cron_job.uid:
                self.children[name] = replace(child, job=replace(child.job, owner="analytics"))
        self.full_cron_job = self.full_suspended = None

    def settle(self) -> Decision:
        for _ in range(6):
            visited = self.visit()
            assert visited is not None
            if not visited[1]:
                assert visited[0].revisit > self.now, "visits without a pause"
                return visited[0]
        raise AssertionError("visits write without end")


EVENTS = {
    "visit": lambda world, _: world.visit(),
    "settle": lambda world, _: world.settle(),
    "crash": lambda world, number: world.visit(crash_after=number % 3),
    "clock": lambda world, number: setattr(world, "now", world.now + STEPS[number % len(STEPS)]),
    "suspend": lambda world, number: world.spec(suspend=bool(number % 2)),
    "after": lambda world, number: world.spec(after_extraction=AfterExtraction() if number % 3 else None),
    "request": lambda world, number: world.request("abc"[number % 3]),
    "news": lambda world, _: world.news.__setitem__(slice(None), [world.now]),
    "conflict": lambda world, number: setattr(world, "older", a_schedule("older") if number % 2 else None),
    "cron": lambda world, _: world.fire("cron-uid"),
    "weekly": lambda world, number: world.spec(full_refresh_schedule="0 3 * * 0" if number % 2 else None),
    "full": lambda world, _: world.fire_full(),
    "by-hand": lambda world, _: world.fire("by-hand"),
    "end": lambda world, number: world.end(*ENDS[number % len(ENDS)]),
    "stick": lambda world, _: world.stick(),
    "kill": lambda world, number: (
        world.children.pop(sorted(world.children)[number % len(world.children)]) if world.children else None
    ),
}


@settings(deadline=None, max_examples=100)
@example([("visit", 0), ("by-hand", 0), ("clock", 5), ("end", 1)])  # news in the minute that comes twice
@given(st.lists(st.tuples(st.sampled_from(sorted(EVENTS)), st.integers(0, 7)), max_size=40))
def test_all_orders_of_events_end_alike(events: list[tuple[str, int]]) -> None:
    world = World()
    for name, number in events:
        EVENTS[name](world, number)
    went_back = any(name == "clock" and STEPS[number] < timedelta(0) for name, number in events)

    world.older = None
    world.spec(suspend=False, after_extraction=AfterExtraction(), full_refresh_schedule=None)
    # While a clock that was set back has not caught up, nobody can tell which of two moments came first.
    world.now = max([world.now, *(child.job.created_at for child in world.children.values())]) + SECOND
    world.news = [world.now]
    for _ in range(60):
        world.settle()
        world.now += MINUTE
        world.end("Succeeded", 0)
    decision = world.settle()

    status = world.schedule.status
    assert {each.type: each.status for each in status.conditions} == {"Ready": "True", "LastRunSucceeded": "True"}
    assert (status.pending_since, status.active, world.suspended) == (None, [], False)
    assert (world.full_cron_job, status.full_refresh_cron_job, status.next_full_refresh_time) == (None, None, None)
    assert status.last_handled_request == world.schedule.metadata.annotations.get(REQUESTED_AT)
    assert status.last_run is not None
    assert status.last_run.started_at >= world.news[0], "news were lost"
    assert len([child for child in world.children.values() if child.job.owner == "analytics"]) <= 6
    assert went_back or len(world.told) == len(set(world.told)), "an end was told twice"
    assert decision.runs == ()
