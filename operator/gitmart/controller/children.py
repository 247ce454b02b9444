"""How a Job is going and how it went: from the Job and its pods to a Run, or to why nothing starts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gitmart.contract.result import read_result
from gitmart.controller.conditions import Situation, Verdict
from gitmart.controller.observed import JobSeen, PodSeen, WarningSeen
from gitmart.controller.runs import Run

# A Job none of whose pods ever ran is given up after this long: a later one is made with what is right by then.
STUCK_AFTER = timedelta(minutes=5)

IMAGE_PULL_FAILED = "ImagePullFailed"
CONTAINER_CONFIG_ERROR = "ContainerConfigError"
UNSCHEDULABLE = "Unschedulable"
VOLUME_MISSING = "VolumeMissing"
POD_REFUSED = "PodRefused"

_IMAGE_WORDS = frozenset(
    {
        *("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"),
        *("ImageInspectError", "SignatureValidationFailed"),
    }
)
_CONFIG_WORDS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_NOT_STARTED = frozenset({"StartError", "ContainerCannotRun"})  # how a container ends that the runtime cannot start
_EVENT_REASONS = {"FailedMount": VOLUME_MISSING, "FailedAttachVolume": VOLUME_MISSING, "FailedCreate": POD_REFUSED}
# How the scheduler speaks of a claim that is not there, or for which there is no volume yet.
_CLAIM = re.compile(
    r'persistentvolumeclaim "[^"]*" (not found|is being deleted|bound to non-existent)'
    r"|unbound immediate persistentvolumeclaims",
    re.IGNORECASE,
)
_MESSAGE_LIMIT = 512  # characters of what the kubelet or an event says


@dataclass(frozen=True, slots=True)
class Child:
    """A Job with its pods and the warnings about either, by uid."""

    job: JobSeen
    pods: Sequence[PodSeen] = ()
    warnings: Sequence[WarningSeen] = ()

    @property
    def ran(self) -> bool:
        """Whether a container of it has ever started."""
        return any(pod.ran for pod in self.pods)

    def trouble(self) -> Verdict | None:
        """Return why an active Job does not get to work; None when it works or is about to."""
        newest = max(self.pods, key=_age, default=None)
        if newest is None:
            return _by_events(self.warnings, {"FailedCreate"})
        if newest.exit_code is not None or (newest.ran and not newest.waiting):
            return None
        if newest.waiting in _IMAGE_WORDS:
            return _cannot(IMAGE_PULL_FAILED, f"the image cannot be pulled: {newest.waiting_message or newest.waiting}")
        if newest.waiting in _CONFIG_WORDS:
            said = newest.waiting_message or newest.waiting
            return _cannot(CONTAINER_CONFIG_ERROR, f"the container cannot be made: {said}")
        if newest.unschedulable and _CLAIM.search(newest.unschedulable):
            return _cannot(VOLUME_MISSING, f"a volume is missing: {newest.unschedulable}")
        if newest.unschedulable:
            return _cannot(UNSCHEDULABLE, f"no node takes the pod: {newest.unschedulable}")
        return _by_events(self.warnings, {"FailedMount", "FailedAttachVolume"})

    def is_stuck(self, now: datetime) -> bool:
        """Whether it has been hopeless for so long that it is given up."""
        return self.is_hopeless() and now - self.job.created_at >= STUCK_AFTER

    def is_hopeless(self) -> bool:
        """Whether nothing of it ever started, and it is known why."""
        return not self.ran and self.trouble() is not None

    def given_up(self, now: datetime) -> Run:
        """Return the run of a Job that is given up because nothing of it ever started."""
        return Run(
            started_at=self.job.created_at,
            finished_at=now,
            exit_code=1,
            never_started=self.trouble() or _cannot(POD_REFUSED, "no pod was ever made"),
            job=self.job.name,
            generation=self.job.generation,
            url=self.job.url,
            full_refresh=self.job.full_refresh,
        )

    def run(self) -> Run:
        """Return how an ended Job went. The Job's own condition decides between good and bad."""
        pod = max((each for each in self.pods if _has_ended(each)), key=_ending, default=None)
        finished = self.job.finished_at or self.job.created_at
        complete = self.job.state == "complete"
        overdue = self.job.reason == "DeadlineExceeded" or (pod is not None and pod.reason == "DeadlineExceeded")
        return Run(
            started_at=min(self.job.started_at or self.job.created_at, finished),
            finished_at=finished,
            exit_code=0 if complete else _bad_code(pod),
            result=read_result(pod.told) if pod else None,
            deadline_exceeded=overdue,
            out_of_memory=pod is not None and pod.ended_as == "OOMKilled",
            evicted=(pod.message or pod.reason) if pod is not None and pod.reason == "Evicted" else None,
            never_started=None if complete else self._never_started(pod),
            pod_gone=f"{self.job.reason}: {self.job.message}" if pod is None and not complete else None,
            job=self.job.name,
            generation=self.job.generation,
            url=self.job.url,
            full_refresh=self.job.full_refresh,
        )

    def _never_started(self, pod: PodSeen | None) -> Verdict | None:
        """Return why nothing of a failed Job ever ran; None if something did, or if it is not known."""
        if pod is not None and pod.ended_as in _NOT_STARTED:
            return _cannot(CONTAINER_CONFIG_ERROR, f"the container cannot be started: {pod.told or pod.ended_as}")
        return None if self.ran else self.trouble()


def _bad_code(pod: PodSeen | None) -> int:
    """Return the exit code of a failed Job's pod; 1, which no outcome has, when it is not known or says success."""
    return pod.exit_code if pod is not None and pod.exit_code else 1


def _has_ended(pod: PodSeen) -> bool:
    return pod.exit_code is not None or pod.phase in ("Failed", "Succeeded")


def _age(pod: PodSeen) -> tuple[datetime, str]:
    return pod.created_at, pod.name


def _ending(pod: PodSeen) -> tuple[bool, datetime, str]:
    """Order ended pods: one that succeeded last, else by their end."""
    return pod.phase == "Succeeded", pod.finished_at or pod.created_at, pod.name


def _by_events(warnings: Iterable[WarningSeen], reasons: set[str]) -> Verdict | None:
    latest = max((each for each in warnings if each.reason in reasons), key=lambda each: each.at, default=None)
    if latest is None:
        return None
    word = _EVENT_REASONS[latest.reason]
    return _cannot(word, f"{'no pod can be made' if word == POD_REFUSED else 'a volume is missing'}: {latest.message}")


def _cannot(reason: str, message: str) -> Verdict:
    return Verdict(Situation.RETRYING, reason, message[:_MESSAGE_LIMIT])
