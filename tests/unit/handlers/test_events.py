"""Events, against a server that answers as the API server does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gitmart.handlers.cluster import Cluster
from gitmart.handlers.events import BURST, REMEMBERED, WRITERS, Events
from gitmart.resources.base import ObjectMeta
from gitmart.resources.repository import Repository

from .api_server import ApiServer, against, kubeconfig, refusal


def a_repository(name: str = "kopf", uid: str = "uid-1") -> Repository:
    return Repository.parse(
        {
            "apiVersion": "gitmart.dev/v1alpha1",
            "kind": "Repository",
            "metadata": {"name": name, "namespace": "team", "uid": uid},
            "spec": {"url": f"https://git.example.org/team/{name}"},
        }
    )


class Bench:
    """A server, and a clock that stands until it is moved."""

    def __init__(self, folder: Path) -> None:
        self.server = ApiServer()
        self.folder = folder
        self.seconds = 0.0

    def run(self, script: Callable[[Events], Awaitable[None]]) -> None:
        async def main() -> None:
            async with await Cluster.connect({"KUBECONFIG": str(kubeconfig(self.server, self.folder))}) as cluster:
                cluster._sleep = lambda _: asyncio.sleep(0)
                begin = datetime(2026, 1, 1, tzinfo=UTC)
                events = Events(cluster, lambda: self.seconds, lambda: begin + timedelta(seconds=self.seconds))
                running = asyncio.create_task(events.run())
                await script(events)
                running.cancel()
                await asyncio.wait([running])

        against(self.server, main)

    @property
    def stored(self) -> list[dict[str, Any]]:
        return list(self.server.objects.values())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_an_event_says_what_happened_to_whom(bench: Bench) -> None:
    async def script(events: Events) -> None:
        events.notify(a_repository(), "Warning", "NotFound", "The host answered that there is no such repository.")
        await events.written()

    bench.run(script)
    (event,) = bench.stored
    assert event["metadata"]["namespace"] == "team"
    assert event["metadata"]["name"].startswith("kopf.")
    assert event["involvedObject"] == {
        "apiVersion": "gitmart.dev/v1alpha1", "kind": "Repository", "namespace": "team", "name": "kopf", "uid": "uid-1",
    }  # fmt: skip
    assert (event["type"], event["reason"], event["count"]) == ("Warning", "NotFound", 1)
    assert event["message"] == "The host answered that there is no such repository."
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-01-01T00:00:00Z"
    assert event["reportingComponent"] == event["source"]["component"] == "gitmart.dev/operator"


def test_a_repetition_is_counted_up(bench: Bench) -> None:
    async def script(events: Events) -> None:
        for _ in range(3):
            events.notify(a_repository(), "Warning", "NotFound", "gone")
            await events.written()
            bench.seconds += 300

    bench.run(script)
    (event,) = bench.stored
    assert (event["count"], event["firstTimestamp"], event["lastTimestamp"]) == (
        3,
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:10:00Z",
    )


def test_repetitions_before_the_first_is_written_are_one_event(bench: Bench) -> None:
    async def script(events: Events) -> None:
        for _ in range(3):
            events.notify(a_repository(), "Warning", "NotFound", "gone")
        await events.written()

    bench.run(script)
    assert [event["count"] for event in bench.stored] == [3]
    assert len(bench.server.requests) == 1


@pytest.mark.parametrize(
    ("pause", "words"),
    [
        pytest.param(601, ("uid-1", "Warning", "NotFound", "gone"), id="long ago"),
        pytest.param(1, ("uid-2", "Warning", "NotFound", "gone"), id="another object of that name"),
        pytest.param(1, ("uid-1", "Normal", "NotFound", "gone"), id="another type"),
        pytest.param(1, ("uid-1", "Warning", "Moved", "gone"), id="another reason"),
        pytest.param(1, ("uid-1", "Warning", "NotFound", "gone again"), id="another message"),
    ],
)
def test_something_else_is_an_event_of_its_own(bench: Bench, pause: float, words: tuple[str, str, str, str]) -> None:
    async def script(events: Events) -> None:
        events.notify(a_repository(), "Warning", "NotFound", "gone")
        await events.written()
        bench.seconds += pause
        events.notify(a_repository(uid=words[0]), *words[1:])
        await events.written()

    bench.run(script)
    assert [event["count"] for event in bench.stored] == [1, 1]


def test_a_repetition_of_an_event_that_is_gone_is_told_anew(bench: Bench) -> None:
    async def script(events: Events) -> None:
        events.notify(a_repository(), "Warning", "NotFound", "gone")
        await events.written()
        bench.server.objects.clear()
        events.notify(a_repository(), "Warning", "NotFound", "gone")
        await events.written()

    bench.run(script)
    assert [event["count"] for event in bench.stored] == [2]


def test_one_object_cannot_flood_and_does_not_silence_others(bench: Bench) -> None:
    async def script(events: Events) -> None:
        for number in range(100):
            events.notify(a_repository(), "Warning", "Flood", f"message {number}")
        events.notify(a_repository("other", "uid-2"), "Normal", "Fine", "fine")
        await events.written()
        assert len(bench.server.requests) == BURST + 1
        bench.seconds += 2 * 300 + 1
        for number in range(100):
            events.notify(a_repository(), "Warning", "Flood", f"later {number}")
        await events.written()
        assert len(bench.server.requests) == BURST + 1 + 2

    bench.run(script)


def test_a_long_message_is_cut(bench: Bench) -> None:
    async def script(events: Events) -> None:
        events.notify(a_repository(), "Warning", "Long", "ä" * 2000)
        await events.written()

    bench.run(script)
    assert len(bench.stored[0]["message"]) == 1024
    assert bench.stored[0]["message"].endswith("ä…")


def test_what_is_not_answered_keeps_nobody_else_waiting(bench: Bench) -> None:
    async def script(events: Events) -> None:
        stuck = bench.server.silent = asyncio.Event()
        bench.server.silent_about = "/namespaces/stuck/events"
        silent = a_repository().model_copy(update={"metadata": ObjectMeta(name="kopf", namespace="stuck", uid="uid-1")})
        for _ in range(WRITERS):
            events.notify(silent, "Warning", "NotFound", "gone")
        events.notify(a_repository("other", "uid-2"), "Warning", "NotFound", "gone")
        while not bench.stored:
            await asyncio.sleep(0.01)
        assert [event["involvedObject"]["name"] for event in bench.stored] == ["other"]
        stuck.set()
        await events.written()

    bench.run(script)
    assert [event["count"] for event in bench.stored] == [1, WRITERS]


def test_failures_are_logged_once_and_end_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    async def script(events: Events) -> None:
        bench.server.trouble = [refusal(403, "Forbidden", "events is forbidden") for _ in range(3)]
        for number in range(3):
            events.notify(a_repository(), "Warning", "Trouble", f"message {number}")
        await events.written()
        events.notify(a_repository(), "Warning", "Trouble", "message 3")
        await events.written()

    bench.run(script)
    assert [event["message"] for event in bench.stored] == ["message 3"]
    assert [(record.message, vars(record)["error"]) for record in caplog.records] == [
        ("events cannot be written", "events is forbidden")
    ]


def test_what_is_remembered_is_bounded(bench: Bench) -> None:
    async def script(events: Events) -> None:
        for number in range(REMEMBERED + 100):
            events.notify(a_repository(uid=f"uid-{number}"), "Normal", "Fine", "fine")
        assert len(events._buckets) == REMEMBERED
        assert len(events._told) <= REMEMBERED
        await events.written()

    bench.run(script)
    assert len(bench.stored) == 1000  # the rest found the line full
