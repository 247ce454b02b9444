"""Orders of events in the life of a Repository: what can happen, and the end that all of them must have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from gitmart.controller.observed import job_seen

from .world import ENDS, PODS, World

FORWARD = (1, 20, 60, 400, 3_000, 4_000, 40_000, 300_000)  # seconds
BACK = (60, 3_600, 86_400)
SHOWN = ("repository", "jobs", "pods", "all")


def pick(values: Iterable[Any], number: int) -> Any:
    listed = list(values)
    return listed[number % len(listed)]


# By name: what a number between 0 and 10 makes of it.
EVENTS: dict[str, Callable[[World, int], object]] = {
    "visit": lambda world, _: world.visit(),
    "visit-to-the-end": lambda world, _: settle(world),
    "crash": lambda world, number: world.visit(crash_after=number % 3),
    "restart": lambda world, _: world.restart(),
    "forward": lambda world, number: world.pass_time(pick(FORWARD, number)),
    "back": lambda world, number: world.pass_time(-pick(BACK, number)),
    "show": lambda world, number: world.refresh(pick(SHOWN, number)),
    "edit": lambda world, number: world.edit(interval=f"{1 + number % 3}h", retries=number),
    "move": lambda world, number: world.edit(url=f"https://git.example.org/{'abc'[number % 3]}"),
    "suspend": lambda world, number: world.edit(suspend=bool(number % 2)),
    "request": lambda world, number: world.request("abc"[number % 3]),
    "recreate": lambda world, _: world.recreate(),
    "kill-job": lambda world, _: world.kill_job(),
    "collect": lambda world, _: world.collect(),
    "pod": lambda world, number: world.pod(pick(PODS, number)),
    "end": lambda world, number: world.end(pick(ENDS, number)),
    "news": lambda world, number: setattr(world, "digest", number),
    "host": lambda world, number: setattr(world, "host_answers", bool(number % 2)),
}


def play(events: Iterable[tuple[str, int]]) -> World:
    """Let it all happen, then let the disturbances stop: fails unless the end is that of an undisturbed life."""
    world = World()
    for name, number in events:
        EVENTS[name](world, number)
        ended = [job for job in world.jobs.values() if not job_seen(job).active and owned(world, job)]
        assert len(ended) <= 1 + 3 + 2, "too many Jobs are kept"
    calm(world)
    assert end_of(world) == end_of(undisturbed(world))
    assert world.repository["status"]["url"] == world.repository["spec"]["url"]
    # A Job that nobody saw end may have moved the rows, and a new Repository knows of no address before its own.
    assert len(world.rows) == 1 or world.recreated or world.blind, "rows were left behind"
    return world


def undisturbed(like: World) -> World:
    """Return the end of a life in which nothing happens: the same spec, the same git host."""
    world = World(now=like.now, digest=like.digest)
    world.repository["spec"] = dict(like.repository["spec"])
    calm(world)
    return world


def owned(world: World, job: dict[str, Any]) -> bool:
    return bool(job["metadata"]["annotations"]["gitmart.dev/owner-uid"] == world.repository["metadata"]["uid"])


def settle(world: World) -> timedelta:
    """Visit until nothing is written any more; return when the next visit is wanted."""
    world.refresh("all")
    for _ in range(8):
        decision = world.visit()
        assert decision is not None
        if world.writes == 0 and world.look is None:
            assert decision.revisit > world.now, "visits without a pause and without a write"
            assert world.visit() is not None
            assert world.writes == 0
            return decision.revisit - world.now
        world.refresh("all")
    raise AssertionError("visits write without end")


def calm(world: World) -> None:
    """Stop the disturbances and let time go on until a good run has followed, and the schedule with it."""
    world.host_answers = True
    if world.repository["spec"].get("suspend"):
        world.edit(suspend=False)
    world.restart()
    settle(world)
    if any(condition["type"] == "Stalled" for condition in world.repository["status"]["conditions"]):
        world.edit(retries=0)  # nothing else cures it
    limit = world.now + timedelta(hours=12)
    good = False
    while not good:
        assert world.now < limit, f"no good run has come: {world.repository['status']}"
        world.collect()
        wait = settle(world)
        # Within a visit's pause a Job ends, or else the time of the next visit comes.
        if world.end_good():
            world.pass_time(60)
            settle(world)
        else:
            world.pass_time(int(wait.total_seconds()))
        good = is_good(world)
    for _ in range(2):  # and the life goes on: two more extractions, for something new came
        world.digest += 1
        before = len(world.slots)
        limit = world.now + timedelta(hours=4)
        while len(world.slots) == before or not is_good(world):
            assert world.now < limit, "a slot was lost"
            wait = settle(world)
            world.pass_time(30 if world.end_good() else int(wait.total_seconds()))
        settle(world)


def is_good(world: World) -> bool:
    status = world.repository["status"]
    requested = world.repository["metadata"]["annotations"].get("gitmart.dev/requested-at")
    ready = next(each for each in status["conditions"] if each["type"] == "Ready")
    return bool(
        status["state"] == "completed"
        and ready["status"] == "True"
        and ready["observedGeneration"] == world.repository["metadata"]["generation"]
        and status.get("lastHandledRequest") == requested
        and status["refsDigest"] == str(world.digest)
    )


def end_of(world: World) -> dict[str, Any]:
    """Return what must be the same after every life."""
    status = world.repository["status"]
    jobs = [job_seen(job) for job in world.jobs.values() if owned(world, job)]
    assert len(world.jobs) == len(jobs)
    assert sum(job.state == "failed" for job in jobs) <= 3
    return {
        "state": status["state"],
        "conditions": {each["type"]: each["status"] for each in status["conditions"]},
        "commits": status["commits"] - world.digest,
        "failures": status["consecutiveFailures"],
        "told": status["observedGeneration"] == world.repository["metadata"]["generation"],
        "due": status["nextExtractionTime"] > f"{world.now:%Y-%m-%dT%H:%M:%SZ}",
        "good-jobs": sum(job.state == "complete" for job in jobs),
        "active-jobs": sum(job.active for job in jobs),
        "last": status["lastExtraction"]["outcome"],
    }
