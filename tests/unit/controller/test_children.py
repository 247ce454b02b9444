"""
How a Job is going and how it went, from what the API server says of it.

`samples` holds Jobs and pods as a Kubernetes 1.36 cluster had them, without specs and addresses.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gitmart.controller.children import STUCK_AFTER, Child
from gitmart.controller.conditions import Situation
from gitmart.controller.observed import PodSeen, WarningSeen, cron_job_seen, job_seen, pod_seen
from gitmart.controller.runs import verdict_of

from .objects import SECOND, T0, a_job, a_pod, an_ended_pod

SAMPLES = Path(__file__).parent / "samples"
JOBS: dict[str, Any] = json.loads((SAMPLES / "jobs.json").read_text())
PODS: dict[str, Any] = json.loads((SAMPLES / "pods.json").read_text())


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-24T{text}").replace(tzinfo=UTC)


# What is read of real objects


def test_an_ended_job_is_read() -> None:
    job = job_seen(JOBS["ended"])

    assert (job.name, job.resource, job.slot, job.token) == ("ended", "one", "20260101T000000Z", "please")
    assert (job.generation, job.host, job.claimed_by, job.owner) == (3, "git.example.org", "u1", None)
    assert (job.state, job.reason, job.deleting, job.suspended) == ("failed", "BackoffLimitExceeded", False, False)
    assert (job.created_at, job.started_at, job.finished_at) == (at("09:54:57"), at("09:54:57"), at("09:55:04"))


@pytest.mark.parametrize("name", ["no-image", "no-node", "refused"])
def test_a_job_that_has_not_ended_is_active(name: str) -> None:
    job = job_seen(JOBS[name])

    assert (job.state, job.finished_at) == ("active", None)


def test_an_ended_pod_is_read() -> None:
    pod = pod_seen(PODS["ended"])

    assert (pod.job, pod.phase, pod.ran, pod.exit_code, pod.ended_as) == ("ended", "Failed", True, 79, "Error")
    assert (pod.started_at, pod.finished_at) == (at("09:54:59"), at("09:54:59"))
    assert json.loads(pod.told)["outcome"] == "SecretMissing"


def test_a_waiting_pod_is_read() -> None:
    pod = pod_seen(PODS["no-image"])
    assert (pod.ran, pod.exit_code, pod.waiting) == (False, None, "ImagePullBackOff")
    assert "localhost/none:1" in pod.waiting_message

    nowhere = pod_seen(PODS["no-node"])
    assert nowhere.unschedulable.startswith("0/2 nodes are available")


def test_a_cron_job_is_read() -> None:
    body = {
        "metadata": {
            "name": "analytics", "uid": "u", "resourceVersion": "7", "generation": 2,
            "ownerReferences": [{"kind": "DbtSchedule", "uid": "owner", "controller": True}, {"uid": "other"}],
        },
        "status": {"lastScheduleTime": "2026-11-24T09:54:00Z", "active": [{"name": "analytics-29"}]},
    }  # fmt: skip
    seen = cron_job_seen(body)

    assert (seen.owner, seen.generation, seen.last_schedule_time) == ("owner", 2, at("09:54:00"))
    assert cron_job_seen(body | {"status": {}}).last_schedule_time is None


@pytest.mark.parametrize("read", [job_seen, pod_seen, cron_job_seen])
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"metadata": {}, "status": {}},
        {"metadata": {"labels": None, "annotations": None, "ownerReferences": None}, "status": {"conditions": None}},
        {"metadata": {"annotations": {"gitmart.dev/generation": "²"}}, "status": {"containerStatuses": None}},
        {"metadata": {"annotations": {"gitmart.dev/generation": "9" * 5000}}},
        {"status": {"containerStatuses": [{"name": "sidecar", "state": {"running": {}}}, {"name": "worker"}]}},
    ],
)
def test_what_is_missing_or_odd_was_not_told(read: Any, body: dict[str, Any]) -> None:
    seen = read(body)

    assert seen.name == ""
    assert getattr(seen, "generation", None) in (None, 0)
    assert getattr(seen, "ran", False) is False


# Why nothing starts


def warnings(*pairs: tuple[str, str]) -> list[WarningSeen]:
    return [WarningSeen(reason, message, T0 + SECOND * later) for later, (reason, message) in enumerate(pairs)]


QUOTA = 'Error creating: pods "x" is forbidden: exceeded quota: small'
PSS = 'Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest"'
NO_CLAIM = '0/2 nodes are available: persistentvolumeclaim "git-cache" not found. preemption: 0/2 nodes are available'
UNBOUND = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
IN_USE = "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod"
MOUNT = 'MountVolume.SetUp failed for volume "ca": configmap "ca" not found'


@pytest.mark.parametrize(
    ("child", "reason", "words"),
    [
        (Child(job_seen(JOBS["no-image"]), [pod_seen(PODS["no-image"])]), "ImagePullFailed", "connection refused"),
        (Child(job_seen(JOBS["no-node"]), [pod_seen(PODS["no-node"])]), "Unschedulable", "untolerated taint"),
        (Child(a_job(), [a_pod(waiting="InvalidImageName")]), "ImagePullFailed", "InvalidImageName"),
        (Child(a_job(), [a_pod(waiting="ImageInspectError")]), "ImagePullFailed", "ImageInspectError"),
        (Child(a_job(), [a_pod(waiting="CreateContainerConfigError", waiting_message="no key")]),
         "ContainerConfigError", "no key"),
        (Child(a_job(), [a_pod(waiting="ContainerCreating")], warnings(("FailedMount", MOUNT))), "VolumeMissing", "ca"),
        (Child(a_job(), [a_pod(unschedulable=NO_CLAIM)]), "VolumeMissing", 'persistentvolumeclaim "git-cache" not found'),
        (Child(a_job(), [a_pod(unschedulable=UNBOUND)]), "VolumeMissing", "unbound immediate"),
        (Child(a_job(), [a_pod(unschedulable=IN_USE)]), "Unschedulable", "ReadWriteOncePod"),
        (Child(a_job(), [], warnings(("FailedCreate", QUOTA))), "PodRefused", "exceeded quota"),
        (Child(a_job(), [], warnings(("FailedCreate", QUOTA), ("FailedCreate", PSS))), "PodRefused", "PodSecurity"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)  # fmt: skip
def test_a_job_that_does_not_start_says_why(child: Child, reason: str, words: str) -> None:
    trouble = child.trouble()

    assert trouble is not None
    assert (trouble.situation, trouble.reason) == (Situation.RETRYING, reason)
    assert words in trouble.message
    assert not child.is_stuck(child.job.created_at + STUCK_AFTER - SECOND)
    assert child.is_stuck(child.job.created_at + STUCK_AFTER)
    run = child.given_up(child.job.created_at + STUCK_AFTER)
    assert (verdict_of(run), run.job) == (trouble, child.job.name)


@pytest.mark.parametrize(
    "child",
    [
        pytest.param(Child(a_job()), id="no-pod-yet"),
        pytest.param(Child(a_job(), [a_pod(waiting="ContainerCreating")]), id="being-made"),
        pytest.param(Child(a_job(), [a_pod(waiting="PodInitializing")], warnings(("Unhealthy", "x"))), id="other"),
        pytest.param(Child(a_job(), [a_pod(ran=True)], warnings(("FailedMount", MOUNT))), id="runs-in-the-end"),
        pytest.param(Child(a_job(), [an_ended_pod(outcome="Locked", code=75)]), id="between-two-tries"),
    ],
)
def test_a_job_that_works_or_is_about_to_has_no_trouble(child: Child) -> None:
    assert child.trouble() is None
    assert not child.is_stuck(T0 + timedelta(days=1))


def test_a_job_that_ran_once_is_not_given_up_for_its_second_pod() -> None:
    second = a_pod(at=T0 + SECOND, waiting="ErrImagePull")
    child = Child(a_job(), [an_ended_pod(outcome="Locked", code=75), second])

    assert child.trouble() is not None
    assert not child.is_stuck(T0 + timedelta(days=1))


REFUSED = json.dumps({"version": 1, "outcome": "AuthenticationFailed", "message": "the host asks for credentials"})


def a_container(name: str, **state: Any) -> dict[str, Any]:
    return {"name": name, "state": state}


@pytest.mark.parametrize(
    ("fetcher", "worker", "ran", "exit_code", "waiting", "told"),
    [
        pytest.param({"waiting": {"reason": "ErrImagePull"}}, {"waiting": {"reason": "PodInitializing"}}, False, None,
                     "ErrImagePull", "", id="its image is missing"),
        pytest.param({"running": {}}, {"waiting": {"reason": "PodInitializing"}}, True, None, "", "", id="it runs"),
        pytest.param({"terminated": {"exitCode": 77, "message": REFUSED}}, {"waiting": {"reason": "PodInitializing"}},
                     True, 77, "", REFUSED, id="it has failed"),
        pytest.param({"terminated": {"exitCode": 0, "message": "fetched"}}, {"waiting": {"reason": "ErrImagePull"}},
                     False, None, "ErrImagePull", "", id="the worker's image is missing"),
        pytest.param({"terminated": {"exitCode": 0, "message": "fetched"}},
                     {"terminated": {"exitCode": 82, "message": "x"}}, True, 82, "", "x", id="the worker has failed"),
    ],
)  # fmt: skip
def test_of_a_pod_that_fetches_first_the_container_tells_that_is_at_work(
    fetcher: dict[str, Any], worker: dict[str, Any], ran: bool, exit_code: int | None, waiting: str, told: str
) -> None:
    others = [a_container("mesh", running={}), a_container("fetcher", **fetcher)]  # somebody's sidecar comes first
    status = {"initContainerStatuses": others, "containerStatuses": [a_container("worker", **worker)]}

    pod = pod_seen({"status": status | {"phase": "Failed" if exit_code else "Pending"}})

    assert (pod.ran, pod.exit_code, pod.waiting, pod.told) == (ran, exit_code, waiting, told)


def test_a_failed_fetch_is_the_end_of_its_run() -> None:
    state = {"terminated": {"exitCode": 77, "message": REFUSED}}
    pod = pod_seen({"status": {"phase": "Failed", "initContainerStatuses": [a_container("fetcher", **state)]}})

    verdict = verdict_of(Child(a_job(ended="failed"), [pod]).run())

    assert (verdict.reason, verdict.message) == ("AuthenticationFailed", "the host asks for credentials")


def test_a_long_message_is_cut() -> None:
    trouble = Child(a_job(), [a_pod(waiting="ErrImagePull", waiting_message="x" * 100_000)]).trouble()

    assert trouble is not None
    assert len(trouble.message) <= 512


# How it went


def failed(*pods: PodSeen, reason: str = "BackoffLimitExceeded") -> Child:
    return Child(a_job(ended="failed", reason=reason), pods)


def done(*pods: PodSeen) -> Child:
    return Child(a_job(ended="complete"), pods)


def killed(**changes: Any) -> PodSeen:
    return a_pod(**({"phase": "Failed", "ran": True, "exit_code": 137} | changes))


CUT = '{"version":1,"outcome":"Succeeded","message":"it was cut'


@pytest.mark.parametrize(
    ("child", "situation", "reason"),
    [
        pytest.param(done(an_ended_pod()), Situation.GOOD, "Succeeded", id="good"),
        pytest.param(done(), Situation.RETRYING, "ResultLost", id="good-but-the-pod-is-gone"),
        pytest.param(done(a_pod(exit_code=0, told=CUT)), Situation.RETRYING, "ResultLost", id="good-but-cut"),
        pytest.param(done(an_ended_pod(outcome="Bug")), Situation.RETRYING, "ResultLost", id="good-with-a-bad-result"),
        pytest.param(failed(an_ended_pod(outcome="NotFound", code=66)), Situation.RETRYING, "NotFound", id="told"),
        pytest.param(failed(an_ended_pod(None, code=66)), Situation.RETRYING, "NotFound", id="by-its-code"),
        pytest.param(failed(an_ended_pod(None, code=64)), Situation.STALLED, "InvalidInput", id="stalled-by-its-code"),
        pytest.param(failed(an_ended_pod(outcome="Succeeded", code=0)), Situation.RETRYING, "ResultLost", id="job-says"),
        pytest.param(failed(killed(ended_as="OOMKilled")), Situation.NEXT_SLOT, "OOMKilled", id="memory"),
        pytest.param(failed(killed(reason="Evicted", message="disk")), Situation.NEXT_SLOT, "Evicted", id="evicted"),
        pytest.param(
            failed(a_pod(phase="Failed", reason="Evicted")), Situation.NEXT_SLOT, "Evicted", id="evicted-unstarted"
        ),
        pytest.param(failed(reason="DeadlineExceeded"), Situation.NEXT_SLOT, "Timeout", id="deadline-of-the-job"),
        pytest.param(failed(killed(reason="DeadlineExceeded")), Situation.NEXT_SLOT, "Timeout", id="deadline-of-the-pod"),
        pytest.param(failed(killed()), Situation.RETRYING, "ResultLost", id="killed"),
        pytest.param(failed(), Situation.RETRYING, "ResultLost", id="failed-and-the-pod-is-gone"),
        pytest.param(failed(an_ended_pod(outcome="Bug", code=70), reason="PodFailurePolicy"), Situation.RETRYING, "Bug",
                     id="pod-failure-policy"),
        pytest.param(
            failed(a_pod(phase="Failed", ran=True, exit_code=128, ended_as="StartError", told="exec: no such file")),
            Situation.RETRYING, "ContainerConfigError", id="the-runtime-could-not-start-it",
        ),
        pytest.param(Child(job_seen(JOBS["ended"]), [pod_seen(PODS["ended"])]), Situation.RETRYING, "SecretMissing",
                     id="a-real-one"),
    ],
)  # fmt: skip
def test_an_ended_job_says_how_it_went(child: Child, situation: Situation, reason: str) -> None:
    verdict = verdict_of(child.run())

    assert (verdict.situation, verdict.reason) == (situation, reason)


def test_of_several_pods_the_one_that_succeeded_counts_else_the_last_to_end() -> None:
    first, second = an_ended_pod(outcome="Locked", code=75), an_ended_pod(outcome="NotFound", code=66)
    later = pod_later(second)
    assert verdict_of(failed(later, first).run()).reason == "NotFound"

    good = an_ended_pod(outcome="Succeeded")
    assert verdict_of(done(good, pod_later(first)).run()).reason == "Succeeded"


def pod_later(pod: PodSeen) -> PodSeen:
    changes = {name: getattr(pod, name) for name in pod.__slots__}
    return PodSeen(**(changes | {"name": "later", "finished_at": T0 + 99 * SECOND}))


def test_a_failed_job_whose_pod_is_gone_tells_what_kubernetes_said() -> None:
    child = Child(a_job(ended="failed", reason="BackoffLimitExceeded", message="reached the backoff limit"))
    message = verdict_of(child.run()).message

    assert "reached the backoff limit" in message
    assert "exit code" not in message


@pytest.mark.parametrize("number", [-1, 2**60, True, "7", 1.5, None])
def test_a_count_that_cannot_be_is_not_told(number: object) -> None:
    child = done(an_ended_pod(newCommits=number))

    assert child.run().number("newCommits") is None


def test_times_that_contradict_each_other_give_no_negative_duration() -> None:
    backwards = Child(a_job(ended="complete", started_at=T0 + timedelta(days=1)), [an_ended_pod()]).run()
    assert backwards.duration == timedelta(0)

    forward = Child(a_job(ended="complete", finished_at=T0 + timedelta(days=4000)), [an_ended_pod()]).run()
    assert forward.duration <= timedelta(days=365)
