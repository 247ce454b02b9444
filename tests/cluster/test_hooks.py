"""Webhooks on a real cluster: from a push to rows and marts, and what the API's service account may change."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.conftest import Repository

from gitmart.api.hooks.gathering import LONGEST

from .client import Namespace
from .environment.progress import say
from .git_server import GitServer
from .release import HOOK_SECRET, OTHER_OPERATOR, Release
from .rights import API_GRANTED, rights
from .waiting import SOON

pytestmark = [pytest.mark.xdist_group("release"), pytest.mark.timeout(900)]

ANNOTATION = "gitmart.dev/requested-at"
NEVER = "0 0 1 1 *"  # a schedule that does not come while the tests run


def signed(url: str, secret: str = HOOK_SECRET) -> tuple[bytes, dict[str, str]]:
    """Return the body of a push to a new commit and GitHub's headers for it."""
    body = json.dumps({"after": uuid4().hex, "repository": {"clone_url": url}}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "X-GitHub-Event": "push",
        "X-Hub-Signature-256": f"sha256={signature}",
        "Content-Type": "application/json",
    }
    return body, headers


def send(release: Release, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Send a webhook to the Service, by way of the API server."""
    path = f"/api/v1/namespaces/{release.namespace.name}/services/{release.api}:http/proxy/hooks/github"
    client = release.cluster.api
    answer = client.session.post(f"{client.url}{path}", data=body, headers=headers, timeout=30)
    return answer.status_code, answer.json()


def trigger(release: Release, path: str, name: str) -> tuple[int, str]:
    """Ask for a run from inside the pod, with the token of that name which the chart has made."""
    tokens = dict(line.split("=", 1) for line in release.secret(release.api)["tokens"].splitlines())
    script = (
        "import sys, urllib.request as r, urllib.error as e\n"
        "ask = r.Request('http://127.0.0.1:8080' + sys.argv[1], b'', {'Authorization': 'Bearer ' + sys.stdin.readline().strip()})\n"
        "try: answer = r.urlopen(ask)\n"
        "except e.HTTPError as error: answer = error\n"
        "print(answer.status, answer.read().decode())"
    )
    words = ("exec", "-i", f"deployment/{release.api}", "--", "python", "-c", script, path)
    status, text = release.namespace.kubectl(*words, stdin=f"{tokens[name]}\n").split(" ", 1)
    return int(status), text


def is_at_rest(found: dict[str, Any]) -> bool:
    """Whether a DbtSchedule has run, and neither runs nor will soon."""
    status = found["status"]
    return "lastRun" in status and not status["active"] and "pendingSince" not in status


def test_one_push_is_one_extraction_and_one_dbt_run(
    release: Release, namespace: Namespace, git_server: GitServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release.connect(namespace)
    repository = Repository(tmp_path / "hooked")
    repository.write("file", "one\n")
    repository.commit("one")
    git_server.publish(repository, "hooked")
    url = git_server.url("hooked", host="hooked.git.test")
    group = {"apiVersion": "gitmart.dev/v1alpha1"}
    namespace.apply(group | {"kind": "Repository", "metadata": {"name": "hooked"}, "spec": {"url": url}})
    namespace.wait_for_condition("repository", "hooked", "Ready", timeout=SOON)
    # What came before the DbtSchedule is news to it, too.
    spec = {"schedule": NEVER, "afterExtraction": {"debounce": "2s"}, "select": ["stg_contributors"]}
    namespace.apply(group | {"kind": "DbtSchedule", "metadata": {"name": "analytics"}, "spec": spec})
    namespace.wait_for("dbtschedule", "analytics", is_at_rest, SOON)
    runs = len(namespace.get("dbtschedule", "analytics")["status"]["history"])

    assert send(release, *signed(url, "another-secret-of-the-webhooks"))[0] == 401
    assert ANNOTATION not in namespace.get("repository", "hooked")["metadata"].get("annotations", {})
    repository.write("file", "two\n")
    repository.commit("two")
    git_server.publish(repository, "hooked")
    body, headers = signed(url)
    assert send(release, body, headers) == (202, {"result": "asked", "repositories": 1})
    assert send(release, body, headers) == (200, {"result": "repeated", "repositories": 0})

    extracted = namespace.wait_for("repository", "hooked", lambda found: found["status"]["commits"] == 2, SOON)
    status = extracted["status"]
    assert status["lastHandledRequest"] == extracted["metadata"]["annotations"][ANNOTATION]
    assert (status["lastExtraction"]["newCommits"], len(status["history"])) == (1, 2)

    def is_built(found: dict[str, Any]) -> bool:
        return is_at_rest(found) and len(found["status"]["history"]) > runs

    built = namespace.wait_for("dbtschedule", "analytics", is_built, SOON)["status"]
    assert (len(built["history"]), built["lastRun"]["outcome"]) == (runs + 1, "Succeeded")

    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        codes = set(pool.map(lambda _: send(release, *signed(url))[0], range(1000)))
    bursts = math.ceil((time.monotonic() - began) / LONGEST)  # requests that they can have become
    assert codes == {202}
    last = namespace.get("repository", "hooked")["metadata"]["annotations"][ANNOTATION]

    def is_over(found: dict[str, Any]) -> bool:
        return (found["status"]["lastHandledRequest"], found["status"]["state"]) == (last, "completed")

    history = namespace.wait_for("repository", "hooked", is_over, SOON)["status"]["history"]
    with capsys.disabled():
        say(f"a thousand pushes in {time.monotonic() - began:.0f} s became {len(history) - 2} runs")
    assert len(history) - 2 <= bursts


def test_runs_are_asked_for_over_http(release: Release, namespace: Namespace) -> None:
    group = {"apiVersion": "gitmart.dev/v1alpha1"}
    namespace.kubectl("label", "namespace", namespace.name, f"{OTHER_OPERATOR}=true")
    url = f"https://git.example.org/{namespace.name}"
    namespace.apply(group | {"kind": "Repository", "metadata": {"name": "one"}, "spec": {"url": url, "suspend": True}})
    path = f"/repositories/{namespace.name}/one/extract"

    assert trigger(release, path, "reader")[0] == 403
    status, text = trigger(release, path, "trigger")
    missing, why = trigger(release, f"/dbtschedules/{namespace.name}/one/run", "trigger")

    assert status == 202
    assert namespace.get("repository", "one")["metadata"]["annotations"][ANNOTATION] == json.loads(text)["token"]
    assert (missing, json.loads(why)["title"]) == (404, "Not Found")
    assert 'dbtschedules.gitmart.dev "one" not found' in json.loads(why)["detail"]


def test_the_api_may_ask_for_runs_and_nothing_else(release: Release, namespace: Namespace) -> None:
    user = f"system:serviceaccount:{release.namespace.name}:{release.api}"

    assert rights(release, namespace, user) == API_GRANTED


ATTEMPTS = {
    "spec": {"spec": {"suspend": False}},
    "the annotation and spec": {"metadata": {"annotations": {ANNOTATION: "x"}}, "spec": {"url": "https://git.example.org/b"}},
    "labels": {"metadata": {"labels": {"team": "b"}}},
    "no labels": {"metadata": {"labels": None}},
    "another annotation": {"metadata": {"annotations": {"other": "x"}}},
    "an annotation that is there": {"metadata": {"annotations": {"kept": "x"}}},
    "no annotations": {"metadata": {"annotations": None}},
    "a withdrawn request": {"metadata": {"annotations": {ANNOTATION: None}}},
    "finalizers": {"metadata": {"finalizers": ["example.org/stay"]}},
    "owners": {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "b"}]}},
}  # fmt: skip


def test_its_service_account_can_change_one_annotation_alone(release: Release, namespace: Namespace) -> None:
    """Also with all the rights of the cluster's administrator."""
    namespace.kubectl("label", "namespace", namespace.name, f"{OTHER_OPERATOR}=true")
    account = f"{release.namespace.name}:{release.api}"
    metadata = {"name": "one", "labels": {"team": "a"}, "annotations": {"kept": "yes"}}
    spec = {"url": f"https://git.example.org/{namespace.name}", "suspend": True}
    namespace.apply({"apiVersion": "gitmart.dev/v1alpha1", "kind": "Repository", "metadata": metadata, "spec": spec})
    namespace.kubectl("create", "rolebinding", "all", "--clusterrole=cluster-admin", f"--serviceaccount={account}")

    def patch(change: dict[str, Any], subresource: str = "") -> Any:
        return release.cluster.api.patch(
            version="gitmart.dev/v1alpha1", namespace=namespace.name, url=f"repositories/one{subresource}",
            data=json.dumps(change),
            headers={
                "Content-Type": "application/merge-patch+json",
                "Impersonate-User": f"system:serviceaccount:{account}",
                "Impersonate-Group": "system:serviceaccounts",
            },
        )  # fmt: skip

    assert patch({"metadata": {"annotations": {ANNOTATION: "first"}}}).ok
    before = namespace.get("repository", "one")
    for name, change in ATTEMPTS.items():
        answer = patch(change)
        assert (answer.status_code, "gitmart's API may" in answer.text) == (422, True), name
    for refused in (patch({"status": {"state": "failed"}}, "/status"), release.cluster.api.delete(
        version="gitmart.dev/v1alpha1", namespace=namespace.name, url="repositories/one",
        headers={"Impersonate-User": f"system:serviceaccount:{account}"},
    )):  # fmt: skip
        assert (refused.status_code, "no part of it such as the status" in refused.text) == (422, True)
    assert namespace.get("repository", "one") == before
    assert patch({"metadata": {"annotations": {ANNOTATION: "second"}}}).ok
    namespace.kubectl("annotate", "repository", "one", "other=people")  # nobody else is held to anything
    namespace.kubectl("patch", "repository", "one", "--type=merge", "-p", '{"spec": {"suspend": false}}')
