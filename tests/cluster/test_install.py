"""The chart on a real cluster, with default values but for what no default can know."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml

from .client import Namespace
from .environment.places import PROJECT
from .environment.progress import say
from .git_server import GitServer
from .release import Release, known
from .rights import GRANTED, VERBS, may, rights

pytestmark = [pytest.mark.xdist_group("release"), pytest.mark.timeout(900)]


def test_the_way_from_install_to_the_first_analytics(
    release: Release, git_server: GitServer, repository: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """What NOTES.txt and docs/install.md tell to do, with the examples' own files."""
    for number in range(4):
        repository.write("file", f"{number}\n")
        repository.commit(f"commit {number}")
    url = git_server.publish(repository, "first")
    examples = PROJECT / "examples"
    manifest = yaml.safe_load((examples / "repository.yaml").read_text())
    manifest["spec"]["url"] = url
    begun = time.monotonic()

    release.namespace.apply(manifest, (examples / "dbtschedule.yaml").read_text())
    release.namespace.wait_for_condition("repository", "gitpython", "Ready")
    release.namespace.wait_for_condition("dbtschedule", "analytics", "Ready")
    release.namespace.kubectl("create", "job", "--from=cronjob/analytics", "analytics-now")
    release.namespace.wait_for_condition("job", "analytics-now", "Complete")
    rows = release.query(f"select commits, contributors from analytics.repository_summary where url = '{url}'")

    facts = known()
    assert facts is not None
    extracted = time.monotonic() - begun
    with capsys.disabled():
        say(
            f"from helm install to the first analytics: {facts.seconds + extracted:.0f} s, "
            f"{facts.seconds:.0f} s of them until operator and warehouse were ready"
        )
    assert rows == [["4", "1"]]
    status = release.namespace.wait_for("dbtschedule", "analytics", lambda found: "lastRun" in found["status"])[
        "status"
    ]
    assert (status["lastRun"]["job"], status["lastRun"]["outcome"]) == ("analytics-now", "Succeeded")


def test_helm_test_finds_the_release_well(release: Release) -> None:
    assert "Phase:          Succeeded" in release.helm("test", release.name, "--timeout", "3m")


def test_every_pod_of_the_release_is_admitted_as_restricted(release: Release) -> None:
    namespace = release.cluster.kubectl("get", "namespace", release.namespace.name, "-o", "json")
    assert json.loads(namespace)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    events = release.namespace.kubectl("get", "events", "-o", "json")
    refused = [event["message"] for event in json.loads(events)["items"] if event["reason"] == "FailedCreate"]
    assert refused == []


def test_the_operator_may_do_what_it_does_and_nothing_else(release: Release, namespace: Namespace) -> None:
    assert rights(release, namespace) == rights(release, None) == GRANTED


def test_people_with_the_cluster_roles_may_use_the_resources(release: Release, namespace: Namespace) -> None:
    """The chart's roles are part of view, edit and admin."""
    allowed = {"view": "get list watch", "edit": "get list watch create update patch delete deletecollection"}
    for role, verbs in allowed.items():
        person = f"a-person-who-may-{role}"
        namespace.kubectl("create", "rolebinding", person, f"--clusterrole={role}", f"--user={person}")
        for resource in ("gitmart.dev/repositories", "gitmart.dev/dbtschedules"):
            found = [verb for verb in VERBS if may(release.cluster, person, verb, resource, namespace)]
            assert " ".join(found) == verbs
